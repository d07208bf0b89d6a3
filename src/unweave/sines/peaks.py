"""Sine waves in a spectrum: where they stand, and what each of them looks like there.

A steady sine wave of amplitude a is seen as the transform of the window, moved to the frequency of the wave,

    |X[b]| = a / 2 · |W(b - p)|,        W(f) = Σ_n w[n] e^(-2πj·f·n / n_fft),

with its place p between the bins. So a sine wave is a peak: a bin that is greater than both its neighbours. Around the
top the logarithm of the magnitude is nearly a parabola; through three bins with the levels α, β, γ in dB,

    p = b + (α - γ) / (2 (α - 2β + γ)),        level = β - (α - γ) (p - b) / 4.

The parabola errs by up to 0.05 bins and 0.2 dB, always by the same for a place between two bins, since the transform of
the window is known: a table of that error is subtracted.

`find_peaks` reads peaks out of spectra, `Lobes` draws them again.

Conventions: places in bins (a fraction is meant), levels in dB, 0 dB for a sine wave of amplitude 1, whatever the
window. The first and the last bin are never peaks.

Differences from FluCoMa. It leaves the parabola's error in, up to a fiftieth of the amplitude, which then stays in its
residual. The scale is the sum of the window: the same for the Hann window, and right for the others. The window's
transform is taken between the bins, where FluCoMa draws straight lines from bin to bin.

Reference: J. O. Smith, X. Serra, PARSHL: an analysis/synthesis program for non-harmonic sounds based on a sinusoidal
representation, Proc. ICMC 1987, pp. 290-297.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.framing import STFT, window_values

__all__ = ["Lobes", "Peaks", "find_peaks"]

Floats = NDArray[np.float64]

_SILENCE = 2.0**-52
"""Amplitude below which nothing is told apart, -313 dB."""

_STEPS = 64
"""Places between two bins at which the window's transform is known; between them, straight lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The peaks of one frame, low to high: ``positions`` in bins and ``levels`` in dB, both float64 ``(peaks,)``."""

    positions: Floats
    levels: Floats


def find_peaks(magnitude: Matrix, settings: STFT, threshold: float) -> list[Peaks]:
    """Find the peaks of some frames.

    Parameters
    ----------
    magnitude : ``(frames, bins)``
        Absolute values of a transform.
    settings : STFT
        Of that transform.
    threshold : float
        dB; quieter peaks are left out.

    Returns
    -------
    list of Peaks
        One a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from unweave.audio import Audio
    >>> from unweave.stft import stft
    >>> wave = Audio(0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000), 8000)
    >>> found = find_peaks(stft(wave, STFT(512)).magnitude[0].T, STFT(512), -40)[20]
    >>> (found.positions * 8000 / 512).round(1), found.levels.round(1)
    (array([1000.]), array([-6.]))
    """
    frame, before = np.nonzero(_tops(magnitude) & (magnitude[:, 1:-1] * _scale(settings) > _SILENCE))
    low, top, high = (_decibels(magnitude[frame, before + step], settings) for step in range(3))
    shift, levels = _without_error(*_parabola(low, top, high), settings)
    heard = levels > threshold
    positions = (before + 1 + shift)[heard]
    ends = np.searchsorted(frame[heard], np.arange(1, magnitude.shape[0]))
    pairs = zip(np.split(positions, ends), np.split(levels[heard], ends), strict=True)
    return [Peaks(*pair) for pair in pairs][: magnitude.shape[0]]


def _tops(magnitude: Matrix) -> NDArray[np.bool_]:
    """Where a bin, but for the first and the last, is greater than its neighbours.

    A wave half between two bins makes them equal: the upper one counts.
    """
    rises = magnitude[:, 1:] > magnitude[:, :-1]
    climbed = rises[:, :-1].copy()
    climbed[:, 1:] |= (magnitude[:, 2:-1] == magnitude[:, 1:-2]) & rises[:, :-2]
    tops: NDArray[np.bool_] = climbed & (magnitude[:, 1:-1] > magnitude[:, 2:])
    return tops


def _scale(settings: STFT) -> float:
    """What makes amplitudes of magnitudes."""
    return 2 / float(window_values(settings).sum())


def _decibels(magnitude: Matrix, settings: STFT) -> Floats:
    level: Floats = 20 * np.log10(np.maximum(magnitude.astype(np.float64) * _scale(settings), _SILENCE))
    return level


