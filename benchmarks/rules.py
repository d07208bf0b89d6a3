"""Update rules beside each other, and beside scikit-learn's coordinate descent: `python benchmarks/rules.py`.

Time and iterations from the same start to the same divergence, over seeds and real recordings, V float32. First each
rule is watched to see how many iterations it needs; then a run of just so many is timed without looking, the rules
taken in turn. A figure is the median over seeds.
"""

from __future__ import annotations

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np

import unweave as uw
from page import SHARED, machine, table, version
from unweave.decomposition import magnitudes
from unweave.divergence import ITAKURA_SAITO, beta_divergence
from unweave.initialize import random_start
from unweave.nmf import iterate
from unweave.rules import RULES, Multiplicative, Rule

RECORDINGS = ("audio/prelude_cmaj.wav", "data/drums_1/mix.flac", "data/song_0/mix.flac")
SECONDS = 6.0
COUNTS = (8, 64)
CASES = ((2.0, 8), (2.0, 64), (1.0, 8), (ITAKURA_SAITO, 8))  # β, components
SEEDS = 5
TARGET = 200  # plain iterations, whose divergence is to be reached
MOST = 600  # iterations after which a rule is said not to have reached it

Start = tuple[np.ndarray, np.ndarray]


def recordings() -> dict[str, np.ndarray]:
    """Magnitudes of real recordings, where they are to be had; else of noise."""
    found = {
        name: magnitudes(uw.load(SHARED / name, duration=SECONDS), uw.STFT(2048, 512))
        for name in RECORDINGS
        if (SHARED / name).exists()
    }
    return found or {"noise": np.random.default_rng(0).gamma(0.5, 1.0, (1025, 400)).astype(np.float32)}


def iterations_to(target: float, V: np.ndarray, start: Start, rule: Rule, beta: float) -> int | None:
    """How many iterations a rule needs to a divergence; None where `MOST` are too few."""
    for state in itertools.islice(iterate(V, *start, rule, beta=beta), MOST + 1):
        if state.divergence() <= target:
            return state.iteration
    return None


def seconds_of(tasks: dict[str, Callable[[], object]], repeats: int = 3) -> dict[str, float]:
    """Median seconds of each task, the tasks taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _, (name, task) in itertools.product(range(repeats), tasks.items()):
        begin = time.perf_counter()
        task()
        times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def _run(V: np.ndarray, start: Start, rule: Rule, beta: float, n: int) -> Callable[[], object]:
    return lambda: next(itertools.islice(iterate(V, *start, rule, beta=beta), n, None))


def _coordinate_descent(V: np.ndarray, start: Start) -> Callable[[], np.ndarray]:
    from sklearn.decomposition import NMF

    model = NMF(start[0].shape[1], init="custom", solver="cd")

    def run() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bases = model.fit_transform(V, W=start[0].copy(), H=start[1].copy())
        return np.asarray(bases @ model.components_)

    return run


def _starts(V: np.ndarray, count: int) -> list[Start]:
    return [random_start(V, count, np.random.default_rng(seed)) for seed in range(SEEDS)]


def _cell(iterations: Sequence[int | None], seconds: Sequence[float | None]) -> str:
    """Medians over seeds, and how many seeds did not get there; these count as infinitely long."""
    missing = sum(each is None for each in iterations)
    if 2 * missing > len(iterations):
        return f"not in {MOST}"
    middle = statistics.median(float("inf") if each is None else each for each in iterations)
    length = statistics.median(float("inf") if each is None else each for each in seconds)
    return f"{middle:.0f} / {1e3 * length:.0f} ms" + (f" ({missing} of {len(iterations)} not)" if missing else "")


def to_plain(cases: Sequence[tuple[float, int]] = CASES) -> str:
    """Iterations and time of each rule to the divergence that plain multiplicative updates reach."""
    rows = []
    for (beta, count), (name, magnitude) in itertools.product(cases, recordings().items()):
        V = magnitude**2 if beta <= 0 else magnitude
        rules = [rule for rule in RULES.values() if rule.supports(beta)]
        needed: dict[str, list[int | None]] = {rule.name: [] for rule in rules}
        taken: dict[str, list[float | None]] = {rule.name: [] for rule in rules}
        for start in _starts(V, count):
            state = next(itertools.islice(iterate(V, *start, Multiplicative(), beta=beta), TARGET, None))
            target = state.divergence() * (1 + 1e-6)  # what float32 knows of it
            found = {rule.name: iterations_to(target, V, start, rule, beta) for rule in rules}
            seconds = seconds_of(
                {name: _run(V, start, RULES[name], beta, n) for name, n in found.items() if n is not None}
            )
            for rule in rules:
                needed[rule.name].append(found[rule.name])
                taken[rule.name].append(seconds.get(rule.name))
        cells = [_cell(needed[name], taken[name]) if name in needed else "–" for name in RULES]
        rows.append((f"{beta:g}", f"{name}, {V.shape[0]} × {V.shape[1]}", count, *cells))
    return table(("β", "recording", "components", *RULES), rows)


def to_coordinate_descent(counts: Sequence[int] = COUNTS) -> str:
    """Time of `hals` to the error at which scikit-learn's coordinate descent stops, from the same start."""
    if version("scikit-learn") == "–":
        return "scikit-learn is not installed."
    rows = []
    for (name, V), count in itertools.product(recordings().items(), counts):
        ours, theirs, needed = [], [], []
        for start in _starts(V, count):
            peer = _coordinate_descent(V, start)
            target = beta_divergence(V, peer(), 2.0)
            n = iterations_to(target, V, start, RULES["hals"], 2.0)
            tasks: dict[str, Callable[[], object]] = {"theirs": peer}
            if n is not None:
                tasks["ours"] = _run(V, start, RULES["hals"], 2.0, n)
            seconds = seconds_of(tasks)
            needed.append(n)
            ours.append(seconds.get("ours"))
            theirs.append(seconds["theirs"])
        ratios = [b / a if a else 0.0 for a, b in zip(ours, theirs, strict=True)]
        rows.append(
            (
                f"{name}, {V.shape[0]} × {V.shape[1]}",
                count,
                _cell(needed, ours),
                f"{1e3 * statistics.median(theirs):.0f} ms",
                f"{statistics.median(ratios):.1f}",
            )
        )
    return table(("recording", "components", "hals", "scikit-learn, solver='cd'", "ratio"), rows)


def rules() -> str:
    """Both tables, as Markdown."""
    return (
        f"Iterations and time to the divergence that {TARGET} multiplicative iterations reach, from the same start; "
        f"medians of {SEEDS} seeds, V float32 (magnitudes; powers for β = 0).\n\n"
        f"{to_plain()}\n\n"
        "Euclidean: iterations and time to the error at which scikit-learn's coordinate descent (float32, its own "
        f"defaults) stops; medians of {SEEDS} seeds, 0 where it was not reached.\n\n"
        f"{to_coordinate_descent()}"
    )


if __name__ == "__main__":
    print(rules())
    print(f"\nMeasured on: {machine()}")
