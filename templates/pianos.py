"""Pianos to learn from: programs of sound fonts, folders of recorded notes, and struck strings by formula.

Each is a function from a `Performance` to one channel at `pieces.RATE`. What differs from take to take (reverberation,
tuning) is drawn from a generator; without one the instrument is played as it is.

In all of them a note's attack lies one or two milliseconds after its onset, as in most recordings with known notes:
what fluidsynth makes is not cut, and recorded notes begin two milliseconds before they are heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pieces import RATE, Performance
from render import render

from unweave.audio import Audio, load, resample

__all__ = ["Player", "folder_player", "font_player", "noise_player", "string_player"]

Floats = NDArray[np.float64]
Player = Callable[[Performance, float, np.random.Generator | None], Floats]
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def _mono(audio: Audio, rate: float = RATE) -> Floats:
    mean = Audio(audio.samples.mean(axis=0), audio.sample_rate)
    return np.asarray(resample(mean, rate).samples[0], np.float64)


def font_player(font: str, program: int) -> Player:
    """A program of a sound font, with some of the synthesizer's reverberation."""

    def play(performance: Performance, seconds: float, rng: np.random.Generator | None) -> Floats:
        pedal = [(at, 64, value) for span in performance.pedal for at, value in zip(span, (127, 0), strict=True)]
        reverb = 0.0 if rng is None else float(rng.choice([0.2, 0.2, 0.0, 0.4]))
        sound = render(
            performance.notes, font, program=program, seconds=seconds, reverb=reverb, controls=pedal, late=0.0
        )
        return _mono(sound)

    return play


