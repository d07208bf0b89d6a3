"""What an unnamed component is: a pitch, if its basis is a tone; else what it resembles.

**Pitch** by the two-way mismatch of Maher & Beauchamp: for a fundamental f the harmonics n f that are predicted look
for the nearest peak of the spectrum, and the peaks look for the nearest harmonic,

    mismatch(d, f, a) = d f^-p + (a / a_max) (q d f^-p - r),    p = 0.5, q = 1.4, r = 0.5

so that octaves below (harmonics without peaks) and above (peaks without harmonics) are both wrong. A basis is a tone
where its harmonics hold most of its energy, and hold more of it than noise would leave in bands as wide.

**Resemblance** of what is no tone: by the centre of gravity of its power and the time in which it dies. These are rough
names for rough parts, and so are theirs: 'kick', 'tom', 'snare', 'hihat', 'cymbal' for what dies away, 'bass' and
'noise' for what lasts.

References: R. C. Maher, J. W. Beauchamp, Fundamental frequency estimation of musical signals using a two-way mismatch
procedure, JASA 95(4), 1994, doi:10.1121/1.408685.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.decomposition import Decomposition
from unweave.framing import STFT
from unweave.notes.picking import Sound

__all__ = ["dying_time", "name_components", "pitch_of"]

Floats = NDArray[np.float64]

_LOWEST, _HIGHEST = 27.5, 4400.0  # Hz: the keys of a piano
_PEAKS, _HARMONICS = 20, 12
_FLOOR = 0.02  # of the greatest peak: -34 dB
_TONAL = 0.6  # share of the energy that a tone has in its harmonics, beyond what noise would have there
_SKIN = 43.0  # MIDI number; 98 Hz
_QUICK = 0.25  # seconds in which a stroke dies to a third


def pitch_of(spectrum: Matrix, stft: STFT, sample_rate: float) -> float | None:
    """The pitch of a spectrum of magnitudes.

    Parameters
    ----------
    spectrum : ``(bins,)``, non-negative
    stft : STFT
    sample_rate : float
        Hz.

    Returns
    -------
    float or None
        MIDI number with its fraction; None where the spectrum is no tone, or lies so low that its harmonics cannot be
        told apart with this window.

    Examples
    --------
    >>> from unweave.audio import Audio
    >>> from unweave.stft import stft
    >>> t = np.arange(22050) / 22050
    >>> tone = sum(np.sin(2 * np.pi * 330 * h * t) / h for h in range(1, 6))
    >>> spectrum = np.abs(stft(Audio(tone / 4, 22050)).values[0]).mean(axis=1)
    >>> round(pitch_of(spectrum, STFT(), 22050), 1)
    64.0
    """
    values = np.asarray(spectrum, np.float64)
    width = sample_rate / stft.win_length  # Hz; half a main lobe is two of these
    found = _peaks(values, sample_rate / stft.n_fft)
    if found is None:
        return None
    frequencies, sizes = found
    candidates = np.unique((frequencies[:8, None] / np.arange(1, 7)).ravel())
    candidates = candidates[(candidates >= max(_LOWEST, 4 * width)) & (candidates <= _HIGHEST)]
    if not candidates.size:
        return None
    errors = [_mismatch(f, frequencies, sizes) for f in candidates]
    best = _refined(float(candidates[int(np.argmin(errors))]), frequencies, sizes)
    if _tonality(values, best, stft, sample_rate) < _TONAL:
        return None
    return min(127.0, 69 + 12 * math.log2(best / 440))


def _peaks(values: Floats, spacing: float) -> tuple[Floats, Floats] | None:
    """The greatest peaks of a spectrum, loudest first: frequencies, between bins, and magnitudes."""
    inner = values[1:-1]
    at = 1 + np.flatnonzero((inner > values[:-2]) & (inner >= values[2:]) & (inner > _FLOOR * values.max(initial=0)))
    if not at.size:
        return None
    at = at[np.argsort(-values[at], kind="stable")][:_PEAKS]
    logs = np.log(np.maximum(values, 1e-12 * values.max()))
    below, top, above = logs[at - 1], logs[at], logs[at + 1]
    shift = 0.5 * (below - above) / np.minimum(below - 2 * top + above, -1e-9)
    return (at + np.clip(shift, -0.5, 0.5)) * spacing, values[at]


def _mismatch(f: float, frequencies: Floats, sizes: Floats) -> float:
    """The two-way mismatch of a fundamental."""
    top = float(sizes.max())
    count = int(min(_HARMONICS, max(1, math.ceil(frequencies.max() / f))))
    harmonics = f * np.arange(1, count + 1, dtype=np.float64)
    distances = np.abs(harmonics[:, None] - frequencies)
    nearest = distances.argmin(axis=1)
    predicted = _errors(distances.min(axis=1), harmonics, sizes[nearest] / top)
    nearest_harmonic = f * np.maximum(1.0, np.round(frequencies / f))
    heard = _errors(np.asarray(np.abs(frequencies - nearest_harmonic)), frequencies, sizes / top)
    return float(predicted.mean() + 0.33 * heard.mean())


def _errors(distances: Floats, frequencies: Floats, sizes: Floats) -> Floats:
    scaled = distances / np.sqrt(frequencies)
    return np.asarray(scaled + sizes * (1.4 * scaled - 0.5))


def _refined(f: float, frequencies: Floats, sizes: Floats) -> float:
    """The fundamental that fits the peaks near its harmonics best, the loud ones most."""
    numbers = np.round(frequencies / f)
    near = (numbers >= 1) & (np.abs(frequencies - numbers * f) < 0.03 * frequencies)
    if not near.any():
        return f
    weights = sizes[near]
    return float((weights * frequencies[near] * numbers[near]).sum() / (weights * numbers[near] ** 2).sum())


def _tonality(values: Floats, f: float, stft: STFT, sample_rate: float) -> float:
    """Share of the energy within the harmonics' main lobes, beyond the share of the band that these lobes cover."""
    power = values**2
    bins = stft.frequencies(sample_rate)
    zone = (bins > f / 2) & (bins < (_HARMONICS + 0.5) * f)
    numbers = np.maximum(1, np.round(bins / f))
    # Strings are stiff: their partials lie above multiples, the more so the higher they are.
    inside = zone & (np.abs(bins - numbers * f) <= 1.5 * sample_rate / stft.win_length + 3e-4 * numbers**2 * f)
    total = float(power.sum())
    if not total:
        return 0.0
    held, covered = float(power[inside].sum()) / total, float(inside.sum() / zone.sum())
    return (held - covered) / (1 - covered) if covered < 1 else 0.0


