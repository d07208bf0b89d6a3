"""Non-negative matrix factorisation: the one loop, and its front door.

    V ≈ W H,   W ≥ 0, H ≥ 0,   such that the β-divergence D_β(V | W H) is small.

`iterate` is the loop: a generator that yields a state after every iteration and never ends; who uses it decides when
to stop. `steps` adds what a person wants: a good start, a criterion to stop by, a result; also as a generator, so
that progress, cancelling and live pictures are the caller's. `nmf` runs it to its end.

The start. One random start in a few ends in a poor minimum; the best of several short runs hardly ever does. So by
default `RESTARTS` starts, one of them NNDSVD, are run for `TRIAL_ITER` iterations each, and the one with the lowest
divergence goes on. The seed is fixed unless one is given: the same input gives the same result.

Differences from scikit-learn: the objective is the same and ``max_iter`` and ``tol`` mean the same, but V has frames as
columns, H moves before W, float32 stays float32, and zeros are allowed for β ≤ 0. From FluCoMa: the divergence falls in
every iteration, kept and given matrices keep their scale, exact zeros stay zero, and iterations end when nothing moves.

References: D. D. Lee, H. S. Seung, Learning the parts of objects by non-negative matrix factorization, Nature 401,
1999, doi:10.1038/44565. P. Smaragdis, J. C. Brown, Non-negative matrix factorization for polyphonic music
transcription, WASPAA 2003, doi:10.1109/ASPAA.2003.1285860.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.divergence import KULLBACK_LEIBLER, floored, require_beta
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop
from unweave.initialize import METHODS, Given, learn_mask, nndsvd, random_start
from unweave.plan import MAX_ITER, RESTARTS, TOL, TRIAL_ITER, Plan, Start, require_count
from unweave.rules import Extrapolated, Factors, Motion, Problem, Rule
from unweave.threads import single_blas

__all__ = ["Plan", "Progress", "State", "iterate", "nmf", "run", "steps"]

_CHECK_EVERY = 10
"""Iterations from one look at the divergence to the next, after the first ten."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Bases and activations between two iterations. They go on moving in place: copy what is to be kept."""

    iteration: int
    problem: Problem
    factors: Factors
    motion: Motion

    @property
    def bases(self) -> Matrix:
        """Bases ``(bins, components)``, a view."""
        return self.factors.bases.T

    @property
    def activations(self) -> Matrix:
        """Activations ``(components, frames)``, a view."""
        return self.factors.activations.T

    def divergence(self) -> float:
        """The β-divergence now; costs about half an iteration."""
        with single_blas():
            return self.problem.divergence(self.factors)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """How far a run is: iterations done, of at most ``total``, and the state that they led to."""

    done: int
    total: int
    divergence: float
    state: State


def iterate(
    V: ArrayLike,
    bases: ArrayLike,
    activations: ArrayLike,
    rule: Rule | None = None,
    *,
    beta: float = KULLBACK_LEIBLER,
    learn_bases: bool | Sequence[bool] | Mask = True,
    learn_activations: bool | Sequence[bool] | Mask = True,
) -> Iterator[State]:
    """Yield the state at the start and after every iteration, without end.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        float32 or float64; the computation keeps the dtype.
    bases : ``(bins, components)``
    activations : ``(components, frames)``
        Where to start from. They are copied.
    rule : Rule, optional
        Default: `Extrapolated`.
    beta : float
        Which β-divergence.
    learn_bases, learn_activations : bool or bool ``(components,)``
        Which components move.

    Yields
    ------
    State
        ``bases``, ``activations``, ``divergence()``.

    Examples
    --------
    >>> import itertools
    >>> V = np.outer([1.0, 2.0], [3.0, 0.0, 1.0])
    >>> states = iterate(V, np.ones((2, 1)), np.ones((1, 3)))
    >>> [round(state.divergence(), 6) for state in itertools.islice(states, 3)]
    [9.432688, 0.0, 0.0]
    """
    V = nonnegative_matrix("V", V)
    W, H = nonnegative_matrix("bases", bases), nonnegative_matrix("activations", activations)
    count = W.shape[1]
    if W.shape[0] != V.shape[0] or H.shape != (count, V.shape[1]):
        raise Incompatible(
            f"bases.shape={W.shape} and activations.shape={H.shape} do not multiply to V.shape={V.shape}: "
            "(bins, components) and (components, frames) are needed."
        )
    masks = [learn_mask("bases", learn_bases, count, count), learn_mask("activations", learn_activations, count, count)]
    yield from _loop(_problem(V, require_beta(beta), *masks), _factors(W, H, V.dtype), rule or Extrapolated())


