"""Where each source of a song stands in the stereo picture: filters over the channels, beside the masks.

    R_k[f] = Σ_{t, f' near f} m_k⁸ Re(x xᴴ) / |x|,  trace C     W_k[t, f] = m_k R_k (Σ_j m_j R_j)⁻¹     S_k = W_k x

for the masks m_k of `unweave.songs.judge`, or of `unweave.rehearsal`, and the C channels x. Two sources in the same
cell are told apart by where they stand: what is common to them is divided by the masks, what only one of them can have
made goes to that one. Where all sources stand in one place the filters are the masks, as they are for one channel; they
sum to one as the masks do.

Conventions: matrices are real, float64 ``(sources, cells, channels, channels)``: levels count, delays do not. A little
of the song's own matrix is in each, so that a source that is nowhere sure is thought to stand where the song does.

References: N. Q. K. Duong, E. Vincent, R. Gribonval, Under-determined reverberant audio source separation using a
full-rank spatial covariance model, IEEE TASLP 18(7), 2010, doi:10.1109/TASL.2010.2050716.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Complex, Matrix
from unweave.songs.cells import Grid, box

__all__ = ["Places"]

REACH = 100
"""Cells on either side in which a source stands in the same place."""

CLARITY = 8
"""Power of the masks by which cells count: those that are of one source alone tell where it stands."""

DOUBT = 1e-3
"""How much of the song's own matrix is in each."""

_FLOOR = 1e-5
"""What none of the sources can have made, 50 dB under the rest, is divided by the masks."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A matrix of every source over the cells of a grid.

    Parameters
    ----------
    grid : Grid
    matrices : float64 ``(sources, cells, channels, channels)``
    """

    grid: Grid
    matrices: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid, shape: tuple[int, int], pieces: Iterable[tuple[Complex, Matrix]]) -> Places:
        """Where masks find their sources in a recording.

        Parameters
        ----------
        grid : Grid
        shape : (int, int)
            How many sources and channels there are.
        pieces : iterable
            Frames ``(channels, frames, bins)``, and their masks float32 ``(sources, frames, cells)``.
        """
        n_sources, n_channels = shape
        eye = np.eye(n_channels)
        if n_channels == 1:  # one channel has one place: nothing need be looked at
            return cls(grid, np.ones((n_sources, grid.starts.size, 1, 1)))
        found = np.zeros((n_sources + 1, grid.starts.size, *eye.shape))
        for values, masks in pieces:
            clear = masks**CLARITY
            weights = np.concatenate([clear, np.ones_like(clear[:1])])
            for row, column in combinations_with_replacement(range(n_channels), 2):
                shared = _shared(values, row, column)
                found[:, :, row, column] += np.einsum("ktf,tf->kf", weights, grid.gather(shared))
        found += np.triu(found, 1).swapaxes(2, 3)
        found = box(found, REACH, 1) + 1e-20 * eye
        matrices = found[:-1] + DOUBT * found[-1]
        matrices *= len(eye) / np.trace(matrices, axis1=2, axis2=3)[:, :, None, None]
        return cls(grid, matrices + _FLOOR * eye)

    def apart(self, values: Complex, masks: Matrix) -> Complex:
        """Frames ``(channels, frames, bins)`` taken apart: ``(sources, channels, frames, bins)``."""
        shares = self.grid.spread(masks)[:, None]
        if len(values) == 1:
            return np.asarray(shares * values)
        n_sources, n_cells, n_channels, _ = self.matrices.shape
        stacked = self.matrices.transpose(1, 0, 2, 3).reshape(n_cells, 1, -1, n_channels)
        filters = stacked @ np.linalg.inv(self._whole(masks))
        filters = filters.astype(np.float32).reshape(n_cells, -1, n_sources, n_channels, n_channels)
        filters = self.grid.spread(filters.transpose(2, 3, 4, 1, 0))
        return np.asarray(shares * np.einsum("kcdtf,dtf->kctf", filters, values))

    def likelihood(self, pieces: Iterable[tuple[Complex, Matrix]]) -> float:
        """How well frames and their masks are explained, as `of` takes them, each cell at the level that it has.

        The mean of -log det R - C log xᴴ R⁻¹ x, R = Σ_k m_k R_k, weighted by |x|: only differences mean anything.
        """
        total = weight = 0.0
        for values, masks in pieces:
            whole, x = self._whole(masks), values[..., self.grid.starts].transpose(2, 1, 0)[..., None]
            apart = (x.conj() * np.linalg.solve(whole, x)).real.sum(axis=(2, 3))
            size = np.linalg.norm(x[..., 0], axis=2) + 1e-20
            unlike = np.linalg.slogdet(whole)[1] + len(values) * np.log(apart / size**2 + 1e-20)
            total, weight = total - float((size * unlike).sum()), weight + float(size.sum())
        return total / weight if weight else 0.0

    def _whole(self, masks: Matrix) -> NDArray[np.float64]:
        """Σ_k m_k R_k, float64 ``(cells, frames, channels, channels)``."""
        n_sources, n_cells, n_channels, _ = self.matrices.shape
        whole = masks.transpose(2, 1, 0) @ self.matrices.transpose(1, 0, 2, 3).reshape(n_cells, n_sources, -1)
        return np.asarray(whole.reshape(n_cells, -1, n_channels, n_channels))


def _shared(values: Complex, row: int, column: int) -> Matrix:
    """What two channels have in common, as loud as an amplitude."""
    size = np.sqrt((np.square(values.real) + np.square(values.imag)).sum(axis=0)) + 1e-20
    both: Matrix = (values[row] * values[column].conj()).real / size
    return both