def dying_time(activation: Matrix, frame_rate: float) -> float:
    """Seconds in which a sound falls to a third after its greatest moments: the median of the ten greatest.

    Infinite where it never does.
    """
    values = np.asarray(activation, np.float64)
    inner = np.concatenate([[0.0], values, [0.0]])
    tops = np.flatnonzero((values > inner[:-2]) & (values >= inner[2:]) & (values > 0.2 * values.max(initial=0)))
    tops = tops[np.argsort(-values[tops], kind="stable")][:10]
    if not tops.size:
        return math.inf
    times = []
    for top in tops:
        low = np.flatnonzero(values[top:] < values[top] / 3)
        times.append(low[0] / frame_rate if low.size else math.inf)
    return float(np.median(times))


def _resemblance(spectrum: Matrix, dies: float, frequencies: Floats) -> str:
    """The sound that an unpitched spectrum resembles."""
    power = np.asarray(spectrum, np.float64) ** 2
    total = float(power.sum())
    if not total:
        return "noise"
    octaves = np.log2(np.maximum(frequencies, 20.0))
    centre = float(octaves @ power) / total
    spread = math.sqrt(float((octaves - centre) ** 2 @ power) / total)
    hertz = 2**centre
    if hertz < 120:
        return "kick" if dies < _QUICK else "bass"
    if hertz > 4500:
        return "hihat" if dies < _QUICK else "cymbal"
    if dies >= 2 * _QUICK:
        return "noise"
    return "tom" if hertz < 400 and spread < 0.8 else "snare"


def name_components(parts: Decomposition) -> tuple[Sound, ...]:
    """What the components of a recording are.

    Parameters
    ----------
    parts : Decomposition

    Returns
    -------
    tuple of Sound
        For each component a pitch, or the label of what it resembles.

    Examples
    --------
    >>> from unweave.decomposition import decompose
    >>> from unweave.synthesis import drum_loop
    >>> [sound.label for sound in name_components(decompose(drum_loop(n_bars=1)["mix"], 3))]
    ['kick', 'snare', 'hihat']
    """
    powers = np.asarray(parts.spectra, np.float64)  # (channels, bins, components)
    spectra = np.sqrt((powers if parts.is_power else powers**2).sum(axis=0))
    frame_rate = parts.audio.sample_rate / parts.stft.hop_length
    dying = [dying_time(activation, frame_rate) for activation in parts.activations]
    pitches = [pitch_of(spectrum, parts.stft, parts.audio.sample_rate) for spectrum in spectra.T]
    pitches = [None if _is_kick(*each) else each[0] for each in zip(pitches, dying, strict=True)]
    # Among tones, what is no tone is the noise of their beginnings rather than a drum.
    is_music = 2 * sum(pitch is not None for pitch in pitches) > len(pitches)
    sounds = []
    for pitch, spectrum, dies in zip(pitches, spectra.T, dying, strict=True):
        if pitch is not None:
            sounds.append(Sound(pitch=pitch))
        else:
            sounds.append(Sound("noise" if is_music else _resemblance(spectrum, dies, parts.frequencies)))
    return tuple(sounds)


def _is_kick(pitch: float | None, dies: float) -> bool:
    """Whether a tone is so low and dies so soon that it is rather the skin of a drum."""
    return pitch is not None and pitch < _SKIN and dies < _QUICK
