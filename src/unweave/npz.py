"""One ``.npz`` file for arrays and their settings: no pickle, no time stamps, never half written.

Settings are a JSON text stored as an array of characters, so that the file opens with NumPy alone:
``json.loads(str(numpy.load(path)["settings"]))``.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.errors import ReadError, WriteError

__all__ = ["read_npz", "write_npz"]


def write_npz(path: str | PathLike[str], arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
    """Write arrays and settings to ``path``, by way of a temporary file beside it."""
    target = Path(path)
    text = np.array(json.dumps(settings, sort_keys=True, ensure_ascii=False))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays, settings=text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror or error}.") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def read_npz(path: str | PathLike[str], what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read all arrays of ``path`` and its settings; ``what`` says in the error what it should have been."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ReadError(f"{path} is a single array, not {what} of unweave (.npz).")
            arrays = {name: file[name] for name in file.files}
        settings = json.loads(str(arrays.pop("settings", "{}")))
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ReadError(f"{path} is not {what} of unweave (.npz): {str(error).splitlines()[0]}.") from None
    return arrays, settings if isinstance(settings, dict) else {}


def _umask() -> int:
    """The permissions that new files are denied; mkstemp denies more than a user expects of a result."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
