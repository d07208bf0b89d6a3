"""Tables of numbers as text, with commas: written whole or not at all, and read with a sentence where they are none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from unweave.arrays import Matrix
from unweave.errors import ReadError
from unweave.files import write_whole

__all__ = ["read_sheet", "write_lines", "write_sheet"]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text to ``path``; a file of that name is replaced."""
    write_whole(path, (f"{line}\n".encode() for line in lines))


def write_sheet(path: Path, table: Matrix) -> None:
    """Write a matrix, a line for every row, with the nine digits that float32 needs to come back."""
    write_lines(path, (",".join(f"{number:.9g}" for number in row.tolist()) for row in table))


def read_sheet(path: Path) -> Matrix:
    """Read a matrix, float64 ``(rows, columns)``.

    Raises
    ------
    ReadError
        The file is missing, or no table of numbers.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ReadError(f"{path} cannot be read: {reason}.") from None
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ReadError(f"{path} is no table: every line needs as many numbers, with commas between them.")
    try:
        return np.array(rows, np.float64)
    except ValueError as error:
        raise ReadError(f"{path} is no table of numbers: {error}.") from None
