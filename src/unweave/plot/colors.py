"""One colour for a component, in every picture and on the page.

The first eight are as far apart as could be found (the search maximised the least distance in the Oklab space over all
pairs, for normal sight and for the three kinds of colour blindness) and are visible on white and on dark ground. The
next come in the same order, darker, then lighter, then darker again: 32 in all.

References: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, A physiologically-based model for simulation of color
vision deficiency, IEEE Trans. Visualization and Computer Graphics 15(6), 2009, doi:10.1109/TVCG.2009.113.
"""

from __future__ import annotations

__all__ = ["COLORS", "color", "ink"]

COLORS: tuple[str, ...] = (
    "#684ff7",
    "#eb930d",
    "#6fafcf",
    "#e50d0d",
    "#ab349c",
    "#b29480",
    "#857eda",
    "#737159",
)
"""Colours of the first components."""

_SHADES = ((0.0, 0), (0.4, 0), (0.3, 255), (0.62, 0))  # how far towards which grey, one for each round


def color(k: int) -> str:
    """Colour of component ``k`` as ``#rrggbb``.

    Examples
    --------
    >>> color(0), color(8), color(32)
    ('#684ff7', '#3e2f94', '#684ff7')
    """
    rounds, index = divmod(k, len(COLORS))
    return _mixed(COLORS[index], *_SHADES[rounds % len(_SHADES)])


def ink(k: int) -> str:
    """The same colour, dark enough for letters on white."""
    return _mixed(color(k), 0.35, 0)


def _mixed(shade: str, share: float, target: int) -> str:
    """A colour moved by a share of the way towards a grey."""
    channels = (int(shade[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(value + share * (target - value)):02x}" for value in channels)
