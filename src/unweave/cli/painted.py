"""Painted zeros: a file that says, for one sound or one component, where it is silent.

A picture as wide as the recording is long, black where the sound is silent: a strip that `unweave decompose` has drawn,
painted over, or any other (`unweave.plot.painted`). Or a table of activations (`.csv`), zero there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, ReadError
from unweave.guide import Guide
from unweave.interchange import activation_table
from unweave.plot.painted import painted

__all__ = ["Row", "paint_over", "painted_components", "read_painted"]

Row = NDArray[np.float64]


def read_painted(path: str, name: str) -> Row:
    """How much a sound may sound, in equal stretches of the recording; a table has a column of its name, or one."""
    if Path(path).suffix.lower() != ".csv":
        return painted(path)
    labels, rows = activation_table(path)
    if name not in labels and len(labels) > 1:
        raise ReadError(f"{path} has no column {name!r}: it has {', '.join(labels)}.")
    row: Row = rows[labels.index(name) if name in labels else 0]
    if not np.isfinite(row).all() or row.min() < 0:
        raise ReadError(f"{path} holds activations that are negative or not finite.")
    return row


def painted_components(
    files: Mapping[str, Sequence[str]], bases: Dictionary | Matrix | None, n_components: int
) -> dict[int, Row]:
    """The painted rows of components, which are named by their number or by their label among the bases."""
    labels = bases.labels if isinstance(bases, Dictionary) else ()
    found: dict[int, Row] = {}
    for name, paths in files.items():
        k = labels.index(name) if labels.count(name) == 1 else int(name) if name.isdecimal() else n_components
        if k >= n_components:
            known = f" or {', '.join(labels)}" if labels else ""
            raise InvalidInput(f"--painted names {name!r}: say a component from 0 to {n_components - 1}{known}.")
        if k in found or len(paths) > 1:
            raise InvalidInput(f"--painted names {name!r} twice: a component is painted once.")
        found[k] = read_painted(paths[0], name)
    return found


def paint_over(activations: Matrix | None, rows: Mapping[int, Row], times: Row, level: float) -> Matrix:
    """Activations to start from, those given or even ones, with the zeros that were painted."""
    count = max(rows) + 1
    start = np.full((count, times.size), level, np.float32) if activations is None else np.array(activations)
    if len(start) < count:
        start = np.concatenate([start, np.full((count - len(start), start.shape[1]), level, start.dtype)])
    for k, row in rows.items():
        allowed = Guide(painted={"it": row}).frames("it", times)
        if allowed.size == start.shape[1]:  # a wrong number of frames is refused where activations are
            start[k, ~allowed] = 0
    return start
