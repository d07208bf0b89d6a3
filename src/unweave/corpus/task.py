"""The work on one file, wherever it is done: what it takes there, and what comes back."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unweave.errors import UnweaveError

__all__ = ["Made", "Task", "Work", "carry_out", "file_digest", "files_below"]

Work = Callable[[Path, Path], Mapping[str, Any] | None]
"""From a sound file to a folder, which it makes, with its parents. Either is whole when it returns, or it raises.

It may return facts; of these ``duration``, seconds of sound, is told in the summary.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """The work, the sound file, and the folder to make."""

    work: Work
    source: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a task: the files of the folder and their sizes, or a reason."""

    sha256: str | None
    seconds: float
    files: dict[str, int] = field(default_factory=dict)
    duration: float | None = None
    reason: str = ""


def carry_out(task: Task) -> Made:
    """Do the work on a file; what goes wrong with it is told and not raised."""
    began, digest = time.monotonic(), None
    try:
        digest = file_digest(task.source)
        facts = task.work(task.source, task.folder) or {}
        files = files_below(task.folder)
    except Exception as error:  # noqa: BLE001 - one bad file does not stop the rest
        return Made(digest, time.monotonic() - began, reason=_reason(error))
    return Made(digest, time.monotonic() - began, files, facts.get("duration"))


def _reason(error: Exception) -> str:
    if isinstance(error, UnweaveError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror or error}."
    if isinstance(error, MemoryError):
        return f"the memory does not suffice{f' ({error})' if str(error) else ''}."
    return f"{type(error).__name__}: {error}"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> dict[str, int]:
    """The files below a folder, by their paths with ``/``, and their sizes; a link's is that of the link."""
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.lstat().st_size for path in found}
