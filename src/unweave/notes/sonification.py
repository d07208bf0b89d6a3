"""Notes made audible, to check them by ear: alone, or under the recording that they were found in.

Drums are short sounds that are known at once, one kind for each class: a kick is a sine that falls in pitch, a snare a
burst of noise with a tone, a hi-hat a tick of high noise, cymbals longer ones, toms sines of their own pitch, and all
that has another name a click. A tone is a row of harmonics that dies away and ends with its note:

    s(t) = v² · exp(−t / T(p)) · Σ_k sin(2π k f t) / k²,      T(p) = 1.2 s at C4, half of it two octaves above

The amplitude is the square of the velocity v, as in most samplers. The first sample that is not zero is the one nearest
to the onset, so that a sound editor shows where a note was found.

References: R. B. Dannenberg, The interpretation of MIDI velocity, ICMC 2006.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.notes.midi import DRUM_LABELS, drum_key
from unweave.notes.note import Note, in_order
from unweave.sound import checked_rate

__all__ = ["mix", "render"]

Floats = NDArray[np.float64]

_LEVEL = 0.25  # peak of one note of velocity 1
_TOP = 10 ** (-1 / 20)  # where the loudest peak comes to lie, where it would clip
_RELEASE = 0.03  # seconds in which a tone ends after its offset
_ATTACK = 0.002
_LONGEST_TONE = 8.0  # seconds; then it has died away
_TAIL = 0.5  # seconds after the last offset, where no duration is given
_MOST = 2**31  # samples


def render(notes: Iterable[Note], sample_rate: float = 44100, duration: float | None = None) -> Audio:
    """Make a sound of notes.

    Parameters
    ----------
    notes : iterable of Note
        What lies behind the end is left out.
    sample_rate : float
        Hz.
    duration : float, optional
        Seconds. Default: half a second after the last offset.

    Returns
    -------
    Audio
        One channel. A note of velocity 1 peaks at 0.25; where many together would clip, all are made quieter.

    Raises
    ------
    InvalidInput
        The rate or the duration is none, or the sound would have more than 2^31 samples.

    Examples
    --------
    >>> beats = [Note(onset=0.5 * k, offset=0.5 * k + 0.1, label="kick") for k in range(4)]
    >>> render(beats, 22050, 2.0)
    Audio(1 channel, 2.000 s at 22050 Hz, peak -12.0 dB)
    """
    rate = checked_rate(sample_rate)
    ordered = in_order(notes)
    if duration is None:
        duration = max((note.offset for note in ordered), default=-_TAIL) + _TAIL
    if isinstance(duration, bool) or not 0 <= duration * rate <= _MOST:
        raise InvalidInput(f"duration={duration!r} s at {rate:g} Hz: 0 to 2^31 samples can be rendered.")
    samples = _rendered(ordered, rate, round(duration * rate))
    peak = float(np.abs(samples).max(initial=0.0))
    return Audio(samples * (min(1.0, _TOP / peak) if peak > 0 else 1.0), rate)


def mix(audio: Audio, notes: Iterable[Note], level: float = 0.5) -> Audio:
    """Put notes under the recording that they were found in.

    Parameters
    ----------
    audio : Audio
        Any number of channels; the notes are in all of them.
    notes : iterable of Note
    level : float, 0 and more
        Peak of the notes as a share of the peak of the recording: 0.5 is a good start, more brings them forward. Under
        silence they have the level of `render`.

    Returns
    -------
    Audio
        As long as the recording, which keeps its level unless the sum would clip; then all of it is made quieter.

    Raises
    ------
    InvalidInput
        ``level`` is no number from 0 up.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 <= level < math.inf:
        raise InvalidInput(f"level={level!r} is not a number from 0 up, such as 0.5.")
    heard = render(notes, audio.sample_rate, audio.duration).samples[0].astype(np.float64)
    peak = float(np.abs(heard).max(initial=0.0))
    if peak > 0 and audio.peak > 0:
        heard *= level * audio.peak / peak
    summed = audio.samples + heard
    top = float(np.abs(summed).max(initial=0.0))
    return Audio(summed * (_TOP / top) if top > 1 else summed, audio.sample_rate)


def _rendered(notes: Sequence[Note], rate: float, n_samples: int) -> Floats:
    out = np.zeros(n_samples)
    drums: dict[str, Floats] = {}
    tones = _tones(notes, rate)
    for note in notes:
        first = round(note.onset * rate)
        if first >= n_samples:
            continue
        if note.pitch is None:
            label = note.label or ""
            if label not in drums:
                drums[label] = _drum(label, rate)
            sound = drums[label]
        else:
            sound = _cut(tones[note.pitch], note, rate)
        sound = sound[: n_samples - first]
        out[first : first + sound.size] += _LEVEL * note.velocity**2 * sound
    return out


