"""Songs that nobody wrote, with their stems: for `learn_songs.py`.

    chance ─patterns, chords, parts→ notes ─sound fonts, kits, formulas, voices→ sounds ─mixing.py→ four stems

Three quarters are mixed as records are (wide, compressed, with rooms, one filter over all; now and then ducked, driven,
without some stem for a while, or in mono), one quarter as plain renderings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mixing
import numpy as np
from grooves import Source, draw_kit
from numpy.typing import NDArray
from render import Event, render
from scipy.signal import butter, sosfilt
from voices import RATE, Melody, formant_voice, spoken_voice

LENGTHS = (7.0, 7.0, 12.0, 12.0, 20.0)
"""Seconds of a song."""

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
CLEAN = (24, 25, 26, 27, 28)
"""Guitars that are driven through an amplifier of `mixing` now and then."""

ROLES = {35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "snare", 40: "snare", 42: "closed", 46: "open"}
ROLES |= {41: "tom4", 45: "tom3", 47: "tom2", 50: "tom1", 49: "crash", 55: "crash", 57: "crash", 51: "ride"}
HANDS = (54, 56, 60, 62, 69, 70, 82)
"""Keys of percussion that is shaken or struck by hand."""

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


@dataclass(frozen=True)
class Band:
    """Who plays and sings: sound fonts (the first one twice as often), kits of single strokes, voices of flite."""

    fonts: Sequence[Path]
    kits: Mapping[str, Source]
    talkers: Sequence[str]


class Harmony:
    """Length, tempo, scale and four chords."""

    def __init__(self, rng: Rng) -> None:
        self.seconds = float(rng.choice(LENGTHS))
        self.beat = 60 / rng.uniform(68, 175)
        self.key = int(rng.integers(12))
        self.scale = (0, 2, 3, 5, 7, 8, 10) if rng.random() < 0.5 else (0, 2, 4, 5, 7, 9, 11)
        self.chords = [0, *(int(chord) for chord in rng.choice([0, 3, 4, 5, 1, 2], 3))]
        self.n_bars = int(self.seconds / (4 * self.beat)) + 1

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


def hand_notes(rng: Rng, harmony: Harmony) -> list[Event]:
    """A loop of percussion."""
    key, pattern = int(rng.choice(HANDS)), rng.random(16) < rng.choice([0.3, 0.6, 1])
    times = np.arange(harmony.n_bars * 16)[np.tile(pattern, harmony.n_bars)] * harmony.beat / 4
    return [_event(rng, float(time), 0.15, key, 50, 100) for time in times]


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


def melody(rng: Rng, harmony: Harmony) -> Melody:
    """A line for a singer: steps more often than leaps, with rests."""
    time, degree, notes = float(rng.uniform(0, 3)) * harmony.beat, int(rng.integers(7)), []
    lowest, dense = int(rng.choice([45, 50, 55, 60])), rng.choice([0.65, 0.8, 0.95])
    while time < harmony.seconds - 1:
        length = float(rng.choice([0.25, 0.5, 0.5, 0.75, 1, 1, 1.5, 2, 3])) * harmony.beat
        if rng.random() < dense:
            degree = int(np.clip(degree + rng.choice([-4, -2, -1, -1, 0, 1, 1, 2, 4]), -2, 9))
            key = lowest + harmony.degree(degree, 0) % 24
            notes.append((time, max(0.1, length * float(rng.uniform(0.75, 1))), key))
        time += length + (rng.uniform(1, 4) * harmony.beat if rng.random() < 0.08 else 0)
    return notes


# ---------------------------------------------------------------- sounds


class Studio:
    """Plays the parts of one song, and mixes them."""

    def __init__(self, rng: Rng, band: Band) -> None:
        self.rng, self.band, self.harmony, self.plain = rng, band, Harmony(rng), rng.random() < 0.25
        self.squeeze = 0.0 if self.plain else float(rng.uniform(0, 0.4))
        self.n = int(self.harmony.seconds * RATE)

    def chance(self, often: float) -> bool:
        """Whether something is done that plain renderings do not have."""
        return bool(self.rng.random() < often) and not self.plain

    def wet(self, most: float) -> float:
        """How much of a room."""
        if self.plain:
            return float(self.rng.choice([0, 0.03, 0.1]))
        return max(0.0, float(self.rng.uniform(-0.4 * most, most)))

    def played(self, events: list[Event], program: int, drums: bool = False) -> Floats:
        """By one of the fonts."""
        fonts = [self.band.fonts[0], *self.band.fonts]
        font = fonts[int(self.rng.integers(len(fonts)))]
        sound = render(events, font, program=program, drums=drums, seconds=self.harmony.seconds)
        return sound.samples.astype(float)

    def drums(self) -> Floats:
        """A kit of a font, or one of single strokes; now and then with percussion."""
        rng, events = self.rng, drum_notes(self.rng, self.harmony)
        if rng.random() < 0.55:
            sound = struck(rng, self.band.kits, events, self.n)
        else:
            sound = self.played(events, int(rng.choice(KITS)), True)
        if rng.random() < 0.2:
            hands = self.played(hand_notes(rng, self.harmony), 0, True)
            level = np.sqrt(np.square(sound).mean() / (np.square(hands).mean() + 1e-9))
            sound = sound + min(level, 50) * rng.uniform(0.1, 0.5) * mixing.placed(hands, 1, rng.uniform(-0.8, 0.8))
        sound = mixing.compressed(mixing.placed(sound, 0.03 if self.plain else rng.uniform(0.2, 1.2)), self.squeeze)
        if self.chance(0.15):
            sound = mixing.driven(sound, rng.uniform(0.3, 1), 16000)
        return mixing.in_a_room(rng, mixing.filtered(rng, sound, 4), self.wet(0.4))

    def bass(self) -> Floats:
        """A program of a font, or a formula; often driven."""
        rng, events = self.rng, bass_notes(self.rng, self.harmony)
        if rng.random() < 0.3:
            sound = synthetic_bass(rng, events, self.n)
        else:
            sound = self.played(events, int(rng.choice(BASSES)))
        sound = mixing.compressed(mixing.placed(sound, 0.0), self.squeeze)
        if self.chance(0.35):
            sound = mixing.driven(sound, float(np.exp(rng.uniform(-1.5, 1.5))), rng.uniform(1500, 8000))
        if self.chance(0.15):
            sound = mixing.doubled(rng, sound, rng.uniform(0.1, 0.4))
        return sound if self.plain else mixing.filtered(rng, sound, 4)

    def other(self) -> Floats:
        """One to four instruments."""
        rng, out = self.rng, np.zeros((2, self.n))
        for _ in range(int(rng.choice([1, 1, 2, 2, 3, 4]))):
            program = int(rng.choice(FAMILIES[int(rng.integers(len(FAMILIES)))]))
            sound = self._guitars(program) if program in (*DISTORTED, *CLEAN) and self.chance(0.6) else None
            if sound is None:
                sound = self.played(other_notes(rng, self.harmony, program), program)
                width, place = (0.08, 0.0) if self.plain else (rng.uniform(0.3, 1.2), rng.uniform(-0.9, 0.9))
                sound = mixing.placed(sound, width, place)
                if self.chance(0.2):
                    sound = mixing.doubled(rng, sound, rng.uniform(0.3, 1))
            sound = sound * 10 ** (rng.normal(0, 3) / 20) / (np.sqrt(np.square(sound).mean()) + 1e-6)
            out += mixing.in_a_room(rng, mixing.filtered(rng, sound, 4), self.wet(0.35))
        return out

    def _guitars(self, program: int) -> Floats:
        """Two takes of the same chords through overdriven amplifiers, on either side."""
        rng, drive, top = self.rng, float(np.exp(self.rng.uniform(-1, 3))), self.rng.uniform(3500, 7000)
        events, apart = other_notes(rng, self.harmony, DISTORTED[0]), rng.uniform(0.3, 1)
        out = np.zeros((2, self.n))
        for side in (-apart, apart):
            take = [(on + rng.normal(0, 0.006), off, key, force) for on, off, key, force in events]
            take = [(max(0.0, on), off, key, force) for on, off, key, force in take]
            out += mixing.placed(mixing.driven(self.played(take, program), drive, top), 0.0, side)
        return out

    def vocals(self) -> Floats:
        """A singer or a talker; now and then another voice with it, copies, echoes."""
        rng, line = self.rng, melody(self.rng, self.harmony)
        sung = self._voice(line)
        if self.chance(0.25):
            step = int(rng.choice([-12, -5, 0, 0, 3, 4, 7, 12]))
            second = self._voice([(on + abs(rng.normal(0, 0.02)), length, key + step) for on, length, key in line])
            sung = sung + rng.uniform(0.15, 0.6) * mixing.placed(second, 1, rng.uniform(-1, 1))
        sung = mixing.compressed(sung, self.squeeze)
        if self.chance(0.15):
            sung = mixing.driven(sung, rng.uniform(0.3, 1.5), 12000)
        if self.chance(0.3):
            sung = mixing.doubled(rng, sung, rng.uniform(0.15, 0.7))
        if self.chance(0.25):
            sung = mixing.echoed(rng, sung, self.harmony.beat)
        return mixing.in_a_room(rng, mixing.filtered(rng, sung, 3), 0 if self.plain else self.wet(0.4))

    def _voice(self, line: Melody) -> Floats:
        kind, seconds = self.rng.random(), self.harmony.seconds
        if kind < 0.1:
            events = [(on, on + length, key, 100) for on, length, key in line]
            return self.played(events, int(self.rng.choice([52, 53, 54])))
        if kind < 0.5:
            alone = formant_voice(self.rng, line, seconds)
        else:
            alone = spoken_voice(self.rng, line, seconds, self.band.talkers)
        return np.stack([alone, alone])

    def mixed(self, stems: Floats) -> NDArray[np.float32]:
        """Stems at levels as on records, or some dB off them; what is done to all of them."""
        rng, spread = self.rng, self.rng.choice([1.5, 3.5, 5])
        for k, usual in enumerate((0, -1, 1.5, 0)):
            if self.chance(0.12):
                stems[k] = mixing.gated(rng, stems[k])
            level = np.sqrt(np.square(stems[k]).mean())
            stems[k] *= 10 ** ((usual + rng.normal(0, spread) - 20) / 20) / level if level > 1e-6 else 0
        if self.chance(0.15):
            depth = rng.uniform(0.2, 0.8)
            stems[[1, 3]] = [mixing.ducked(stem, self.harmony.beat, depth) for stem in stems[[1, 3]]]
        if not self.plain:
            seed = int(rng.integers(2**31))
            stems = np.stack([mixing.filtered(np.random.default_rng(seed), stem, 3) for stem in stems])
        if self.chance(0.35):
            stems = mixing.limited(stems, rng.uniform(0.2, 0.8))
        if self.chance(0.15):
            stems = mixing.cut(stems, rng.uniform(9000, 17000))
        if self.chance(0.1):
            stems = np.repeat(stems.mean(axis=1, keepdims=True), 2, axis=1)
        if rng.random() < 0.06:
            stems[int(rng.integers(4))] = 0
        return np.asarray(stems * min(1.0, 0.98 / (np.abs(stems.sum(axis=0)).max() + 1e-9)), np.float32)


def struck(rng: Rng, kits: Mapping[str, Source], events: list[Event], n: int) -> Floats:
    """Drums of a kit that is drawn by chance, each at its own place."""
    kit, out = draw_kit(kits, rng), np.zeros((2, n))
    places = {role: rng.uniform(-0.7, 0.7) * (role not in ("kick", "snare")) for role in kit}
    steepness = rng.uniform(15, 40)
    for onset, _, key, force in events:
        first, role = int(onset * RATE), ROLES[key]
        stroke = kit[role].struck(force, steepness, rng)[: max(0, n - first)]
        out[:, first : first + stroke.size] += mixing.placed(np.stack([stroke, stroke]), 0, places[role])
    return out


def synthetic_bass(rng: Rng, events: list[Event], n: int) -> Floats:
    """One oscillator: a sine that is bent the more the brighter it is, dies slowly or not, glides into its pitch."""
    out, bright, lasts = np.zeros(n), np.exp(rng.uniform(-1, 2.5)), rng.choice([0.25, 1.0, 20.0])
    glide, shape, skew = rng.choice([0, 0, 12]), rng.uniform(0, 1), rng.uniform(0, 0.4)
    for onset, end, key, force in events:
        first = int(onset * RATE)
        time = np.arange(max(0, min(int((end + 0.02) * RATE), n) - first)) / RATE
        hertz = 440 * 2 ** ((key - 69 + glide * np.exp(-time / 0.03)) / 12)
        phase = 2 * np.pi * np.cumsum(hertz) / RATE
        bend = bright * (shape + (1 - shape) * np.exp(-time / 0.15))
        fade = np.minimum(1, time / 0.004) * np.clip((end + 0.02 - onset - time) / 0.02, 0, 1)
        out[first : first + time.size] += (
            np.tanh((0.3 + bend) * (np.sin(phase) + skew)) * np.exp(-time / lasts) * fade * force
        )
    out = sosfilt(butter(2, [25, rng.uniform(300, 6000)], "band", fs=RATE, output="sos"), out)
    return np.stack([out, out])


def make_song(rng: Rng, band: Band) -> NDArray[np.float32]:
    """Drums, bass, vocals and other, ``(4, 2, n)``."""
    studio = Studio(rng, band)
    return studio.mixed(np.stack([studio.drums(), studio.bass(), studio.vocals(), studio.other()]))
