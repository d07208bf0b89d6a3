"""How far a recording lies above or below 440 Hz.

    θ = arg Σ_k a_k exp(2πi · 12 log2(f_k / 440))          cents = 100 θ / 2π

over the peaks of long spectra: each peak stands some cents off its nearest semitone, and the mean of these on a circle,
weighted by loudness, is the tuning. Only peaks from 100 Hz to 1 kHz count: lower ones are too broad, and strings that
are stiff have higher partials that are sharp.

Reference: K. Dressler, S. Streich, Tuning frequency estimation using circular statistics, ISMIR 2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.pitched.bands import RATE, one_channel

__all__ = ["find_tuning", "tuning_of"]

_WINDOW, _FFT = 4096, 8192
_LOW, _HIGH = 100.0, 1000.0
_PIECE = 64


def find_tuning(audio: Audio) -> float:
    """Find the tuning of a recording.

    Parameters
    ----------
    audio : Audio
        Any rate, any number of channels, which are mixed.

    Returns
    -------
    float
        Cents above 440 Hz, from -50 to 50; 0 where nothing has a pitch.

    Examples
    --------
    >>> t = np.arange(22050) / 22050
    >>> round(find_tuning(Audio(np.sin(2 * np.pi * 445 * t), 22050)))
    20
    """
    return tuning_of(one_channel(audio))


def tuning_of(mono: NDArray[np.float32]) -> float:
    """As `find_tuning`, of one channel at the rate of `unweave.pitched.bands`."""
    total = sum(_votes(mono), 0j)
    if abs(total) == 0:
        return 0.0
    return 100 * math.atan2(total.imag, total.real) / (2 * math.pi)


def _votes(mono: NDArray[np.float32]) -> Iterator[complex]:
    """Sums over the peaks of some frames at a time."""
    from scipy.fft import rfft

    padded = np.pad(mono, (0, max(0, _WINDOW - mono.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: _WINDOW // 2]
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    low, high = (round(hertz * _FFT / RATE) for hertz in (_LOW, _HIGH))
    for first in range(0, len(frames), _PIECE):
        heard = np.abs(rfft(frames[first : first + _PIECE] * window, _FFT, axis=1)[:, low - 1 : high + 1])
        yield _vote(heard.astype(np.float64), low)


def _vote(heard: NDArray[np.float64], low: int) -> complex:
    """The sum over the peaks of spectra whose second bin is ``low``; a parabola through logarithms places each."""
    middle = heard[:, 1:-1]
    loud = middle > 0.03 * heard.max(axis=1, keepdims=True)
    rows, bins = np.nonzero((middle > heard[:, :-2]) & (middle >= heard[:, 2:]) & loud)
    if rows.size == 0:
        return 0j
    before, at, after = (np.log(heard[rows, bins + k] + 1e-12) for k in range(3))
    place = bins + low + 0.5 * (before - after) / (before - 2 * at + after)
    turns = 12 * np.log2(place * RATE / _FFT / 440)
    return complex(np.sum(heard[rows, bins + 1] * np.exp(2j * np.pi * turns)))
