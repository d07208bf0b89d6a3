"""Peak memory of one factorisation beside peers: every figure is of a process of its own.

One of them: `python benchmarks/memory.py TASK BINS FRAMES COMPONENTS`.
"""

from __future__ import annotations

import sys

from clock import process
from drawing import INK, label, panels
from material import noise
from page import Section, table
from peers import KL, available, ours

BINS, FRAMES, COUNT = 1025, 12920, 8
ITERATIONS = 10

TEXT = """V {bins} × {frames} in float32 ({size:.0f} MB), {count} components, {n} Kullback-Leibler iterations: the peak
of a process of its own that makes V and factorises it, less the peak of one that imports the same and makes V only. V
comes in rows of bins, as the peers want it; we turn it once, which is the size of V. (Magnitudes of recordings are made
turned, so `unweave decompose` does without.)

{table}"""


def memory(quick: bool = False) -> Section:
    """Peak memory above V of ours and of peers."""
    size = (65, 300, 3) if quick else (BINS, FRAMES, COUNT)
    names = ["unweave", *(name for name, (module, _) in KL.items() if available(module))]
    names = names[:1] if quick else names
    found = {name: _peak(name, *size) - _peak(f"only V: {name}", *size) for name in names}
    volume = 4 * size[0] * size[1] / 2**20
    cells = {name: (f"{above:.0f} MB", f"{above / volume:.1f}") for name, above in found.items()}
    missing = "not measured" if quick else "not installed"
    rows = [(name, *cells.get(name, (missing, "–"))) for name in ("unweave", *KL)]
    text = TEXT.format(
        bins=size[0],
        frames=size[1],
        count=size[2],
        size=volume,
        n=ITERATIONS,
        table=table(("program", "memory above V", "times V"), rows),
    )
    figure, (ax,) = panels(1, 2.4)
    shown = names[::-1]
    bars = ax.barh(shown, [found[name] for name in shown], color=[INK[name] for name in shown], height=0.7)
    ax.bar_label(bars, [f"{found[name] / volume:.1f} × V" for name in shown], fontsize=8, padding=3)
    ax.margins(x=0.2)
    ax.grid(visible=False, axis="y")
    label(ax, f"Memory above V, {size[0]} × {size[1]}, {size[2]} components", "MB", "")
    return text, figure


def _peak(task: str, *size: int) -> float:
    return process([sys.executable, __file__, task, *map(str, size)]).megabytes


def main() -> None:
    """Do one task in this process."""
    task, sizes = sys.argv[1], [int(word) for word in sys.argv[2:]]
    name = task.removeprefix("only V: ")
    peer = ours if name == "unweave" else KL[name][1]
    peer(*noise(20, 30, 2), 2)  # everything is imported, threads have begun
    start = noise(sizes[0], sizes[1], sizes[2])
    if name == task:
        peer(*start, ITERATIONS)


if __name__ == "__main__":
    main()
