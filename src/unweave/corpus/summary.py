"""What came of all files, as a value, as JSON and as a table.

Nothing in the two files depends on the clock, on the machine, or on the order in which the files were finished.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from unweave.files import write_whole

__all__ = ["MANIFEST", "SUMMARY", "Entry", "Report", "write_report"]

MANIFEST, SUMMARY = "manifest.json", "summary.csv"
_FORMAT = {"format": "unweave batch", "format_version": 1}
_COLUMNS = ("file", "state", "reason", "duration", "folder")


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of one file: ``state`` is 'done' or 'failed'; ``duration`` is in seconds of sound."""

    file: str
    state: str
    reason: str
    duration: float | None
    folder: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What came of all files, by their names."""

    entries: tuple[Entry, ...]
    n_kept: int  # of those done, how many were done before
    manifest: dict[str, Any]

    @property
    def failed(self) -> tuple[Entry, ...]:
        """The entries that failed."""
        return tuple(entry for entry in self.entries if entry.state == "failed")

    @property
    def n_done(self) -> int:
        """How many files are done."""
        return len(self.entries) - len(self.failed)

    def __repr__(self) -> str:
        return f"Report({self.n_done} done, {len(self.failed)} failed)"


def write_report(out: Path, entries: Sequence[Entry], settings: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Write ``manifest.json`` and ``summary.csv``; return what the first holds."""
    listed = [{item.name: getattr(entry, item.name) for item in fields(entry)} for entry in entries]
    manifest = {**_FORMAT, "unweave": version, "settings": dict(settings), "files": listed}
    # A name that is no text has surrogates in it, which become JSON's own escapes.
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    write_whole(out / MANIFEST, text + b"\n")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in entries)
    write_whole(out / SUMMARY, table.getvalue().encode("utf-8", "surrogateescape"))
    return manifest
