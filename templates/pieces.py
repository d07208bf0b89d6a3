"""Pieces to learn from: written by chance or taken from a score, performed as people play, recorded as in rooms.

a piece          (onset, length, pitch) in quarter notes
a performance    (onset, offset, pitch, velocity) in seconds, and spans of the pedal
a recording      one channel: reverberation, an equaliser, tuning, noise
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE", "Performance", "alone", "perform", "recorded", "within", "written"]

RATE = 22050
Piece = list[tuple[float, float, int]]
Floats = NDArray[np.float64]
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)


@dataclass(frozen=True)
class Performance:
    """Notes (onset, offset, pitch, velocity 1 to 127) in seconds, and when the pedal is down."""

    notes: list[tuple[float, float, int, int]]
    pedal: list[tuple[float, float]]

    def sounding(self, offset: float) -> float:
        """When a key that is let go at ``offset`` is damped."""
        return max([offset, *(end for begin, end in self.pedal if begin <= offset < end)])


class _Hand:
    """Degrees of a scale as pitches, collected with their times; ``fast`` is the length of its quick notes."""

    def __init__(self, scale: tuple[int, ...], base: int, fast: float) -> None:
        self.scale, self.base, self.fast = scale, base, fast
        self.notes: Piece = []

    def add(self, at: float, length: float, *degrees: int, lower: int = 0) -> None:
        for degree in degrees:
            pitch = self.base + 12 * (degree // 7) + self.scale[degree % 7] - lower
            self.notes.append((at, length, pitch))


def written(rng: np.random.Generator, quarters: float = 40) -> Piece:
    """A piece by chance: accompaniments and figures of the keyboard's literature."""
    fast = float(rng.choice([0.25, 0.25, 0.5, 1 / 3]))
    key, scale = int(rng.integers(12)), _MAJOR if rng.random() < 0.6 else _MINOR
    base = 60 + key - 12 * int(rng.integers(0, 2))
    left, right = _Hand(scale, base - 24 + 12 * int(rng.integers(0, 2)), fast), _Hand(scale, base, fast)
    degree, at = int(rng.integers(0, 7)), 0.0
    while at < quarters:
        count = int(rng.choice([2, 4, 4]))
        _accompany(left, at, count, int(rng.choice([0, 3, 4, 5, 1, 0])), rng)
        degree = _figure(right, at, count, degree, rng)
        at += count
    return sorted(set(left.notes + right.notes))


def _accompany(hand: _Hand, at: float, count: int, root: int, rng: np.random.Generator) -> None:
    chord = (root, root + 2, root + 4)
    style = str(rng.choice(["alberti", "block", "octave", "arpeggio", "big", "repeated"]))
    if style == "alberti":
        for i in range(2 * count):
            hand.add(at + i / 2, 0.5, (chord[0], chord[2], chord[1], chord[2])[i % 4])
    elif style == "arpeggio":
        step, row = float(rng.choice([0.25, 0.5, 1 / 3])), (0, 4, 7, 9, 11, 9, 7, 4)
        for i in range(int(count / step)):
            length = step * float(rng.choice([1, 2]))
            hand.add(at + i * step, length, root + row[i % 8], lower=12 * (hand.base > 48))
    elif style == "block":
        for i in range(count):
            hand.add(at + i, 0.9, *chord)
    elif style == "octave":
        for i in range(count):
            hand.add(at + i, 0.9, root - 7, root)
            hand.add(at + i + 0.5, 0.4, *(degree + 7 for degree in chord))
    elif style == "big":
        hand.add(at, count, *(degree + 7 for degree in (root - 14, root - 7, *chord)))
    else:
        for i in range(4 * count):
            hand.add(at + i / 4, 0.2, root + 7)


_STEPS = {"trill": 0.125, "octaves": 0.5, "repeated": 0.25}


