"""What a hop of a stream costs: `NMFFilter` and `NMFMatch` at 44.1 kHz, one block of a hop after the other.

    python benchmarks/live.py

Prints a Markdown table. Every block is timed by itself, by the clock on the wall and by that of the processor, which
stands still while other programs run; the first is what a sound card waits for, the second what is ours. Of three
streams the one counts that other programs have disturbed least. The memory that Python has taken between the first and
the last hop is measured in a stream of its own, for the measuring costs time.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import unweave as uw
from page import machine, table
from unweave.matching import NMFMatch
from unweave.streaming import NMFFilter
from unweave.threads import single_blas

RATE, WINDOW, HOP, COMPONENTS, SECONDS = 44100, 1024, 128, 8, 5.0
GROWTH_SECONDS, WARM_HOPS, RUNS = 20.0, 200, 3

Machine = NMFFilter | NMFMatch


def noise(seconds: float) -> np.ndarray:
    """Noise with a level that moves, ``(1, n)``."""
    count = int(RATE * seconds)
    level = 0.1 * (1.1 + np.sin(np.arange(count) * (2 * np.pi * 3 / RATE)))
    return (level * np.random.default_rng(0).standard_normal(count)).astype(np.float32)[None]


def bases() -> np.ndarray:
    """Eight spectra with peaks, ``(bins, components)``."""
    return np.random.default_rng(1).gamma(0.3, 1.0, (WINDOW // 2 + 1, COMPONENTS))


def times(stream: Machine, seconds: float = SECONDS) -> np.ndarray:
    """Microseconds of every hop, ``(2, hops)``: by the wall, and of this thread's processor."""
    sound = noise(seconds)
    blocks = [sound[:, at : at + HOP] for at in range(0, sound.shape[1] - HOP + 1, HOP)]
    spent = np.empty((2, len(blocks)))
    wall, own = time.perf_counter, time.thread_time
    gc.collect()
    with single_blas():
        for place, block in enumerate(blocks):
            begin = wall(), own()
            stream.process(block)
            spent[:, place] = wall() - begin[0], own() - begin[1]
    return 1e6 * spent[:, WARM_HOPS:]


def growth(stream: Machine, seconds: float = GROWTH_SECONDS) -> float:
    """Kilobytes that are held after so many seconds of stream and were not held at their beginning."""
    sound = noise(1.0)
    hops = sound.shape[1] // HOP
    tracemalloc.start()
    try:
        held = 0
        for count in range(int(seconds * RATE / HOP)):
            at = count % hops * HOP
            stream.process(sound[:, at : at + HOP])
            if count == WARM_HOPS:
                gc.collect()
                held = tracemalloc.get_traced_memory()[0]
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - held) / 1024
    finally:
        tracemalloc.stop()


def live() -> str:
    """Median, 99.9th percentile and growth of memory, as a Markdown table."""
    stft, budget = uw.STFT(WINDOW, HOP), 1e6 * HOP / RATE
    makers: dict[str, Callable[[], Machine]] = {
        "`NMFFilter`": lambda: NMFFilter(bases(), stft=stft),
        "`NMFFilter`, all bases learn": lambda: NMFFilter(bases(), stft=stft, learn_bases=True),
        "`NMFMatch`": lambda: NMFMatch(bases(), stft=stft),
    }
    rows = []
    for name, make in makers.items():
        wall, own = min((times(make()) for _ in range(RUNS)), key=lambda spent: float(np.percentile(spent[0], 99.9)))
        figures = (np.median(wall), np.percentile(wall, 99.9), np.percentile(own, 99.9))
        cells = (f"{figure:.0f} µs ({100 * figure / budget:.1f} %)" for figure in figures)
        rows.append((name, *cells, f"{growth(make()):.1f} kB"))
    head = (
        "a hop",
        "median",
        "99.9th percentile",
        "99.9th, processor time",
        f"memory grown in {GROWTH_SECONDS:g} s",
    )
    return (
        f"{RATE} Hz mono, window {WINDOW}, hop {HOP} ({budget:.0f} µs), {COMPONENTS} components, 10 iterations, one "
        f"thread; in brackets the share of the hop's time.\n\n{table(head, rows)}"
    )


if __name__ == "__main__":
    print(live())
    print(f"\nMeasured on: {machine()}")
