"""Drum recordings that nobody played: grooves drawn by chance, for `learn_drums.py`.

    patterns ─chance→ strokes (time, role, velocity) ─kit→ sound ─room, compressor, filters, noise→ recording

A kit has a sound for each role, and for each velocity that its source has. Half of the kits are mixed from several
sources; most are retuned, filtered and damped by chance, so that a listener cannot learn them by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

RATE = 44100
Floats = NDArray[np.float64]
Layers = Mapping[int, NDArray[np.float32]]
Source = Mapping[str, Sequence[Layers]]
Stroke = tuple[float, str, int, bool]
"""Seconds, role, velocity 1 to 127, whether it is a flam."""

CLASS_OF = {
    **dict.fromkeys(("kick",), "kick"),
    **dict.fromkeys(("snare", "rim"), "snare"),
    **dict.fromkeys(("closed", "pedal", "open"), "hihat"),
    **dict.fromkeys(("tom1", "tom2", "tom3", "tom4"), "tom"),
    **dict.fromkeys(("crash", "ride", "bell"), "cymbal"),
}
FAMILY = {"closed": "hat", "pedal": "hat", "open": "hat", "tom1": "tom", "tom2": "tom", "tom3": "tom", "tom4": "tom"}
# Levels of the loudest strokes beside the kick's, in dB, as on records; and how long a sound lasts, in seconds.
USUAL = {"kick": 0, "snare": -1, "rim": -8, "closed": -14, "pedal": -18, "open": -12, "crash": -9, "ride": -15}
USUAL |= {"bell": -14, "tom1": -3, "tom2": -3, "tom3": -3, "tom4": -3}
LASTS = {"kick": 0.12, "snare": 0.12, "rim": 0.08, "closed": 0.05, "pedal": 0.06, "open": 0.35}

# Bars of sixteen steps, or of twelve. X loud, x plain, g a ghost, o an open hi-hat, p the pedal.
_KICK = """X.......x.x..... X.....x.x....... X..x....X.x..... X..x..x...x..x.. X.x....x..x..x.. X...X...X...X...
X...X...X...X..x X..x......x..... X.....x...x..x.. X......x..X..... X.x....x..x...x. X..x...xX.x..... X..xX..xX..xX..x
xxxxxxxxxxxxxxxx x.xxx.xxx.xxx.xx X.x.X.x.X.x.X.x. X.......X....... X.............x. ................"""
_SNARE = """....X.......X... ....X.......X..g ....X..g.g..X..g ....X.g..g.gX... .g..X..g....X.gg ....X.......X..x
........X....... ........X....g.. ...x..x....x..x. ..g.X..x..g.X..x X.X.X.X.X.X.X.X. gggggggggggggggg g.gXg.gg.gXg..gx
................ x..x..x...x.x... .gg.X.gg.gg.X.gg ..X...X...X...X."""
_HAT = """X.x.X.x.X.x.X.x. X.x.X.x.X.x.X.o. x...x...x...x... XxxxXxxxXxxxXxxx X.xxX.xxX.xxX.ox X.xoX.x.X.xoX.x.
X.o.X.o.X.o.X.o. xxo.xxo.xxo.xxo. ..o...o...o...o. ..x...x...x...x. o...o...o...o... o.o.o.o.o.o.o.o. x.x.x.xxx.x.x.x.
xxx.x.x.xxx.x.xx x.xxx.xxx.xxx.xx ....p.......p... p...p...p...p... ................ x.xgx.xgx.xgx.xg"""
_KICK12 = "X.....x..x.. X.....X..... X..x..x....x X........... ............ x..x..x..x.."
_SNARE12 = "...X.....X.. ...X..g..X.g .g.X.g.g.X.g ......X..... ..g..g..g..g ............"
_HAT12 = "X.xX.xX.xX.x x.xx.xx.xx.o X..X..X..X.x xxxxxxxxxxxx ...p.....p.. ............"
PATTERNS = {
    16: tuple(text.split() for text in (_KICK, _SNARE, _HAT)),
    12: tuple(text.split() for text in (_KICK12, _SNARE12, _HAT12)),
}
FORCE = {"X": 110, "x": 88, "g": 38, "o": 95, "p": 70}


# ---------------------------------------------------------------- kits


@dataclass
class Voice:
    """One sound of a kit: layers by velocity, shaped when they are first struck."""

    layers: Layers
    ratio: float
    seed: int | None
    lasts: float
    gain: float = 1.0
    shaped: dict[int, Floats] = field(default_factory=dict)

    def layer(self, velocity: int) -> Floats:
        """The sound of one layer."""
        if velocity not in self.shaped:
            sound = self.layers[velocity].astype(np.float64)
            if self.seed is not None:
                sound = soxr.resample(sound, RATE, RATE * self.ratio, quality="LQ")
                rng = np.random.default_rng(self.seed)
                if rng.random() < 0.5:
                    sound = sound * np.exp(-np.arange(len(sound)) / RATE / (self.lasts * np.exp(rng.normal(0.6, 0.6))))
                sound = filtered(sound, rng, 2.5)
                if rng.random() < 0.15:  # some strokes begin softly
                    rise = int(rng.uniform(0.002, 0.02) * RATE)
                    sound[:rise] *= np.linspace(0, 1, rise)[: len(sound)]
            self.shaped[velocity] = sound
        return self.shaped[velocity] * self.gain

    def struck(self, velocity: int, steepness: float, rng: np.random.Generator) -> Floats:
        """The sound of a stroke: the nearest layer, louder or softer by what is left."""
        known = np.array(sorted(self.layers))
        nearest = int(known[np.argmin(np.abs(known - velocity))])
        level = steepness * (velocity / 127 - 1) if len(known) == 1 else 30 * np.log10(velocity / nearest)
        return self.layer(nearest) * 10 ** ((level + rng.normal(0, 0.4)) / 20)


def draw_kit(sources: Mapping[str, Source], rng: np.random.Generator) -> dict[str, Voice]:
    """A kit from one source or from several, as it is or shaped."""
    names, mixed, shaped, natural = sorted(sources), rng.random() < 0.5, rng.random() < 0.6, rng.random() < 0.5
    home, families, kit = rng.choice(names), {}, {}
    for role in CLASS_OF:
        name = home if not mixed or rng.random() < 0.4 else rng.choice(names)
        if not sources[name].get(role):
            name = rng.choice([other for other in names if sources[other].get(role)])
        choices = sources[name][role]
        layers = choices[rng.integers(len(choices))]
        # The two or three sounds of a hi-hat are retuned together, and so are all toms.
        tune, seed = rng.normal(0, 2.2), int(rng.integers(1 << 30))
        tune, seed = families.setdefault(FAMILY.get(role, role), (tune, seed))
        voice = Voice(layers, 2 ** (tune / 12), seed if shaped else None, LASTS.get(role, 0.4))
        if not natural or name != home:
            level = USUAL[role] + rng.normal(0, 2.5) - (10 if natural else 0)
            voice.gain = 10 ** (level / 20) / _loudness(voice.layer(max(layers)))
        kit[role] = voice
    return kit


def _loudness(sound: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(sound[: RATE // 10])))) + 1e-9


# ---------------------------------------------------------------- grooves


def groove(rng: np.random.Generator, seconds: float, full: bool) -> list[Stroke]:
    """Bars of a groove; with ``full`` also toms, cymbals, fills and flams."""
    steps = 12 if rng.random() < 0.2 else 16
    step, swing = 240 / rng.uniform(70, 180) / steps, rng.uniform(0, 0.3) if steps == 16 and rng.random() < 0.3 else 0.0
    patterns, strokes, crash = [_pattern(rng, steps, i) for i in range(3)], [], full and rng.random() < 0.5
    ride, keeper, loose = False, "ride", False
    for bar in range(int(seconds / (steps * step))):
        patterns = [p if bar % 2 or rng.random() > 0.4 else _pattern(rng, steps, i) for i, p in enumerate(patterns)]
        if bar % 2 == 0:
            ride, loose = full and rng.random() < 0.35, rng.random() < 0.1
            keeper = rng.choice(["ride", "bell", "crash", "tom4"], p=[0.8, 0.08, 0.08, 0.04])
        fill = full and (bar % 4 == 3 or rng.random() < 0.15)
        edge = int(steps * rng.choice([0, 0.25, 0.5, 0.75])) if fill else steps
        begin = 0.05 + bar * steps * step
        for i in range(edge):
            at = begin + (i + swing * (i % 2)) * step
            strokes += _step(rng, at, [p[i] for p in patterns], i, steps, full, ride, keeper, loose, crash and i == 0)
            crash = crash and i > 0
        if fill:
            strokes += _fill(rng, begin + edge * step, steps - edge, step)
            crash = rng.random() < 0.8
    return _played(strokes, rng)


def _pattern(rng: np.random.Generator, steps: int, which: int) -> str:
    """One bar of the kick (0), the snare (1), or the hi-hat (2)."""
    if rng.random() > 0.2:
        return str(rng.choice(PATTERNS[steps][which]))
    if which == 2:
        return "".join(rng.choice(list(".Xxop"), steps, p=[0.4, 0.2, 0.28, 0.08, 0.04]))
    full = rng.choice([0.1, 0.25, 0.5])
    return "".join(rng.choice(list(".Xxg"), steps, p=[1 - full, 0.4 * full, 0.4 * full, 0.2 * full]))


def _step(rng, at, marks, i, steps, full, ride, keeper, loose, crash):  # noqa: PLR0917
    """What is struck at one step."""
    kick, snare, hat = marks
    strokes = []
    if kick != ".":
        strokes.append((at, "kick", 60 if kick == "g" else FORCE[kick], False))
    if snare != ".":
        rim, flam = full and rng.random() < 0.04, full and snare == "X" and rng.random() < 0.06
        strokes.append((at, "rim" if rim else "snare", FORCE[snare], flam))
    if crash:
        strokes.append((at, "crash", 112, False))
    elif hat != "." and ride and hat != "p":
        strokes.append((at, "bell" if keeper == "ride" and hat == "o" else keeper, FORCE[hat] - 4, False))
    elif hat != ".":
        role = {"o": "open", "p": "pedal"}.get(hat, "open" if loose else "closed")
        strokes.append((at, role, FORCE[hat] + (8 if i % 4 == 0 else 0), False))
    quarter = steps // 4
    if ride and i % quarter == 0 and i // quarter % 2 and rng.random() < 0.7:
        strokes.append((at, "pedal", 68, False))
    if full and rng.random() < 0.008:
        strokes.append((at, "crash", int(rng.integers(60, 120)), False))
    return strokes


def _fill(rng: np.random.Generator, begin: float, steps: int, step: float) -> list[Stroke]:
    """Toms, high to low or by chance; or a roll on the snare."""
    way, fast, strokes = rng.integers(4), 2 if rng.random() < 0.15 else 1, []
    count = steps * fast
    for j in range(count):
        if rng.random() > 0.8:
            continue
        role = f"tom{min(4, 1 + 4 * j // count)}"
        if rng.random() < 0.15:
            role = str(rng.choice(["tom1", "tom2", "tom3", "tom4", "snare", "kick"]))
        if way == 3 or (way == 0 and j < count / 3):
            role = "snare"
        at, force = begin + j / fast * step, int(78 + 34 * j / count + (8 if j % 2 == 0 else -6))
        strokes.append((at, role, force, role != "kick" and rng.random() < 0.06))
        if j % 4 == 0 and rng.random() < 0.3:
            strokes.append((at, "kick", 95, False))
    return strokes


def _played(strokes: list[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """With the timing and the force of a human hand."""
    late = {label: rng.normal(0, 0.003) for label in ("kick", "snare", "hihat", "tom", "cymbal")}
    spread, force, shift = rng.uniform(0.001, 0.006), rng.uniform(4, 12), rng.integers(-8, 9)
    played = []
    for at, role, velocity, flam in strokes:
        moved = at + late[CLASS_OF[role]] + np.clip(rng.normal(0, spread), -0.012, 0.012)
        struck = int(np.clip(velocity + shift + rng.normal(0, force), 14, 127))
        played.append((max(0.01, float(moved)), role, struck, flam))
    return sorted(played)


# ---------------------------------------------------------------- sound


def recording(sources: Mapping[str, Source], seed: int) -> tuple[NDArray[np.float32], list[tuple[float, str, int]]]:
    """A recording of about 20 seconds, and what is struck in it: (seconds, class, velocity)."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.04:
        return no_drums(rng), []
    kit, strokes = draw_kit(sources, rng), groove(rng, 22, rng.random() < 0.65)
    n_samples = int((max([stroke[0] for stroke in strokes], default=1) + 0.8) * RATE)
    sound, steepness = np.zeros(n_samples), rng.uniform(15, 40)
    hats = np.array([at for at, role, *_ in strokes if CLASS_OF[role] == "hihat"])
    for at, role, velocity, flam in strokes:
        both = [(at - rng.uniform(0.02, 0.035), max(16, int(velocity * 0.45)))] if flam and at > 0.1 else []
        for begin, force in [*both, (at, velocity)]:
            stroke = kit[role].struck(force, steepness, rng)
            if CLASS_OF[role] == "hihat":
                stroke = _choked(stroke, begin, hats)
            first = int(begin * RATE)
            stroke = stroke[: n_samples - first]
            sound[first : first + len(stroke)] += stroke
    return produced(sound, rng), [(at, CLASS_OF[role], velocity) for at, role, velocity, _ in strokes]


