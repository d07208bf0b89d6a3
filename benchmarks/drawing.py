"""One look for all pictures of measurements: one colour for each program, few lines, a grid to read values from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unweave.plot.colors import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#737373"
NAMES = (
    "unweave",
    "unweave, plain updates",
    "scikit-learn",
    "scikit-learn, float64",
    "librosa.decompose",
    "torchnmf",
    "libnmfd",
    "large product",
)
INK = dict(zip(NAMES, (COLORS[0], COLORS[2], COLORS[1], COLORS[5], COLORS[4], COLORS[3], COLORS[7], GREY), strict=True))
"""The colour of each program."""


def panels(count: int = 1, height: float = 3.4) -> tuple[Figure, Sequence[Axes]]:
    """A figure with panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * count + 0.6, height), dpi=120, layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#e4e4e4", linewidth=0.7)
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=8)
    return figure, axes


def label(ax: Axes, title: str, x: str, y: str) -> None:
    """What a panel shows."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)


def ticks(ax: Axes, values: Sequence[float], names: Sequence[str] | None = None) -> None:
    """Marks of a logarithmic x-axis at these values only."""
    ax.set_xscale("log")
    ax.set_xticks(values, names or [f"{value:g}" for value in values])
    ax.minorticks_off()


def upright(ax: Axes) -> None:
    """A logarithmic y-axis with plain numbers."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")


def line(ax: Axes, name: str, x: Sequence[float], y: Sequence[float]) -> None:
    """The measurements of one program, each of them marked."""
    ax.plot(x, y, "o-", color=INK[name], label=name, linewidth=1.6, markersize=4)


def legend(ax: Axes) -> None:
    """Names of the lines."""
    ax.legend(fontsize=8, frameon=False)


def aim(ax: Axes, value: float, text: str) -> None:
    """A target, across the panel."""
    ax.axhline(value, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.annotate(text, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color=GREY)
