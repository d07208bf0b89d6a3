"""A look at the divergence of all frames, in about the time of an iteration: every rule is judged by it.

With q = v / ŷ, ŷ = W H + ε, and what needs no look at single entries taken out of the sum:

    β = 1    Σ v log q - Σ v + Σ_k (Σ_f w_fk)(Σ_t h_kt) + ε · entries       Σ v is the same at every look
    β = 0    Σ (q - 1 - log q)
    β = 2    ½ Σ (v - ŷ)²

Other β, and weights, are taken entry by entry in float64, as the three terms of their divergence nearly cancel each
other where the model is good.

Conventions: portions are summed in their order, whichever thread was first; a row is summed in the dtype of V, rows in
float64. Of rounding alone a divergence of zero could come out below it: it is zero then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix, roomy_like, whole_rows
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, block_divergence
from unweave.rules.problem import Factors, Problem
from unweave.rules.products import Products, floored
from unweave.threads import n_threads, spread

__all__ = ["divergence", "objective"]

_FEW = 64
"""Frames that are looked at in float64 at a time."""


def objective(problem: Problem, factors: Factors) -> float:
    """The divergence and all penalties: what a run lowers."""
    pressures = problem.pressures()
    cost = pressures.cost(factors.bases, factors.activations) if pressures else 0.0
    return divergence(problem, factors) + cost


def divergence(problem: Problem, factors: Factors) -> float:
    """D_β(V | W H + ε) of all frames."""
    beta, n_bins = problem.beta, problem.frames.shape[1]
    quick = problem.weights is None and beta in (KULLBACK_LEIBLER, ITAKURA_SAITO, EUCLIDEAN)
    portions, rows = problem.portions(), whole_rows(problem.frames)
    bases = floored(factors.bases, problem.epsilon, whole_rows(roomy_like(factors.bases, len(factors.bases) + 1)))
    spaces = _spaces(problem, max(block.stop - block.start for portion in portions for block in portion))
    sums = np.zeros(len(portions))

    def work(portion: int, worker: int) -> None:
        products, rooms = spaces[worker]
        for block in portions[portion]:
            model, spare = rooms[:, : block.stop - block.start]
            products.expand(factors.activations[block], bases, model)
            if quick:
                sums[portion] += _block(rows[block], model, spare, n_bins, beta)
            else:
                sums[portion] += _entries(problem, block, model)

    spread(work, len(portions))
    total = float(sums.sum())
    if quick and beta == KULLBACK_LEIBLER:
        total += _constant(problem, factors)
    return 0.0 if total < 0 else total  # what is not a number stays so


def _spaces(problem: Problem, block: int) -> list[tuple[Products, Matrix]]:
    """Workspaces of all threads, from the shelf of the problem if they are there."""
    key = ("look", block, n_threads())
    if key not in problem.shelf:
        n_bins, dtype = problem.frames.shape[1], problem.frames.dtype
        room = whole_rows(problem.frames).shape[1]
        problem.shelf[key] = [
            (Products(n_bins, problem.n_components, dtype, block), np.zeros((2, block, room), dtype))
            for _ in range(n_threads())
        ]
    found: list[tuple[Products, Matrix]] = problem.shelf[key]
    return found


def _block(V: Matrix, model: Matrix, spare: Matrix, n_bins: int, beta: float) -> float:
    """The terms that need single entries, of whole rows; the model and what is in ``spare`` are lost."""
    if beta == EUCLIDEAN:
        model -= V
        return 0.5 * _dot(model, model, n_bins)
    np.divide(V, model, out=model)
    model[:, n_bins:] = 1  # whatever the room behind V holds
    # Where v = 0 the logarithm is finite, and v times it is 0. No other quotient is changed by so little.
    model += np.finfo(model.dtype).tiny
    if beta == KULLBACK_LEIBLER:
        return _dot(V, np.log(model, out=model), n_bins)
    np.subtract(model, 1, out=spare)
    spare -= np.log(model, out=model)
    return float(spare.sum(axis=1).sum(dtype=np.float64))


def _dot(one: Matrix, other: Matrix, n_bins: int) -> float:
    return float(np.vecdot(one[:, :n_bins], other[:, :n_bins]).sum(dtype=np.float64))


def _constant(problem: Problem, factors: Factors) -> float:
    """Σ ŷ - Σ v."""
    if "sum" not in problem.shelf:
        problem.shelf["sum"] = float(np.sum(problem.frames, dtype=np.float64))
    model = factors.bases.sum(axis=1, dtype=np.float64) @ factors.activations.sum(axis=0, dtype=np.float64)
    below = float(problem.frames.dtype.type(problem.epsilon)) * problem.frames.size
    return float(model) + below - float(problem.shelf["sum"])


def _entries(problem: Problem, block: slice, model: Matrix) -> float:
    """The divergence of a block, entry by entry in float64."""
    n_bins, total = problem.frames.shape[1], 0.0
    for start in range(block.start, block.stop, _FEW):
        few = slice(start, min(start + _FEW, block.stop))
        part: NDArray[np.float64] = model[few.start - block.start : few.stop - block.start, :n_bins].astype(np.float64)
        weights = None if problem.weights is None else problem.weights[few].astype(np.float64)
        total += block_divergence(problem.frames[few].astype(np.float64), part, problem.beta, weights)
    return total