def _choked(stroke: Floats, begin: float, hats: Floats) -> Floats:
    """A hi-hat sounds until the next stroke on it."""
    later = hats[hats > begin + 0.01]
    if len(later) == 0:
        return stroke
    cut = int((later[0] - begin) * RATE)
    stroke = stroke[: cut + 1500].copy()
    stroke[cut:] *= np.linspace(1, 0, 1500)[: len(stroke[cut:])]
    return stroke


def produced(sound: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """Put a sound through a room, a compressor, filters and noise, each with a chance of its own."""
    if rng.random() < 0.6:
        sound = _room(sound, rng)
    if rng.random() < 0.5:
        sound = _compressed(_full(sound), rng.uniform(1.5, 5), rng.uniform(-24, -8), rng)
    if rng.random() < 0.5:
        sound = filtered(sound, rng, 3)
    if rng.random() < 0.1:
        sound = np.tanh(_full(sound) * rng.uniform(1, 4))
    sound = _full(sound)
    if rng.random() < 0.15:
        spectrum, frequency = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / RATE)
        sound = np.fft.irfft(spectrum / (1 + (frequency / rng.uniform(4000, 15000)) ** 12), len(sound))
    if rng.random() < 0.5:
        white = rng.standard_normal(len(sound))
        dark = lfilter([1], [1, -0.95], white) * 0.31
        sound = sound + 10 ** (rng.uniform(-80, -45) / 20) * (0.5 * white + 0.8 * dark)
    return sound.astype(np.float32)