def _time(seconds: float, rate: float) -> Floats:
    """Times of samples; the first is not 0, so that no sine is there."""
    return np.arange(1, max(2, round(seconds * rate)) + 1) / rate


# ---------------------------------------------------------------- tones


def _tones(notes: Sequence[Note], rate: float) -> dict[float, Floats]:
    """One tone a pitch, as long as its longest note needs."""
    longest: dict[float, float] = {}
    for note in notes:
        if note.pitch is not None:
            longest[note.pitch] = max(longest.get(note.pitch, 0.0), note.duration)
    return {pitch: _tone(pitch, min(seconds, _LONGEST_TONE) + _RELEASE, rate) for pitch, seconds in longest.items()}


def _tone(pitch: float, seconds: float, rate: float) -> Floats:
    """A row of harmonics that dies away, of peak 1."""
    t = _time(seconds, rate)
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    harmonics = [k for k in range(1, 9) if k == 1 or k * frequency < 0.45 * rate]
    wave = np.zeros(t.size)
    for k in harmonics:
        wave += np.sin(2 * np.pi * k * frequency * t) / k**2
    wave *= np.exp(-t / (1.2 * 2 ** ((60 - pitch) / 24))) * np.minimum(t / _ATTACK, 1)
    return _to_one(wave)


def _cut(tone: Floats, note: Note, rate: float) -> Floats:
    """A tone that ends with its note."""
    n_fade = max(1, round(_RELEASE * rate))
    n_held = round(min(note.duration, _LONGEST_TONE) * rate)
    sound = tone[: n_held + n_fade].copy()
    fading = sound[n_held:]
    fading *= 1 - np.arange(fading.size) / n_fade
    return sound


def _to_one(wave: Floats) -> Floats:
    peak = float(np.abs(wave).max(initial=0.0))
    return wave / peak if peak > 0 else wave


# ---------------------------------------------------------------- drums


def _drum(label: str, rate: float) -> Floats:
    """The sound of a class, of peak 1."""
    key = drum_key(label)
    name = "" if key is None else DRUM_LABELS[key]
    for begin, make in _DRUMS.items():
        if name.startswith(begin):
            return _to_one(make(rate, key or 0))
    return _to_one(_click(rate, label))


def _noise(n: int, rate: float, low: float, high: float) -> Floats:
    """Noise between two frequencies, the same every time, that begins at once."""
    spectrum = scipy.fft.rfft(np.random.default_rng(n).standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / rate)
    inside = (frequency >= min(low, rate / 4)) & (frequency <= high)
    noise: Floats = scipy.fft.irfft(spectrum * inside, n)
    return noise / max(float(np.abs(noise).max(initial=0.0)), 1e-9)


def _kick(rate: float, _: int) -> Floats:
    t = _time(0.18, rate)
    return np.asarray(np.sin(2 * np.pi * (50 * t + 2.2 * (1 - np.exp(-t / 0.015)))) * np.exp(-t / 0.05))


def _snare(rate: float, _: int) -> Floats:
    t = _time(0.12, rate)
    tone = np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.03)
    return np.asarray(0.5 * tone + _noise(t.size, rate, 1000, 7000) * np.exp(-t / 0.035))


def _hihat(rate: float, _: int) -> Floats:
    t = _time(0.04, rate)
    return np.asarray(_noise(t.size, rate, 7000, rate) * np.exp(-t / 0.008))


def _open_hihat(rate: float, _: int) -> Floats:
    t = _time(0.25, rate)
    return np.asarray(_noise(t.size, rate, 7000, rate) * np.exp(-t / 0.07))


def _cymbal(rate: float, key: int) -> Floats:
    t = _time(0.5, rate)
    return np.asarray(_noise(t.size + key, rate, 3500, rate)[: t.size] * np.exp(-t / 0.14))


def _tom(rate: float, key: int) -> Floats:
    t = _time(0.22, rate)
    pitch = 80 + 14 * (key - 41)  # the keys of General MIDI rise with the toms
    return np.asarray(np.sin(2 * np.pi * (pitch * t + 0.6 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.07))


def _click(rate: float, label: str) -> Floats:
    """A click whose pitch tells one name from another."""
    t = _time(0.05, rate)
    step = sum(label.encode("utf-8")) % 12
    return np.asarray(np.sin(2 * np.pi * 800 * 2 ** (step / 12) * t) * np.exp(-t / 0.012))


_DRUMS: dict[str, Callable[[float, int], Floats]] = {
    "kick": _kick,
    "snare": _snare,
    "hihat-open": _open_hihat,
    "hihat": _hihat,
    "tom": _tom,
    "crash": _cymbal,
    "ride": _cymbal,
    "china": _cymbal,
    "splash": _cymbal,
}
