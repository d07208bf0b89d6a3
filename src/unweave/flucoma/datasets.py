"""FluCoMa's data sets and label sets: named points, and names for them, as the JSON files that those objects write.

    {"cols": 2, "data": {"kick-01": [0.1, 7], "kick-02": [0.3, 5]}}           FluidDataSet
    {"cols": 1, "data": {"kick-01": ["kick"], "kick-02": ["kick"]}}           FluidLabelSet

Points are float64, by name, in the order of the file. `points_of` makes them of a buffer, as ``fromBuffer`` does: the
components of a decomposition, say, as points of 513 dimensions, to be looked at, sorted or clustered there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.files import write_whole
from unweave.flucoma.buffers import PathLike, Source, as_buffer

__all__ = ["points_of", "read_dataset", "read_labelset", "write_dataset", "write_labelset"]

Points = dict[str, NDArray[np.float64]]


def points_of(buffer: Source, *, transpose: int = 0, labels: Sequence[str] | None = None) -> Points:
    """The frames of a buffer as points; with ``transpose=1`` its channels.

    Parameters
    ----------
    buffer : Buffer, Audio, path, or array ``(frames, channels)``
    transpose : {0, 1}
    labels : sequence of str, optional
        A name for each point. Default: their numbers.

    Examples
    --------
    >>> points_of(np.array([[1.0, 2.0], [3.0, 4.0]]), transpose=1)["0"].tolist()
    [1.0, 3.0]
    """
    frames = as_buffer("buffer", buffer).frames
    rows = np.asarray(frames.T if transpose else frames, np.float64)
    names = [str(k) for k in range(len(rows))] if labels is None else [str(label) for label in labels]
    if len(names) != len(rows):
        raise Incompatible(f"{len(names)} labels for {len(rows)} points: one for each is needed.")
    if len(set(names)) != len(names):
        raise InvalidInput("labels has a name twice: every point needs its own.")
    return dict(zip(names, rows, strict=True))


def write_dataset(path: PathLike, points: Mapping[str, ArrayLike]) -> None:
    """Write points as FluidDataSet reads them; a file of that name is replaced.

    Raises
    ------
    InvalidInput
        A point is no row of finite numbers.
    Incompatible
        Points of different lengths.
    WriteError
        The file cannot be written; then nothing is there.
    """
    rows = {str(name): np.asarray(point, np.float64) for name, point in points.items()}
    for name, row in rows.items():
        if row.ndim != 1 or not np.isfinite(row).all():
            raise InvalidInput(f"the point {name!r} is no row of finite numbers.")
    _write(path, {name: row.tolist() for name, row in rows.items()})


def write_labelset(path: PathLike, labels: Mapping[str, str]) -> None:
    """Write a name for each point as FluidLabelSet reads them; a file of that name is replaced."""
    _write(path, {str(name): [str(label)] for name, label in labels.items()})


def read_dataset(path: PathLike) -> Points:
    """Read points by name.

    Raises
    ------
    ReadError
        The file is missing, or no data set.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_dataset(f"{folder}/drums.json", {"kick": [1, 2], "snare": [3, 4]})
    ...     read_dataset(f"{folder}/drums.json")["snare"].tolist()
    [3.0, 4.0]
    """
    points: Points = {}
    for name, row in _rows(path, "data set").items():
        try:
            points[name] = np.array(row, np.float64)
        except (TypeError, ValueError):
            raise ReadError(f"{path} is no data set: the point {name!r} has something else than numbers.") from None
        if not np.isfinite(points[name]).all():
            raise ReadError(f"{path}: the point {name!r} contains NaN or infinity.")
    return points


def read_labelset(path: PathLike) -> dict[str, str]:
    """Read the names of points.

    Raises
    ------
    ReadError
        The file is missing, or no label set.
    """
    rows = _rows(path, "label set")
    if any(len(row) != 1 for row in rows.values()):
        raise ReadError(f"{path} is no label set: every point needs one label.")
    return {name: str(row[0]) for name, row in rows.items()}


def _rows(path: PathLike, what: str) -> dict[str, list[Any]]:
    """The rows of a file, checked against the number of columns that it promises."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ReadError(f"{path} is no {what} of FluCoMa: {error}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("cols"), int):
        raise ReadError(f'{path} is no {what} of FluCoMa: {{"cols": …, "data": {{name: [...], …}}}} is needed.')
    data = content.get("data")  # that of an empty set is not written at all
    if data is not None and not isinstance(data, dict):
        raise ReadError(f"{path} is no {what} of FluCoMa: data must hold points by their names.")
    rows = {name: row if isinstance(row, list) else [row] for name, row in (data or {}).items()}
    lengths = {len(row) for row in rows.values()}
    if lengths - {content.get("cols")}:
        raise ReadError(f"{path} is damaged: cols is {content.get('cols')}, but points have {sorted(lengths)} entries.")
    return rows


def _write(path: PathLike, rows: Mapping[str, list[Any]]) -> None:
    lengths = sorted({len(row) for row in rows.values()})
    if len(lengths) > 1:
        raise Incompatible(f"points have {lengths[0]} to {lengths[-1]} entries, but all need as many.")
    text = json.dumps({"cols": lengths[0] if lengths else 0, "data": dict(rows)}, ensure_ascii=False)
    write_whole(path, text.encode())