def no_drums(rng: np.random.Generator) -> NDArray[np.float32]:
    """Ten seconds of noise of some colour, with or without swells, or of a tone."""
    n_samples, kind = 10 * RATE, rng.integers(4)
    frequency = np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE), 20)
    sound = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * frequency ** -rng.uniform(0, 1), n_samples)
    time = np.arange(n_samples) / RATE
    if kind == 1:
        sound *= 1 + 0.9 * np.interp(time, np.arange(0, 10.5, 0.5), rng.uniform(-1, 1, 21))
    if kind == 2:
        low = rng.uniform(50, 400)
        sound = 0.02 * _full(sound) + 0.1 * sum(np.sin(2 * np.pi * low * k * time) / k for k in range(1, 8))
    if kind == 3:
        sound = filtered(sound, rng, 12)
    return (0.5 * _full(sound)).astype(np.float32)


def _full(sound: Floats) -> Floats:
    return sound / (np.abs(sound).max() + 1e-9)


def filtered(sound: Floats, rng: np.random.Generator, depth: float) -> Floats:
    """Through a filter whose response in dB wanders by ``depth`` from octave to octave."""
    length = int(2 ** np.ceil(np.log2(len(sound) + 512)))
    response = rng.normal(0, depth, 9) + rng.normal(0, 0.7 * depth) * np.linspace(-1, 1, 9)
    frequency = np.log(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20))
    gain = 10 ** (np.interp(frequency, np.log(np.geomspace(30, 18000, 9)), response) / 20)
    return np.fft.irfft(np.fft.rfft(sound, length) * gain, length)[: len(sound)]


