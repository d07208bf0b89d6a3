"""One ``.npz`` file for arrays and their settings: no pickle, no time stamps, never half written; and single ``.npy``.

Settings are a JSON text stored as an array of characters, so that the file opens with NumPy alone:
``json.loads(str(numpy.load(path)["settings"]))``.
"""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unweave.errors import ReadError
from unweave.files import whole_file

__all__ = ["read_npy", "read_npz", "saved", "understood", "write_npz"]

_ARRAY, _ARCHIVES = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
"""How files of NumPy begin."""

# What zipfile, zlib, NumPy and json raise, between them, at bytes that are not what they should be.
_DAMAGE = (
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,
    ArithmeticError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def write_npz(path: str | PathLike[str], arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
    """Write arrays and settings to ``path``; a file of that name is replaced."""
    text = np.array(json.dumps(settings, sort_keys=True, ensure_ascii=False))
    with whole_file(path) as file:
        _write_entries(file, {**arrays, "settings": text})


def _write_entries(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """What `numpy.savez` writes, but without pickle in any version of NumPy."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            # An entry made from a ZipInfo has the date of 1980, whenever it is written.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def read_npz(path: str | PathLike[str], what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read all arrays of ``path`` and its settings; ``what`` says in the error what it should have been."""
    wrong = f"{path} is not {what} of unweave (.npz)"
    with _opened(path) as (file, head):
        if head == _ARRAY:
            with _told(f"{wrong}: it is damaged, or a part of it is missing."):
                np.load(file, allow_pickle=False)
            raise ReadError(f"{path} is a single array, not {what} of unweave (.npz).")
        if head[:4] not in _ARCHIVES:
            raise ReadError(f"{wrong}: it is no archive of arrays at all.")
        with _told(f"{wrong}: it is damaged, or a part of it is missing."):
            archive = np.load(file, allow_pickle=False)
        arrays = {name: _entry(archive, name, wrong) for name in archive.files}
    with _told(f"{wrong}: its settings are no text in JSON."):
        settings = json.loads(str(arrays.pop("settings", "{}")))
    return arrays, settings if isinstance(settings, dict) else {}


def _entry(archive: Any, name: str, wrong: str) -> NDArray[Any]:
    """One array; of what is none NumPy returns the bytes, or raises."""
    sentence = f"{wrong}: {name!r} in it is damaged, or no array of numbers."
    with _told(sentence):
        found = archive[name]
    if not isinstance(found, np.ndarray):
        raise ReadError(sentence)
    return found


def read_npy(path: str | PathLike[str]) -> NDArray[Any]:
    """Read the one array of ``path``."""
    with _opened(path) as (file, head):
        if head != _ARRAY:
            raise ReadError(f"{path} is not a matrix that NumPy can read: it does not begin like one (.npy).")
        with _told(f"{path} is not a matrix that NumPy can read: it is damaged, or holds something else than numbers."):
            found: NDArray[Any] = np.load(file, allow_pickle=False)
    return found


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[tuple[IO[bytes], bytes]]:
    """A file, which NumPy would leave open where it is damaged, and its first bytes."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_ARRAY))
            file.seek(0)
            yield file, head
    except ReadError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise ReadError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


@contextmanager
def _told(sentence: str) -> Iterator[None]:
    """Say a sentence of ours instead of what NumPy says, which is meant for programmers."""
    try:
        yield
    except _DAMAGE:
        raise ReadError(sentence) from None


@contextmanager
def saved(
    path: str | PathLike[str], what: str, formats: Collection[str]
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, Any]]]:
    """A context with the arrays and the settings of a value that was saved in one of ``formats``, as in `understood`.

    Raises
    ------
    ReadError
        It is something else than ``what``, damaged, or of another version.
    """
    arrays, settings = read_npz(path, what)
    if settings.get("format") not in formats:
        raise ReadError(f"{path} is not {what} of unweave: it holds {', '.join(sorted(arrays)) or 'nothing'}.")
    with understood(path):
        yield arrays, settings


@contextmanager
def understood(path: str | PathLike[str]) -> Iterator[None]:
    """Say of what is wrong inside of the ``with`` block that the file was wrong."""
    try:
        yield
    except KeyError as error:
        raise ReadError(f"{path} lacks {error}: was it written by another version of unweave?") from None
    except (ValueError, TypeError, LookupError) as error:  # InvalidInput and Incompatible are ValueErrors
        raise ReadError(f"{path} is damaged, or of another version of unweave: {error}") from None
