"""What commands share that write one file: where it goes, and what is refused before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unweave.cli.options import Declared, FileType, option, stacked
from unweave.cli.sources import STDIN
from unweave.errors import WriteError

__all__ = ["check_target", "file_options"]

_FILES = "Output file"


def file_options(what: str, **settings: object) -> Declared:
    """Declare ``-o FILE`` and ``--overwrite``."""
    out = option(_FILES, "-o", "--out", type=FileType(), metavar="FILE", help=what, **settings)
    return stacked([out, option(_FILES, "--overwrite", is_flag=True, help="Replace the file, if it is there.")])


def check_target(target: Path, *, overwrite: bool, inputs: Sequence[str | Path], named: str = "--out") -> None:
    """Refuse a file that must not be replaced, or that cannot be written where it is to be; ``named`` by an option."""
    if target.is_dir():
        raise WriteError(f"{target} is a folder: choose another {named}.")
    if target.exists() and any(Path(each).exists() and target.samefile(each) for each in inputs if each != STDIN):
        raise WriteError(f"{target} is read by this command and would be replaced: choose another {named}.")
    if target.exists() and not overwrite:
        raise WriteError(f"{target} is there already: choose another {named}, or say --overwrite.")
    if not target.parent.is_dir():
        raise WriteError(f"{target} cannot be written: there is no folder {target.parent}.")
