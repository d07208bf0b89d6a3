"""The singular values of a matrix of any length, in two passes over its frames.

The matrix of products G = V Vᵀ (bins × bins) is summed over blocks of frames, so memory does not grow with the number
of frames. Its eigenvalues are the squares of all singular values, its eigenvectors the left singular vectors; a second
pass makes of them the right ones, as far as they are wanted:

    G = Σ_b V_b V_bᵀ = U S² Uᵀ,   s_k q_k = Vᵀ u_k.

V of fewer frames than bins is kept whole, and VᵀV takes the place of G.

Accuracy. Sums are of float64. A square loses digits: what is below √(n·ε) of the greatest singular value (n the smaller
side; 5e-7, or -126 dB, for 1025 bins) counts as zero, and a value of 1/1000 of the greatest is right to about ten
digits. That is finer than the float32 of a spectrogram.

Blocks of frames are cut to one size first and summed in order: neither where blocks end nor the number of threads
changes a digit.

Reference: G. Golub, C. Van Loan, Matrix Computations, 4th edition, 2013, section 8.6.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.errors import InvalidInput
from unweave.loop import run
from unweave.pieces import Blocks, Frames, cut
from unweave.threads import ordered, single_blas

__all__ = ["Singular", "right_vectors", "singular", "singular_steps"]

Square = NDArray[np.float64]

_LARGEST = 8193
"""Rows of the largest matrix of products: half a gigabyte, and a minute for its eigenvalues."""
_ENTRIES = 2**20
"""Entries of a piece of V."""
_PIECE = 512
_USUAL_LEVELS = 1e30
"""Singular values from its inverse up to it are divided by in the dtype of V."""


@dataclass(frozen=True, slots=True, eq=False)
class Singular:
    """Singular values and left singular vectors of V, and what else was learned on the way.

    Parameters
    ----------
    values : float64 ``(n,)``
        All singular values, largest first; n is the smaller side of V.
    left : float64 ``(bins, n)``
        A left singular vector in each column; zeros where the value is zero.
    n_frames : int
        How many frames V has.
    mean : float
        Of all entries of V.
    dtype : numpy.dtype
        Of V: float32 or float64.
    """

    values: NDArray[np.float64]
    left: Square
    n_frames: int
    mean: float
    dtype: np.dtype[Any]

    @property
    def rank(self) -> int:
        """How many singular values are not zero."""
        return int(np.count_nonzero(self.values))


def singular(blocks: Blocks) -> Singular:
    """Find all singular values and left singular vectors of a matrix in bounded memory.

    Parameters
    ----------
    blocks : callable, or array ``(bins, frames)``
        V, as in `unweave.online.learn`: a function that gives a new iterable of blocks ``(bins, n)``, or an array.

    Returns
    -------
    Singular

    Raises
    ------
    InvalidInput
        V has no entries, negative ones, NaN, or more than 8193 bins and frames.

    Examples
    --------
    >>> found = singular(np.diag([3.0, 1.0, 2.0]))
    >>> [round(float(value), 6) for value in found.values]
    [3.0, 2.0, 1.0]
    """
    return run(singular_steps(blocks))


def singular_steps(blocks: Blocks) -> Generator[int, None, Singular]:
    """Do what `singular` does, and yield the number of frames that have passed; the generator's value is the result."""
    source = Frames(blocks)
    pieces, n_bins = _pieces(source)
    head, n_frames, total = [], 0, 0.0
    for piece in pieces:
        head.append(piece)
        n_frames, total = n_frames + len(piece), total + float(piece.sum())
        yield n_frames
        if n_frames >= n_bins:
            break
    if n_frames * n_bins == 0:
        raise InvalidInput("V has no entries: there is nothing to explain.")
    if n_frames < n_bins:
        values, left = _of_few(np.concatenate(head))
    else:
        _refuse_large(n_bins)
        products, work = np.zeros((n_bins, n_bins)), ordered(_products, chain(_drained(head), pieces))
        n_frames, total = 0, 0.0
        for square, subtotal, count in work:
            products += square
            n_frames, total = n_frames + count, total + subtotal
            yield n_frames
        with single_blas():
            values, left = _eigen(products)
    return Singular(values, left, n_frames, total / (n_frames * n_bins), source.dtype)


def _pieces(source: Frames) -> tuple[Iterator[Matrix], int]:
    """The frames of V in pieces ``(n, bins)`` of float64, and the number of bins."""
    blocks = source.checked()
    first = next(blocks, None)
    if first is None:
        return iter(()), 0
    cuts = cut(chain([first], blocks), _piece_size(first.shape[0]), np.dtype(np.float64))
    return (piece.copy() for piece in cuts), first.shape[0]


def _drained(pieces: list[Matrix]) -> Iterator[Matrix]:
    """The pieces of a list, of which each may be forgotten as soon as it is used."""
    while pieces:
        yield pieces.pop(0)


def _products(piece: Matrix) -> tuple[Square, float, int]:
    with single_blas():
        return piece.T @ piece, float(piece.sum()), len(piece)


def _refuse_large(n: int) -> None:
    if n > _LARGEST:
        raise InvalidInput(
            f"V has {n} bins, and as many frames or more: at most {_LARGEST} can be told apart, so take a shorter "
            "n_fft, fewer channels, or a shorter part of the recording."
        )


def _of_few(frames: Matrix) -> tuple[NDArray[np.float64], Square]:
    """Singular values and left vectors of fewer frames ``(n, bins)`` than bins."""
    _refuse_large(len(frames))
    with single_blas():
        values, right = _eigen(frames @ frames.T)
        left = frames.T @ right
    return values, np.divide(left, values, out=np.zeros_like(left), where=values > 0)


def _eigen(products: Square) -> tuple[NDArray[np.float64], Square]:
    """Roots of the eigenvalues, largest first, and the eigenvectors; zeros where a root is zero."""
    scale = float(np.trace(products)) or 1.0
    squares, vectors = np.linalg.eigh(products / scale)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    least = len(products) * float(np.finfo(np.float64).eps) * max(float(squares[0]), 0.0)
    sounding = squares > least
    values = np.sqrt(np.where(sounding, squares, 0.0) * scale)
    return values, vectors * sounding


def right_vectors(blocks: Blocks, found: Singular, count: int) -> Generator[int, None, Matrix]:
    """The first ``count`` right singular vectors ``(count, frames)``, in the dtype of V, by a second pass.

    Yields the number of frames that have passed; the generator's value is the result.
    """
    values, left = found.values[:count], found.left[:, :count]
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
    projection = left * inverse
    # Levels that nobody meets, which float32 holds all the same, have inverses that it does not hold.
    if inverse.max(initial=0) < _USUAL_LEVELS and inverse.min(initial=1) > 1 / _USUAL_LEVELS:
        projection = projection.astype(found.dtype)
    out = np.empty((values.size, found.n_frames), found.dtype)
    source = Frames(blocks)
    source.n_frames, source.n_bins, source.dtype = found.n_frames, len(left), found.dtype
    for at, piece in source.pieces(_piece_size(source.n_bins)):
        with single_blas():
            out[:, at : at + len(piece)] = (piece @ projection).T
        yield at + len(piece)
    return out


def _piece_size(n_bins: int) -> int:
    return int(np.clip(_ENTRIES // max(1, n_bins), 16, _PIECE))
