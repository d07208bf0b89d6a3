"""The figures behind some decisions: `python benchmarks/studies.py rules`, or `frames`.

rules   how often extrapolated updates end above plain ones after 100 iterations from the same start, with and without
        plain iterations at the beginning (docs/decisions/0001)
frames  the round trip at lengths that get one more frame, without it, and how many these are (docs/decisions/0004)
"""

from __future__ import annotations

import itertools
import sys
from unittest import mock

import numpy as np

import unweave as uw
from page import SHARED
from unweave import framing
from unweave.decomposition import magnitudes
from unweave.nmf import iterate
from unweave.rules import Extrapolated, Multiplicative, extrapolated

BETAS = (0.0, 0.5, 1.0, 1.5, 2.0)
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
    {"rules": rules, "frames": frames}[sys.argv[1]]()