def _loop(
    problem: Problem, factors: Factors, rule: Rule, *, begin: int = 0, end: int | None = None, stride: int = 1
) -> Iterator[State]:
    """The one loop: a state at ``begin`` and after every ``stride`` iterations, up to ``end``."""
    motion = rule.start(problem, factors)
    iteration = begin
    while True:
        yield State(iteration, problem, factors, motion)
        count = stride if end is None else min(stride, end - iteration)
        if count <= 0:
            return
        with single_blas():
            for _ in range(count):
                motion.step()
        iteration += count


def run(generator: Generator[Any, None, T]) -> T:
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            value: T = end.value
            return value


def nmf(
    V: ArrayLike,
    n_components: int,
    *,
    beta: float = KULLBACK_LEIBLER,
    bases: ArrayLike | None = None,
    activations: ArrayLike | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    learn_activations: bool | Sequence[bool] | Mask = True,
    start: Start = "best",
    restarts: int = RESTARTS,
    rule: Rule | None = None,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    rng: int | np.random.Generator | None = None,
) -> Factorization:
    """Factorise a non-negative matrix into bases and activations.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        For sound: magnitudes (β = 1), or powers (β = 0). float32 stays float32.
    n_components : int
        How many parts. Too few: sounds share a part. Too many: a sound falls apart into attack, body and noise.
    beta : float, -10 to 10
        1 is Kullback-Leibler, 2 Euclidean (the loudest sound decides), 0 Itakura-Saito (quiet ones count as much).
    bases : ``(bins, n)``, n ≤ n_components, optional
        A start for the first n bases; further components start at random. Zeros stay zeros.
    activations : ``(n, frames)``, n ≤ n_components, optional
        A start for the first n activations. Zeros stay zeros: 'not here'.
    learn_bases, learn_activations : bool, or one bool for each given component
        False keeps what was given, to the bit and at its scale. Components that are not given always learn.
    start : {"best", "random", "nndsvd", "nndsvda", "nndsvdar"}
        How components that are not given start: the best of several short runs, NNDSVD among them; the same at random
        only; or one of the NNDSVD variants alone.
    restarts : int, 1 to 1000
        How many short runs are compared. 1 trusts the first.
    rule : Rule, optional
        How the factors move. Default: `unweave.rules.Extrapolated`.
    max_iter : int
        Most iterations.
    tol : float, 0 to below 1
        Stop when ten iterations lower the divergence by less than this share of it. 0 runs all iterations.
    rng : int or numpy.random.Generator, optional
        Seed, or source of one. Default: 0, so that the same call gives the same result.

    Returns
    -------
    Factorization
        Components by the centre of gravity of their bases, low to high; in the order given where any were given.
        Learned bases have length one.

    Raises
    ------
    InvalidInput
        Negative entries, NaN, numbers out of range.
    Incompatible
        Given matrices that do not fit V.

    References
    ----------
    C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.

    Examples
    --------
    >>> V = np.outer([1, 2, 0], [1, 0, 1, 0]) + np.outer([0, 0, 3], [0, 1, 1, 0])
    >>> nmf(V, 2).approximation().round(3).tolist()
    [[1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 2.0, 0.0], [0.0, 3.0, 3.0, 0.0]]
    """
    plan = Plan(beta, bases, activations, learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng)
    return run(steps(V, n_components, plan))


def steps(V: ArrayLike, n_components: int, plan: Plan | None = None) -> Generator[Progress, None, Factorization]:
    """Do what `nmf` does, and yield its `Progress` every few iterations; the generator's value is the result."""
    V, plan = nonnegative_matrix("V", V), plan or Plan()
    if V.size == 0:
        raise InvalidInput(f"V.shape={V.shape} has no entries: there is nothing to explain.")
    require_count("n_components", n_components, 1, 10_000)
    given = Given.check(
        V,
        n_components,
        bases=plan.bases,
        activations=plan.activations,
        learn_bases=plan.learn_bases,
        learn_activations=plan.learn_activations,
    )
    if given.all_kept or not V.any():
        return _without_learning(V, given, plan)
    scale = _unit(V, plan.beta)
    V = V if scale == 1 else V / V.dtype.type(scale)
    search = _Search(plan, given, V, scale)
    yield from search.trials()
    yield from search.main()
    return search.result()


def _unit(V: Matrix, beta: float) -> float:
    """A power of two near the mean of V where its scale would overflow or vanish; 1 where there is no need.

    Powers of two, because dividing and multiplying by them changes no digit.
    """
    mean = float(V.mean(dtype=np.float64))
    usual = 2.0**-20 < mean < 2.0**20 and 0 <= beta <= 2
    return 1.0 if usual else 2.0 ** round(np.log2(mean if beta <= 2 else float(V.max())))


def _problem(V: Matrix, beta: float, learn_bases: Mask, learn_activations: Mask) -> Problem:
    """The problem as rules see it: frame by frame, and nowhere zero where zeros cost infinitely much."""
    return Problem(np.ascontiguousarray(floored(V, beta).T), beta, learn_bases, learn_activations)