def _room(sound: Floats, rng: np.random.Generator) -> Floats:
    """Early reflections, and a tail that is darker as it dies."""
    lasts, wet = rng.uniform(0.15, 1.2), rng.uniform(-22, -6)
    time = np.arange(int(lasts * RATE * 1.1)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / lasts)
    dark = np.clip(time / lasts * rng.uniform(0.5, 2), 0, 1)
    tail = (1 - dark) * tail + 1.5 * dark * lfilter([0.25], [1, -0.75], tail)
    first = int(rng.uniform(0.002, 0.02) * RATE)
    tail[:first] = 0
    for _ in range(8):
        tail[rng.integers(first, first + int(0.03 * RATE))] += rng.choice([-1, 1]) * rng.uniform(1, 5)
    tail *= 10 ** (wet / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    return fftconvolve(sound, tail)[: len(sound)]


def _compressed(sound: Floats, ratio: float, threshold: float, rng: np.random.Generator) -> Floats:
    """Through a compressor that looks every 64 samples."""
    loud = np.abs(sound)[: len(sound) // 64 * 64].reshape(-1, 64).max(axis=1)
    up, down = (1 - np.exp(-64 / RATE / rng.uniform(*span)) for span in ((0.002, 0.03), (0.05, 0.3)))
    level, follow = np.empty_like(loud), 0.0
    for i, now in enumerate(loud):
        follow += (up if now > follow else down) * (now - follow)
        level[i] = follow
    over = np.maximum(0, 20 * np.log10(level / level.max() + 1e-9) - threshold)
    at = (np.arange(len(level)) + 0.5) * 64
    return sound * np.interp(np.arange(len(sound)), at, 10 ** (-over * (1 - 1 / ratio) / 20))
