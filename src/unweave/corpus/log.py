"""What has been done, in a file that is only ever added to: a line of JSON for each step.

    {"format": "unweave batch log", "format_version": 1}
    {"file": "a.wav", "state": "placing", "folder": "a", "files": {"manifest.json": 812, …}}
    {"file": "a.wav", "state": "done", "folder": "a", "files": {…}, "sha256": …, "settings": …, "seconds": 1.2, …}
    {"file": "b.wav", "state": "failed", "reason": …, …}

A line is written at once, by one call; of a line that a killed process has left half written nothing is read. The
last line about a file counts. 'placing' comes before the rename that puts a result into its place, so that a result
whose 'done' was never written is still known as ours.

Two runs must not write into one folder: the log is locked, by a lock that goes with the process.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unweave.errors import WriteError

__all__ = ["LOG", "Log"]

LOG = "log.jsonl"
_HEAD = {"format": "unweave batch log", "format_version": 1}


class Log:
    """The log of an output folder, as a context.

    ``last`` is the last line about each file, ``ours`` the names of all files that were ever put into a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOG
        self.last: dict[str, dict[str, Any]] = {}
        self.ours: defaultdict[str, set[str]] = defaultdict(set)

    def __enter__(self) -> Self:
        try:
            self._check()
            self._folder.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what is written is in the file, however this process ends.
            self._file = self._path.open("ab+", buffering=0)
        except OSError as error:
            if isinstance(error, WriteError):
                raise
            raise WriteError(f"{self._folder} cannot be written: {error.strerror or error}.") from None
        try:
            _lock(self._file.fileno(), self._folder)
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def _check(self) -> None:
        """Refuse a folder that holds something, but no log."""
        if not os.path.lexists(self._folder):
            return
        if not self._folder.is_dir():
            raise WriteError(f"{self._folder} is a file, but a folder is needed: choose another --out.")
        first = min((each.name for each in self._folder.iterdir()), default=None)
        if first is not None and not self._path.is_file():
            raise WriteError(
                f"{self._folder} is not empty ({first} is in the way) and holds no {LOG} of an earlier run: choose "
                "another --out."
            )

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read() or b""
        whole = content[: content.rfind(b"\n") + 1]
        lines = [_parsed(line) for line in whole.splitlines()]
        if lines and {name: lines[0].get(name) for name in _HEAD} != _HEAD:
            raise WriteError(f"{self._path} is not a log that this version of unweave can read: choose another --out.")
        self._file.truncate(len(whole))
        for line in lines[1:]:
            self._take(line)
        if not lines:
            self._append(_HEAD)

    def _take(self, line: dict[str, Any]) -> None:
        if isinstance(line.get("file"), str):
            self.last[line["file"]] = line
            self.ours[line.get("folder") or ""].update(line.get("files", ()))

    def write(self, **line: Any) -> None:
        """Add a line."""
        self._take(line)
        self._append(line)

    def _append(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode("ascii") + b"\n")
        except OSError as error:
            raise WriteError(f"{self._path} cannot be written: {error.strerror or error}.") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lock(number: int, folder: Path) -> None:
    """Lock an open file; the system lets go of it when the process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(number, 1 << 40, os.SEEK_SET)  # far behind the end: the lock must not keep readers out
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise WriteError(f"another run is writing into {folder} ({error.strerror}): wait for its end.") from None
