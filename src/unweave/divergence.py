"""The β-divergence: how far a model is from what it should explain.

    d_β(v | y) = (v^β + (β-1) y^β - β v y^(β-1)) / (β (β-1))      β not 0 or 1
    d_1(v | y) = v log(v / y) - v + y                              Kullback-Leibler
    d_0(v | y) = v / y - log(v / y) - 1                            Itakura-Saito

and D_β(V | Ŷ) is the sum over all entries. β = 2 is half the squared Euclidean distance. The larger β is, the more the
loudest entries decide; at β = 0 only ratios count. For recordings β = 1 on magnitudes is the usual choice.

Conventions. The model is Ŷ = W H + ε with a constant ε of 200 dB below the mean of V (`unweave.arrays.EPSILON`), so
that nothing is ever divided by zero and a model of silence is a defined thing. For β ≤ 0 a zero in V would cost
infinitely much: V is then floored at `ZERO_FLOOR` of its greatest entry.

Differences. scikit-learn's ``beta_loss`` is the same number (its 'frobenius' is β = 2 here); it refuses zeros for β ≤
0.

Reference: C. Févotte, J. Idier, Algorithms for nonnegative matrix factorization with the β-divergence, Neural
Computation 23(9), 2011, doi:10.1162/NECO_a_00168.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import EPSILON, Matrix, nonnegative_matrix, require_shape
from unweave.errors import InvalidInput

__all__ = [
    "BETAS",
    "EUCLIDEAN",
    "ITAKURA_SAITO",
    "KULLBACK_LEIBLER",
    "ZERO_FLOOR",
    "beta_divergence",
    "block_divergence",
    "monotone_exponent",
    "require_beta",
]

EUCLIDEAN = 2.0
KULLBACK_LEIBLER = 1.0
ITAKURA_SAITO = 0.0

BETAS = {"euclidean": EUCLIDEAN, "kl": KULLBACK_LEIBLER, "is": ITAKURA_SAITO}
"""The words that doors take for the named βs."""

ZERO_FLOOR = 1e-8
"""For β ≤ 0: the least entry that V may have, relative to its greatest. 80 dB below it for power spectra."""


def require_beta(beta: float) -> float:
    """Return β as a float, or say why it cannot be one.

    Within a millionth of 0, 1 or 2 it is taken for that number: the general formula divides by β (β-1).
    """
    if isinstance(beta, (bool, str)) or not isinstance(beta, (int, float, np.integer, np.floating)):
        raise InvalidInput(
            f"beta={beta!r} is not a number: 1 is Kullback-Leibler, 2 Euclidean, 0 Itakura-Saito, any real one goes."
        )
    if not math.isfinite(beta) or abs(beta) > 10:
        raise InvalidInput(f"beta={beta} is not a finite number between -10 and 10.")
    near = round(beta)
    return float(near) if near in (0, 1, 2) and abs(beta - near) < 1e-6 else float(beta)


def monotone_exponent(beta: float) -> float:
    """Exponent γ(β) of a multiplicative step under which the divergence provably never rises (Févotte & Idier)."""
    if beta < 1:
        return 1 / (2 - beta)
    return 1.0 if beta <= 2 else 1 / (beta - 1)


def beta_divergence(V: ArrayLike, approximation: ArrayLike, beta: float = KULLBACK_LEIBLER) -> float:
    """Sum of d_β over all entries of two matrices of one shape.

    Parameters
    ----------
    V, approximation : non-negative ``(bins, frames)``
        What is explained, and the model of it, to which ε is added as the module says.
    beta : float
        -10 to 10.

    Returns
    -------
    float
        Zero when both are the same, positive otherwise.

    Raises
    ------
    InvalidInput, Incompatible
        Negative entries, NaN, or shapes that differ.

    Examples
    --------
    >>> beta_divergence([[1.0, 2.0]], [[1.0, 2.0]]) < 1e-9
    True
    >>> round(beta_divergence([[1.0, 2.0]], [[1.0, 1.0]], beta=2), 6)
    0.5
    """
    V, approximation = nonnegative_matrix("V", V), nonnegative_matrix("approximation", approximation)
    require_shape("approximation", approximation.shape, V.shape, "it stands for V, entry by entry.")
    beta = require_beta(beta)
    if V.size == 0:
        return 0.0
    target = floored(V, beta).astype(np.float64)
    model = approximation + EPSILON * float(V.mean(dtype=np.float64) or 1.0)
    return block_divergence(target, model.astype(np.float64), beta)


def floored(V: Matrix, beta: float) -> Matrix:
    """V itself, or for β ≤ 0 V with its zeros lifted to `ZERO_FLOOR`."""
    if beta > 0 or V.size == 0:
        return V
    floor = ZERO_FLOOR * (float(V.max()) or 1.0)
    return V if float(V.min()) >= floor else np.maximum(V, V.dtype.type(floor))


def block_divergence(V: Matrix, model: Matrix, beta: float, weights: Matrix | None = None) -> float:
    """Sum of d_β over one block whose model is positive; ``model`` is used as workspace and lost.

    Rows are summed in the precision of the block, and their sums in float64. ``weights`` says how often every entry
    counts; default: once.
    """
    if weights is not None:
        return float(
            np.vdot(weights.astype(np.float64), _entries(V.astype(np.float64), model.astype(np.float64), beta))
        )
    if beta == EUCLIDEAN:
        model -= V
        return 0.5 * _rows(np.vecdot(model, model))
    if beta == KULLBACK_LEIBLER:
        total = _rows(model.sum(axis=1)) - _rows(V.sum(axis=1))
        np.divide(V, model, out=model)
        model += np.finfo(V.dtype).tiny  # where v = 0 the logarithm is finite, and v times it is 0
        np.log(model, out=model)
        return total + _rows(np.vecdot(V, model))
    if beta == ITAKURA_SAITO:
        np.divide(V, model, out=model)
        ratio = float(model.sum(dtype=np.float64))
        np.log(model, out=model)
        return ratio - float(model.sum(dtype=np.float64)) - V.size
    # Float64 from here: the three terms nearly cancel each other when the model is good.
    return float(_entries(V.astype(np.float64), model.astype(np.float64), beta).sum())


def _rows(values: Matrix) -> float:
    """Their sum: rows are summed up in the precision of the block, and then in float64."""
    return float(values.sum(dtype=np.float64))


def _entries(V: NDArray[np.float64], model: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """d_β of every entry; V is positive where β ≤ 0."""
    if beta == KULLBACK_LEIBLER:
        entries: NDArray[np.float64] = V * np.log(np.maximum(V / model, np.finfo(np.float64).tiny)) - V + model
        return entries
    if beta == ITAKURA_SAITO:
        ratio = V / model
        return ratio - np.log(ratio) - 1
    power = model ** (beta - 1)
    return (V**beta + (beta - 1) * power * model - beta * V * power) / (beta * (beta - 1))
