"""Make src/unweave/templates/drums.npz: what `unweave.drums` knows about drums.

    python templates/learn_drums.py OUT.npz --font A.sf2 --programs 0,8,16 --font B.sf3 --programs 0,32 --samples FOLDER

Single strokes of all kits are rendered or read, grooves are drawn by chance and played with them (`grooves.py`), every
stroke that `unweave.drums.strokes` finds in them is a row of numbers with the classes that were struck, and small
networks learn to tell the classes from the numbers. The templates for the factorisation are means of clusters of
strokes. Another network learns how hard each class was struck; ``--forces`` makes it alone, for a file that has the
others. README names the sources and their licences.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from grooves import CLASS_OF, RATE, Layers, Source, draw_kit, produced, recording
from numpy.typing import NDArray
from render import render

from unweave.audio import Audio, load
from unweave.drums.fit import LEAD, TAPS
from unweave.drums.kits import CLASSES
from unweave.drums.strokes import find_strokes
from unweave.npz import read_npz, write_npz

KEYS = {"kick": (36, 35), "snare": (38, 40), "rim": (37,), "closed": (42,), "pedal": (44,), "open": (46,)}
KEYS |= {"tom1": (50, 48), "tom2": (47, 48, 45), "tom3": (43, 45), "tom4": (41,)}
KEYS |= {"crash": (49, 57, 55, 52), "ride": (51, 59), "bell": (53,)}
VELOCITIES = (20, 38, 55, 72, 90, 108, 124)
SPACING, LASTS = 2.2, 2.1

# Single strokes as files: the samples of Sonic Pi, which are in the public domain (CC0).
SAMPLES = {
    "kick": ("drum_heavy_kick", "drum_bass_hard", "bd_*", "elec_hollow_kick", "elec_soft_kick"),
    "snare": ("drum_snare_*", "sn_*", "elec_snare", "elec_*_snare"),
    "closed": ("drum_cymbal_closed",),
    "pedal": ("drum_cymbal_pedal",),
    "open": ("drum_cymbal_open",),
    "tom1": ("drum_tom_hi_*",),
    "tom2": ("drum_tom_mid_*",),
    "tom3": ("drum_tom_lo_*",),
    "crash": ("drum_cymbal_hard", "drum_splash_*"),
    "ride": ("drum_cymbal_soft",),
}
CLUSTERS = {"kick": 3, "snare": 4, "hihat": 4, "tom": 4, "cymbal": 4}
HIDDEN = (80, 32)
FORCE_HIDDEN = (48, 16)
EPOCHS = 7
NEAR = 0.04  # seconds

Floats = NDArray[np.float32]


# ---------------------------------------------------------------- sources


def font_source(font: str, program: int) -> Source:
    """All strokes of a kit of a sound font, dry."""
    keys = sorted({key for several in KEYS.values() for key in several})
    wanted = [(key, velocity) for key in keys for velocity in VELOCITIES]
    events = [(0.05 + SPACING * i, 0.17 + SPACING * i, key, force) for i, (key, force) in enumerate(wanted)]
    sound = render(events, font, program=program, drums=True).samples.mean(axis=0)
    found: dict[tuple[int, int], Floats] = {}
    for (begin, *_), name in zip(events, wanted, strict=True):
        stroke = sound[round(begin * RATE) :][: round(LASTS * RATE)]
        loud = np.abs(stroke)
        if loud.max() >= 1e-4:
            found[name] = stroke[: int(np.nonzero(loud > 2e-4 * loud.max())[0][-1]) + 1].copy()
    layers = {key: {v: found[key, v] for v in VELOCITIES if (key, v) in found} for key in keys}
    return {role: [layers[key] for key in several if layers[key]] for role, several in KEYS.items()}


def sample_source(folder: Path) -> Source:
    """Single strokes from files, each of one velocity."""
    source: dict[str, list[Layers]] = {}
    for role, patterns in SAMPLES.items():
        paths = [path for pattern in patterns for path in sorted(folder.glob(f"{pattern}.flac"))]
        source[role] = [{124: _trimmed(load(path, sample_rate=RATE).samples.mean(axis=0))} for path in paths]
    return source


def _trimmed(sound: Floats) -> Floats:
    """From its attack on, two seconds, half of full scale."""
    loud = np.abs(sound)
    begin = max(0, int(np.argmax(loud > 0.04 * loud.max())) - 20)
    sound = sound[begin : begin + 2 * RATE] / (2 * loud.max())
    sound[-400:] *= np.linspace(1, 0, 400)
    return sound


def machine_source(seed: int, count: int = 12) -> Source:
    """Strokes of drum machines: sine waves that fall in pitch, filtered noise, squares that beat."""
    rng = np.random.default_rng(seed)
    source: dict[str, list[Layers]] = {role: [] for role in CLASS_OF}
    time = np.arange(int(1.5 * RATE)) / RATE
    for _ in range(count):
        fall = [rng.uniform(38, 65), *rng.uniform((90, 75, 60, 50), (220, 160, 130, 100))]
        for role, low in zip(("kick", "tom1", "tom2", "tom3", "tom4"), fall, strict=True):
            source[role].append({124: _falling(time, low, rng)})
        tone = sum(np.sin(2 * np.pi * f * time) for f in (rng.uniform(150, 240), rng.uniform(260, 400)))
        tone = tone * np.exp(-time / rng.uniform(0.02, 0.08)) * rng.uniform(0.1, 0.7)
        snare = tone + _noise(time, rng, rng.uniform(300, 1500), rng.uniform(5000, 14000), rng.uniform(0.03, 0.15))
        source["snare"].append({124: snare.astype(np.float32)})
        low = rng.uniform(4000, 9000)
        for role, lasts in (
            ("closed", (0.01, 0.05)),
            ("open", (0.1, 0.4)),
            ("crash", (0.4, 1.0)),
            ("ride", (0.3, 0.8)),
        ):
            below = low if role in ("closed", "open") else rng.uniform(800, 4000)
            metal = _noise(time, rng, below, 20000, rng.uniform(*lasts))
            if role == "ride":
                metal += 2 * np.exp(-time / 0.02) * np.sin(2 * np.pi * rng.uniform(2500, 5500) * time)
            source[role].append({124: metal.astype(np.float32)})
        source["bell"].append(source["ride"][-1])
        source["pedal"].append(source["closed"][-1])
        source["rim"].append({124: tone.astype(np.float32)})
    return source


def _falling(time: NDArray[np.float64], low: float, rng: np.random.Generator) -> Floats:
    lasts, depth = rng.uniform(0.006, 0.04), rng.uniform(0.3, 3) * low
    phase = 2 * np.pi * (low * time + depth * lasts * (1 - np.exp(-time / lasts)))
    click = rng.standard_normal(len(time)) * np.exp(-time / 0.002) * rng.uniform(0, 0.15)
    return (np.sin(phase) * np.exp(-time / rng.uniform(0.06, 0.3)) + click).astype(np.float32)


def _noise(time: NDArray[np.float64], rng: np.random.Generator, low: float, high: float, lasts: float) -> Floats:
    """Noise between two frequencies that dies."""
    spectrum = np.fft.rfft(rng.standard_normal(len(time)))
    frequency = np.maximum(np.fft.rfftfreq(len(time), 1 / RATE), 1)
    inside = np.minimum(np.log2(frequency / low), np.log2(high / frequency))
    return (np.fft.irfft(spectrum * np.clip(2 * inside + 1, 0, 1), len(time)) * np.exp(-time / lasts)).astype(
        np.float32
    )


# ---------------------------------------------------------------- examples


def examples(sources: Mapping[str, Source], seeds: Iterable[int]) -> tuple[Floats, Floats]:
    """Features of all strokes of some recordings, and how hard each class is struck: 0 to 1, 0 where it is not."""
    rows, truth = [], []
    for seed in seeds:
        sound, struck = recording(sources, seed)
        strokes = find_strokes(Audio(sound[None], RATE))
        if len(strokes.frames) == 0:
            continue
        wanted = np.zeros((len(strokes.frames), len(CLASSES)), np.float32)
        for at, label, velocity in struck:
            nearest = int(np.argmin(np.abs(strokes.times - at)))
            if abs(strokes.times[nearest] - at) < NEAR:
                wanted[nearest, CLASSES.index(label)] = velocity / 127
        rows.append(strokes.features.astype(np.float16))
        truth.append(wanted)
    return np.concatenate(rows), np.concatenate(truth)


def templates(sources: Mapping[str, Source], n_kits: int = 60) -> tuple[Floats, NDArray[np.int8]]:
    """Templates ``(templates, TAPS, bands)`` and the class of each: clusters of single strokes."""
    seen: dict[str, list[Floats]] = {label: [] for label in CLASSES}
    for seed in range(n_kits):
        rng = np.random.default_rng(77000 + seed)
        kit, sound = draw_kit(sources, rng), np.zeros(10 * RATE)
        starts = {role: 0.2 + 0.6 * i for i, role in enumerate(CLASS_OF)}
        for role, at in starts.items():
            stroke = kit[role].struck(int(rng.choice([60, 90, 110])), 25, rng)[: RATE // 2]
            fade = np.minimum(1, np.arange(len(stroke), 0, -1) / 2000)
            sound[int(at * RATE) :][: len(stroke)] += stroke * fade
        strokes = find_strokes(Audio(produced(sound, rng)[None], RATE))
        for role, at in starts.items():
            nearest = int(np.argmin(np.abs(strokes.times - at)))
            if abs(strokes.times[nearest] - at) < 0.03:
                frames = strokes.frames[nearest] + np.arange(-LEAD, TAPS - LEAD)
                window = np.sqrt(strokes.powers[np.clip(frames, 0, len(strokes.powers) - 1)])
                seen[CLASS_OF[role]].append(window / window.sum())
    found = {label: _clusters(np.stack(windows), CLUSTERS[label]) for label, windows in seen.items()}
    owners = [CLASSES.index(label) for label, means in found.items() for _ in means]
    return np.concatenate(list(found.values())), np.array(owners, np.int8)


def _clusters(windows: Floats, count: int) -> Floats:
    """Means of clusters by Lloyd's algorithm, on square roots; begins far apart."""
    points = np.sqrt(windows).reshape(len(windows), -1)
    centres = [points.mean(axis=0)]
    while len(centres) <= count:
        centres.append(points[np.argmax(np.min([np.square(points - c).sum(axis=1) for c in centres], axis=0))])
    means = np.stack(centres[1:])
    for _ in range(30):
        nearest = np.argmin(np.square(points[:, None] - means[None]).sum(axis=2), axis=1)
        means = np.stack(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else means[k] for k in range(count)]
        )
    return np.stack([windows[nearest == k].mean(axis=0) for k in range(count) if (nearest == k).any()])


