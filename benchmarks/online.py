"""Time and memory against length: `unweave.online.learn` beside `unweave.nmf`, and a whole recording from its file.

`python benchmarks/quality.py hours`, or `python benchmarks/online.py [MINUTES …]`. Every figure is of a process of its
own, whose peak memory is above that of having imported everything. Not on Windows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

import unweave as uw
from clock import peak
from page import machine, table
from unweave.audio import AudioWriter, read_blocks
from unweave.decomposition import magnitudes
from unweave.longform import frame_blocks, learn_dictionary
from unweave.nmf import iterate
from unweave.online import OnlineNMF, learn
from unweave.rules import Multiplicative
from unweave.synthesis import drum_loop

RATE, COUNT, ITERATIONS = 22050, 8, 10
MINUTES = (1.0, 10.0, 60.0)

TEXT = f"""`unweave.online` beside `unweave.nmf`. {RATE} Hz mono, 2048 / 512, {COUNT} components, Kullback-Leibler:
time, and peak memory above the imports, each of a process of its own.

{{table}}"""


def record(path: Path, minutes: float) -> None:
    """Write a drum loop again and again, each time at another level, with some noise."""
    loop, rng = drum_loop(sample_rate=RATE)["mix"].samples[:1], np.random.default_rng(0)
    n_samples, at = int(RATE * 60 * minutes), 0
    with AudioWriter(path, RATE, 1, n_samples) as writer:
        while at < n_samples:
            block = loop[:, : n_samples - at] * np.float32(rng.uniform(0.5, 1))
            writer.write(block + 1e-3 * rng.standard_normal(block.shape).astype(np.float32))
            at += block.shape[1]


def batch(path: str) -> float:
    """Seconds of an iteration with V in memory, the start not counted."""
    V = magnitudes(uw.load(path), uw.STFT())
    rng = np.random.default_rng(0)
    states = iterate(V, rng.random((V.shape[0], COUNT)), rng.random((COUNT, V.shape[1])), Multiplicative())
    next(states), next(states)
    begin = time.perf_counter()
    for _ in range(ITERATIONS):
        next(states)
    return (time.perf_counter() - begin) / ITERATIONS


def pass_of(blocks: Callable[[], Iterator[np.ndarray]]) -> float:
    """Seconds of a pass of `learn`: the median time from one request for all blocks to the next."""
    calls: list[float] = []

    def watched() -> Iterator[np.ndarray]:
        calls.append(time.perf_counter())
        return blocks()

    learn(watched, COUNT, max_iter=ITERATIONS, tol=0)
    return float(np.median(np.diff(calls)[2:]))  # not the survey, nor the pass in which activations begin


def again(path: str) -> float:
    """The same with V made from the file in every pass."""

    def blocks() -> Iterator[np.ndarray]:
        return (np.abs(block.values[0]).T for block in frame_blocks(read_blocks(path), uw.STFT()))

    return pass_of(blocks)


def mapped(path: str) -> float:
    """The same with V in a memory-mapped file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "v")
        with file.open("wb") as sink:
            for block in frame_blocks(read_blocks(path), uw.STFT()):
                np.abs(block.values[0]).tofile(sink)
        V = np.memmap(file, np.float32, "r").reshape(-1, uw.STFT().n_bins).T
        return pass_of(lambda: (V[:, at : at + 1024] for at in range(0, V.shape[1], 1024)))


def whole(path: str) -> float:
    """Seconds of `learn_dictionary`, start to end."""
    begin = time.perf_counter()
    learn_dictionary(path, COUNT)
    return time.perf_counter() - begin


def stream(path: str) -> float:
    """Seconds of `OnlineNMF` over the whole recording, transform included."""
    begin, model = time.perf_counter(), OnlineNMF(COUNT)
    for block in frame_blocks(read_blocks(path), uw.STFT()):
        model.partial_fit(np.abs(block.values[0]).T)
    return time.perf_counter() - begin


TASKS = {
    "`nmf`, an iteration of multiplicative updates": batch,
    "`learn`, a pass, memory-mapped": mapped,
    "`learn`, a pass, from the sound": again,
    "`learn_dictionary`, all of it": whole,
    "`OnlineNMF`, all of it": stream,
}


def measure(task: str, path: Path) -> tuple[float, float]:
    """Seconds and megabytes of a task in a process of its own."""
    line = [sys.executable, __file__, "--task", task, str(path)]
    seconds, megabytes = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    return seconds, megabytes


def hours(quick: bool = False, hour: bool = True, minutes: Sequence[float] = ()) -> str:
    """Time and memory against length, as Markdown."""
    lengths = tuple(minutes) or ((0.05,) if quick else MINUTES if hour else MINUTES[:-1])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {length: Path(folder, f"{length:g}.wav") for length in lengths}
        for length, path in paths.items():
            record(path, length)
        for task in list(TASKS)[-1:] if quick else TASKS:
            found = [measure(task, path) for path in paths.values()]
            rows.append((task, *(f"{seconds:.3g} s, {megabytes:.0f} MB" for seconds, megabytes in found)))
    return TEXT.format(table=table(("", *(f"{length:g} min" for length in lengths)), rows))


def main() -> None:
    """Do one task in this process, or all of them in processes of their own."""
    if sys.argv[1:2] == ["--task"]:
        before = peak()
        seconds = TASKS[sys.argv[2]](sys.argv[3])
        print(json.dumps((seconds, peak() - before)))
        return
    print(hours(minutes=[float(word) for word in sys.argv[1:]]))
    print(f"\nMeasured on: {machine()}.")


if __name__ == "__main__":
    main()
