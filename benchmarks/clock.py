"""Seconds and megabytes: of tasks taken in turn, and of whole processes.

A comparison is the ratio of two medians taken in turn (ours, theirs, ours, …), so that a machine whose speed drifts is
unfair to nobody.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

Key = TypeVar("Key")

_LAUNCHER = Path(__file__).with_name("launch.py")

_rest = 0.3
"""Seconds before each turn: threads of a library go on spinning for a while after its work, on who comes next."""


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    megabytes: float


def hurry() -> None:
    """Take no rests from now on, in this process: nobody reads the figures of a quick run."""
    global _rest  # noqa: PLW0603 - one number for the process, as its command line is
    _rest = 0.0


def in_turn(tasks: Mapping[Key, Callable[[], object]], repeats: int = 5, *, warm: bool = False) -> dict[Key, float]:
    """Median seconds of each task, the tasks taken in turn, after one warm-up unless they are ``warm``."""
    times: dict[Key, list[float]] = {name: [] for name in tasks}
    for turn, (name, task) in itertools.product(range(warm, repeats + 1), tasks.items()):
        time.sleep(_rest)
        begin = time.perf_counter()
        task()
        if turn:
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def once(task: Callable[[], object]) -> float:
    """Seconds of a task."""
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


def process(command: Sequence[str]) -> Cost:
    """Seconds from start to exit, and peak memory, of a process and whatever it starts."""
    line = [sys.executable, "-S", str(_LAUNCHER), *command]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    seconds, megabytes = json.loads(done.stdout)
    return Cost(seconds, megabytes)


def unweave_process(*arguments: object) -> Cost:
    """The same of a command of ours."""
    return process([sys.executable, "-m", "unweave", *map(str, arguments)])


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The median time, and the most memory."""
    return Cost(statistics.median(cost.seconds for cost in costs), max(cost.megabytes for cost in costs))


def peak() -> float:
    """Peak memory of this process so far, in megabytes.

    Linux begins to count ``ru_maxrss`` at what the process had that started this one, so its own account is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def sgemm(size: int) -> tuple[Callable[[], object], float]:
    """A large product of float32 matrices with all threads of the matrix library, and its floating-point operations."""
    A, B = np.random.default_rng(0).random((2, size, size), np.float32)
    out = np.empty_like(A)
    return lambda: np.matmul(A, B, out=out), 2.0 * size**3