# ---------------------------------------------------------------- networks


def learn(rows: Floats, truth: Floats, seed: int, forces: bool = False) -> tuple[list[Floats], list[Floats]]:
    """Weights and biases of a network: Adam with a falling rate, a fifth of the units left out, noise on the inputs.

    Its outputs are log odds of being struck, or with ``forces`` how hard what is struck is struck.
    """
    rng = np.random.default_rng(seed)
    sizes = [rows.shape[1], *(FORCE_HIDDEN if forces else HIDDEN), truth.shape[1]]
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairwise(sizes)]
    weights[-1] *= 0.1
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    moving = weights + biases
    first, second = ([np.zeros_like(each) for each in moving] for _ in range(2))
    batch, steps, done = 512, EPOCHS * (len(rows) // 512), 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(rows))
        for begin in range(0, len(rows) - batch + 1, batch):
            chosen = order[begin : begin + batch]
            inputs = rows[chosen] + 0.1 * rng.standard_normal((batch, rows.shape[1]), np.float32)
            slopes = _slopes(weights, biases, inputs, truth[chosen], rng, loss=_misses if forces else _doubts)
            done += 1
            rate = 2e-3 * min(1, done / 200) * 0.5 * (1 + np.cos(np.pi * done / steps))
            for each, slope, mean, square in zip(moving, slopes, first, second, strict=True):
                mean += 0.1 * (slope - mean)
                square += 0.001 * (slope * slope - square)
                step = mean / (1 - 0.9**done) / (np.sqrt(square / (1 - 0.999**done)) + 1e-8)
                each -= rate * (step + (1e-3 * each if each.ndim == 2 else 0))
    return weights, biases


def _doubts(odds: Floats, truth: Floats) -> Floats:
    """Slope of the cross entropy."""
    return 1 / (1 + np.exp(-np.clip(odds, -30, 30))) - (truth > 0)


def _misses(forces: Floats, truth: Floats) -> Floats:
    """Slope of the squared error where something is struck."""
    return np.float32(4) * (forces - truth) * (truth > 0)


def _slopes(
    weights: list[Floats],
    biases: list[Floats],
    inputs: Floats,
    truth: Floats,
    rng: np.random.Generator,
    *,
    loss: Callable[[Floats, Floats], Floats],
) -> list[Floats]:
    """Slopes of a loss, with a fifth of the hidden units dropped."""
    values, masks = [inputs], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        now = np.maximum(values[-1] @ weight + bias, 0)
        masks.append((rng.random(now.shape, np.float32) > 0.2) / np.float32(0.8))
        values.append(now * masks[-1])
    slope = loss(values[-1] @ weights[-1] + biases[-1], truth) / np.float32(len(truth))
    on_weights, on_biases = [], []
    for layer in range(len(weights) - 1, -1, -1):
        on_weights.insert(0, values[layer].T @ slope)
        on_biases.insert(0, slope.sum(axis=0))
        if layer:
            slope = (slope @ weights[layer].T) * masks[layer - 1] * (values[layer] > 0)
    return on_weights + on_biases


# ---------------------------------------------------------------- the whole


_SHARED: list[object] = []  # what worker processes inherit


def _share(*values: object) -> None:
    _SHARED[:] = values


def _examples(seeds: Iterable[int]) -> tuple[Floats, Floats]:
    return examples(*_SHARED, seeds)  # type: ignore[arg-type]


def _learn(seed: int) -> tuple[list[Floats], list[Floats]]:
    return learn(*_SHARED, seed)  # type: ignore[arg-type]


def lessons(sources: Mapping[str, Source], n_recordings: int, workers: int) -> tuple[Floats, Floats]:
    """Features and forces of all strokes of so many recordings."""
    parts = [range(begin, n_recordings, 40) for begin in range(min(40, n_recordings))]
    with ProcessPoolExecutor(workers, initializer=_share, initargs=(sources,)) as pool:
        found = list(pool.map(_examples, parts))
    rows, truth = (np.concatenate(each).astype(np.float32) for each in zip(*found, strict=True))
    print(len(rows), "strokes, of which", dict(zip(CLASSES, (truth > 0).mean(axis=0).round(3), strict=True)))  # noqa: T201
    return rows, truth


def make(sources: Mapping[str, Source], out: str, n_recordings: int, n_networks: int, workers: int) -> None:
    """Learn from these sources and write the file."""
    rows, truth = lessons(sources, n_recordings, workers)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + np.float32(1e-3)
    rows = (rows - mean) / deviation
    with ProcessPoolExecutor(workers, initializer=_share, initargs=(rows, truth)) as pool:
        networks = list(pool.map(_learn, range(n_networks)))
    patterns, owners = templates(sources)
    scaled = patterns / patterns.max(axis=(1, 2), keepdims=True)
    arrays = {"mean": mean, "deviation": deviation, "templates": scaled.astype(np.float16), "owners": owners}
    arrays |= _layers("", networks) | _layers("force_", [learn(rows, truth, n_networks, forces=True)])
    _write(out, arrays)


def add_forces(sources: Mapping[str, Source], out: str, n_recordings: int, workers: int) -> None:
    """Learn only how hard strokes are, for a file that is there."""
    arrays, _ = read_npz(out, "what drums sound like")
    rows, truth = lessons(sources, n_recordings, workers)
    rows = (rows - arrays["mean"]) / arrays["deviation"]
    kept = {name: array for name, array in arrays.items() if not name.startswith("force")}
    _write(out, kept | _layers("force_", [learn(rows, truth, 0, forces=True)]))


def _layers(prefix: str, networks: list[tuple[list[Floats], list[Floats]]]) -> dict[str, NDArray[np.floating]]:
    """Arrays of networks by name."""
    arrays = {}
    for layer in range(len(HIDDEN) + 1):
        arrays[f"{prefix}weights_{layer}"] = np.stack([weights[layer] for weights, _ in networks]).astype(np.float16)
        arrays[f"{prefix}biases_{layer}"] = np.stack([biases[layer] for _, biases in networks])
    return arrays


def _write(out: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    write_npz(out, arrays, {"format": "unweave drums", "version": 1, "classes": list(CLASSES)})
    print(out, Path(out).stat().st_size, "bytes")  # noqa: T201


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--font", action="append", default=[], help="a sound font; as often as needed")
    parser.add_argument("--programs", action="append", default=[], help="its kits: 0,8,16; once for each font")
    parser.add_argument("--samples", type=Path, help="folder of Sonic Pi's samples")
    parser.add_argument("--recordings", type=int, default=2400)
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--forces", action="store_true", help="learn only how hard strokes are, into a file that is there"
    )
    given = parser.parse_args()
    sources: dict[str, Source] = {f"machines {seed}": machine_source(seed) for seed in (1, 2, 3)}
    for font, programs in zip(given.font, given.programs, strict=True):
        for program in programs.split(","):
            sources[f"{Path(font).stem} {program}"] = font_source(font, int(program))
    if given.samples:
        sources["samples"] = sample_source(given.samples)
    if given.forces:
        add_forces(sources, given.out, given.recordings, given.workers)
    else:
        make(sources, given.out, given.recordings, given.networks, given.workers)


if __name__ == "__main__":
    main()
