"""The one loop of this house: factors under a rule, a state after every iteration.

`iterate` is a generator and never ends; who uses it decides when to stop. Progress bars, time budgets, live pictures
and histories are then the caller's and need no parameters here.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import LINE, Mask, Matrix, nonnegative_matrix, roomy, whole_rows
from unweave.divergence import KULLBACK_LEIBLER, floored, require_beta
from unweave.errors import Incompatible, InvalidInput
from unweave.initialize import adapt_iterations, learn_mask
from unweave.rules import Factors, Motion, Penalties, Problem, Rule, chosen_rule
from unweave.rules.anchor import Anchor
from unweave.rules.looks import divergence, objective
from unweave.threads import single_blas, spread
from unweave.weights import weighted

__all__ = ["Enough", "Progress", "State", "finish", "iterate", "loop", "make_factors", "make_problem", "run"]

T = TypeVar("T")

_COPIED = 256
"""Frames that are copied at once."""


class Enough(Exception):  # noqa: N818 - reads as a sentence: "steps.throw(Enough())"
    """Thrown into a generator of steps: end here; its value is the result so far."""


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
            return divergence(self.problem, self.factors)

    def objective(self) -> float:
        """The β-divergence and all penalties now."""
        with single_blas():
            return objective(self.problem, self.factors)


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
    weights: ArrayLike | None = None,
    penalties: Penalties | None = None,
    adapt: int | Sequence[int] = 0,
    stride: int = 1,
) -> Iterator[State]:
    """Yield the state at the start and after every ``stride`` iterations, without end.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        float32 or float64; the computation keeps the dtype.
    bases : ``(bins, components)``
    activations : ``(components, frames)``
        Where to start from. They are copied.
    rule : Rule, optional
        Default: `unweave.rules.default_rule`.
    beta : float
        Which β-divergence.
    learn_bases, learn_activations : bool or bool ``(components,)``
        Which components move.
    weights, penalties, adapt
        As in `unweave.nmf`.
    stride : int, at least 1
        Iterations from one state to the next. Where V is small, to stop after each of them is a part of the cost.

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
    V, known = weighted(V, weights)
    W, H = nonnegative_matrix("bases", bases), nonnegative_matrix("activations", activations)
    count = W.shape[1]
    if W.shape[0] != V.shape[0] or H.shape != (count, V.shape[1]):
        raise Incompatible(
            f"bases.shape={W.shape} and activations.shape={H.shape} do not multiply to V.shape={V.shape}: "
            "(bins, components) and (components, frames) are needed."
        )
    masks = [learn_mask("bases", learn_bases, count, count), learn_mask("activations", learn_activations, count, count)]
    beta = require_beta(beta)
    factors = make_factors(W, H, V.dtype)
    problem = make_problem(V, beta, *masks, weights=known, penalties=penalties)
    if np.any(adapt):
        iterations = adapt_iterations(adapt, count, count)
        problem = replace(problem, anchor=Anchor(factors.bases.copy(), iterations))
    if isinstance(stride, bool) or not isinstance(stride, (int, np.integer)) or stride < 1:
        raise InvalidInput(f"stride={stride!r} is not a number of iterations from 1.")
    yield from loop(problem, factors, chosen_rule(rule, beta, constrained=problem.constrained), stride=int(stride))


def loop(
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


def finish(generator: Generator[Any, None, T]) -> T:
    """End a generator of steps that was begun, and left by ``break``; return its value, the result so far.

    Raises
    ------
    InvalidInput
        Nothing can be finished: the steps have not begun, have ended already, or do not know how to end early.
    """
    state = inspect.getgeneratorstate(generator)
    if state == inspect.GEN_CREATED:
        raise InvalidInput("these steps have not begun, and have no result so far: take the first by next(steps).")
    if state == inspect.GEN_CLOSED:
        raise InvalidInput(
            "these steps have ended already, by themselves, an error or an interrupt, and the last progress is what "
            "stays of them: run them by unweave.notebook.watch, which has a result also after an interrupt."
        )
    try:
        generator.throw(Enough())
    except StopIteration as end:
        value: T = end.value
        return value
    except Enough as error:
        raise InvalidInput("these steps do not know how to end early: run them to their end.") from error
    return run(generator)


def make_problem(
    V: Matrix,
    beta: float,
    learn_bases: Mask,
    learn_activations: Mask,
    *,
    weights: Matrix | None = None,
    penalties: Penalties | None = None,
    room: bool = True,
) -> Problem:
    """The problem as rules see it: frame by frame, and nowhere zero where zeros cost infinitely much."""
    if penalties is not None:
        penalties.require_fit(learn_bases.size)
    rows = _by_frames if room else np.ascontiguousarray
    counts = None if weights is None else rows(weights.T)
    return Problem(rows(floored(V, beta).T), beta, learn_bases, learn_activations, counts, penalties)


def _by_frames(frames: Matrix) -> Matrix:
    """The frames in rows with room; themselves if they have it."""
    if whole_rows(frames).shape[1] % LINE == 0 and whole_rows(frames).flags.c_contiguous:
        return frames
    rows = roomy(frames.shape[0], frames.shape[1], frames.dtype)
    blocks = [slice(start, start + _COPIED) for start in range(0, len(rows), _COPIED)]
    spread(lambda number, worker: np.copyto(rows[blocks[number]], frames[blocks[number]]), len(blocks))
    return rows


def make_factors(bases: Matrix, activations: Matrix, dtype: np.dtype[Any]) -> Factors:
    """Copies of bases and activations as rules see them: frame by frame."""
    rows = roomy(bases.shape[1], bases.shape[0], dtype)
    rows[...] = bases.T
    return Factors(rows, np.array(activations.T, dtype, order="C"))
