"""What more threads bring: one iteration with one thread, two, and so on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from threadpoolctl import threadpool_limits

from clock import in_turn, sgemm
from drawing import label, legend, line, panels
from material import noise
from page import Section, table
from peers import available, ours, scikit_learn
from unweave.arrays import Matrix
from unweave.threads import limit, n_threads

COUNTS = (8, 64)
BINS, FRAMES = 1025, 12920
ITERATIONS = 30
PRODUCT = "large product"

TEXT = """Kullback-Leibler, V float32, {bins} × {frames}: seconds of {n} iterations with 1 thread over those with
more; medians of {repeats} runs in turn. scikit-learn has threads in its matrix products only. A large product shows
what the processors give. {same}

{table}"""


def scaling(quick: bool = False) -> Section:
    """Thread scaling of ours, of scikit-learn and of a large product."""
    (bins, frames), counts = ((65, 300), (3,)) if quick else ((BINS, FRAMES), COUNTS)
    n, repeats = (3, 1) if quick else (ITERATIONS, 3)
    most = n_threads()
    threads = sorted({1, most, *(count for count in (2, 4, 8, 16, 32, 64) if count < most)})
    product, _ = sgemm(256 if quick else 2048)
    rows, same = [], True
    figure, axes = panels(len(counts))
    for ax, count in zip(axes, counts, strict=True):
        start = noise(bins, frames, count)
        programs: dict[str, Callable[[], object]] = {"unweave": partial(ours, *start, n), PRODUCT: product}
        if available("sklearn"):
            programs["scikit-learn"] = partial(scikit_learn, *start, n)
        tasks = {(name, k): partial(_with, k, task) for name, task in programs.items() for k in threads}
        found = in_turn(tasks, repeats)
        same &= len({_with(k, partial(_bytes, *start, n)) for k in threads}) == 1
        for name in programs:
            gains = [found[name, 1] / found[name, k] for k in threads]
            each = 1e3 * found[name, 1] / (1 if name == PRODUCT else n)
            rows.append((f"{count}, {name}", f"{each:.1f} ms", *(f"{gain:.2f}" for gain in gains[1:])))
            line(ax, name, threads, gains)
        ax.plot(threads, threads, color="#c0c0c0", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        ax.set_xticks(threads)
        ax.set_ylim(0, max(threads) * 1.1)
        legend(ax)
        label(ax, f"{bins} × {frames}, {count} components", "threads", "times as fast as with one")
    head = ("components, program", "1 thread, an iteration or a product", *(f"{k} threads" for k in threads[1:]))
    told = "Our factors are the same bytes for every number of threads." if same else "**Our factors differ.**"
    return TEXT.format(bins=bins, frames=frames, n=n, repeats=repeats, same=told, table=table(head, rows)), figure


def _with(threads: int, task: Callable[[], object]) -> object:
    """Call a task with so many threads, ours and the matrix library's."""
    with limit(threads), threadpool_limits(threads):
        return task()


def _bytes(V: Matrix, W: Matrix, H: Matrix, n: int) -> bytes:
    return b"".join(factor.tobytes() for factor in ours(V, W, H, n))
