"""Sound files that are opened: which samples are taken, and how they come block by block.

The problem: readers count from the beginning of a file, but what comes through a pipe can be read once only, may be a
live sound whose length nobody knows, and must be heard before it is over. A wav that comes so is read as it comes
(`unweave.codec.open_pipe`); anything else is copied into memory first.

Conventions: float32 ``(channels, n)``; seconds at the door, samples inside. Errors come with the block that they
concern.
"""

from __future__ import annotations

import io
import math
import numbers
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from unweave.arrays import Samples
from unweave.codec import Source, open_pipe, open_source
from unweave.errors import InvalidInput, ReadError
from unweave.sound import refuse_non_finite

__all__ = ["PathOrFile", "SoundStream", "blocks_of", "open_sound", "span_of"]

PathOrFile = str | bytes | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class SoundStream:
    """A sound that is being read: its rate in Hz, its channels, its length, and its blocks ``(channels, n)``.

    ``n_samples`` is None where a pipe does not say how much is to come.
    """

    sample_rate: int | float
    n_channels: int
    n_samples: int | None
    blocks: Iterator[Samples]


@contextmanager
def open_sound(path: PathOrFile, *, as_it_comes: bool = False) -> Iterator[Source]:
    """A context with an open sound file, or pipe; with ``as_it_comes``, one that cannot be read twice is not copied.

    Raises
    ------
    ReadError
        The file is missing, no sound, or damaged.
    """
    name = _name(path)
    own = isinstance(path, str | bytes | os.PathLike)
    file = cast("BinaryIO", _open_to_read(Path(os.fsdecode(path)), name) if own else path)  # type: ignore[arg-type]
    try:
        if file.seekable() and file.tell() == 0:
            source = open_source(file, name)
        else:  # readers count from the file's beginning
            source = open_pipe(file, name) if as_it_comes else open_source(io.BytesIO(file.read()), name)
        try:
            yield source
        finally:
            source.close()
    finally:
        if own:
            file.close()


def _open_to_read(path: Path, name: str) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        why = "does not exist"
    except IsADirectoryError:
        why = "is a folder, but a sound file is needed"
    except PermissionError:
        why = "may not be read: its permissions forbid it"
    except (OSError, ValueError) as error:
        why = f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    raise ReadError(f"{name} {why}.")


def _name(path: PathOrFile) -> str:
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    if isinstance(path, io.TextIOBase):
        raise InvalidInput("The file was opened as text: open it with mode 'rb' (or pass sys.stdin.buffer).")
    if not hasattr(path, "read"):
        raise InvalidInput(f"path is of type {type(path).__name__}, but a file's name or a binary file is needed.")
    name = getattr(path, "name", None)
    return name if isinstance(name, str) else "the sound"


def span_of(source: Source, start: float, duration: float | None) -> tuple[int, int]:
    """The first sample that is taken, and the one behind the last.

    Raises
    ------
    InvalidInput
        These are no times, or the file ends before them.
    """
    for name, value in (("start", start), ("duration", duration)):
        if value is not None and not (isinstance(value, numbers.Real) and 0 <= value < math.inf):
            raise InvalidInput(f"{name}={value!r}, but it must be a number of seconds from 0 up.")
    first = round(start * source.sample_rate)
    if first > source.n_samples:
        raise _beyond(source, first, source.n_samples)
    n = source.n_samples - first
    return first, first + (n if duration is None else min(n, round(duration * source.sample_rate)))


def _beyond(source: Source, first: int, n_samples: int) -> InvalidInput:
    start = first / source.sample_rate
    return InvalidInput(f"start={start:g} s is beyond the end: {source.name} lasts {source.seconds(n_samples)} s.")


def blocks_of(source: Source, first: int, stop: int, n_block: int) -> Iterator[Samples]:
    """The samples from ``first`` to before ``stop`` in blocks of ``n_block``; of a pipe, as many as there are by then.

    Raises
    ------
    ReadError
        There are fewer than promised, or one is not finite.
    """
    return _arriving(source, first, stop, n_block) if source.is_pipe else _counted(source, first, stop, n_block)


def _counted(source: Source, first: int, stop: int, n_block: int) -> Iterator[Samples]:
    for begin in range(first, stop, n_block):
        n = min(n_block, stop - begin)
        block = source.read(begin, n)
        if block.shape[1] < n:
            raise source.cut_short()
        refuse_non_finite(block, source.sample_rate, source.name, ReadError, begin)
        yield block


def _arriving(source: Source, first: int, stop: int, n_block: int) -> Iterator[Samples]:
    at = 0
    while at < stop:
        block = source.read(at, min(n_block, stop - at))
        if not block.shape[1]:
            break
        wanted = block[:, max(0, first - at) :]
        at += block.shape[1]
        if wanted.shape[1]:
            refuse_non_finite(wanted, source.sample_rate, source.name, ReadError, at - wanted.shape[1])
            yield wanted
    if at < stop and source.has_length:
        raise source.cut_short()
    if at < first:
        raise _beyond(source, first, at)
