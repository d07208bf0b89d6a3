"""Programs named `fluid-nmf`, `fluid-hpss` and so on, that call `unweave fluid`.

Each is a script that starts this very Python. A file of such a name that is not ours stays what it is.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from unweave.errors import WriteError
from unweave.files import whole_file

__all__ = ["NAMES", "OTHERS", "install"]

NAMES = ("nmf", "nmfseed", "nmfcross", "hpss", "sines", "transients", "stft")
"""FluCoMa's programs that are ours too, without 'fluid-'."""

OTHERS = (
    *("ampfeature", "ampgate", "ampslice", "audiotransport", "chroma", "loudness", "melbands", "mfcc"),
    *("noveltyfeature", "noveltyslice", "onsetfeature", "onsetslice", "pitch", "sinefeature", "spectralshape", "stats"),
    "transientslice",
)
"""FluCoMa's programs that are not: descriptors and slicers."""

_ASKED = "noveltyslice"
"""ReaCoMa and python-flucoma look for `fluid-noveltyslice`, and ask it for its version, before they do anything."""

_MARK = "unweave in place of FluCoMa"
_ENDING = ".cmd" if os.name == "nt" else ""


def install(folder: Path) -> list[Path]:
    """Write the wrappers into a folder, which is made where there is none; returns them.

    Raises
    ------
    WriteError
        A file of such a name is there and is not ours, and then nothing was written; or the folder cannot be.
    """
    paths = {name: folder / f"fluid-{name}{_ENDING}" for name in NAMES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths.values():
            if not _is_free(path):
                raise WriteError(f"{path} is there, and not written by unweave: choose another folder.")
        asked = folder / f"fluid-{_ASKED}{_ENDING}"
        if _is_free(asked):  # FluCoMa's own answers as well
            paths[_ASKED] = asked
        for name, path in paths.items():
            _write(path, _script(name))
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return list(paths.values())


def _is_free(path: Path) -> bool:
    """Whether nothing is there, or a wrapper of ours."""
    return not os.path.lexists(path) or (path.is_file() and _MARK in path.read_text("utf-8", "replace"))


def _script(name: str) -> str:
    # -P: the folder that it is called in does not become a place of Python modules.
    if os.name == "nt":
        return f'@rem {_MARK}\r\n@"{sys.executable}" -P -m unweave fluid {name} %*\r\n'
    return f'#!/bin/sh\n# {_MARK}\nexec {shlex.quote(sys.executable)} -P -m unweave fluid {name} "$@"\n'


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())
        hidden = Path(file.name)
        hidden.chmod(hidden.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
