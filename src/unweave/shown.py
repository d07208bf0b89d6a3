"""How a value shows itself in a notebook: it asks who can draw.

A notebook (Jupyter, marimo, VS Code) asks a value for ``_repr_html_``. Values know no pictures, and modules below the
doors open none; so a value hands the question on to `html_of`, and whoever stands above the doors has said with
`draw_with` who answers it. The front of the package names the door `plot`, which is opened when the first value is
shown.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["draw_with", "html_of"]

Drawing = Callable[[object], str]

_drawings: list[Drawing] = []


def draw_with(drawing: Drawing) -> None:
    """Say who draws values from now on: a function from a value to HTML."""
    _drawings[:] = [drawing]


def html_of(value: object) -> str | None:
    """The value as HTML, or None where nobody draws: the notebook then shows its ``repr``."""
    return _drawings[0](value) if _drawings else None
