"""Recordings of a known number of sounds, for the question how many there are.

A sound is a bell, a plucked string, an organ pipe, a reed or a drum: a spectrum of its own with an envelope of its own.
Partials of a string die away the sooner the higher they are, strokes differ in force, noise is drawn anew for every
stroke, onsets are irregular and the sounds overlap; a little noise lies below all of them. So no sound is an outer
product, as no real one is. A seed moves pitches, timbres, onsets, forces and noise.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unweave import Audio

Floats = NDArray[np.float64]
Stroke = Callable[[], Floats]

SAMPLE_RATE = 22050
NOISE_DB = -60.0
"""Level of the noise below the recording's own."""


def recording(n_sounds: int, seed: int = 0, duration: float = 8.0) -> Audio:
    """A recording of ``n_sounds`` different sounds, each of which is heard at least five times.

    Two in five of them are drums, the others notes of different pitch and timbre. One sound alone is a note.
    """
    return with_parts(n_sounds, seed, duration)[0]


def with_parts(n_sounds: int, seed: int = 0, duration: float = 8.0) -> tuple[Audio, list[Audio]]:
    """The recording, and the sounds in it; what they leave is the noise."""
    rng = np.random.default_rng([n_sounds, seed])
    parts = [np.zeros(int(duration * SAMPLE_RATE)) for _ in range(n_sounds)]
    for part, stroke in zip(parts, _instruments(n_sounds, rng), strict=True):
        for onset in _onsets(duration, rng):
            sound = stroke() * 10 ** rng.uniform(-0.35, 0)
            begin = int(onset * SAMPLE_RATE)
            sound = sound[: part.size - begin]
            part[begin : begin + sound.size] += sound
    mix = np.sum(parts, axis=0)
    gain = 0.5 / np.abs(mix).max()
    noise = rng.standard_normal(mix.size) * np.sqrt(np.mean(mix**2)) * 10 ** (NOISE_DB / 20)
    sounds = [Audio((gain * part).astype(np.float32), SAMPLE_RATE) for part in parts]
    return Audio((gain * (mix + noise)).astype(np.float32), SAMPLE_RATE), sounds


def _onsets(duration: float, rng: np.random.Generator) -> Floats:
    """From five to nine strokes, at least 0.3 s apart, at any time."""
    count = int(rng.integers(5, 10))
    free = duration - 0.6 - 0.3 * count
    return np.sort(rng.uniform(0, free, count)) + 0.3 * np.arange(count)


def _instruments(n_sounds: int, rng: np.random.Generator) -> list[Stroke]:
    n_drums = max(1, round(0.4 * n_sounds)) if n_sounds > 1 else 0
    drums = [_kick(rng), _hihat(rng), _snare(rng)][:n_drums]
    # Pitches of one scale, no two the same: in seven sounds there are octaves and fifths, which share partials.
    scale = 57 + np.array([0, 3, 5, 7, 10, 12, 15, 17, 19, 22])
    pitches = rng.choice(scale, n_sounds - n_drums, replace=False)
    makers = [_string, _pipe, _reed, _bell]
    first = int(rng.integers(len(makers)))
    notes = [
        makers[(first + k) % len(makers)](440 * 2 ** ((int(pitch) - 69) / 12), rng) for k, pitch in enumerate(pitches)
    ]
    return [*drums, *notes]


# ---------------------------------------------------------------- notes


def _partials(ratios: Floats, levels: Floats, decays: Floats, pitch: float, rng: np.random.Generator) -> Stroke:
    """Partials at ``ratios`` of the pitch, each with its own level and its own time to die away."""
    hertz = pitch * ratios
    heard = hertz < 0.45 * SAMPLE_RATE

    def stroke() -> Floats:
        t = np.arange(int(1.6 * SAMPLE_RATE)) / SAMPLE_RATE
        phases = rng.uniform(0, 2 * np.pi, ratios.size)
        waves = (
            levels[:, None] * np.exp(-t / decays[:, None]) * np.sin(2 * np.pi * hertz[:, None] * t + phases[:, None])
        )
        return np.asarray(waves[heard].sum(axis=0) * (1 - np.exp(-t / 0.004)))

    return stroke


def _string(pitch: float, rng: np.random.Generator) -> Stroke:
    n = np.arange(1, 13, dtype=float)
    return _partials(n, 0.5 / n, 0.5 / (1 + 0.08 * n), pitch, rng)


def _pipe(pitch: float, rng: np.random.Generator) -> Stroke:
    n = np.arange(1, 10, 2, dtype=float)
    return _partials(n, 0.5 / n**1.5, np.full(n.size, 0.35), pitch, rng)


def _reed(pitch: float, rng: np.random.Generator) -> Stroke:
    n = np.arange(1, 16, dtype=float)
    formant = np.exp(-(((n * pitch - rng.uniform(900, 1800)) / 900) ** 2))
    return _partials(n, 0.1 / n + 0.3 * formant, np.full(n.size, 0.3), pitch, rng)


def _bell(pitch: float, rng: np.random.Generator) -> Stroke:
    ratios = np.array([1, 2.0, 2.4, 3.0, 4.5, 5.33, 6.67]) * np.append(1, rng.uniform(0.98, 1.02, 6))
    return _partials(ratios, np.array([0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1]), 0.6 / (1 + 0.08 * ratios), pitch, rng)


# ---------------------------------------------------------------- drums


def _drum(low: float, high: float, decay: float, level: float, rng: np.random.Generator) -> Stroke:
    """A burst of noise between two frequencies in Hz."""

    def stroke() -> Floats:
        t = np.arange(int(6 * decay * SAMPLE_RATE)) / SAMPLE_RATE
        spectrum = np.fft.rfft(rng.standard_normal(t.size))
        hertz = np.maximum(np.fft.rfftfreq(t.size, 1 / SAMPLE_RATE), 1.0)
        inside = np.minimum(np.log2(hertz / low), np.log2(high / hertz))
        noise = np.fft.irfft(spectrum * np.clip(inside * 2 + 1, 0, 1), t.size)
        return np.asarray(level * noise / noise.std() * np.exp(-t / decay))

    return stroke


def _kick(rng: np.random.Generator) -> Stroke:
    body, click = rng.uniform(48, 65), _drum(500, 3000, 0.005, 0.05, rng)

    def stroke() -> Floats:
        t = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
        sound = np.sin(2 * np.pi * (body * t + 40 * 0.01 * (1 - np.exp(-t / 0.01)))) * np.exp(-t / 0.12)
        start = click()
        sound[: start.size] += start
        return np.asarray(0.8 * sound)

    return stroke


def _snare(rng: np.random.Generator) -> Stroke:
    shell, noise = rng.uniform(170, 220), _drum(1200, 6000, 0.09, 0.25, rng)

    def stroke() -> Floats:
        sound = noise()
        t = np.arange(sound.size) / SAMPLE_RATE
        return np.asarray(sound + 0.3 * np.sin(2 * np.pi * shell * t) * np.exp(-t / 0.07))

    return stroke


def _hihat(rng: np.random.Generator) -> Stroke:
    return _drum(rng.uniform(6500, 8000), 11000, rng.uniform(0.03, 0.06), 0.3, rng)
