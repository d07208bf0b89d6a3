"""The search for a good minimum: several starts, of which after each round the best go on.

The divergence of NMF has many local minima. One random start in a few ends in a poor one; so does NNDSVD now and
then. The best of several hardly ever does, and most of its cost can be spared: after `TRIAL_ITER` iterations a poor
start shows. So all starts run that far, the `FINALISTS` with the lowest divergence run on to `FINAL_ITER`, and the
best of them to the end. Runs are left and taken up again where they were, momentum included.

In long recordings the starts are compared on `SAMPLE_FRAMES` frames drawn from all over it; its cost then is next to
nothing.

Evidence: `make quality` prints the scores of ten seeds on four drum loops, for one start and for the search.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from unweave.arrays import Mask, Matrix
from unweave.factorization import Factorization, Stop
from unweave.initialize import METHODS, Given, nndsvd, random_start
from unweave.loop import Enough, Progress, State, loop, make_factors, make_problem
from unweave.plan import FINAL_ITER, FINALISTS, TRIAL_ITER, Plan
from unweave.rules import Factors, Multiplicative, Problem, Rule, chosen_rule
from unweave.rules.anchor import Anchor
from unweave.threads import single_blas

__all__ = ["SAMPLE_FRAMES", "Search"]

_CHECK_EVERY = 10
"""Iterations from one look at the divergence to the next."""

SAMPLE_FRAMES = 4096
"""Frames on which the starts of a recording of at least twice as many frames are compared: a minute and a half at a hop
of 512 samples has twice as many."""

_PARTNER_ITER = 10
"""Iterations in which the activations of given bases find their level, before the bases move."""


class _Run:
    """One start on its way: its factors, its history, and the loop, which can be left and taken up again."""

    def __init__(self, problem: Problem, factors: Factors, rule: Rule, max_iter: int) -> None:
        self.factors = factors
        self.held = 0 if problem.anchor is None else problem.anchor.end
        self.history: list[tuple[int, float]] = []
        self.states = loop(problem, factors, rule, end=max_iter, stride=_CHECK_EVERY)

    @property
    def divergence(self) -> float:
        """The latest divergence, with all penalties."""
        return self.history[-1][1]

    def advance(self) -> State | None:
        """Go on for some iterations and look at the divergence; None at the end."""
        state = next(self.states, None)
        if state is None:
            return None
        divergence = state.objective()
        if self.history and divergence > self.divergence:
            state.motion.restart()
        self.history.append((state.iteration, divergence))
        return state

    def settled(self, tol: float) -> bool:
        """Whether the last iterations have changed next to nothing."""
        if len(self.history) < 2 or tol == 0 or self.history[-1][0] < self.held:
            return False
        before = self.history[-2][1]
        return abs(before - self.divergence) < tol * before or self.divergence == 0


def _lifted(bases: Matrix) -> Matrix:
    """Bases without zeros: what did not sound in the sampled frames may sound in others, and a zero would stay one."""
    mean = bases.mean(axis=0, dtype=np.float64)
    floor = np.where(mean > 0, 0.01 * mean, 1.0).astype(bases.dtype)
    lifted: Matrix = np.maximum(bases, floor)
    return lifted


class Search:
    """All starts, of which after each round the best go on, until one is left."""

    def __init__(self, plan: Plan, given: Given, V: Matrix, scale: float, weights: Matrix | None = None) -> None:
        self.plan, self.given, self.V, self.scale, self.weights = plan, given, V, scale, weights
        self.rule = chosen_rule(plan.rule, plan.beta, constrained=plan.constrained)
        self.seed = plan.seed()
        self.problem = make_problem(
            V, plan.beta, given.learn_bases, given.learn_activations, weights=weights, penalties=plan.penalties
        )
        # Where nothing is left to chance there is one start only.
        restarts = 1 if given.complete or plan.start in METHODS else plan.restarts
        # (runs, up to which iteration): many for a while, a few for longer, the best to its end
        self.rounds = [(restarts, min(TRIAL_ITER, plan.max_iter))] if restarts > 1 else []
        if restarts > FINALISTS:
            self.rounds.append((FINALISTS, min(FINAL_ITER, plan.max_iter)))
        self.rounds.append((1, plan.max_iter))
        self.restarts = restarts
        self.stop = Stop.MAX_ITER
        self.done = 0

    @property
    def total(self) -> int:
        """Most iterations of all runs together."""
        total = before = 0
        for count, until in self.rounds:
            total, before = total + count * (until - before), until
        return total

    def search(self) -> Generator[Progress, None, Factorization]:
        """Play all rounds."""
        if self.restarts > 1 and self.V.shape[1] >= 2 * SAMPLE_FRAMES:
            start = yield from self._sampled_start()
            if self.stop is Stop.INTERRUPTED:
                start.advance()  # to its first state: a result has a divergence
                return self._result(start)
            return self._result((yield from self._play([start], self.rounds[-1:])))
        seeds = np.random.SeedSequence(self.seed).spawn(self.restarts)
        runs = [self._run(index, seed) for index, seed in enumerate(seeds)]
        return self._result((yield from self._play(runs, self.rounds)))

    def _play(self, runs: list[_Run], rounds: list[tuple[int, int]]) -> Generator[Progress, None, _Run]:
        """Let the best runs go on from round to round; return the last one."""
        for count, until in rounds:
            runs = sorted(runs, key=lambda run: run.divergence if run.history else 0.0)[:count]  # stable: first wins
            for one in runs:
                try:
                    yield from self._advance(one, until)
                except Enough:
                    self.stop = Stop.INTERRUPTED
                    return min((run for run in runs if run.history), key=lambda run: run.divergence)
        return runs[0]

    def _sampled_start(self) -> Generator[Progress, None, _Run]:
        """Compare the starts on some frames of a long recording; the best bases then start the whole."""
        rng = np.random.default_rng([self.seed, SAMPLE_FRAMES])
        chosen = np.sort(rng.choice(self.V.shape[1], SAMPLE_FRAMES, replace=False))
        plan = replace(self.plan, max_iter=min(FINAL_ITER, self.plan.max_iter), rng=self.seed)
        known = None if self.weights is None else self.weights[:, chosen]
        small = Search(plan, self.given.at(chosen), self.V[:, chosen], self.scale, known)
        seeds = np.random.SeedSequence(self.seed).spawn(self.restarts)
        runs = [small._run(index, seed) for index, seed in enumerate(seeds)]
        best = yield from small._play(runs, small.rounds)
        self.stop = small.stop if small.stop is Stop.INTERRUPTED else self.stop
        activations = np.ones((self.given.n_components, self.V.shape[1]), self.V.dtype)
        bases = _lifted(best.factors.bases.T)
        self.given.put_into(bases, activations, self.V, self.scale)
        factors = make_factors(bases, activations, self.V.dtype)
        given = 0 if self.given.activations is None else self.given.activations.shape[0]
        self._fit_activations(factors, np.arange(self.given.n_components) >= given)
        return self._start(factors)

    def _start(self, factors: Factors) -> _Run:
        """A run from these factors; given bases that are to be let go slowly are remembered as they are."""
        problem = self.problem
        if self.given.adapt.any():
            problem = replace(problem, anchor=Anchor(factors.bases.copy(), self.given.adapt))
        return _Run(problem, factors, self.rule, self.plan.max_iter)

    def _advance(self, one: _Run, until: int) -> Iterator[Progress]:
        """Run one start up to an iteration, or until it no longer moves."""
        while not one.history or one.history[-1][0] < until:
            if one.settled(self.plan.tol):
                self.stop = Stop.CONVERGED
                return
            before = one.history[-1][0] if one.history else 0
            state = one.advance()
            if state is None:
                return
            self.done += state.iteration - before
            yield Progress(self.done, self.total, one.divergence, state)
        self.stop = Stop.CONVERGED if one.settled(self.plan.tol) else Stop.MAX_ITER

    def _run(self, index: int, seed: np.random.SeedSequence) -> _Run:
        """The start number ``index``; among the best-of starts the first is NNDSVD."""
        method, rng = self.plan.start, np.random.default_rng(seed)
        if method == "best" and index == 0 and not self.given.complete:
            method = "nndsvda"
        if method in METHODS:
            bases, activations = nndsvd(self.V, self.given.n_components, rng, method)
        else:
            bases, activations = random_start(self.V, self.given.n_components, rng)
        self.given.put_into(bases, activations, self.V, self.scale)
        factors = make_factors(bases, activations, self.V.dtype)
        self._fit_partners(factors)
        return self._start(factors)

    def _fit_partners(self, factors: Factors) -> None:
        """Let the activations of given bases find their place, before these bases move.

        The bases move first in an iteration; from flat activations they would lose what they were given for.
        """
        given, learn = self.given, np.zeros(self.given.n_components, np.bool_)
        n_activations = 0 if given.activations is None else given.activations.shape[0]
        if given.bases is not None:
            learn[n_activations : given.bases.shape[1]] = True
        if learn.any() and given.learn_bases.any():
            self._fit_activations(factors, learn)

    def _fit_activations(self, factors: Factors, learn: Mask) -> None:
        """Let some activations find their level while all else stays."""
        problem = replace(self.problem, learn_bases=np.zeros_like(learn), learn_activations=learn)
        motion = Multiplicative().start(problem, factors)
        with single_blas():
            for _ in range(_PARTNER_ITER):
                motion.step()

    def _result(self, best: _Run) -> Factorization:
        """The factorisation in the user's units."""
        bases, activations = best.factors.bases.T.copy(), best.factors.activations.T.copy()
        self.given.restore(bases, activations, self.scale)
        iterations, divergences = (np.array(column) for column in zip(*best.history, strict=True))
        # A divergence of scaled matrices scales with its β: d(sv | sy) = s^β d(v | y).
        divergences = divergences * self.scale**self.plan.beta
        found = Factorization(
            bases, activations, divergences, self.stop, self.plan.beta, self.seed, iterations.astype(np.int64)
        )
        return found if self.given.any else found.normalize()
