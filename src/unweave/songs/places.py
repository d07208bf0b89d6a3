"""Where each source of a song stands in the stereo picture: filters over the channels, beside the masks.

    R_k[f] = Σ_{t, f' near f} m_k⁸ Re(x xᴴ) / |x|,  trace C     W_k[t, f] = m_k R_k (Σ_j m_j R_j)⁻¹     S_k = W_k x

for the masks m_k of `unweave.songs.judge` and the C channels x of the recording. Two sources that sound in the same
cell are told apart by where they stand: what is common to them is divided by the masks, what only one of them can have
made goes to that one. Where all sources stand in one place the filters are the masks, as they are for one channel; they
sum to one as the masks do.

Conventions: matrices are real, float64 ``(sources, cells, channels, channels)``: levels count, delays do not. A little
of the song's own matrix is in each, so that a source that is nowhere sure is thought to stand where the song does.

References: N. Q. K. Duong, E. Vincent, R. Gribonval, Under-determined reverberant audio source separation using a
full-rank spatial covariance model, IEEE TASLP 18(7), 2010, doi:10.1109/TASL.2010.2050716.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio
from unweave.framing import STFT
from unweave.songs.cells import Grid, box
from unweave.stft import analysis_blocks

__all__ = ["Places"]

REACH = 100
"""Cells on either side in which a source stands in the same place."""

CLARITY = 8
"""Power of the masks by which cells count: those that are of one source alone tell where it stands."""

DOUBT = 1e-3
"""How much of the song's own matrix is in each."""

_FLOOR = 1e-5
"""What no source can have made, 50 dB under the rest, goes to none."""


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
    def of(cls, audio: Audio, settings: STFT, masks: Matrix) -> Places:
        """Where masks float32 ``(sources, frames, cells)`` find their sources in a recording."""
        grid, eye = Grid.of(settings, audio.sample_rate), np.eye(audio.n_channels)
        found = np.zeros((len(masks) + 1, grid.starts.size, *eye.shape))
        for block in analysis_blocks(audio, settings):
            clear = masks[:, block.frames] ** CLARITY
            weights = np.concatenate([clear, np.ones_like(clear[:1])])
            for row, column in combinations_with_replacement(range(len(eye)), 2):
                shared = _shared(block.values, row, column)
                found[:, :, row, column] += np.einsum("ktf,tf->kf", weights, grid.gather(shared))
        found += np.triu(found, 1).swapaxes(2, 3)
        found = box(found, REACH, 1) + 1e-20 * eye
        matrices = found[:-1] + DOUBT * found[-1]
        return cls(grid, matrices * (len(eye) / np.trace(matrices, axis1=2, axis2=3)[:, :, None, None]))

    def apart(self, values: Complex, masks: Matrix) -> Complex:
        """Frames ``(channels, frames, bins)`` taken apart: ``(sources, channels, frames, bins)``."""
        shares = self.grid.spread(masks)[:, None]
        if len(values) == 1:
            return np.asarray(shares * values)
        n_sources, n_cells, n_channels, _ = self.matrices.shape
        by_cell = self.matrices.transpose(1, 0, 2, 3)
        whole = masks.transpose(2, 1, 0) @ by_cell.reshape(n_cells, n_sources, -1)
        whole = whole.reshape(n_cells, -1, n_channels, n_channels) + _FLOOR * np.eye(n_channels)
        filters = by_cell.reshape(n_cells, 1, -1, n_channels) @ np.linalg.inv(whole)
        filters = filters.astype(np.float32).reshape(n_cells, -1, n_sources, n_channels, n_channels)
        filters = self.grid.spread(filters.transpose(2, 3, 4, 1, 0))
        return np.asarray(shares * np.einsum("kcdtf,dtf->kctf", filters, values))


def _shared(values: Complex, row: int, column: int) -> Matrix:
    """What two channels have in common, as loud as an amplitude."""
    size = np.sqrt((np.square(values.real) + np.square(values.imag)).sum(axis=0)) + 1e-20
    both: Matrix = (values[row] * values[column].conj()).real / size
    return both