def _parabola(low: Floats, top: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Place, from the middle bin, and level of the top of the parabola through three levels."""
    bend = low - 2 * top + high
    shift = 0.5 * (low - high) / np.where(bend < 0, bend, -1)  # the transform of two or three samples may be flat
    return shift, top - 0.25 * (low - high) * shift


def _without_error(shift: Floats, levels: Floats, settings: STFT) -> tuple[Floats, Floats]:
    """What the parabola has found, without what it errs by for a steady sine wave."""
    found, true, error = _parabola_error(settings.window, settings.win_length, settings.n_fft)
    return np.interp(shift, found, true), levels - np.interp(shift, found, error)


@lru_cache(maxsize=8)
def _parabola_error(window: str, win_length: int, n_fft: int) -> tuple[Floats, Floats, Floats]:
    """Places that the parabola finds, the true ones, and the error of its level in dB."""
    settings = STFT(n_fft, 1, win_length, window)
    transform = _transform(settings)
    place = np.arange(-_STEPS // 2, _STEPS // 2 + 1)
    distances = (_STEPS + place, np.abs(place), _STEPS - place)
    found, levels = _parabola(*(_decibels(transform[_mirrored(each, settings)], settings) for each in distances))
    return np.maximum.accumulate(found), place / _STEPS, levels


class Lobes:
    """Draws sine waves into spectra, as the window shows them.

    Parameters
    ----------
    settings : STFT
    bandwidth : int
        Bins that a sine wave may be seen in, its own in the middle; what lies beyond is left out.
    """

    def __init__(self, settings: STFT, bandwidth: int) -> None:
        self.n_bins = settings.n_bins
        self.reach = min(bandwidth, 2 * self.n_bins) // 2
        self._rows = _lobe_rows(settings, bandwidth, self.reach)

    def draw(self, positions: Floats, levels: Floats, frames: NDArray[np.int64], n_frames: int) -> Floats:
        """The sum of the magnitudes of sine waves, ``(n_frames, bins)``.

        ``positions``, ``levels`` and ``frames``, all ``(peaks,)``, say where each of them stands, how loud it is, and
        in which frame.
        """
        nearest = np.rint(positions).astype(np.int64)
        place = (positions - nearest + 0.5) * _STEPS
        step = np.minimum(place.astype(np.int64), _STEPS - 1)
        share = (place - step)[:, None]
        amplitude = 10 ** (levels / 20)[:, None]
        lobes = self._rows[step] * ((1 - share) * amplitude)
        lobes += self._rows[step + 1] * (share * amplitude)
        # Room for the lobes that reach over the edges: it is cut off at the end.
        width = self.n_bins + 2 * self.reach
        bins = (frames * width + nearest)[:, None] + np.arange(2 * self.reach + 1)
        total: Floats = np.bincount(bins.ravel(), lobes.ravel(), n_frames * width).astype(np.float64, copy=False)
        drawn: Floats = total.reshape(n_frames, width)[:, self.reach : self.reach + self.n_bins]
        return drawn


@lru_cache(maxsize=8)
def _lobe_rows(settings: STFT, bandwidth: int, reach: int) -> Floats:
    """A wave of amplitude 1 in the bins around its own, for every place between -1/2 and 1/2 bin.

    ``(_STEPS + 1, 2 reach + 1)``.
    """
    places = np.arange(-_STEPS // 2, _STEPS // 2 + 1)[:, None]
    distance = np.abs(np.arange(-reach, reach + 1) * _STEPS - places)
    drawn = _transform(settings)[_mirrored(distance, settings)]
    rows: Floats = np.where(2 * distance <= bandwidth * _STEPS, drawn, 0.0)
    rows.setflags(write=False)
    return rows


def _transform(settings: STFT) -> Floats:
    """The magnitudes of a wave of amplitude 1, at steps of a fraction of a bin from its own place."""
    transform: Floats = np.abs(scipy.fft.rfft(window_values(settings), settings.n_fft * _STEPS)) / 2
    return transform


def _mirrored(steps: NDArray[np.int64], settings: STFT) -> NDArray[np.int64]:
    """Beyond half the sample rate the transform goes back the way it came."""
    mirrored: NDArray[np.int64] = np.minimum(steps, np.abs(settings.n_fft * _STEPS - steps))
    return mirrored
