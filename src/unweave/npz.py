"""One ``.npz`` file for arrays and their settings: no pickle, no time stamps, never half written.

Settings are a JSON text stored as an array of characters, so that the file opens with NumPy alone:
``json.loads(str(numpy.load(path)["settings"]))``.
"""

from __future__ import annotations

import json
import secrets
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unweave.errors import ReadError, WriteError

__all__ = ["read_npz", "understood", "write_npz"]

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
    """Write arrays and settings to ``path``, by way of a temporary file beside it."""
    target = Path(path)
    text = np.array(json.dumps(settings, sort_keys=True, ensure_ascii=False))
    temporary = target.parent / f".unweave-{secrets.token_hex(8)}.part"
    try:
        try:
            with temporary.open("xb") as file:
                _write_entries(file, {**arrays, "settings": text})
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror or error}.") from None


def _write_entries(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """What `numpy.savez` writes, but without pickle in any version of NumPy."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            # An entry made from a ZipInfo has the date of 1980, whenever it is written.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def read_npz(path: str | PathLike[str], what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read all arrays of ``path`` and its settings; ``what`` says in the error what it should have been."""
    try:
        with Path(path).open("rb") as opened:  # np.load would leave a damaged file open
            file = np.load(opened, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ReadError(f"{path} is a single array, not {what} of unweave (.npz).")
            arrays = {name: file[name] for name in file.files}
        settings = json.loads(str(arrays.pop("settings", "{}")))
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    except _DAMAGE as error:
        reason = (str(error).splitlines() or ["it ends too early"])[0].rstrip(".")
        raise ReadError(f"{path} is not {what} of unweave (.npz): {reason}.") from None
    return arrays, settings if isinstance(settings, dict) else {}


@contextmanager
def understood(path: str | PathLike[str]) -> Iterator[None]:
    """Say of what is wrong inside of the ``with`` block that the file was wrong."""
    try:
        yield
    except KeyError as error:
        raise ReadError(f"{path} lacks {error}: was it written by another version of unweave?") from None
    except (ValueError, TypeError, LookupError) as error:  # InvalidInput and Incompatible are ValueErrors
        raise ReadError(f"{path} is damaged, or of another version of unweave: {error}") from None
