"""A song on a grid of cells that are as fine as the ear needs: the ground on which `unweave.songs.stems` decides.

    P[t, b] = Σ_{bins of cell b} mean over channels |X_c[t, f]|²

The transform lasts 93 ms whatever the sample rate, so that a cell means the same frequencies everywhere. Up to 5 kHz
a cell is one bin (11 Hz); above, where no two partials of a melody lie nearer than that, it is four.

Conventions: arrays of cells are float32 ``(frames, cells)``; levels are natural logarithms of amplitudes, with a floor
of 80 dB under the mean power of the song, so that a gain of the recording changes no cue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio
from unweave.framing import STFT
from unweave.stft import analysis_blocks

__all__ = ["Cells", "Grid", "box", "cells_of", "song_stft"]

WINDOW = 4096 / 44100
"""Seconds of a transform: long enough to tell the partials of a bass apart, short enough for a drum."""

FINE = 5000.0
"""Hz up to which every bin is a cell."""

COARSE = 4
"""Bins a cell above that."""

_FLOOR = 1e-8


def song_stft(sample_rate: float) -> STFT:
    """The transform for a sample rate: an even length that is fast."""
    wanted = max(16, round(WINDOW * sample_rate / 2))
    return STFT(2 * int(scipy.fft.next_fast_len(wanted, real=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Which bins are one cell: ``starts`` are their first bins; ``frequencies`` Hz of their middles."""

    starts: NDArray[np.intp]
    widths: NDArray[np.intp]
    frequencies: NDArray[np.float32]

    @classmethod
    def of(cls, settings: STFT, sample_rate: float) -> Grid:
        """The grid of a transform."""
        hertz = settings.frequencies(sample_rate)
        n_fine = int(np.searchsorted(hertz, FINE))
        starts = np.concatenate([np.arange(n_fine), np.arange(n_fine, settings.n_bins, COARSE)]).astype(np.intp)
        widths = np.diff(np.append(starts, settings.n_bins))
        middle = (starts + (widths - 1) / 2) * (sample_rate / settings.n_fft)
        return cls(starts, widths, middle.astype(np.float32))

    @classmethod
    def of_bins(cls, settings: STFT, sample_rate: float) -> Grid:
        """Every bin of a transform is a cell."""
        starts = np.arange(settings.n_bins, dtype=np.intp)
        return cls(starts, np.ones_like(starts), settings.frequencies(sample_rate).astype(np.float32))

    def gather(self, values: Matrix) -> Matrix:
        """Sums over the bins of each cell, of the last axis."""
        sums: Matrix = np.add.reduceat(values, self.starts, axis=-1)
        return sums

    def spread(self, cells: Matrix) -> Matrix:
        """Every bin gets the value of its cell."""
        return np.repeat(cells, self.widths, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A song on its grid.

    Parameters
    ----------
    levels : float32 ``(frames, cells)``
        Logarithms of amplitudes; the mean power of the song is one.
    width : float32 ``(frames, cells)``
        0 where all channels are the same, towards 1 where they have nothing in common.
    """

    grid: Grid
    levels: Matrix
    width: Matrix
    frame_rate: float

    @property
    def power(self) -> Matrix:
        """Power of every cell, the mean of the song is one."""
        return np.exp(2 * self.levels)

    def frames(self, seconds: float) -> int:
        """How many frames that is: one at least."""
        return max(1, round(seconds * self.frame_rate))


def cells_of(audio: Audio, settings: STFT) -> Cells:
    """Lay a song on its grid."""
    grid = Grid.of(settings, audio.sample_rate)
    n_frames = settings.n_frames(audio.n_samples)
    power = np.empty((n_frames, grid.starts.size), np.float32)
    common = np.empty_like(power)
    for block in analysis_blocks(audio, settings):
        power[block.frames] = grid.gather(_square(block.values).mean(axis=0))
        common[block.frames] = grid.gather(_square(block.values.mean(axis=0)))
    mean = float(power.mean(dtype=np.float64))
    power /= max(mean, 1e-30)
    common /= max(mean, 1e-30)
    width = 1 - (common + 1e-9) / (power + 1e-9)
    levels = 0.5 * np.log(power + _FLOOR)
    return Cells(grid, levels, np.clip(width, 0, 1), audio.sample_rate / settings.hop_length)


def _square(values: Complex) -> Matrix:
    square: Matrix = np.square(values.real) + np.square(values.imag)
    return square


def box(values: Matrix, half: int, axis: int) -> Matrix:
    """Running mean over ``2 half + 1`` entries along an axis; the ends go on as their mirror image."""
    if half <= 0:
        return values
    import scipy.ndimage

    means: Matrix = scipy.ndimage.uniform_filter1d(values, 2 * half + 1, axis=axis, mode="reflect")
    return means
