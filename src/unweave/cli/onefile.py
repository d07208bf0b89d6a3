"""What commands share that write one file: where it goes, and what is refused before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from unweave.cli.options import Declared, option, stacked
from unweave.cli.progress import Watch, watch_for
from unweave.cli.sources import STDIN
from unweave.errors import WriteError
from unweave.threads import limit

__all__ = ["check_target", "file_options", "working"]

_FILES = "Output file"


def file_options(what: str, **settings: object) -> Declared:
    """Declare ``-o FILE`` and ``--overwrite``."""
    out = option(_FILES, "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help=what, **settings)
    return stacked([out, option(_FILES, "--overwrite", is_flag=True, help="Replace the file, if it is there.")])


def check_target(target: Path, *, overwrite: bool, inputs: Sequence[str | Path]) -> None:
    """Refuse a file that must not be replaced, or that cannot be written where it is to be."""
    if target.is_dir():
        raise WriteError(f"{target} is a folder: choose another --out.")
    if target.exists() and any(Path(each).exists() and target.samefile(each) for each in inputs if each != STDIN):
        raise WriteError(f"{target} is read by this command and would be replaced: choose another --out.")
    if target.exists() and not overwrite:
        raise WriteError(f"{target} is there already: choose another --out, or say --overwrite.")
    if not target.parent.is_dir():
        raise WriteError(f"{target} cannot be written: there is no folder {target.parent}.")


@contextmanager
def working(threads: int | None, *, quiet: bool) -> Iterator[Watch]:
    """A context with so many threads, whose value is told how far the work is."""
    watch = watch_for(quiet)
    with limit(threads) if threads else nullcontext():
        try:
            yield watch
        finally:
            watch.close()
