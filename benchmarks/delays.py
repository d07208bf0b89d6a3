"""The figures behind bases of several frames (docs/decisions/0008): `python benchmarks/delays.py NAME [DATA]`.

reach   iterations, and processor time of one thread, to the divergence of 200 plain iterations: the four drum loops,
        3 and 8 components of 4, 8 and 16 taps, five seeds
start   from nothing, with and without taps: SI-SDR under the best permutation, and the divergence after 300 iterations
above   how often runs with momentum are above plain ones after 100 iterations from the same random start
sparse  named drums from rough spectra at several strengths of L1, with and without taps
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import unweave as uw
from page import SHARED
from quality import STEMS, loops, mean_score, rough_drums
from studies import BETAS, matrices
from unweave.arrays import Matrix
from unweave.convolutive import nmfd, sharpened, spread_taps
from unweave.convolutive.delays import Delayed, DelayedPass
from unweave.decomposition import magnitudes
from unweave.evaluation import si_sdr
from unweave.loop import make_problem
from unweave.rules import Penalties
from unweave.threads import limit

COUNTS, TAPS, SEEDS = (3, 8), (4, 8, 16), 5
PLAIN, MOST, EXACT = 200, 400, 1e-6
STRENGTHS = (0.0, 0.01, 0.03, 0.1, 0.3)


def moving(V: Matrix, start: tuple[Matrix, Matrix], beta: float, *, momentum: bool) -> DelayedPass:
    """A run from bases ``(bins, components, taps)`` and activations."""
    learns = np.ones(start[0].shape[1], np.bool_)
    return DelayedPass(make_problem(V, beta, learns, learns, room=False), Delayed.of(*start), momentum=momentum)


def paced(moves: DelayedPass, most: int) -> Iterator[tuple[int, float, float]]:
    """Iteration, objective and seconds so far of every step; momentum restarts as in a whole run."""
    seconds, last = 0.0, moves.objective()
    for iteration in range(1, most + 1):
        begin = time.thread_time()
        moves.step()
        seconds += time.thread_time() - begin
        now = moves.objective()
        yield iteration, now, seconds
        if iteration % 10 == 0:
            if now > last:
                moves.restart()
            last = now


def reach(data: Path) -> None:
    """Iterations and seconds to the divergence of 200 plain ones."""
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for name, mix, _ in loops(data):
        V = magnitudes(mix, uw.STFT())
        for count, seed in itertools.product(COUNTS, range(SEEDS)):
            begin = uw.nmf(V, count, max_iter=50, rng=seed)
            for taps in TAPS:
                start = spread_taps(begin.bases, taps), sharpened(begin.activations)
                found.setdefault((count, taps), []).append(_raced(V, start))
        print(f"{name} done", flush=True)
    for (count, taps), runs in found.items():
        iterations, ratios = np.array(runs).T
        print(
            f"{count} components of {taps} taps: {np.median(iterations):.0f} iterations "
            f"({iterations.min():.0f} to {iterations.max():.0f}), {np.median(ratios):.1f} times as fast"
        )


def _raced(V: Matrix, start: tuple[Matrix, Matrix]) -> tuple[float, float]:
    """Iterations with momentum to what plain ones reach, and how much faster; infinite where it does not get there."""
    _, target, slow = list(paced(moving(V, start, 1.0, momentum=False), PLAIN))[-1]
    for iteration, now, seconds in paced(moving(V, start, 1.0, momentum=True), MOST):
        if now <= target * (1 + EXACT):
            return iteration, slow / seconds
    return np.inf, 0.0


def start(data: Path) -> None:
    """Mean SI-SDR of three components from nothing; their divergence in thousands, for V of mean one."""
    for taps in (1, 8):
        cells = []
        for _, mix, stems in loops(data):
            V = magnitudes(mix, uw.STFT())
            score = mean_score(stems, list(uw.decompose(mix, len(stems), taps=taps).components()))
            long = uw.nmf(V, 3, max_iter=300) if taps == 1 else nmfd(V, 3, taps, max_iter=300)
            cells.append(f"{score:.2f} dB, {long.divergences[-1] / V.mean() / 1000:.1f}")
        print(f"{taps} taps: " + "; ".join(cells), flush=True)


def above(data: Path) -> None:
    """Count the runs that end above plain steps."""
    ratios = []
    for V, beta, count, taps, seed in itertools.product(matrices(), BETAS, COUNTS, (2, 6), range(2)):
        part = V[:, :200] if beta > 0 else np.maximum(V[:, :200], 1e-4 * V.max())
        rng = np.random.default_rng(seed)
        start = rng.random((len(part), count, taps)), rng.random((count, part.shape[1]))
        ends = [list(paced(moving(part, start, beta, momentum=each), 100))[-1][1] for each in (True, False)]
        ratios.append(ends[0] / ends[1])
    shares = np.array(ratios)
    print(
        f"above in {(shares > 1 + 1e-9).sum()} of {shares.size} runs, worst {shares.max() - 1:+.4f}, "
        f"median {np.median(shares) - 1:+.4f}"
    )


def sparse(data: Path) -> None:
    """Mean SI-SDR of named drums under L1."""
    for taps, strength in itertools.product((1, 8), STRENGTHS):
        scores = []
        for _, mix, stems in loops(data):
            rough = rough_drums(uw.STFT(), mix.sample_rate)
            parts = uw.decompose(mix, len(STEMS), bases=rough, taps=taps, penalties=Penalties(l1=strength))
            scores.append(np.mean([si_sdr(stem, part) for stem, part in zip(stems, parts.components(), strict=True)]))
        print(f"{taps} taps, l1={strength}: " + ", ".join(f"{score:.2f}" for score in [*scores, np.mean(scores)]))


if __name__ == "__main__":
    task = {"reach": reach, "start": start, "above": above, "sparse": sparse}[sys.argv[1]]
    with limit(1):
        task(Path(sys.argv[2]) if len(sys.argv) > 2 else SHARED / "data")
