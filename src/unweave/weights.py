"""Weights of the entries of V: how much each counts, and which of them are not known at all.

    D = Σ_mn ω_mn d_β(v_mn | y_mn)

An entry of weight 0 takes no part; what V holds there does not matter and may be NaN. So a gap in a recording, a
clipped stretch or a band that was filtered away can be left out, and the factors fill it in. Scaling all weights by a
number changes nothing.

Starting points are found from a V in which unknown entries are filled with the product of the means of their bin and
their frame, over the mean of all.

Reference: N.-D. Ho, Nonnegative matrix factorization algorithms and applications, PhD thesis, UCLouvain 2008 (weights).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Matrix, nonnegative_matrix, require_shape
from unweave.errors import InvalidInput

__all__ = ["weighted"]


def weighted(V: ArrayLike, weights: ArrayLike | None) -> tuple[Matrix, Matrix | None]:
    """Check V with its weights; fill what is not known.

    Parameters
    ----------
    V : ``(bins, frames)``
        Non-negative; anything where the weight is 0.
    weights : ``(bins, frames)``, or what NumPy spreads to it, such as ``(bins, 1)``, optional
        Non-negative, not all zero. Truth values are 0 and 1.

    Returns
    -------
    V, weights
        Weights in the dtype of V, with a mean of one; None where all are equal.
    """
    if weights is None:
        return nonnegative_matrix("V", V), None
    values = np.asarray(V)
    asked = nonnegative_matrix("weights", np.atleast_2d(np.asarray(weights)))
    if values.ndim == 2:
        spread = [n if m == 1 else m for m, n in zip(asked.shape, values.shape, strict=True)]
        require_shape("weights", spread, values.shape, "one weight for each entry of V.")
        asked = np.broadcast_to(asked, values.shape)
        if values.dtype.kind in "fiub":
            values = np.where(asked > 0, values, 0)  # whatever was there
    matrix = nonnegative_matrix("V", values)
    mean = float(asked.mean(dtype=np.float64)) if asked.size else 1.0
    if mean == 0:
        raise InvalidInput("all weights are 0: nothing of V would count.")
    if not asked.size or asked.min() == asked.max():
        return matrix, None
    scaled = (asked / mean).astype(matrix.dtype)
    return _filled(matrix, scaled), scaled


def _filled(V: Matrix, weights: Matrix) -> Matrix:
    """V with what is not known filled in from its bin and its frame."""
    unknown = weights == 0
    if not unknown.any():
        return V
    known = ~unknown
    bins = _mean(V.sum(axis=1, dtype=np.float64), known.sum(axis=1))
    frames = _mean(V.sum(axis=0, dtype=np.float64), known.sum(axis=0))
    mean = float(V.sum(dtype=np.float64)) / int(known.sum()) or 1.0
    bins[known.sum(axis=1) == 0] = mean
    frames[known.sum(axis=0) == 0] = mean
    filled: Matrix = np.where(unknown, (bins[:, None] / mean * frames).astype(V.dtype), V)
    return filled


def _mean(sums: Matrix, counts: Matrix) -> Matrix:
    means: Matrix = sums / np.maximum(counts, 1)
    return means
