"""A file that appears whole or not at all.

What is written goes into a file of another name in the same folder, which is renamed at the end: whoever looks sees the
old file or the new one, and a failure leaves neither half a file nor a lost one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from unweave.errors import UnweaveError, WriteError

__all__ = ["hidden_path", "refuse_unreplaceable", "whole_file", "write_several", "write_whole"]


def hidden_path(path: Path, suffix: str = ".part") -> Path:
    """A name beside ``path`` that nobody has, for what is not complete."""
    return path.with_name(f".unweave-{secrets.token_hex(8)}{suffix}")


def refuse_unreplaceable(path: Path) -> None:
    """Raise OSError where ``path`` is a folder or a device: a file that is renamed onto a device would replace it."""
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if path.exists() and not path.is_file():
        raise OSError(None, "it is no regular file")


@contextmanager
def whole_file(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A context with a file to write into, which takes the name ``path`` when the ``with`` block ends well.

    Raises
    ------
    WriteError
        The file cannot be written; an older one is left as it was.
    """
    target = Path(path)
    with _told(target):
        refuse_unreplaceable(target)
        hidden = hidden_path(target)
        try:
            with hidden.open("xb") as file:
                yield cast("BinaryIO", file)
            hidden.replace(target)
        except BaseException:
            with suppress(OSError):
                hidden.unlink()
            raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of an error of the system that ``path`` cannot be written."""
    try:
        yield
    except UnweaveError:
        raise
    except OSError as error:
        if not error.strerror:
            raise  # of whoever makes what is written
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from None


def write_whole(path: str | PathLike[str], content: bytes | Iterable[bytes]) -> None:
    """Write ``content``, at once or piece by piece, to ``path``; a file of that name is replaced.

    Raises
    ------
    WriteError
        The file cannot be written; an older one is left as it was.
    """
    with whole_file(path) as file:
        file.writelines((content,) if isinstance(content, bytes) else content)


def write_several(files: Iterable[tuple[str | PathLike[str], Callable[[Path], None]]]) -> None:
    """Write several files, each by a function that is given a path: all take their names at the end, or none does.

    Links are followed. What the functions say of the path that they were given is told of the file's own name.

    Raises
    ------
    WriteError
        A file cannot be written; older ones are left as they were.
    """
    staged: list[tuple[Path, Path, Path]] = []
    try:
        for name, write in files:
            shown, target = Path(name), Path(os.path.realpath(name))
            with _told(shown):
                refuse_unreplaceable(target)
                hidden = hidden_path(target, shown.suffix)
                staged.append((hidden, target, shown))
                _write_hidden(hidden, shown, write)
        for hidden, target, shown in staged:
            with _told(shown):
                hidden.replace(target)
    finally:
        for hidden, _, _ in staged:
            with suppress(OSError):
                hidden.unlink()


def _write_hidden(hidden: Path, shown: Path, write: Callable[[Path], None]) -> None:
    """Write one file, and speak of it by the name that the user knows."""
    try:
        write(hidden)
    except UnweaveError as error:
        told = str(error).replace(str(hidden), str(shown)).replace(hidden.name, shown.name)
        raise type(error)(told) from None
