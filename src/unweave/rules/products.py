"""Products of a block of frames with factors that have few components.

A block of frames is some hundred rows of a thousand bins, and a factor has a handful of components: products that are
long and thin. OpenBLAS has a kernel of its own for products of up to a million multiplications, which wastes no time on
packing them, and is twice as fast on such shapes. So a block is handed to it in short pieces, all of them in one call:
the pieces are a third axis, along which `numpy.matmul` goes by itself. Where factors are wide the usual kernel is the
better one, and gets the block as a whole. The ε below every model comes with the product: as one basis more, which
always sounds. See docs/decisions/0011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import LINE, Matrix

__all__ = ["Products", "floored", "piece_frames"]

_SMALL_PRODUCT = 0.95e6
_SHORTEST, _LONGEST = 40, 256


def piece_frames(n_bins: int, n_components: int) -> int:
    """Most frames of a piece whose products, with ε, are small; 0 where pieces would be too short to pay."""
    small = int(_SMALL_PRODUCT / (n_bins * (n_components + 1))) // 8 * 8
    return min(small, _LONGEST) if small >= _SHORTEST else 0


def floored(bases: Matrix, epsilon: float, out: Matrix) -> Matrix:
    """Put bases ``(components, bins)`` into ``out``, and ε below them as a basis more; its rows are whole ones."""
    count, n_bins = bases.shape
    out[:count, :n_bins] = bases
    out[count] = epsilon
    return out


class Products:
    """The products of one thread: of blocks with activations ``(frames, components)``, bases ``(components, bins)``.

    Blocks ``(frames, bins)`` come in whole rows, with the room behind them (`unweave.arrays.whole_rows`).

    Parameters
    ----------
    n_bins, n_components : int
    dtype : numpy.dtype
    longest : int
        Most frames of a block.
    """

    def __init__(self, n_bins: int, n_components: int, dtype: np.dtype[np.floating], longest: int) -> None:
        self.n_bins, self.longest = n_bins, longest
        self.piece = piece_frames(n_bins, n_components)
        count = -(-longest // self.piece) + 1 if self.piece else 1
        # What each piece brings to a sum, in whole rows, which are added up in a third of the time.
        self.shares = np.zeros((count, n_components, -(-n_bins // LINE) * LINE), dtype)
        self.sounding = np.ones((0, n_components + 1), dtype)

    def expand(self, activations: Matrix, floored: Matrix, rows: Matrix) -> None:
        """Put activations · bases + ε into the rows; of the bases and ε in one, see `floored`."""
        whole, piece = self._cut(len(rows))
        if not len(self.sounding):
            self.sounding = np.ones((self.longest, self.sounding.shape[1]), rows.dtype)
        sounding = self.sounding[: len(rows)]
        sounding[:, :-1] = activations
        if whole:
            np.matmul(_pieces(sounding[:whole], piece), floored, out=_pieces(rows[:whole], piece))
        if whole < len(rows):
            np.matmul(sounding[whole:], floored, out=rows[whole:])

    def compress(self, rows: Matrix, back: Matrix, out: Matrix) -> Matrix:
        """Put rows · back ``(frames, components)`` into ``out``; ``back`` is basesᵀ ``(bins, components)``."""
        whole, piece = self._cut(len(rows))
        if whole:
            np.matmul(_pieces(rows[:whole], piece)[:, :, : self.n_bins], back, out=_pieces(out[:whole], piece))
        if whole < len(rows):
            np.matmul(rows[whole:, : self.n_bins], back, out=out[whole:])
        return out

    def gather(self, activations: Matrix, rows: Matrix, total: Matrix, *, first: bool) -> None:
        """Add activationsᵀ · rows to ``total``, or put it there if it is the ``first``.

        ``total`` has a row for each component, with room behind it, which stays as empty as it is.
        """
        whole, piece = self._cut(len(rows))
        if first and not whole:
            np.matmul(activations.T, rows[:, : self.n_bins], out=total[:, : self.n_bins])
            return
        count = whole // piece if whole else 0
        if whole:
            pieces = _pieces(activations[:whole], piece).transpose(0, 2, 1)
            np.matmul(pieces, _pieces(rows[:whole], piece)[:, :, : self.n_bins], out=self._shares(0, count))
        if whole < len(rows):
            np.matmul(activations[whole:].T, rows[whole:, : self.n_bins], out=self._shares(count, count + 1)[0])
            count += 1
        if first:
            np.add.reduce(self.shares[:count], axis=0, out=total)
        else:
            total += self.shares[0] if count == 1 else np.add.reduce(self.shares[:count], axis=0)

    def _shares(self, start: int, stop: int) -> NDArray[Any]:
        return self.shares[start:stop, :, : self.n_bins]

    def _cut(self, n_frames: int) -> tuple[int, int]:
        """How many frames make whole pieces of one length, and that length: all but a few, or none."""
        if not self.piece or not n_frames:
            return 0, 0
        count = -(-n_frames // self.piece)
        piece = n_frames // count
        return count * piece, piece


def _pieces(rows: Matrix, piece: int) -> Matrix:
    return rows.reshape(-1, piece, rows.shape[1])