def folder_player(folders: Sequence[str], layers: Sequence[int], velocities: Sequence[int]) -> Player:
    """Recorded notes: a folder for each layer of force, files such as ``A4v8.ogg`` every minor third from A0 on."""

    @cache
    def sample(pitch: int, layer: int) -> Floats:
        root = min(round((pitch - 21) / 3) * 3 + 21, 108)
        name = f"{_NAMES[root % 12]}{root // 12 - 1}v{layers[layer]}.ogg"
        sound = load(Path(folders[layer]) / name, duration=9.0)
        loud = np.abs(sound.samples.mean(axis=0))
        early = loud[: sound.sample_rate // 4]
        begin = max(0, int(np.argmax(loud > 0.08 * early.max())) - int(0.002 * sound.sample_rate))
        faster = Audio(sound.samples[:, begin:], sound.sample_rate * 2 ** ((pitch - root) / 12))
        return _mono(faster).astype(np.float32)

    def play(performance: Performance, seconds: float, rng: np.random.Generator | None) -> Floats:
        out = np.zeros(int((seconds + 10) * RATE))
        cents = np.zeros(128)
        if rng is not None and rng.random() < 0.5:
            cents = rng.normal(0, rng.uniform(0, 4), 128)
        for onset, offset, pitch, force in performance.notes:
            length = performance.sounding(offset) - onset
            fade = 0.05 + 0.08 * max(0.0, (55 - pitch) / 34)
            sound = _damped(_struck(sample, pitch, force, velocities), length, fade, pitch)
            if cents[pitch]:
                sound = _mono(Audio(sound, RATE * 2 ** (cents[pitch] / 1200)))
            _add(out, sound, onset)
        return out[: int(seconds * RATE)]

    return play


def _struck(sample: Callable[[int, int], Floats], pitch: int, force: int, velocities: Sequence[int]) -> Floats:
    """The nearer of two layers at the level in between: two layers at once would beat."""
    upper = int(np.clip(np.searchsorted(velocities, force), 1, len(velocities) - 1))
    share = float(np.clip((force - velocities[upper - 1]) / (velocities[upper] - velocities[upper - 1]), 0, 1))
    pair = sample(pitch, upper - 1), sample(pitch, upper)
    levels = [np.sqrt((each[:RATE] ** 2).mean()) for each in pair]
    chosen = int(share > 0.5)
    return pair[chosen] * levels[0] ** (1 - share) * levels[1] ** share / levels[chosen]


def _damped(sound: Floats, seconds: float, fade: float, pitch: int) -> Floats:
    """Strings above 89 have no damper."""
    end = int(seconds * RATE)
    if pitch >= 90 or end >= sound.size:
        return sound
    rest = sound[end : end + RATE]
    return np.concatenate([sound[:end], rest * np.exp(-np.arange(rest.size) / (fade * RATE))])


def _add(out: Floats, sound: Floats, onset: float) -> None:
    begin = int(onset * RATE)
    sound = sound[: out.size - begin]
    out[begin : begin + sound.size] += sound


def noise_player(performance: Performance, seconds: float, rng: np.random.Generator | None) -> Floats:
    """Noise that swells or comes in bursts, dull or bright: nothing in it is a note."""
    from scipy.signal import lfilter

    rng = rng or np.random.default_rng(0)
    n_samples = int(seconds * RATE)
    swell = 1 + 0.9 * np.sin(np.arange(n_samples) / RATE * rng.uniform(0.5, 9))
    sound = lfilter([1], [1, -rng.choice([0, 0.9, 0.97])], rng.standard_normal(n_samples) * swell)
    if rng.random() < 0.5:
        sound = sound * np.repeat(rng.exponential(1, int(8 * seconds) + 1), RATE // 8 + 1)[:n_samples] ** 2
    return np.asarray(sound)


def string_player(performance: Performance, seconds: float, rng: np.random.Generator | None) -> Floats:
    """An instrument of stiff strings that is another one each time: timbres that no library has."""
    rng = rng or np.random.default_rng(0)
    out = np.zeros(int((seconds + 3) * RATE))
    strings = _Strings(rng)
    for onset, offset, pitch, force in performance.notes:
        end = min(performance.sounding(offset), onset + 6, seconds)
        _add(out, strings.note(pitch, force / 127, end - onset, rng), onset)
    return out[: int(seconds * RATE)]


class _Strings:
    """Stiffness, where the hammer strikes, how soft it is, the soundboard, dampers: drawn once for an instrument."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.stiff, self.place = 10 ** rng.uniform(-3.9, -3.1), rng.uniform(1 / 13, 1 / 7)
        self.dull, self.softer = rng.uniform(0.25, 1.2), rng.uniform(0.3, 1.0)
        self.seconds, self.faster = 10 ** rng.uniform(-0.2, 0.6), rng.uniform(0.1, 0.5)
        self.knock, self.knock_hertz = 10 ** rng.uniform(-2.2, -0.6), rng.uniform(300, 3000)
        self.knock_seconds, self.beat = rng.uniform(0.008, 0.04), rng.uniform(0, 1.5)
        self.after, self.force = rng.uniform(0.1, 0.5), rng.uniform(0.8, 2.2)
        self.release, self.low = rng.uniform(0.03, 0.1), rng.uniform(-2, 4)
        self.board = 10 ** (rng.normal(0, rng.uniform(1, 6), 24) / 20)
        self.cents, self.level = rng.normal(0, rng.uniform(0, 4), 128), 10 ** (rng.normal(0, 1.5, 128) / 20)

    def _partials(self, pitch: int, velocity: float) -> tuple[Floats, Floats, Floats]:
        """Numbers, Hz and levels of the partials that are heard."""
        octaves = (pitch - 69) / 12
        base = 440 * 2 ** (octaves + self.cents[pitch] / 1200 + 0.00075 * octaves * abs(octaves))
        stiff = self.stiff * (2 ** (1.2 * octaves) if pitch > 50 else 2 ** (-1.9 + (50 - pitch) / 24))
        h = np.arange(1, 41, dtype=float)
        hertz = base * h * np.sqrt(1 + stiff * h**2)
        h, hertz = h[hertz < 0.46 * RATE], hertz[hertz < 0.46 * RATE]
        slope = 1.35 * (self.dull + self.softer * (1 - velocity))
        board = np.interp(np.log(hertz), np.linspace(np.log(30), np.log(9000), 24), self.board)
        levels = np.abs(np.sin(np.pi * h * self.place)) * np.exp(-slope * np.log2(h)) * board
        levels *= np.exp(-hertz / (1500 + 6000 * velocity)) * np.minimum(1, hertz / 110) ** (self.low / 3)
        heard = np.flatnonzero(levels > 1e-3 * levels.max())[:28]
        levels = levels[heard] / np.sqrt((levels[heard] ** 2).sum())
        return h[heard], hertz[heard], levels * velocity**self.force * self.level[pitch]

    def note(self, pitch: int, velocity: float, seconds: float, rng: np.random.Generator) -> Floats:
        """A stroke, damped after some seconds."""
        from scipy.signal import lfilter

        t = np.arange(int((seconds + 0.45) * RATE)) / RATE
        out = np.zeros(t.size)
        for h, hertz, level in zip(*self._partials(pitch, velocity), strict=True):
            rate = (1 + self.faster * (h - 1)) / (self.seconds * 2 ** ((60 - pitch) / 18))
            fall = (1 - self.after) * np.exp(-3 * rate * t) + self.after * np.exp(-0.7 * rate * t)
            beats = np.cos(2 * np.pi * self.beat * rng.uniform(0.3, 1) * hertz * 6e-4 * t) - 1
            wave = np.sin(2 * np.pi * hertz * t + rng.uniform(0, 6.28))
            out += level * fall * wave * (1 + 0.5 * beats * min(1, self.beat))
        out *= 1 - np.exp(-t / rng.uniform(0.0006, 0.003))
        pole = np.exp(-2 * np.pi * self.knock_hertz / RATE)
        knock = lfilter([1 - pole], [1, -pole], rng.standard_normal(t.size) * np.exp(-t / self.knock_seconds))
        out += self.knock * velocity**self.force * knock / np.abs(knock).max()
        return _damped(out, seconds, self.release * (1 + max(0.0, (50 - pitch) / 20)), pitch)
