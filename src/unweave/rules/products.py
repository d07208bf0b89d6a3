"""Products of a block of frames with factors that have few components.

A block of frames is some hundred rows of a thousand bins, and a factor has a handful of components: products that are
long and thin. OpenBLAS has a kernel of its own for products of up to a million multiplications, which wastes no time on
packing them, and is twice as fast on such shapes. So a block is handed to it in short pieces, all of them in one call:
the pieces are a third axis, along which `numpy.matmul` goes by itself. Where factors are wide the usual kernel is the
better one, and gets the block as a whole. See docs/decisions/0011.
"""

from __future__ import annotations

import numpy as np

from unweave.arrays import LINE, Matrix

__all__ = ["Products", "piece_frames"]

_SMALL_PRODUCT = 0.95e6
_SHORTEST, _LONGEST = 40, 256


def piece_frames(n_bins: int, n_components: int) -> int:
    """Frames of a piece whose products are small; 0 where pieces would be so short that they do not pay."""
    small = int(_SMALL_PRODUCT / (n_bins * n_components)) // 8 * 8
    return min(small, _LONGEST) if small >= _SHORTEST else 0


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
        self.n_bins = n_bins
        self.piece = piece_frames(n_bins, n_components)
        count = longest // self.piece + 1 if self.piece else 1
        self.shares = np.zeros((count, n_components, -(-n_bins // LINE) * LINE), dtype)[:, :, :n_bins]

    def expand(self, activations: Matrix, bases: Matrix, rows: Matrix) -> None:
        """Put activations · bases into the rows."""
        whole = self._whole(len(rows))
        if whole:
            np.matmul(self._pieces(activations[:whole]), bases, out=self._pieces(rows[:whole])[:, :, : self.n_bins])
        if whole < len(rows):
            np.matmul(activations[whole:], bases, out=rows[whole:, : self.n_bins])

    def compress(self, rows: Matrix, back: Matrix, out: Matrix) -> Matrix:
        """Put rows · back ``(frames, components)`` into ``out``; ``back`` is basesᵀ ``(bins, components)``."""
        whole = self._whole(len(rows))
        if whole:
            np.matmul(self._pieces(rows[:whole])[:, :, : self.n_bins], back, out=self._pieces(out[:whole]))
        if whole < len(rows):
            np.matmul(rows[whole:, : self.n_bins], back, out=out[whole:])
        return out

    def gather(self, activations: Matrix, rows: Matrix, total: Matrix, *, first: bool) -> None:
        """Add activationsᵀ · rows ``(components, bins)`` to ``total``, or put it there if it is the ``first``."""
        if first and not self.piece:
            np.matmul(activations.T, rows[:, : self.n_bins], out=total)
            return
        whole, shares = self._whole(len(rows)), self.shares
        count = whole // self.piece if whole else 0
        if whole:
            pieces = self._pieces(activations[:whole]).transpose(0, 2, 1)
            np.matmul(pieces, self._pieces(rows[:whole])[:, :, : self.n_bins], out=shares[:count])
        if whole < len(rows):
            np.matmul(activations[whole:].T, rows[whole:, : self.n_bins], out=shares[count])
            count += 1
        if first:
            total[...] = shares[0]
        for share in shares[int(first) : count]:
            total += share

    def _whole(self, n_frames: int) -> int:
        """How many frames make whole pieces."""
        return n_frames // self.piece * self.piece if self.piece else 0

    def _pieces(self, rows: Matrix) -> Matrix:
        return rows.reshape(-1, self.piece, rows.shape[1])
