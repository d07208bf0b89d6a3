"""Mosaics: time for ten seconds onto ten seconds, and how near they come to what they imitate.

    python benchmarks/crossing.py

Two recordings are played with each other's frames; where they are absent, a drum loop and a scale stand for them.
Processor time counts all threads. FluCoMa's program, version 1.0.9, took 13.8 s of it for ten seconds onto ten seconds
at 44.1 kHz with the same settings, in one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import unweave as uw
from page import SHARED, machine, table
from unweave.audio import resample
from unweave.cross import CROSS_STFT, cross
from unweave.synthesis import drum_loop
from unweave.threads import limit

RATE, SECONDS, REPEATS = 44100, 10, 3
FLUCOMA_SECONDS = 13.8
NAMES = ("conga_groove", "prelude_cmaj", "simple_piano")

Floats = NDArray[np.float64]


def sounds() -> dict[str, uw.Audio]:
    """Recordings by name, mono."""
    found = {name: SHARED / "audio" / f"{name}.wav" for name in NAMES}
    if all(path.exists() for path in found.values()):
        return {name: uw.load(path) for name, path in found.items()}
    t = np.arange(RATE // 2) / RATE
    notes = [np.sin(2 * np.pi * 220 * 2 ** (step / 12) * t) * np.exp(-4 * t) for step in range(12)]
    return {"drum loop": drum_loop()["mix"], "scale": uw.Audio(0.3 * np.concatenate(notes), RATE)}


def lasting(sound: uw.Audio, seconds: float) -> uw.Audio:
    """A sound again and again until it lasts so long, at 44.1 kHz; at falling levels, so that no frame comes twice."""
    samples, count = resample(sound, RATE).samples[0], round(seconds * RATE)
    turns = -(-count // samples.size)
    levels = np.linspace(1, 0.7, turns, dtype=np.float32)
    return uw.Audio(np.concatenate([samples * level for level in levels])[:count], RATE)


def cost(task: Callable[[], object]) -> tuple[float, float]:
    """Median seconds that pass, and median seconds of the processors, after one warm-up."""
    times = []
    for _ in range(REPEATS + 1):
        wall, processors = time.perf_counter(), time.process_time()
        task()
        times.append((time.perf_counter() - wall, time.process_time() - processors))
    walls, totals = zip(*times[1:], strict=True)
    return statistics.median(walls), statistics.median(totals)


def speed() -> str:
    """Time for ten seconds onto ten seconds, and for twice as much of either."""
    material = list(sounds().values())
    rows = []
    for source_seconds, target_seconds, threads in (
        (SECONDS, SECONDS, 1),
        (SECONDS, SECONDS, 2),
        (2 * SECONDS, SECONDS, 1),
        (SECONDS, 2 * SECONDS, 1),
    ):
        source, target = lasting(material[0], source_seconds), lasting(material[1], target_seconds)
        with limit(threads):
            wall, processors = cost(lambda source=source, target=target: cross(source, target))
        same = source_seconds == target_seconds == SECONDS
        ratio = f"{FLUCOMA_SECONDS / processors:.1f}" if same else ""
        rows.append(
            (f"{source_seconds} s onto {target_seconds} s", threads, f"{wall:.2f} s", f"{processors:.2f} s", ratio)
        )
    return table(("sounds", "threads", "time", "processor time", f"FluCoMa's {FLUCOMA_SECONDS} s over it"), rows)


def nearness() -> str:
    """Divergence from the target, of mosaics and of the same frames in a random order at the right levels."""
    rows = []
    material = sounds()
    for source_name, source in material.items():
        for target_name, target in material.items():
            if source_name != target_name:
                wanted, frames = loudness(resample(target, source.sample_rate)), loudness(source)
                found = [loudness(cross(source, target, ramp=ramp)) for ramp in ("paper", "last")]
                chance = at_levels(shuffled(frames, wanted.shape[1]), wanted)
                figures = [f"{divergence(each, wanted):.2f}" for each in (*found, chance)]
                rows.append((source_name, target_name, *figures))
    return table(("source", "target", "mosaic", 'mosaic, ramp="last"', "random order"), rows)


def loudness(sound: uw.Audio) -> Floats:
    """Magnitudes ``(bins, frames)``, the root mean square over channels."""
    return np.sqrt(uw.stft(sound, CROSS_STFT).power.astype(np.float64).mean(axis=0))


def shuffled(frames: Floats, count: int) -> Floats:
    """So many frames drawn at random from those that sound."""
    heard = np.flatnonzero(frames.sum(axis=0) > 0)
    return frames[:, heard[np.random.default_rng(0).integers(0, heard.size, count)]]


def at_levels(frames: Floats, wanted: Floats) -> Floats:
    """Frames with the sums of those that are wanted."""
    return frames * (wanted.sum(axis=0) / frames.sum(axis=0))


def divergence(found: Floats, wanted: Floats) -> float:
    """Kullback-Leibler after the levels are fitted, relative to the sum of what is wanted."""
    found, floor = found * (wanted.sum() / found.sum()), 1e-6 * wanted.mean()
    return float((wanted * np.log((wanted + floor) / (found + floor)) - wanted + found).sum() / wanted.sum())


def measure() -> str:
    """Both tables, as a section of a page."""
    return (
        f"Transform {CROSS_STFT.n_fft} / {CROSS_STFT.hop_length} at {RATE / 1000} kHz, 50 iterations and 50 of "
        f"Griffin-Lim, medians of {REPEATS}.\n\n{speed()}\n\n"
        "Kullback-Leibler divergence from the target, relative to the sum of its magnitudes; frames in a random order "
        f"have the level of every frame of the target for nothing.\n\n{nearness()}"
    )


if __name__ == "__main__":
    print(measure())
    print(f"\nMeasured on: {machine()}")