def _factors(bases: Matrix, activations: Matrix, dtype: np.dtype[Any]) -> Factors:
    return Factors(np.array(bases.T, dtype, order="C"), np.array(activations.T, dtype, order="C"))


def _without_learning(V: Matrix, given: Given, plan: Plan) -> Factorization:
    """The defined result where no iteration is needed: all is kept, or there is only silence."""
    bases = np.full((V.shape[0], given.n_components), V.shape[0] ** -0.5, V.dtype)
    activations = np.zeros((given.n_components, V.shape[1]), V.dtype)
    stop = Stop.NOTHING_TO_LEARN if given.all_kept else Stop.SILENT
    if given.bases is not None:
        bases[:, : given.bases.shape[1]] = given.bases
    if given.activations is not None:
        n = given.activations.shape[0]
        activations[:n] = np.where(given.learn_activations[:n, None], 0, given.activations)
    problem = _problem(V, plan.beta, given.learn_bases, given.learn_activations)
    with single_blas():
        divergence = problem.divergence(_factors(bases, activations, V.dtype))
    return Factorization(bases, activations, np.array([divergence]), stop, plan.beta, plan.seed())


class _Search:
    """The starts, the one that goes on, and its history."""

    def __init__(self, plan: Plan, given: Given, V: Matrix, scale: float) -> None:
        self.plan, self.given, self.V, self.scale = plan, given, V, scale
        self.rule = plan.rule or Extrapolated()
        self.seed = plan.seed()
        self.problem = _problem(V, plan.beta, given.learn_bases, given.learn_activations)
        single = given.complete or plan.start in METHODS
        self.restarts = 1 if single else plan.restarts
        # One run needs no trial; and trials longer than the run itself would make no sense.
        self.trial_iter = min(TRIAL_ITER, plan.max_iter) if self.restarts > 1 else 0
        self.total = self.restarts * self.trial_iter + plan.max_iter - self.trial_iter
        self.done = 0
        self.stop = Stop.MAX_ITER
        self.factors: Factors
        self.history: list[tuple[int, float]] = []

    def trials(self) -> Iterator[Progress]:
        """Run every start for some iterations and keep the best."""
        seeds = np.random.SeedSequence(self.seed).spawn(self.restarts)
        for index, seed in enumerate(seeds):
            factors = self._start(index, np.random.default_rng(seed))
            history: list[tuple[int, float]] = []
            for progress in self._advance(factors, 0, self.trial_iter):
                history.append((progress.state.iteration, progress.divergence))
                yield progress
            if not self.history or history[-1][1] < self.history[-1][1]:
                self.factors, self.history = factors, history

    def main(self) -> Iterator[Progress]:
        """Go on with the best start until nothing moves any more."""
        for progress in self._advance(self.factors, self.trial_iter, self.plan.max_iter):
            if progress.state.iteration == self.history[-1][0]:
                continue
            before = self.history[-1][1]
            self.history.append((progress.state.iteration, progress.divergence))
            yield progress
            if self.plan.tol and abs(before - progress.divergence) < self.plan.tol * before:
                self.stop = Stop.CONVERGED
                return

    def _start(self, index: int, rng: np.random.Generator) -> Factors:
        """The start number ``index``: among the best-of starts the first is NNDSVD."""
        method = self.plan.start
        if method == "best" and index == 0 and not self.given.complete:
            method = "nndsvda"
        if method in METHODS:
            bases, activations = nndsvd(self.V, self.given.n_components, rng, method)
        else:
            bases, activations = random_start(self.V, self.given.n_components, rng)
        self.given.put_into(bases, activations, self.V, self.scale)
        return _factors(bases, activations, self.V.dtype)

    def _advance(self, factors: Factors, begin: int, end: int) -> Iterator[Progress]:
        """Move ``factors`` from iteration ``begin`` to ``end``, looking at the divergence every few iterations."""
        before, lowest = begin, np.inf
        for state in _loop(self.problem, factors, self.rule, begin=begin, end=end, stride=_CHECK_EVERY):
            self.done, before = self.done + state.iteration - before, state.iteration
            divergence = state.divergence()
            if divergence > lowest:
                state.motion.restart()
            lowest = min(lowest, divergence)
            yield Progress(self.done, self.total, divergence, state)

    def result(self) -> Factorization:
        """The factorisation in the user's units and in a stable order."""
        bases, activations = self.factors.bases.T.copy(), self.factors.activations.T.copy()
        self.given.restore(bases, activations, self.scale)
        iterations, divergences = (np.array(column) for column in zip(*self.history, strict=True))
        # A divergence of scaled matrices scales with its β: d(sv | sy) = s^β d(v | y).
        divergences = divergences * self.scale**self.plan.beta
        found = Factorization(
            bases, activations, divergences, self.stop, self.plan.beta, self.seed, iterations.astype(np.int64)
        )
        return found if self.given.any else found.normalize().sort()
