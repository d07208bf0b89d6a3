"""A look at the divergence of all frames, in about the time of an iteration: every rule is judged by it.

With q = v / ŷ, ŷ = W H + ε, and what needs no look at single entries taken out of the sum:

    β = 1    Σ v log q - Σ v + Σ_k (Σ_f w_fk)(Σ_t h_kt) + ε · entries       Σ v is the same at every look
    β = 0    Σ (q - 1 - log q)
    β = 2    ½ Σ (v - ŷ)²
    else     Σ ŷ^β [(q^β - 1) - β (q - 1)] / (β (β - 1))

The three terms of a divergence nearly cancel each other where the model is good: of other β, q^β - 1 is taken as one
function of β log q, which is as exact there as elsewhere. Far from 1 powers may leave what float32 holds well,
and near 0 and 1 rounding is divided by next to nothing: such β are taken entry by entry in float64.

Conventions: portions are summed in their order, whichever thread was first; a row is summed in the dtype of V, rows in
float64. Of rounding alone a divergence of zero could come out below it: it is zero then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix, roomy_like, whole_rows
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, block_divergence
from unweave.rules.problem import Factors, Problem
from unweave.rules.products import Products, floored
from unweave.threads import n_threads, spread

__all__ = ["divergence", "objective"]

_NAMED = (EUCLIDEAN, KULLBACK_LEIBLER, ITAKURA_SAITO)

_LOWEST, _HIGHEST = -1.0, 2.0
"""Every β between them has powers of all levels of sound that float32 holds, as exactly as a sum needs them."""

_CLEAR = 0.1
"""Least β (β - 1) by which a sum in float32 may be divided: nearer to 0 and 1 its rounding would count."""

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
    quick = beta in _NAMED or (_LOWEST <= beta <= _HIGHEST and abs(beta * (beta - 1)) >= _CLEAR)
    portions, rows = problem.portions(), whole_rows(problem.frames)
    weights = None if problem.weights is None else whole_rows(problem.weights)
    bases = floored(factors.bases, problem.epsilon, whole_rows(roomy_like(factors.bases, len(factors.bases) + 1)))
    spaces = _spaces(problem, max(block.stop - block.start for portion in portions for block in portion))
    sums = np.zeros(len(portions))

    def work(portion: int, worker: int) -> None:
        products, rooms = spaces[worker]
        for block in portions[portion]:
            model, *spare = rooms[:, : block.stop - block.start]
            products.expand(factors.activations[block], bases, model)
            if quick:
                counts = None if weights is None else weights[block]
                sums[portion] += _block(rows[block], model, spare, counts, n_bins=n_bins, beta=beta)
            else:
                sums[portion] += _entries(problem, block, model)

    spread(work, len(portions))
    total = float(sums.sum())
    if beta == KULLBACK_LEIBLER:
        total += _constant(problem, factors)
    return 0.0 if total < 0 else total  # what is not a number stays so


def _spaces(problem: Problem, block: int) -> list[tuple[Products, Matrix]]:
    """Workspaces of all threads, from the shelf of the problem if they are there."""
    key = ("look", block, n_threads())
    if key not in problem.shelf:
        n_bins, dtype = problem.frames.shape[1], problem.frames.dtype
        room = whole_rows(problem.frames).shape[1]
        count = 2 if problem.beta in _NAMED else 3
        problem.shelf[key] = [
            (Products(n_bins, problem.n_components, dtype, block), np.zeros((count, block, room), dtype))
            for _ in range(n_threads())
        ]
    found: list[tuple[Products, Matrix]] = problem.shelf[key]
    return found


def _block(
    V: Matrix, model: Matrix, spare: Sequence[Matrix], weights: Matrix | None, *, n_bins: int, beta: float
) -> float:
    """The terms that need single entries, of whole rows; the model and what is in ``spare`` are lost."""
    if beta == EUCLIDEAN:
        model -= V
        return 0.5 * _dot(model, model if weights is None else np.multiply(model, weights, out=spare[0]), n_bins)
    if beta == KULLBACK_LEIBLER:
        expected = 0.0 if weights is None else _dot(weights, model, n_bins)  # otherwise see `_constant`
        logarithms = np.log(_quotients(V, model, n_bins), out=model)
        if weights is not None:
            logarithms *= weights
        return expected + _dot(V, logarithms, n_bins)
    entries = _saito(V, model, spare, n_bins) if beta == ITAKURA_SAITO else _other(V, model, spare, n_bins, beta)
    if weights is not None:
        entries *= weights
    return float(entries[:, :n_bins].sum(axis=1).sum(dtype=np.float64))


def _quotients(V: Matrix, model: Matrix, n_bins: int) -> Matrix:
    """Put V / Ŷ in the place of the model."""
    np.divide(V, model, out=model)
    model[:, n_bins:] = 1  # whatever the room behind V holds
    # Where v = 0 the logarithm is finite, and v times it is 0. No other quotient is changed by so little.
    model += np.finfo(model.dtype).tiny
    return model


def _saito(V: Matrix, model: Matrix, spare: Sequence[Matrix], n_bins: int) -> Matrix:
    """The entries q - 1 - log q."""
    entries = np.subtract(_quotients(V, model, n_bins), 1, out=spare[0])
    entries -= np.log(model, out=model)
    return entries


def _other(V: Matrix, model: Matrix, spare: Sequence[Matrix], n_bins: int, beta: float) -> Matrix:
    """The entries ŷ^β [(q^β - 1) - β (q - 1)] / (β (β - 1))."""
    power, entries = spare
    np.log(model, out=power)
    power *= beta
    np.exp(power, out=power)
    np.divide(V, model, out=model)
    model[:, n_bins:] = 1
    with np.errstate(divide="ignore"):  # where v = 0, q^β - 1 is -1
        np.log(model, out=entries)
    entries *= beta
    np.expm1(entries, out=entries)
    model -= 1
    model *= beta
    entries -= model
    entries *= power
    entries /= beta * (beta - 1)
    return entries


def _dot(one: Matrix, other: Matrix, n_bins: int) -> float:
    return float(np.vecdot(one[:, :n_bins], other[:, :n_bins]).sum(dtype=np.float64))


def _constant(problem: Problem, factors: Factors) -> float:
    """Σ ŷ - Σ v; where entries have weights, - Σ v of as many of each."""
    if "sum" not in problem.shelf:
        V, weights = problem.frames, problem.weights
        problem.shelf["sum"] = float(np.sum(V if weights is None else np.vecdot(V, weights), dtype=np.float64))
    if problem.weights is not None:
        return -float(problem.shelf["sum"])
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
