"""Components in groups: how far they are from each other, and which were put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unweave.grouping import Grouping
from unweave.plot.colors import color
from unweave.plot.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["groups"]

_UNITS = {"timbre": "distance of cepstra", "pitch": "semitones", "onset": "1 - cosine", "place": "distance of shares"}


def groups(grouping: Grouping, *, ax: Axes | None = None) -> Axes:
    """Draw the distances of all components, group by group, with a frame around each group.

    Parameters
    ----------
    grouping : Grouping
        Grouped by a cue, or by hand: then the frames are all there is to see.
    ax : Axes, optional
        Where to draw. Default: a figure of its own.

    Returns
    -------
    Axes
        Components by components; dark is near. The picture shows why: what is dark within its frame and bright outside
        of it belongs together.
    """
    from matplotlib.patches import Rectangle

    ax = new_figure(5.6, width=6.8).add_subplot() if ax is None else ax
    order = [k for members in grouping.groups.values() for k in members]
    values = grouping.distances[np.ix_(order, order)]
    shown = values[values < 500]  # what is no tone is 'infinitely' far from all tones
    top = float(shown.max(initial=0)) or 1.0
    image = ax.imshow(values, cmap="magma", vmin=0, vmax=top, interpolation="nearest")
    if grouping.by != "hand" and ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label=_UNITS.get(grouping.by, "distance"), shrink=0.8)
    at = 0
    for place, (name, members) in enumerate(grouping.groups.items()):
        size, shade = len(members), color(place)
        ax.add_patch(Rectangle((at - 0.47, at - 0.47), size - 0.06, size - 0.06, fill=False, edgecolor=shade, lw=3))
        ax.annotate(
            name,
            (at + size / 2 - 0.5, -0.6),
            ha="center",
            va="bottom",
            color=shade,
            annotation_clip=False,
            weight="bold",
        )
        at += size
    ax.set_xticks(range(len(order)), [str(k) for k in order])
    ax.set_yticks(range(len(order)), [str(k) for k in order])
    ax.set_xlabel("component")
    ax.set_ylabel("component")
    ax.spines[:].set_visible(False)
    return ax
