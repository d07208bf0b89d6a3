"""The figures behind some decisions: `python benchmarks/studies.py NAME`.

rules     how often extrapolated updates end above plain ones after 100 iterations from the same start, with and without
          plain iterations at the beginning (docs/decisions/0001)
reach     passes over V to the divergence of 200 plain ones, from ten starts (docs/decisions/0001)
newton    processor time of one thread to given divergences, Newton steps beside the default rule (docs/decisions/0014)
products  what a frame costs in a product with few components (docs/decisions/0011)
frames    the round trip at lengths that get one more frame, without it, and how many these are (docs/decisions/0004)
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from unittest import mock

import numpy as np

import unweave as uw
from material import spectrograms, starts
from page import SHARED
from reach import EXACT, MOST, watch
from unweave import framing
from unweave.arrays import roomy_like, whole_rows
from unweave.decomposition import magnitudes
from unweave.nmf import iterate
from unweave.rules import Extrapolated, Multiplicative, Newton, Rule, extrapolated
from unweave.rules.products import Products
from unweave.threads import limit, single_blas

BETAS = (0.0, 0.5, 1.0, 1.5, 2.0)
SIZES = ((1024, 900, (2, 3, 5, 8, 16), 4), (2048, 2584, (3, 8), 2))  # of the study of Newton steps; the last: starts
LENGTHS = {"extrapolated": 400, "newton": 80}
NEAR = 1e-4  # how far above the best that was found
KINDS, OFTEN = ("H W", "V Wᵀ", "Hᵀ V"), 50
FILES = ("audio/conga_groove.wav", "data/drums_1/mix.flac", "data/drums_2/mix.flac", "audio/prelude_cmaj.wav")


def matrices() -> list[np.ndarray]:
    """Four seconds of recordings, where they are to be had, and three kinds of noise."""
    paths = [SHARED / name for name in FILES if (SHARED / name).exists()]
    found = [magnitudes(uw.load(path, duration=4), uw.STFT(1024, 512)).astype(np.float64) for path in paths]
    rng = np.random.default_rng(0)
    noisy = rng.random((50, 4)) @ rng.random((4, 70)) + 0.1 * rng.random((50, 70))
    return [*found, rng.gamma(0.5, 1, (65, 40)), rng.random((60, 80)), noisy]


def rules() -> None:
    """Count the runs that end above plain updates."""
    runs = [
        (np.maximum(V, 1e-4 * V.max()) if beta <= 0 else V, beta, count, seed)
        for V, beta, count, seed in itertools.product(matrices(), BETAS, (3, 8), range(3))
    ]
    for plain in (0, 10, 20, 30):
        with mock.patch.object(extrapolated, "PLAIN", plain):
            ratios = np.array([_ratio(*run) for run in runs])
        print(
            f"{plain:2} plain iterations first: above in {(ratios > 1 + 1e-9).sum()} of {ratios.size} runs, "
            f"worst {ratios.max() - 1:+.4f}, median {np.median(ratios) - 1:+.4f}"
        )


def _ratio(V: np.ndarray, beta: float, count: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    W, H = rng.random((V.shape[0], count)), rng.random((count, V.shape[1]))
    ours, theirs = (
        next(itertools.islice(iterate(V, W, H, rule, beta=beta), 100, None)).divergence()
        for rule in (Extrapolated(), Multiplicative())
    )
    return ours / theirs


def reach() -> None:
    """Count iterations of both rules: medians over ten starts, at three numbers of components."""
    for n_fft, n_frames, count in ((1024, 900, 3), (2048, 2000, 8), (2048, 1292, 64)):
        for name, V in spectrograms(n_fft, n_frames).items():
            found: list[int] = []
            for start in starts(V, count, 10):
                plain = next(itertools.islice(iterate(V, *start, Multiplicative(), stride=200), 1, None))
                found.append(watch(plain.divergence() * (1 + EXACT), V, start)[0] or MOST)
            print(
                f"{name}, {V.shape[0]} × {V.shape[1]}, {count}: {np.median(found):.0f} ({min(found)} to {max(found)})"
            )


def newton() -> None:
    """Time to the divergences of 200, 400 and 1000 plain iterations and next to the best, with and without bases."""
    for n_fft, n_frames, counts, seeds in SIZES:
        for count, kept in itertools.product(counts, (False, True)):
            ratios = []
            for name, V in spectrograms(n_fft, n_frames).items():
                begins = [_taught(V, start) if kept else start for start in starts(V, count, seeds)]
                found = [_races(V, start, learn_bases=not kept) for start in begins]
                with np.errstate(invalid="ignore"):
                    ratios += [races["extrapolated"] / races["newton"] for races in found]
                cells = (f"{rule} {_cells([races[rule] for races in found])}" for rule in LENGTHS)
                what = "activations only" if kept else "both factors"
                print(f"{name}, {V.shape[0]} × {V.shape[1]}, {count}, {what}: {'; '.join(cells)}", flush=True)
            print(f"  extrapolated over newton: {_spread(np.array(ratios))}", flush=True)


def _taught(V: np.ndarray, start: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Bases of 200 iterations, and activations that are all the same."""
    state = next(itertools.islice(iterate(V, *start, stride=200), 1, None))
    level = V.sum(axis=0) / state.bases.sum()
    return state.bases.copy(), np.tile(level, (state.bases.shape[1], 1)) + np.float32(1e-6) * V.mean()


