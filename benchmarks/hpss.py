"""Harmonic and percussive parts: time against the length of the medians, beside librosa where it is installed.

    python benchmarks/hpss.py

A minute of a drum loop under a chord at 44100 Hz, one channel, the default transform; median of three runs, taken in
turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from page import machine, table
from unweave import Audio
from unweave.hpss import hpss
from unweave.synthesis import drum_loop

RATE, SECONDS = 44100, 60
SIZES = (17, 31, 65, 129, 257)
SLOW = 65
"""librosa takes minutes for longer medians than this."""


def sound() -> Audio:
    """A minute of drums and a chord."""
    time_ = np.arange(RATE * SECONDS) / RATE
    chord = sum(0.05 * np.sin(2 * np.pi * f * time_) for f in (220, 277.2, 329.6))
    drums = np.resize(drum_loop(sample_rate=RATE)["mix"].samples[0], time_.size)
    return Audio(0.5 * drums + chord, RATE)


def theirs(audio: Audio, size: int) -> None:
    """The same with librosa, from samples to samples."""
    import librosa

    for part in librosa.decompose.hpss(librosa.stft(audio.samples[0]), kernel_size=size):
        librosa.istft(part, length=audio.n_samples)


def has_librosa() -> bool:
    """Whether there is anything to compare with."""
    try:
        import librosa  # noqa: F401
    except ImportError:
        return False
    return True


def measured(task: Callable[[], object], repeats: int = 3) -> float:
    """Median seconds."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        task()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def speed() -> str:
    """A markdown table: seconds for each length of both medians."""
    audio, compare, rows = sound(), has_librosa(), []
    start = Audio(audio.samples[:, :RATE], RATE)
    hpss(start)  # loads what it needs
    if compare:
        theirs(start, SIZES[0])
    for size in SIZES:
        ours = measured(lambda size=size: hpss(audio, harmonic_size=size, percussive_size=size))
        row = [str(size), f"{ours:.2f} s", f"{SECONDS / ours:.0f} times"]
        if compare:
            other = measured(lambda size=size: theirs(audio, size), 1) if size <= SLOW else None
            row += ["", ""] if other is None else [f"{other:.1f} s", f"{other / ours:.0f} times"]
        rows.append(row)
    heads = ["frames and bins", "unweave.hpss", "real time", *(["librosa", "ratio"] if compare else [])]
    return table(heads, rows)


if __name__ == "__main__":
    print(speed())
    print(f"\nMeasured on: {machine()}")
