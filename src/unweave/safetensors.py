"""The file format safetensors: arrays with names and a few texts, which many programs of machine learning read.

    8 bytes: n, little-endian │ n bytes: a header in JSON, padded with spaces │ the arrays, one behind the other

    {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …}

Arrays lie in C order, little-endian, in the order of their types (U64, I64, F64, C64, F32, … BOOL) and then of their
names; nothing lies between them. The header's length is a multiple of eight, so that every array begins where its type
may begin in memory. A file that breaks a rule of the format is refused, and so are numbers that NumPy has no type for.

The same arrays give the same bytes, those of the format's own writer where there is at most one text.

Reference: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.errors import InvalidInput, ReadError
from unweave.files import write_whole

__all__ = ["read_safetensors", "write_safetensors"]

_LONGEST_HEADER = 100_000_000  # bytes, as the format has it
_TYPES = {  # in the order in which the format's own writer puts them
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
    "F32": "<f4",
    "U32": "<u4",
    "I32": "<i4",
    "F16": "<f2",
    "U16": "<u2",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}


def write_safetensors(
    path: str | PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays with their names, and texts about them, as one ``.safetensors`` file.

    Parameters
    ----------
    path : path
    arrays : mapping of name to array
        Of numbers or truth values, at any shape.
    metadata : mapping of text to text, optional

    Raises
    ------
    InvalidInput
        A type that the format does not have, or a name that it keeps for itself.
    WriteError
        The file cannot be written; then nothing is there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/a.safetensors", {"x": np.eye(2)}, {"made by": "hand"})
    ...     read_safetensors(f"{folder}/a.safetensors")
    ({'x': array([[1., 0.], [0., 1.]])}, {'made by': 'hand'})
    """
    names = {np.dtype(text): name for name, text in _TYPES.items()}
    little = {name: _little(name, np.asarray(array)) for name, array in arrays.items()}
    rank = list(_TYPES)
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    data, at = [], 0
    for name in sorted(little, key=lambda each: (rank.index(names[little[each].dtype]), each)):
        array = little[name]
        span = [at, at + array.nbytes]
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": span}
        data.append(array.tobytes())
        at = span[1]
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_whole(path, [len(text).to_bytes(8, "little"), text, *data])


def _little(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order and little-endian."""
    kind = array.dtype.newbyteorder("<")
    if kind not in [np.dtype(text) for text in _TYPES.values()]:
        raise InvalidInput(f"{name!r} is of {array.dtype}, which safetensors has no name for.")
    if name == "__metadata__":
        raise InvalidInput("'__metadata__' is a name that safetensors keeps for itself.")
    return np.asarray(array, kind, order="C")


def read_safetensors(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read a ``.safetensors`` file of any program: its arrays by name, and its metadata.

    Raises
    ------
    ReadError
        The file is missing, breaks a rule of the format, or holds numbers of a type that NumPy does not have.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return _parsed(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is not a safetensors file: {str(error).rstrip('.')}.") from None


def _parsed(content: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of a file's content; `ValueError` says which rule it breaks."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(_LONGEST_HEADER, len(content) - 8):
        raise ValueError("its header is cut off")
    if content[8:9] != b"{":
        raise ValueError("its header does not begin with {")
    header = json.loads(content[8 : 8 + length].decode(), object_pairs_hook=_each_once)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are not texts")
    data = memoryview(content)[8 + length :]
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    at = 0
    for begin, end, *_ in sorted(entries.values(), key=lambda entry: entry[:2]):
        if begin != at:
            raise ValueError(f"its arrays overlap or leave a gap at byte {at}")
        at = end
    if at != len(data):
        raise ValueError(f"its arrays need {at} bytes, but {len(data)} are there")
    arrays = {
        name: np.frombuffer(data[begin:end], kind).reshape(shape).copy()
        for name, (begin, end, kind, shape) in entries.items()
    }
    return arrays, metadata


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _entry(name: str, entry: Any) -> tuple[int, int, np.dtype[Any], tuple[int, ...]]:
    """Begin, end, type and shape of one array, from what the header says of it."""
    if not isinstance(entry, dict) or not entry.keys() >= {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} needs dtype, shape and data_offsets")
    shape, span = entry["shape"], entry["data_offsets"]
    for numbers in (shape, span):
        if not isinstance(numbers, list) or not all(type(each) is int and each >= 0 for each in numbers):
            raise ValueError(f"{name!r} has a shape or data_offsets that are not counts")
    if str(entry["dtype"]) not in _TYPES:
        raise ValueError(f"{name!r} is of {entry['dtype']}, which NumPy does not have")
    kind = np.dtype(_TYPES[entry["dtype"]])
    if len(span) != 2 or span[1] - span[0] != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name!r} has data_offsets that do not fit its shape")
    return span[0], span[1], kind, tuple(shape)