def _races(V: np.ndarray, start: tuple[np.ndarray, np.ndarray], *, learn_bases: bool) -> dict[str, np.ndarray]:
    """Seconds of each rule to each of the divergences; infinite where it does not get there."""
    plain = _run(V, start, Multiplicative(), 1000, learn_bases=learn_bases, stride=200)[0]
    runs = {
        rule.name: _run(V, start, rule, LENGTHS[rule.name], learn_bases=learn_bases)
        for rule in (Extrapolated(), Newton())
    }
    best = min(divergences.min() for divergences, _ in runs.values())
    targets = np.array([*plain[[1, 2, 5]], best * (1 + NEAR)]) * (1 + EXACT)
    return {name: _when(targets, *run) for name, run in runs.items()}


def _run(
    V: np.ndarray, start: tuple[np.ndarray, np.ndarray], rule: Rule, length: int, *, learn_bases: bool, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Divergences, and the seconds of the only thread up to each of them, without what looking takes."""
    divergences, seconds = [], []
    with limit(1):
        states = iterate(V, *start, rule, stride=stride, learn_bases=learn_bases)
        for _ in range(length // stride + 1):
            begin = time.thread_time()
            state = next(states)
            seconds.append(time.thread_time() - begin)
            divergences.append(state.divergence())
    return np.array(divergences), np.cumsum(seconds)


def _when(targets: np.ndarray, divergences: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    there = divergences <= targets[:, None]
    return np.where(there.any(axis=1), seconds[there.argmax(axis=1)], np.inf)


def _cells(seconds: list[np.ndarray]) -> str:
    """Medians over starts."""
    return " / ".join(f"{1e3 * value:.0f}" for value in np.median(seconds, axis=0)) + " ms"


def _spread(ratios: np.ndarray) -> str:
    """Medians with the first and the last tenth; where neither got there, nobody was faster."""
    ratios = np.nan_to_num(ratios, nan=1.0, posinf=np.inf)
    low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9), axis=0, method="nearest")
    return ", ".join(f"{m:.1f} ({a:.1f} to {b:.1f})" for a, m, b in zip(low, middle, high, strict=True))


def products() -> None:
    """Nanoseconds a frame at 1025 bins and 8 components, one thread: products as they are, with room, in pieces."""
    n_bins, count, n_frames = 1025, 8, 464
    rng = np.random.default_rng(0)
    H, W = (rng.random(shape, np.float32) for shape in ((n_frames, count), (count, n_bins)))
    plain = rng.random((n_frames, n_bins), np.float32)
    room, bases = roomy_like(plain), roomy_like(W)
    room[...], bases[...] = plain, W
    rows, out, total = whole_rows(room), np.empty_like(H), np.empty_like(W)
    pieces = Products(n_bins, count, plain.dtype, n_frames)
    ways = {
        "as it is": (
            lambda: np.matmul(H, W, out=plain),
            lambda: np.matmul(plain, W.T, out=out),
            lambda: np.matmul(H.T, plain, out=total),
        ),
        "rows with room": (
            lambda: np.matmul(H, bases, out=room),
            lambda: np.matmul(room, bases.T, out=out),
            lambda: np.matmul(H.T, room, out=total),
        ),
        "in pieces": (
            lambda: pieces.expand(H, bases, rows),
            lambda: pieces.compress(rows, bases.T, out),
            lambda: pieces.gather(H, rows, total, first=True),
        ),
    }
    with single_blas():
        tasks = {(way, kind): task for way, tasks in ways.items() for kind, task in zip(KINDS, tasks, strict=True)}
        seconds = {key: min(_often(task) for _ in range(9)) for key, task in tasks.items()}
    for way in ways:
        cells = ", ".join(f"{kind} {1e9 * seconds[way, kind] / (OFTEN * n_frames):.0f}" for kind in KINDS)
        print(f"{way}: {cells} ns a frame")


def _often(task: Callable[[], object]) -> float:
    """Seconds of this thread; what other programs take of the processor does not count."""
    begin = time.thread_time()
    for _ in range(OFTEN):
        task()
    return time.thread_time() - begin


def frames() -> None:
    """Round trips of noise at 1024 / 512."""
    settings = uw.STFT(1024, 512)
    lengths = range(5120, 5120 + 512)
    more = [n for n in lengths if settings.n_frames(n) > n // 512 + 1]
    with_it = min(_round_trip(settings, n) for n in more)
    with mock.patch.object(framing, "_COVERED", 0.0):
        without = [_round_trip(settings, n) for n in more]
    print(f"{len(more)} of 512 lengths get one more frame; with it {with_it:.0f} dB at the least;")
    print(f"without it {min(without):.0f} dB at the worst, {np.median(without):.0f} dB in the median")


def _round_trip(settings: uw.STFT, n_samples: int) -> float:
    x = np.random.default_rng(n_samples).standard_normal((1, n_samples)).astype(np.float32)
    y = uw.istft(uw.stft(uw.Audio(x, 44100), settings)).samples
    return float(10 * np.log10(np.square(x).sum() / np.square(x - y).sum()))


if __name__ == "__main__":
    {"rules": rules, "reach": reach, "newton": newton, "products": products, "frames": frames}[sys.argv[1]]()