def _figure(hand: _Hand, at: float, count: int, degree: int, rng: np.random.Generator) -> int:
    """A figure of so many quarters from a degree on; the degree where it ends."""
    figures = ["scale", "melody", "chords", "trill", "arpeggio", "octaves", "repeated", "rest"]
    mode, gone = str(rng.choice(figures, p=[0.2, 0.25, 0.12, 0.06, 0.15, 0.1, 0.07, 0.05])), 0.0
    while gone < count - 1e-6:
        step = _STEPS.get(mode, hand.fast)
        if mode in ("melody", "chords"):
            step = float(rng.choice([0.5, 1, 0.5, 0.25, 1.5] if mode == "melody" else [0.5, 1]))
        step = min(count if mode == "rest" else step, count - gone)
        moves = {"scale": [1, 1, 1, -1], "melody": range(-3, 4), "chords": range(-2, 3), "arpeggio": [2, 2, 3, -2]}
        moves["octaves"] = range(-2, 3)
        degree += int(rng.choice(list(moves.get(mode, [0]))))
        degree += -14 if degree > 20 else 7 if degree < -2 else 0
        chord = {"octaves": (0, 7), "chords": (0, 2, 4, 7)[: int(rng.integers(3, 5))], "rest": ()}.get(mode, (0,))
        if mode == "melody" and rng.random() > 0.7:
            chord = (0, 2)
        shift = int(gone / 0.125) % 2 if mode == "trill" else 0
        hand.add(at + gone, step * float(rng.choice([0.6, 0.95, 1.0])), *(degree + shift + each for each in chord))
        gone += step
    return degree


def perform(piece: Piece, rng: np.random.Generator, seconds: float) -> Performance:
    """Some seconds of a piece: transposed, at a speed that changes, not together, with accents and a pedal."""
    rows = np.array(piece, float)
    per_quarter = float(np.clip(len(rows) / max(rows[:, 0].max(), 1) / rng.uniform(3, 13), 0.18, 1.6))
    span = seconds / per_quarter
    begin = rng.uniform(0, max(rows[:, 0].max() - span, 0))
    rows = rows[(rows[:, 0] >= begin) & (rows[:, 0] < begin + span)]
    grid = np.arange(0, span + 8, 0.25)
    swing = 0.12 * np.sin(2 * np.pi * grid / rng.uniform(6, 16) + rng.uniform(0, 6))
    clock = np.concatenate([[0], np.cumsum(0.25 * per_quarter * (1 + swing + rng.normal(0, 0.03, grid.size)))])[:-1]
    onsets, offsets = (np.interp(rows[:, 0] + k * rows[:, 1] - begin, grid, clock) + 0.1 for k in (0, 1))
    if rng.random() < 0.8:
        onsets += rng.uniform(-0.015, 0.015, onsets.size) if rng.random() < 0.5 else rng.normal(0, 0.006, onsets.size)
    offsets = onsets + np.maximum((offsets - onsets) * rng.choice([0.5, 0.8, 0.95, 1.0, 1.02]), 0.04)
    pitches = rows[:, 2].astype(int) + int(rng.integers(-5, 6))
    swell = 12 * np.sin(2 * np.pi * onsets / rng.uniform(4, 12) + rng.uniform(0, 6)) + 0.15 * (pitches - 60)
    forces = rng.uniform(40, 85) + swell + rng.normal(0, rng.uniform(5, 16), onsets.size)
    forces = np.clip(np.round(forces), 12, 124).astype(int)
    notes = sorted(zip(onsets.tolist(), offsets.tolist(), pitches.tolist(), forces.tolist(), strict=True))
    inside = [note for note in notes if 21 <= note[2] <= 108 and 0.02 < note[0] < seconds - 0.3]
    return Performance(_one_key_at_a_time(inside, seconds), _pedal(rng, seconds))


def _one_key_at_a_time(
    notes: list[tuple[float, float, int, int]], seconds: float
) -> list[tuple[float, float, int, int]]:
    """No key is struck twice within 60 ms, and each is let go before it is struck again."""
    kept: list[tuple[float, float, int, int]] = []
    last: dict[int, int] = {}
    for onset, offset, pitch, force in notes:
        before = last.get(pitch)
        if before is not None:
            other = kept[before]
            if onset - other[0] < 0.06:
                continue
            kept[before] = (other[0], min(other[1], onset - 0.012), *other[2:])
        last[pitch] = len(kept)
        kept.append((onset, offset, pitch, force))
    return [(onset, max(min(offset, seconds), onset + 0.03), *rest) for onset, offset, *rest in kept]


