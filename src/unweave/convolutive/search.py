"""One run of a convolutive factorisation: where it starts, how it goes on, and what comes of it.

The start. Bases of several frames have many more local minima than spectra have, and random starts end in poor ones. So
the best of several short plain factorisations is found first, under the same penalties and weights. Its spectra are
spread over the taps, each tap `DECAY` times the one before, and its activations are sharpened to match; both are lifted
first, since a zero would stay one. Bases and activations that were given take the place of those that were found; the
activations of given bases find their place before these bases move.

The iterations are those of `unweave.convolutive.delays`. Every ten the objective, the divergence with all penalties, is
looked at, and where it has risen momentum begins anew. In results and progress 'divergence' means the objective, as it
does without taps.

Reference: docs/decisions/0008-convolutive.md.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from unweave.arrays import Mask, Matrix
from unweave.convolutive.delays import Delayed, DelayedPass
from unweave.convolutive.tapped import ConvolutiveFactorization
from unweave.factorization import Factorization, Stop
from unweave.initialize import Given
from unweave.loop import Enough, State, finish, make_problem
from unweave.nmf import steps as plain_steps
from unweave.plan import FINAL_ITER, Plan
from unweave.rules import Extrapolated, Multiplicative, Problem
from unweave.rules.anchor import Anchor

__all__ = ["DECAY", "ConvolutiveProgress", "ConvolutiveState", "TapSearch", "lifted", "sharpened", "spread_taps"]

DECAY = 0.9
"""How much weaker than the one before a tap is, where spectra are spread over taps for a start."""

_CHECK_EVERY = 10
_PARTNER_ITER = 10


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutiveState:
    """Bases and activations between two iterations."""

    iteration: int
    factors: Delayed

    @property
    def bases(self) -> Matrix:
        """A copy of the bases ``(bins, components, taps)``."""
        return self.factors.to_user()[0]

    @property
    def activations(self) -> Matrix:
        """A copy of the activations ``(components, frames)``."""
        return self.factors.to_user()[1]


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutiveProgress:
    """How far a run is: iterations done, of at most ``total``, and the state that they led to.

    The iterations of the plain factorisation that it begins with count as well; their states are `State`.
    """

    done: int
    total: int
    divergence: float
    state: State | ConvolutiveState


def spread_taps(bases: Matrix, n_taps: int) -> Matrix:
    """Repeat spectra ``(bins, n)`` over taps ``(bins, n, taps)``, each tap `DECAY` times the one before."""
    spread: Matrix = bases[:, :, None] * (DECAY ** np.arange(n_taps)).astype(bases.dtype)
    return spread


def sharpened(activations: Matrix) -> Matrix:
    """Activations ``(components, frames)`` of plain spectra, for the same spectra spread over taps.

    Taps that decay by d smear an activation g into h[n] = Σ_τ d^τ g[n-τ], so g[n] = h[n] - d h[n-1]. Where h falls
    faster than that, g would be negative: a tenth of h is left there, since a zero would stay one.
    """
    before = np.zeros_like(activations)
    before[:, 1:] = activations[:, :-1]
    decay, rest = activations.dtype.type(DECAY), activations.dtype.type(0.1)
    return np.maximum(activations - decay * before, rest * activations)


def lifted(columns: Matrix) -> Matrix:
    """A factor ``(n, components)`` without zeros: at least a hundredth of the mean of each component.

    A zero would stay one, and what is silent under a spectrum need not be so under several.
    """
    means = columns.mean(axis=0, dtype=np.float64)
    floor = 0.01 * np.where(means > 0, means, means.mean())
    up: Matrix = np.maximum(columns, floor.astype(columns.dtype))
    return up


class TapSearch:
    """One run, from the best start that is known to its end.

    Parameters
    ----------
    plan, given
        What is asked for, and what is brought, with bases ``(bins, n, taps)``.
    V : ``(bins, frames)``
        In units of ``scale``.
    n_taps : int
    scale : float
    weights : ``(bins, frames)``, optional
        As `unweave.weights.weighted` returns them.
    """

    def __init__(
        self, plan: Plan, given: Given, V: Matrix, n_taps: int, scale: float, *, weights: Matrix | None = None
    ) -> None:
        self.plan, self.given, self.V, self.n_taps, self.scale, self.weights = plan, given, V, n_taps, scale, weights
        self.seed = plan.seed()
        self.problem = make_problem(
            *(V, plan.beta, given.learn_bases, given.learn_activations),
            weights=weights,
            penalties=plan.penalties,
            room=False,
        )
        self.history: list[tuple[int, float]] = []
        self.before = 0  # iterations of the plain factorisation
        self.enough = False  # whether somebody asked to end

    def search(self) -> Generator[ConvolutiveProgress, None, ConvolutiveFactorization]:
        """Find the start, and go on from there."""
        factors = yield from self._start()
        moves = DelayedPass(self._anchored(factors), factors, momentum=not isinstance(self.plan.rule, Multiplicative))
        self.history.append((0, moves.objective()))
        most = self.plan.max_iter
        while moves.iteration < most and not self._settled() and not self.enough:
            for _ in range(min(_CHECK_EVERY, most - moves.iteration)):
                moves.step()
            objective = moves.objective()
            if objective > self.history[-1][1]:
                moves.restart()
            self.history.append((moves.iteration, objective))
            state = ConvolutiveState(moves.iteration, factors)
            try:
                yield ConvolutiveProgress(self.before + moves.iteration, self.before + most, objective, state)
            except Enough:
                self.enough = True
        return self._result(factors)

    def _anchored(self, factors: Delayed) -> Problem:
        """The problem, which remembers given bases that are to be let go slowly; a tap is a row there."""
        adapt = self.given.adapt
        if not adapt.any():
            return self.problem
        return replace(self.problem, anchor=Anchor(factors.flat.copy(), np.tile(adapt, self.n_taps)))

    def _settled(self) -> bool:
        """Whether the last iterations have changed next to nothing, with no basis held any more."""
        if len(self.history) < 2 or self.plan.tol == 0 or self.history[-1][0] < self.given.adapt.max(initial=0):
            return False
        before, now = self.history[-2][1], self.history[-1][1]
        return abs(before - now) < self.plan.tol * before or now == 0

    def _start(self) -> Generator[ConvolutiveProgress, None, Delayed]:
        """Where to begin: at what was given; and for the rest at a plain factorisation, spread over the taps."""
        given = self.given
        n_bases = 0 if given.bases is None else given.bases.shape[1]
        n_activations = 0 if given.activations is None else given.activations.shape[0]
        if given.complete:
            bases = np.ones((self.V.shape[0], given.n_components, self.n_taps), self.V.dtype)
            activations = np.ones((given.n_components, self.V.shape[1]), self.V.dtype)
        else:
            bases, activations = yield from self._plain()
        given.put_into(bases, activations, self.V, self.scale)
        # The partner of what was given is put at a level that knows nothing of taps, which add up.
        activations[n_activations:n_bases] /= self.n_taps
        bases[:, n_bases:n_activations] /= self.n_taps
        factors = Delayed.of(bases, activations)
        partners = np.zeros(given.n_components, np.bool_)
        partners[n_activations:n_bases] = True
        self._fit(factors, partners)
        return factors

    def _plain(self) -> Generator[ConvolutiveProgress, None, tuple[Matrix, Matrix]]:
        """The best of several short plain factorisations, from the spectra of what was given."""
        plan, given = self.plan, self.given
        spectra = None if given.bases is None else given.bases.sum(axis=2)
        short = Plan(
            plan.beta,
            bases=spectra,
            start=plan.start,
            restarts=plan.restarts,
            max_iter=min(FINAL_ITER, plan.max_iter),
            rng=self.seed,
            rule=Extrapolated(),  # of β = 2, too: the default there ends in many zeros
            penalties=plan.penalties,
            weights=self.weights,
        )
        steps = plain_steps(self.V, given.n_components, short)
        while True:
            try:
                now = next(steps)
            except StopIteration as end:
                found: Factorization = end.value
                break
            self.before = now.total
            try:
                yield ConvolutiveProgress(now.done, now.total + plan.max_iter, now.divergence, now.state)
            except Enough:
                self.enough, found = True, finish(steps)
                break
        bases, activations = lifted(found.bases), lifted(found.activations.T).T
        return spread_taps(bases, self.n_taps), sharpened(activations)

    def _fit(self, factors: Delayed, partners: Mask) -> None:
        """Let the activations of given bases find their place before these bases move; see `unweave.search`."""
        if not partners.any() or not self.given.learn_bases.any():
            return
        alone = replace(self.problem, learn_bases=np.zeros_like(partners), learn_activations=partners)
        moves = DelayedPass(alone, factors)
        for _ in range(_PARTNER_ITER):
            moves.step()

    def _result(self, factors: Delayed) -> ConvolutiveFactorization:
        """The factorisation in the user's units."""
        ended = Stop.CONVERGED if self._settled() else Stop.MAX_ITER
        bases, activations = factors.to_user()
        self.given.restore(bases, activations, self.scale)
        iterations, divergences = (np.array(column) for column in zip(*self.history, strict=True))
        found = ConvolutiveFactorization(
            bases,
            activations,
            divergences * self.scale**self.plan.beta,
            Stop.INTERRUPTED if self.enough else ended,
            self.plan.beta,
            self.seed,
            iterations.astype(np.int64),
        )
        return found if self.given.any else found.normalize()
