"""What stands on stdout in the end: one row a part, and where to look."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unweave.cli.failure import one_line
from unweave.cli.work import Outcome

__all__ = ["table", "where_to_look"]

_HEADS = ("component", "file", "level dB", "centroid Hz", "share %")
_LEFT = 2
"""Columns of text, which stand to the left."""


def table(manifest: Mapping[str, Any]) -> str:
    """The parts of a manifest in columns."""
    rows = [_HEADS, *(_row(part["label"], part) for part in manifest["components"])]
    if manifest["residual"]:
        rows.append(_row("residual", manifest["residual"]))
    widths = [max(_width(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join("  ".join(_padded(cell, widths, k) for k, cell in enumerate(row)).rstrip() for row in rows)


def _row(label: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        one_line(label),
        one_line(part["file"]),
        _number(part["level_db"], ".1f", "silent"),
        _number(part["centroid_hz"], ".0f", ""),
        _number(part["energy_share"], ".1f", "", 100),
    )


def _number(value: float | None, form: str, otherwise: str, factor: float = 1) -> str:
    return otherwise if value is None else format(value * factor, form)


def _padded(cell: str, widths: list[int], column: int) -> str:
    space = " " * (widths[column] - _width(cell))
    return cell + space if column < _LEFT else space + cell


def _width(text: str) -> int:
    """Columns of a terminal that a text fills."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    marks = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - marks


def where_to_look(outcome: Outcome) -> str:
    """The last line."""
    page: Path = outcome.folder / "index.html"
    if outcome.has_page:
        return f"Open {one_line(str(page))} to look and listen."
    return f"The parts are in {one_line(str(outcome.folder))}."
