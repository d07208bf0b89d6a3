"""Speed beside peers, in one run on one input: `make bench`.

Figures are medians of several runs; a comparison is the ratio of two medians taken in turn (ours, theirs, ours, …),
so that a machine whose speed drifts is unfair to nobody.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import unweave as uw
from page import SHARED, machine, table, version, write
from unweave.nmf import iterate
from unweave.rules import Multiplicative
from unweave.synthesis import drum_loop

ITERATIONS = 20

PAGE = """# Speed

Written by `make bench`; nobody types figures here.

## Whole processes

{processes}

## One iteration

Kullback-Leibler, both factors, float32, the same start: {n} iterations and what comes before and after them, over {n}.

{iterations}

Measured on: {machine}
"""


def in_turn(tasks: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Median seconds of each task, the tasks taken in turn after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            begin = time.perf_counter()
            task()
            if turn:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def processes(recording: Path) -> str:
    """Whole processes, from start to exit."""
    with tempfile.TemporaryDirectory() as folder:
        decompose = ["-m", "unweave", "decompose", str(recording), "-k", "3", "--overwrite", "--quiet"]
        commands = {
            f"unweave decompose {recording.name} -k 3 --no-pictures": [
                *decompose,
                "--no-pictures",
                "--out",
                f"{folder}/a",
            ],
            f"unweave decompose {recording.name} -k 3": [*decompose, "--out", f"{folder}/b"],
            "unweave --help": ["-m", "unweave", "--help"],
            "python -c 'import unweave'": ["-c", "import unweave"],
            "python -c 'import numpy, scipy.fft'": ["-c", "import numpy, scipy.fft"],
        }
        found = in_turn({name: partial(_process, line) for name, line in commands.items()})
    rows = [(f"`{name}`", f"{seconds:.2f} s") for name, seconds in found.items()]
    duration = uw.load(recording).duration
    return f"The recording lasts {duration:.1f} s.\n\n" + table(("process", "median of 5"), rows)


def _process(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def iterations() -> str:
    """One KL iteration (both factors) against scikit-learn's, from the same start, V float32."""
    rows = []
    for n_bins, n_frames, count in ((513, 900, 3), (1025, 12920, 8), (1025, 12920, 64)):
        rng = np.random.default_rng(0)
        V = rng.gamma(0.5, 1.0, (n_bins, n_frames)).astype(np.float32)
        W, H = rng.random((n_bins, count), np.float32), rng.random((count, n_frames), np.float32)
        tasks: dict[str, Callable[[], object]] = {
            "ours": lambda V=V, W=W, H=H: next(itertools.islice(iterate(V, W, H), ITERATIONS, None)),
            "plain": lambda V=V, W=W, H=H: next(itertools.islice(iterate(V, W, H, Multiplicative()), ITERATIONS, None)),
        }
        if version("scikit-learn") != "–":
            tasks["sklearn"] = lambda V=V, W=W, H=H: _scikit_learn(V, W, H)
        found = {name: 1e3 * seconds / ITERATIONS for name, seconds in in_turn(tasks, 3).items()}
        theirs = found.get("sklearn")
        rows.append(
            (
                f"{n_bins} × {n_frames}, {count}",
                f"{found['plain']:.2f} ms",
                f"{found['ours']:.2f} ms",
                f"{theirs:.2f} ms" if theirs else "not installed",
                f"{theirs / found['ours']:.1f}" if theirs else "–",
            )
        )
    return table(("V, components", "multiplicative", "extrapolated (default)", "scikit-learn", "ratio"), rows)


def _scikit_learn(V: np.ndarray, W: np.ndarray, H: np.ndarray) -> None:
    from sklearn.decomposition import NMF

    model = NMF(W.shape[1], init="custom", solver="mu", beta_loss=1, max_iter=ITERATIONS, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit_transform(V, W=W.copy(), H=H.copy())


def main() -> None:
    """Measure, print and write docs/bench.md."""
    with tempfile.TemporaryDirectory() as folder:
        recording = SHARED / "data" / "drums_1" / "mix.flac"
        if not recording.exists():
            recording = Path(folder) / "loop.flac"
            uw.save(recording, drum_loop()["mix"], gain=0.9)
        text = processes(recording)
    write("bench.md", PAGE.format(processes=text, iterations=iterations(), n=ITERATIONS, machine=machine()))


if __name__ == "__main__":
    main()
