"""How many components there are: what each of them adds."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from unweave.plot.colors import color
from unweave.plot.figures import new_axes
from unweave.rank import RankChoice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rank"]

_LEFT_OUT = "0.75"
_GREY = "0.35"
_DECADES = 4
"""Height of the axis: below a ten-thousandth of the largest nothing is of interest."""


def rank(choice: RankChoice, *, ax: Axes | None = None) -> Axes:
    """Draw what each component adds, those chosen in colour, with a line where they end.

    Parameters
    ----------
    choice : RankChoice
    ax : Axes, optional
        Where to draw. Default: a figure of its own.

    Returns
    -------
    Axes
        Components by what they add, on a logarithmic axis: in % of what there is to explain; for 'ard' relevances.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax = new_axes(ax, 3.4)
    explains = not choice.method.startswith("ard")
    values = choice.relevances * (100 if explains else 1)
    top = float(values.max(initial=0)) or 1.0
    bottom = top * 10.0**-_DECADES
    shades = [color(0) if k <= choice.n_components else _LEFT_OUT for k in choice.candidates]
    ax.bar(choice.candidates, np.maximum(values, bottom) - bottom, bottom=bottom, color=shades, width=0.7)
    ax.set_yscale("log")
    ax.set_ylim(bottom, 2 * top)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.axvline(choice.n_components + 0.5, color=_GREY, linewidth=1, linestyle=(0, (4, 2)))
    ax.set_xlim(0.4, choice.candidates.size + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("component (count)")
    unit = "% of the divergence" + (" held out" if choice.method == "heldout" else "")
    ax.set_ylabel(f"explained ({unit})" if explains else "relevance (relative to its least)")
    ax.set_title(textwrap.fill(choice.sentence, 108), loc="left", fontsize="small", color=_GREY)
    ax.grid(axis="y", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
