"""Songs that nobody wrote, with their stems: for `learn_songs.py`.

    chance ─patterns, chords, parts→ notes ─sound fonts, voices→ sounds ─filters, rooms, places, levels→ four stems

Two thirds are mixed as records are (wide, compressed, with rooms, one filter over all), one third as plain renderings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from render import Event, render
from scipy.signal import butter, fftconvolve, lfilter, sosfilt
from voices import RATE, formant_voice, spoken_voice

SECONDS = 20.0
Floats = NDArray[np.float64]
Rng = np.random.Generator

KITS = (0, 0, 8, 16, 16, 24, 25, 32, 40)
BASSES = (32, 33, 33, 33, 34, 34, 35, 36, 37, 38, 38, 39, 39)
FAMILIES = (
    (0, 1, 2, 4, 5),
    (16, 17, 18, 19),
    (24, 25, 26, 27, 28),
    (29, 30),
    (27, 29, 30),
    (48, 49, 50, 51),
    (88, 89, 90, 94, 95),
    (56, 57, 61, 62, 63),
    (80, 81, 83, 87),
    (9, 11, 12, 13),
    (64, 65, 66, 71, 73),
    (15, 21, 22, 40, 42, 105, 108),
)
DISTORTED = (29, 30)
KICKS = {
    "four": (0, 4, 8, 12),
    "rock": (0, 8, 10),
    "push": (0, 6, 8),
    "funk": (0, 3, 6, 10, 13),
    "ballad": (0, 8),
    "fast": (0, 10),
    "sparse": (0,),
    "none": (),
}
SNARES = {"funk": (4, 12, 7, 15), "ballad": (8,), "sparse": (8,), "none": ()}
STYLES = ("pad", "stab", "strum", "arp", "comp", "riff", "lead")


class Harmony:
    """Tempo, scale and four chords."""

    def __init__(self, rng: Rng) -> None:
        self.beat = 60 / rng.uniform(68, 175)
        self.key = int(rng.integers(12))
        self.scale = (0, 2, 3, 5, 7, 8, 10) if rng.random() < 0.5 else (0, 2, 4, 5, 7, 9, 11)
        self.chords = [0, *(int(chord) for chord in rng.choice([0, 3, 4, 5, 1, 2], 3))]
        self.n_bars = int(SECONDS / (4 * self.beat)) + 1

    def degree(self, degree: int, octave: int) -> int:
        """The key of a step of the scale."""
        return self.key + 12 * (octave + degree // 7) + self.scale[degree % 7]


def _event(rng: Rng, onset: float, length: float, key: int, *force: int) -> Event:
    onset = max(0.0, onset + float(rng.normal(0, 0.008)))
    return onset, onset + length, int(np.clip(key, 1, 127)), int(rng.integers(*force))


def drum_notes(rng: Rng, harmony: Harmony) -> list[Event]:
    """A groove with fills and cymbals."""
    feel = str(rng.choice(list(KICKS)))
    hat = str(rng.choice(["eighths", "sixteenths", "off", "ride", "quarters"]))
    every = {"eighths": 2, "sixteenths": 1, "off": 4, "ride": 2, "quarters": 4}[hat]
    snare, kick, step = int(rng.choice([37, 38, 38, 39, 40])), int(rng.choice([35, 36])), harmony.beat / 4
    events: list[Event] = []
    for bar in range(harmony.n_bars if feel != "none" else 0):
        start = bar * 16 * step
        for place in range(16):
            time = start + place * step
            if place in KICKS[feel] or rng.random() < 0.03:
                events.append(_event(rng, time, 0.2, kick, 90, 124))
            if place in SNARES.get(feel, (4, 12)):
                ghost = place not in (4, 8, 12)
                events.append(_event(rng, time, 0.2, snare, 35 if ghost else 90, 70 if ghost else 124))
            if place % every == (2 if hat == "off" else 0) and rng.random() < 0.95:
                key = {"ride": 51, "off": 46}.get(hat, 42)
                events.append(_event(rng, time, 0.15, key, 60, 110))
            if bar % 4 == 3 and place >= 12 and rng.random() < 0.5:
                events.append(_event(rng, time, 0.2, int(rng.choice([38, 41, 45, 47, 50])), 80, 120))
        if bar % 4 == 0 and rng.random() < 0.6:
            events.append(_event(rng, start, 1.5, int(rng.choice([49, 55, 57])), 80, 115))
    return events


def bass_notes(rng: Rng, harmony: Harmony) -> list[Event]:
    """One of six ways to play the roots."""
    way = str(rng.choice(["eighths", "roots", "long", "octaves", "walk", "syncopes"]))
    beat, events = harmony.beat, []
    for bar in range(harmony.n_bars):
        chord = harmony.chords[bar % 4]
        root, start = 28 + (harmony.degree(chord, 2) - 28) % 12, bar * 4 * beat
        if way in ("eighths", "octaves"):
            times = [(k / 2, 0.42, root + (12 * (k % 2) if way == "octaves" else 0)) for k in range(8)]
        elif way == "roots":
            times = [(k, 0.9, root) for k in range(4)]
        elif way == "long":
            times = [(0, float(rng.uniform(2.5, 3.9)), root)]
        elif way == "walk":
            steps = (0, 2, 4, int(rng.integers(1, 7)))
            times = [(k, 0.9, 28 + (harmony.degree(chord + step, 2) - 28) % 24) for k, step in enumerate(steps)]
        else:
            chosen = [k for k in range(16) if k == 0 or rng.random() < 0.28]
            times = [(k / 4, float(rng.uniform(0.15, 0.6)), root + int(rng.choice([0, 0, 7, 12]))) for k in chosen]
        events += [_event(rng, start + at * beat, length * beat, key, 80, 118) for at, length, key in times]
    return events


def other_notes(rng: Rng, harmony: Harmony, program: int) -> list[Event]:
    """Chords or a line, for one instrument."""
    style = str(rng.choice(["pad", "riff", "strum"] if program in DISTORTED else STYLES))
    octave, beat, events = 6 if style == "lead" else int(rng.choice([4, 5, 5, 6])), harmony.beat, []
    for bar in range(harmony.n_bars):
        chord, start = harmony.chords[bar % 4], bar * 4 * beat
        steps = (0, 4, 7) if program in DISTORTED else (0, 2, 4) if rng.random() < 0.7 else (0, 2, 4, 6)
        keys = [harmony.degree(chord + step, octave - 1) for step in steps]
        places = {
            "pad": [(0, 3.9)],
            "stab": [(k / 4, 0.3) for k in (2, 6, 10, 14)],
            "strum": [(k / 2, 0.48) for k in range(8) if rng.random() < 0.8],
            "comp": [(k, 0.8) for k in range(4)],
        }.get(style, [(k / 2, 0.48) for k in range(8) if rng.random() < 0.85])
        for number, (at, length) in enumerate(places):
            if style == "arp":
                chosen = [keys[number % len(keys)] + 12 * (number // 4 % 2)]
            elif style in ("riff", "lead"):
                chosen = [harmony.degree(chord + int(rng.choice([0, 1, 2, 3, 4])), octave - 1)]
            else:
                chosen = keys
            events += [_event(rng, start + at * beat, length * beat, key, 60, 112) for key in chosen]
    return events


def melody(rng: Rng, harmony: Harmony) -> list[tuple[float, float, int]]:
    """A line for a singer: steps more often than leaps, with rests."""
    time, degree, notes = float(rng.uniform(0, 3)) * harmony.beat, int(rng.integers(7)), []
    lowest, dense = int(rng.choice([45, 50, 55, 60])), rng.choice([0.65, 0.8, 0.95])
    while time < SECONDS - 1:
        length = float(rng.choice([0.25, 0.5, 0.5, 0.75, 1, 1, 1.5, 2, 3])) * harmony.beat
        if rng.random() < dense:
            degree = int(np.clip(degree + rng.choice([-4, -2, -1, -1, 0, 1, 1, 2, 4]), -2, 9))
            key = lowest + harmony.degree(degree, 0) % 24
            notes.append((time, max(0.1, length * float(rng.uniform(0.75, 1))), key))
        time += length + (rng.uniform(1, 4) * harmony.beat if rng.random() < 0.08 else 0)
    return notes


# ---------------------------------------------------------------- mixing


def filtered(rng: Rng, sound: Floats, spread: float) -> Floats:
    """Through an equaliser of seven bands, each some dB up or down."""
    hertz = np.fft.rfftfreq(4096, 1 / RATE)
    gains = np.interp(np.log(hertz + 1), np.log(np.geomspace(40, 20000, 7)), rng.normal(0, 0.6 * spread, 7))
    taps = np.roll(np.fft.irfft(10 ** (gains / 20)), 512)[:1024] * np.hanning(1024)
    return np.asarray(fftconvolve(sound, taps[None], axes=1)[:, 512 : 512 + sound.shape[1]])


def in_a_room(rng: Rng, sound: Floats, wet: float) -> Floats:
    """With a decay of noise, 0.3 to 1.8 s long."""
    if wet <= 0:
        return sound
    length = rng.uniform(0.3, 1.8)
    time = np.arange(int(length * RATE)) / RATE
    noise = rng.normal(0, 1, (2, time.size)) * 10 ** (-3 * time / length)
    noise = sosfilt(butter(1, rng.uniform(2500, 9000), fs=RATE, output="sos"), noise)
    noise = np.pad(
        noise / np.linalg.norm(noise, axis=1, keepdims=True), ((0, 0), (int(RATE * rng.uniform(0, 0.04)), 0))
    )
    return np.asarray(sound + wet * fftconvolve(sound, noise, axes=1)[:, : sound.shape[1]])


def compressed(sound: Floats, amount: float) -> Floats:
    """Levels brought nearer to each other."""
    level = np.sqrt(lfilter([0.0003], [1, -0.9997], np.square(sound).mean(axis=0)) + 1e-9)
    usual = np.median(level[level > 1e-4]) if (level > 1e-4).any() else 1.0
    return np.asarray(sound * np.clip(level / usual, 0.1, 20) ** -amount)


def placed(sound: Floats, width: float, place: float = 0.0) -> Floats:
    """Wider or narrower, and to the left (-1) or right (1)."""
    middle, side = sound.mean(axis=0), (sound[0] - sound[1]) / 2 * width
    angle = (place + 1) * np.pi / 4
    return np.stack([(middle + side) * np.cos(angle), (middle - side) * np.sin(angle)]) * np.sqrt(2)


def make_song(rng: Rng, fonts: Sequence[Path], talkers: Sequence[str]) -> NDArray[np.float32]:
    """Drums, bass, vocals and other, ``(4, 2, n)``."""
    harmony, plain = Harmony(rng), rng.random() < 0.35

    def played(events: list[Event], program: int, drums: bool = False) -> Floats:
        font = fonts[int(rng.integers(len(fonts)))]
        return render(events, font, program=program, drums=drums, seconds=SECONDS).samples.astype(float)

    def wet(most: float) -> float:
        return float(rng.choice([0, 0.03, 0.1])) if plain else max(0.0, float(rng.uniform(-0.4 * most, most)))

    squeeze = 0.0 if plain else float(rng.uniform(0, 0.4))
    drums = compressed(
        placed(played(drum_notes(rng, harmony), int(rng.choice(KITS)), True), 0.03 if plain else 0.7), squeeze
    )
    bass = compressed(placed(played(bass_notes(rng, harmony), int(rng.choice(BASSES))), 0.0), squeeze)
    other = np.zeros_like(drums)
    for _ in range(int(rng.choice([1, 1, 2, 2, 3, 4]))):
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        program = int(rng.choice(family))
        sound = played(other_notes(rng, harmony, program), program)
        sound *= 10 ** (rng.normal(0, 3) / 20) / (np.sqrt(np.square(sound).mean()) + 1e-6)
        sound = placed(sound, 0.08) if plain else placed(sound, rng.uniform(0.3, 1.2), rng.uniform(-0.9, 0.9))
        other += in_a_room(rng, filtered(rng, sound, 4), wet(0.35))
    line = melody(rng, harmony)
    kind = rng.random()
    if kind < 0.2:
        sung = played([(on, on + length, key, 100) for on, length, key in line], int(rng.choice([52, 53, 54])))
    else:
        alone = formant_voice(rng, line, SECONDS) if kind < 0.6 else spoken_voice(rng, line, SECONDS, talkers)
        sung = np.stack([alone, alone])
    sung = in_a_room(rng, filtered(rng, compressed(sung, squeeze), 3), 0 if plain else wet(0.3))
    stems = np.stack([in_a_room(rng, filtered(rng, drums, 4), wet(0.3)), bass, sung, other])
    return _levelled(rng, stems, plain)


def _levelled(rng: Rng, stems: Floats, plain: bool) -> NDArray[np.float32]:
    """Stems at levels as on records, or some dB off them; one filter over all."""
    spread = rng.choice([1.5, 3.5, 5])
    for stem, usual in zip(stems, (0, -1, 1.5, 0), strict=True):
        level = np.sqrt(np.square(stem).mean())
        stem *= 10 ** ((usual + rng.normal(0, spread) - 20) / 20) / level if level > 1e-6 else 0
    if not plain:
        seed = int(rng.integers(2**31))
        stems = np.stack([filtered(np.random.default_rng(seed), stem, 3) for stem in stems])
    return np.asarray(stems * min(1.0, 0.98 / (np.abs(stems.sum(axis=0)).max() + 1e-9)), np.float32)
