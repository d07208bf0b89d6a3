"""The spectrum in which notes are looked for: two windows at once, in bands finer than a semitone.

    v_t = [ Σ_k B(f, k) |X_long(k, t)| ;  Σ_k C(f, k) |X_short(k, t)| ]

X_long has a window of 192 ms, which tells neighbouring semitones apart down to the lowest octaves, X_short one of 64
ms, which tells when they begin. Both stand at the same frames, `HOP_SECONDS` apart, and are scaled so that a sine wave
counts as much in one as in the other. The bands of B lie a quarter of a semitone apart, those of C half a semitone, but
never closer than the window can tell; both are moved as a whole by the tuning of the recording, so that templates of
instruments at 440 Hz fit an instrument at any pitch standard.

Conventions: a recording is mixed to one channel and brought to `RATE`; rows are frames, columns are bands, float32.
The middle of frame t is at t · `HOP_SECONDS`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.audio import Audio, resample

__all__ = ["HOP_SECONDS", "RATE", "band_hertz", "band_spectra", "n_frames_of", "one_channel", "sine_bands"]

RATE = 16000
"""Hz at which notes are looked for."""

_HOP = 256
HOP_SECONDS = _HOP / RATE
"""Seconds from frame to frame."""

_LONG, _LONG_FFT = 3072, 4096
_SHORT, _SHORT_FFT = 1024, 1024
_LOWEST, _HIGHEST = 25.0, 7400.0


def one_channel(audio: Audio) -> NDArray[np.float32]:
    """The mean of the channels, at `RATE`."""
    mono = audio.samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.asarray(resample(Audio(mono, audio.sample_rate), RATE).samples[0])


def n_frames_of(n_samples: int) -> int:
    """Frames of a sound of so many samples at `RATE`: the last one stands at its end."""
    return n_samples // _HOP + 1


def _centres(least: float, step: float) -> NDArray[np.float64]:
    """Frequencies from `_LOWEST` to `_HIGHEST`: ``least`` Hz apart, higher up the ratio ``step``."""
    centres = [_LOWEST]
    while centres[-1] < _HIGHEST:
        centres.append(centres[-1] + max(least, (step - 1) * centres[-1]))
    return np.array(centres)


@lru_cache(maxsize=1)
def band_hertz() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle frequencies of the bands of the long window and of the short one, for an instrument at 440 Hz."""
    return _centres(4.5, 2 ** (1 / 48)), _centres(16.0, 2 ** (1 / 24))


def _filters(centres: NDArray[np.float64], n_fft: int) -> NDArray[np.float32]:
    """Triangles ``(bins, bands)`` over the bins of a transform, each from the band before it to the one after."""
    spacing = np.maximum(np.gradient(centres), RATE / n_fft)
    bins = np.arange(n_fft // 2 + 1) * RATE / n_fft
    return np.maximum(1 - np.abs(bins[:, None] - centres) / spacing, 0).astype(np.float32)


@lru_cache(maxsize=4)
def _both_filters(cents: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    ratio = 2 ** (cents / 1200)
    long, short = band_hertz()
    return _filters(ratio * long, _LONG_FFT), _filters(ratio * short, _SHORT_FFT)


@lru_cache(maxsize=1)
def _windows() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hann windows whose sum is one: a sine wave of amplitude 2 has a peak of 1."""
    made = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (_LONG, _SHORT)]
    return (made[0] / made[0].sum()).astype(np.float32), (made[1] / made[1].sum()).astype(np.float32)


def band_spectra(mono: NDArray[np.float32], first: int, count: int, cents: float = 0.0) -> Matrix:
    """Bands ``(count, bands)`` of frames from ``first`` on; silence is taken to lie around the sound."""
    from scipy.fft import rfft

    half = _LONG // 2
    begin, end = first * _HOP - half, (first + count - 1) * _HOP + half
    piece = np.zeros(end - begin, np.float32)
    low, high = max(begin, 0), min(end, mono.size)
    if high > low:
        piece[low - begin : high - begin] = mono[low:high]
    frames = np.lib.stride_tricks.sliding_window_view(piece, _LONG)[::_HOP]
    inner = frames[:, (_LONG - _SHORT) // 2 : (_LONG + _SHORT) // 2]
    windows, filters = _windows(), _both_filters(cents)
    long = np.abs(rfft(frames * windows[0], _LONG_FFT, axis=1)) @ filters[0]
    short = np.abs(rfft(inner * windows[1], _SHORT_FFT, axis=1)) @ filters[1]
    return np.concatenate([long, short], axis=1)


def sine_bands(hertz: NDArray[np.float64]) -> NDArray[np.float32]:
    """What `band_spectra` shows of sine waves of amplitude 2 that go on, ``(waves, bands)``."""
    out = []
    for n, n_fft, filters in zip((_LONG, _SHORT), (_LONG_FFT, _SHORT_FFT), _both_filters(0.0), strict=True):
        away = (np.arange(n_fft // 2 + 1) * RATE / n_fft - hertz[:, None]) * n / RATE  # in bins of the window
        # The transform of a Hann window: a sinc and its two neighbours.
        lobe = np.sinc(away) + 0.5 * (np.sinc(away - 1) + np.sinc(away + 1))
        out.append(np.abs(lobe).astype(np.float32) @ filters)
    return np.concatenate(out, axis=1)
