"""Time of one iteration against the number of components, 2 to 128."""

from __future__ import annotations

from functools import partial

from clock import in_turn, sgemm
from drawing import label, legend, line, panels, ticks, upright
from material import noise
from page import Section, table
from peers import KL, available, ours
from unweave.rules import Multiplicative

COUNTS = (2, 4, 8, 16, 32, 64, 128)
BINS, FRAMES = 1025, 2584  # 30 s of 44.1 kHz at a hop of 512
ITERATIONS = 50
PLAIN, PRODUCT = "unweave, plain updates", "large product"

TEXT = """Kullback-Leibler, V float32, {bins} × {frames} (30 s of 44.1 kHz at 2048 / 512), the same start: {n}
iterations with what comes before and after them, over {n}, in ms; medians of {repeats} runs in turn. The share is
that of the four products of an iteration, 8 · bins · frames · components operations, in the rate of a large product
({rate:.0f} GFLOP/s).

{table}"""


def components(quick: bool = False) -> Section:
    """Cost against the number of components."""
    (bins, frames), counts = ((65, 50), (2, 4)) if quick else ((BINS, FRAMES), COUNTS)
    n, repeats = (3, 1) if quick else (ITERATIONS, 3)
    product, flops = sgemm(256 if quick else 2048)
    times: dict[str, list[float]] = {"unweave": [], PLAIN: [], PRODUCT: []}
    peers = {name: peer for name, (module, peer) in KL.items() if available(module) and not name.startswith("librosa")}
    times |= {name: [] for name in peers}
    for count in counts:
        start = noise(bins, frames, count)
        tasks = {
            "unweave": partial(ours, *start, n),
            PLAIN: partial(ours, *start, n, rule=Multiplicative()),
            **{name: partial(peer, *start, n) for name, peer in peers.items()},
            PRODUCT: product,
        }
        for name, seconds in in_turn(tasks, repeats).items():
            times[name].append(seconds / n)
    rate = max(flops / (n * seconds) for seconds in times.pop(PRODUCT))
    share = [8.0 * bins * frames * k / t / rate for k, t in zip(counts, times["unweave"], strict=True)]
    ratio = _over(times["scikit-learn"], times["unweave"]) if "scikit-learn" in times else ["–"] * len(counts)
    rows = [
        (k, *(f"{1e3 * each[i]:.2f}" for each in times.values()), ratio[i], f"{100 * share[i]:.0f} %")
        for i, k in enumerate(counts)
    ]
    head = ("components", *times, "scikit-learn / unweave", "share of a large product")
    text = TEXT.format(bins=bins, frames=frames, n=n, repeats=repeats, rate=rate / 1e9, table=table(head, rows))
    figure, (left, right) = panels(2)
    for name, values in times.items():
        line(left, name, counts, [1e3 * value for value in values])
    upright(left)
    line(right, "unweave", counts, [100 * value for value in share])
    right.set_ylim(0, 100)
    for ax in (left, right):
        ticks(ax, counts)
    legend(left)
    label(left, f"{bins} × {frames}", "components", "ms an iteration")
    label(right, "Share of a large product's rate", "components", "%")
    return text, figure


def _over(theirs: list[float], ours_: list[float]) -> list[str]:
    return [f"{a / b:.1f}" for a, b in zip(theirs, ours_, strict=True)]
