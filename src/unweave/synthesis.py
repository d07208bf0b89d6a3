"""Sounds with known answers, made from nothing: a drum loop whose parts are known to the sample.

For the demo, for tests and for measurements. Drums are made as analogue machines make them: a kick is a sine wave
that falls in pitch, a snare two sine waves and a burst of noise, a hi-hat high-passed noise; each with an exponential
decay. Noise is drawn anew for every stroke and strokes differ in force, so that no two are the same.

The same arguments give the same samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio, as_audio
from unweave.errors import InvalidInput

__all__ = ["drum_loop", "pink_noise"]

_PATTERN = {
    # one bar of sixteenths; a digit is the force of a stroke, a dot is silence
    "kick": "9.....7.9..6....",
    "snare": "....9..2....9..3",
    "hihat": "7.5.7.5.7.5.7.57",
}
# The sum stays below full scale, so that 16 bits hold it.
_LEVEL = {"kick": 0.40, "snare": 0.26, "hihat": 0.25}

Floats = NDArray[np.float64]


def drum_loop(
    n_bars: int = 4, *, tempo: float = 104.0, sample_rate: int = 44100, stereo: bool = False, seed: int = 0
) -> dict[str, Audio]:
    """A drum loop and the parts that it is the sum of.

    Parameters
    ----------
    n_bars : int, at least 1
        Length in bars of four beats.
    tempo : float, 30 to 300
        Beats per minute.
    sample_rate : int, at least 8000
        Hz.
    stereo : bool
        Place the snare a little to the left and the hi-hat to the right.
    seed : int
        Of the noise.

    Returns
    -------
    dict of str to Audio
        'kick', 'snare', 'hihat', and 'mix', which is their sum.

    Examples
    --------
    >>> loop = drum_loop(n_bars=1, sample_rate=22050)
    >>> sorted(loop), loop["mix"].n_samples
    (['hihat', 'kick', 'mix', 'snare'], 50884)
    """
    if n_bars < 1 or not 30 <= tempo <= 300 or sample_rate < 8000:
        raise InvalidInput(
            f"n_bars={n_bars}, tempo={tempo}, sample_rate={sample_rate}: at least one bar, 30 to 300 beats per minute "
            "and 8000 Hz are needed."
        )
    rng = np.random.default_rng(seed)
    step = 60 / tempo / 4
    n_samples = int(n_bars * 16 * step * sample_rate)
    places = {"kick": 0.0, "snare": -0.35, "hihat": 0.45} if stereo else None
    parts: dict[str, Audio] = {}
    for name, pattern in _PATTERN.items():
        track = np.zeros(n_samples)
        for index, mark in enumerate(pattern * n_bars):
            if mark != ".":
                stroke = _STROKES[name](sample_rate, rng) * _LEVEL[name] * int(mark) / 9
                begin = round(index * step * sample_rate)
                end = min(begin + stroke.size, n_samples)
                track[begin:end] += stroke[: end - begin]
        parts[name] = as_audio(_placed(track, places[name]) if places else track, sample_rate)
    mix = parts["kick"].samples + parts["snare"].samples + parts["hihat"].samples
    return {**parts, "mix": Audio(mix, sample_rate)}


def _placed(track: Floats, place: float) -> Floats:
    """Two channels, at equal power, ``place`` from -1 (left) to 1 (right)."""
    angle = (place + 1) * np.pi / 4
    return np.stack([np.cos(angle) * track, np.sin(angle) * track])


def _time(seconds: float, sample_rate: int) -> Floats:
    return np.arange(int(seconds * sample_rate)) / sample_rate


def _kick(sample_rate: int, rng: np.random.Generator) -> Floats:
    t = _time(0.4, sample_rate)
    # The pitch falls from 110 to 50 Hz within some hundredths of a second.
    phase = 2 * np.pi * (50 * t + 60 * 0.012 * (1 - np.exp(-t / 0.012)))
    click = rng.standard_normal(t.size) * np.exp(-t / 0.002) * 0.02
    return np.asarray(np.sin(phase) * np.exp(-t / 0.11) + click)


def _snare(sample_rate: int, rng: np.random.Generator) -> Floats:
    t = _time(0.3, sample_rate)
    tone = (np.sin(2 * np.pi * 186 * t) + 0.7 * np.sin(2 * np.pi * 331 * t)) * np.exp(-t / 0.045)
    noise = _band(rng.standard_normal(t.size), sample_rate, 700, 6500) * np.exp(-t / 0.07)
    return np.asarray(0.6 * tone + 0.8 * noise)


def _hihat(sample_rate: int, rng: np.random.Generator) -> Floats:
    t = _time(0.12, sample_rate)
    return _band(rng.standard_normal(t.size), sample_rate, 7500, sample_rate) * np.exp(-t / 0.022)


_STROKES: dict[str, Callable[[int, np.random.Generator], Floats]] = {"kick": _kick, "snare": _snare, "hihat": _hihat}


def _band(noise: Floats, sample_rate: int, low: float, high: float) -> Floats:
    """Noise between two frequencies in Hz, with slopes half an octave wide."""
    spectrum = np.fft.rfft(noise)
    frequency = np.maximum(np.fft.rfftfreq(noise.size, 1 / sample_rate), 1e-3)
    octaves_inside = np.minimum(np.log2(frequency / low), np.log2(high / frequency))
    return np.fft.irfft(spectrum * np.clip(octaves_inside * 2 + 1, 0, 1), noise.size)


def pink_noise(n_samples: int, rng: np.random.Generator) -> Floats:
    """Noise with equal power in every octave, of mean square one; ``(n_samples,)``."""
    if n_samples == 0:
        return np.zeros(0)
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
    spectrum[0] = 0  # no offset
    noise = np.fft.irfft(spectrum, n_samples)
    power = float(np.mean(np.square(noise)))
    return noise / np.sqrt(power) if power > 0 else noise
