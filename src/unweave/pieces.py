"""A matrix that does not fit into memory, read piece by piece, as often as it is needed.

Whoever gives V cuts it into blocks of any size; here the same frames come in pieces of one size, so that no digit of a
result depends on where blocks end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput

__all__ = ["PIECE", "Blocks", "Frames", "cut"]

PIECE = 1024
"""Most frames of a piece: some megabytes."""

Blocks = Callable[[], Iterable[ArrayLike]] | NDArray[Any]
"""V: what makes a new iterable of blocks ``(bins, frames)`` whenever it is called, or a (memory-mapped) array."""


class Frames:
    """All frames of V, piece by piece, as often as they are asked for."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.n_bins = self.n_frames = 0
        self.dtype: np.dtype[Any] = np.dtype(np.float32)

    def survey(self, n_sample: int, rng: np.random.Generator) -> tuple[float, float, Matrix]:
        """Look at all frames once: the mean, the greatest entry, and a fair sample ``(n, bins)`` of what sounds."""
        total, highest, n_frames = 0.0, 0.0, 0
        sample: list[tuple[float, int, Matrix]] = []  # a heap
        for piece in cut(self.checked(), PIECE, np.dtype(np.float64)):
            total += float(piece.sum())
            highest = max(highest, float(piece.max(initial=0)))
            # Every frame draws a number; those of the greatest numbers are a sample without repetition.
            keys = rng.random(len(piece))
            least = sample[0][0] if len(sample) == n_sample else -1.0
            for index in np.flatnonzero((keys > least) & piece.any(axis=1)):
                entry = (float(keys[index]), n_frames + int(index), piece[index].astype(self.dtype))
                (heapq.heappushpop if len(sample) == n_sample else heapq.heappush)(sample, entry)
            n_frames += len(piece)
        self.n_frames = n_frames
        if n_frames * self.n_bins == 0:
            raise InvalidInput("V has no entries: there is nothing to explain.")
        chosen = [row for _, _, row in sorted(sample, key=lambda entry: entry[1])]
        heard = np.array(chosen, self.dtype).reshape(len(chosen), self.n_bins)
        return total / (n_frames * self.n_bins), highest, heard

    def pieces(self, size: int) -> Iterator[tuple[int, Matrix]]:
        """The number of the first frame and the frames ``(size, bins)`` of every piece; the last may be shorter.

        A piece lives until the next is asked for.
        """
        at = 0
        for piece in cut(self._raw(), size, self.dtype):
            if at + len(piece) > self.n_frames or piece.shape[1] != self.n_bins:
                at = -1
                break
            yield at, piece
            at += len(piece)
        if at != self.n_frames:
            raise Incompatible(
                f"the blocks had {self.n_frames} frames of {self.n_bins} bins at first, but not when they were asked "
                "for again: pass a function that makes a new iterable of the same blocks at every call."
            )

    def _raw(self) -> Iterator[NDArray[Any]]:
        """The blocks as they come, ``(bins, n)``."""
        if callable(self.blocks):
            yield from (np.asarray(block) for block in self.blocks())
            return
        V = np.asanyarray(self.blocks)
        if V.ndim != 2:
            raise InvalidInput(f"V.shape={V.shape}, but a matrix with two axes is needed.")
        yield from (V[:, at : at + PIECE] for at in range(0, V.shape[1], PIECE))

    def checked(self) -> Iterator[Matrix]:
        """The blocks, each of them a matrix that can be explained."""
        for block in self._raw():
            V = nonnegative_matrix("V", block)
            self.n_bins = self.n_bins or V.shape[0]
            if V.shape[0] != self.n_bins:
                raise Incompatible(f"a block of V has {V.shape[0]} bins, but the first one has {self.n_bins}.")
            self.dtype = np.promote_types(self.dtype, V.dtype)
            yield V


def cut(blocks: Iterable[NDArray[Any]], size: int, dtype: np.dtype[Any]) -> Iterator[Matrix]:
    """The same frames in pieces of ``size``, frame by frame ``(size, bins)``, all in one piece of memory."""
    filled, piece = 0, np.empty((0, 0), dtype)
    for block in blocks:
        if piece.shape[1] != block.shape[0]:
            filled, piece = 0, np.empty((size, block.shape[0]), dtype)
        at = 0
        while at < block.shape[1]:
            count = min(size - filled, block.shape[1] - at)
            piece[filled : filled + count] = block[:, at : at + count].T
            at, filled = at + count, filled + count
            if filled == size:
                yield piece
                filled = 0
    if filled:
        yield piece[:filled]
