"""Figures, axes, ticks and files: what all pictures have in common."""

from __future__ import annotations

import io
from os import PathLike
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.errors import InvalidInput
from unweave.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

__all__ = ["DPI", "SCALES", "Scale", "new_axes", "new_figure", "named", "save_figure", "set_frequencies"]

Scale = Literal["log", "mel", "linear"]
SCALES: tuple[Scale, ...] = ("log", "mel", "linear")

DPI = 110
WIDTH = 9.2
"""Inches: with `DPI` a picture is 1012 pixels wide."""


def new_figure(height: float, *, width: float = WIDTH, dpi: float = DPI) -> Figure:
    """A figure that belongs to nobody: it is not among the ones that pyplot would show."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def new_axes(ax: Axes | None, height: float) -> Axes:
    """The axes given, or those of a figure of its own."""
    return new_figure(height).add_subplot() if ax is None else ax


def named(ax: Axes, drawn: ScalarMappable, label: str, title: str | None) -> Axes:
    """The axes with a bar beside them that says what the colours mean, and with a title, which is no formula."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.colorbar(drawn, ax=ax, label=label, pad=0.01)
    if title is not None:
        ax.set_title(title, loc="left", parse_math=False)
    return ax


def _hertz(value: float, _: object = None) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _to_mel(hertz: ArrayLike) -> NDArray[np.float64]:
    return 2595 * np.log10(1 + np.maximum(hertz, 0) / 700)


def _from_mel(mel: ArrayLike) -> NDArray[np.float64]:
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def set_frequencies(
    ax: Axes, which: Literal["x", "y"], scale: Scale, low: float, high: float, *, label: bool = True
) -> None:
    """Make the x or the y axis one of Hz: its scale, its limits, ticks such as 100, 1k and 10k, and its label."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    if scale not in SCALES:
        raise InvalidInput(f"scale={scale!r} is not one of {', '.join(SCALES)}.")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low = min(low, high / 2)  # a transform of two samples has one bin above 0 Hz
    set_scale = ax.set_xscale if which == "x" else ax.set_yscale
    if scale == "log":
        set_scale("log")
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        # Where there are many decades, a label for every 2 and 5 would be too much.
        labelled = [1, 2, 5] if high / low < 30 else [1]
        axis.set_major_locator(FixedLocator(np.outer(decades, labelled).ravel().tolist()))
        axis.set_minor_locator(FixedLocator(np.outer(decades, range(2, 10)).ravel().tolist()))
    elif scale == "mel":
        set_scale("function", functions=(_to_mel, _from_mel))
        axis.set_major_locator(FixedLocator([0, 500, *(1000 * 2.0 ** np.arange(0, 12))]))
    else:
        set_scale("linear")
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(_hertz))
    axis.set_minor_formatter(NullFormatter())
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)
    if label:
        axis.set_label_text("frequency (Hz)")


def save_figure(value: Figure | Axes, path: str | PathLike[str]) -> None:
    """Write a picture as PNG, under another name first. The same picture gives the same bytes.

    Parameters
    ----------
    value : Figure or Axes
        Axes stand for the whole figure that they are in.
    path : str or path
        An older file of this name is replaced.

    Raises
    ------
    WriteError
        The file cannot be written; an older one is left as it was.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = value if isinstance(value, Figure) else value.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise InvalidInput("these axes are in no figure.")
    data = io.BytesIO()
    canvas = figure.canvas
    try:
        # Not by savefig, which draws everything twice: first in vain, to have it laid out, as the second time would do.
        # Without 'Software' another version of matplotlib that draws the same would still write other bytes.
        FigureCanvasAgg(figure).print_png(data, metadata={"Software": None})  # type: ignore[no-untyped-call]
    finally:
        figure.set_canvas(canvas)
    write_whole(path, data.getvalue())