def within(
    notes: list[tuple[float, float, int, int]], lowest: int, highest: int
) -> list[tuple[float, float, int, int]]:
    """The notes moved by octaves into a range; of a pitch that is there twice within 0.1 s, one."""
    kept: list[tuple[float, float, int, int]] = []
    moved = [
        (on, max(off, on + 0.08), lowest + (pitch - lowest) % 12 if pitch < lowest else _below(pitch, highest), force)
        for on, off, pitch, force in notes
    ]
    for note in sorted(moved, key=lambda each: (each[2], each[0])):
        if kept and kept[-1][2] == note[2]:
            other = kept[-1]
            if note[0] - other[0] < 0.1:
                continue
            kept[-1] = (other[0], min(other[1], note[0] - 0.02), *other[2:])
        kept.append(note)
    return sorted(kept)


def _below(pitch: int, highest: int) -> int:
    return pitch if pitch <= highest else highest - (highest - pitch) % 12


def alone(notes: list[tuple[float, float, int, int]]) -> list[tuple[float, float, int, int]]:
    """The uppermost notes, one at a time, none shorter than 90 ms."""
    kept: list[tuple[float, float, int, int]] = []
    for note in sorted(notes, key=lambda each: (each[0], -each[2])):
        if kept:
            other = kept[-1]
            if note[0] - other[0] < 0.09:
                continue
            kept[-1] = (other[0], min(other[1], note[0]), *other[2:])
        kept.append(note)
    return kept


def _pedal(rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
    spans, at, step = [], 0.1, rng.uniform(0.8, 3)
    if rng.random() < 0.6:
        while at < seconds:
            end = at + step * rng.uniform(0.7, 1.3)
            if rng.random() < 0.85:
                spans.append((at + 0.08, end))
            at = end
    return spans


def recorded(sound: Floats, rng: np.random.Generator, loudest_room: float) -> tuple[Floats, float]:
    """The sound as a microphone in a room has it, and by what factor it became faster (its tuning)."""
    import soxr
    from scipy.signal import lfilter

    factor = 1.0
    if rng.random() < 0.7:
        sound = _room(sound, rng, 10 ** (rng.uniform(-16, loudest_room) / 20))
    if rng.random() < 0.7:
        sound = _equalised(sound, rng)
    if rng.random() < 0.6:
        factor = 2 ** (rng.uniform(-15, 15) / 1200)
        sound = soxr.resample(sound, RATE * factor, RATE)
    sound = sound / np.abs(sound).max() * rng.uniform(0.1, 0.9)
    if rng.random() < 0.7:
        noise = rng.standard_normal(sound.size)
        noise = lfilter([1], [1, -0.9], noise) if rng.random() < 0.5 else noise
        sound = sound + noise / noise.std() * np.sqrt((sound**2).mean()) * 10 ** (rng.uniform(-65, -35) / 20)
    return sound, factor


def _room(sound: Floats, rng: np.random.Generator, amount: float) -> Floats:
    """Noise that dies away in 0.2 to 1.2 seconds, as an answer to every sample."""
    from scipy.signal import fftconvolve, lfilter

    seconds, dull = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.8)
    t = np.arange(int(seconds * RATE)) / RATE
    answer = lfilter([1 - dull], [1, -dull], rng.standard_normal(t.size) * np.exp(-6.9 * t / seconds))
    answer /= np.sqrt((answer**2).sum())
    answer[: int(0.003 * RATE)] = 0
    return np.asarray(sound + amount * fftconvolve(sound, answer)[: sound.size])


def _equalised(sound: Floats, rng: np.random.Generator) -> Floats:
    """A tilt and four bells."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(sound.size, 1 / RATE), 20) / 1000)
    gain = rng.uniform(-3, 2) * octaves
    for _ in range(4):
        bell = (octaves - rng.uniform(-4, 3)) / rng.uniform(0.25, 1)
        gain = gain + rng.uniform(-5, 5) * np.exp(-0.5 * bell**2)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * 10 ** (np.clip(gain, -30, 15) / 20), sound.size))
