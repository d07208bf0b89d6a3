"""Which sounds a folder holds, and where the result of each goes.

Sounds are told by the ending of their names; names that begin with a dot are left out. Links are followed; a folder
that is reached from inside of itself is not entered again.

The results mirror the tree of the sounds: ``drums/loop.wav`` goes to ``drums/loop``. Where two would meet (``loop.wav``
beside ``loop.flac``, ``Loop.wav`` on a disk that tells no capitals, ``loop.wav`` beside a folder ``loop``), they are
called by their whole names, and numbered if even these are the same.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unweave.formats import ENDINGS

__all__ = ["Found", "find_sounds", "places"]


@dataclass(frozen=True, slots=True)
class Found:
    """A sound file, or a folder that cannot be read.

    ``file`` is its path below the folder, with ``/``; ``reason`` says why nothing can be done with it.
    """

    file: str
    path: Path
    size: int = 0
    reason: str = ""


def find_sounds(folder: Path, leave_out: Path | None = None) -> list[Found]:
    """All sounds below a folder, by their names.

    Parameters
    ----------
    folder : Path
    leave_out : Path, optional
        A folder that is not entered.

    Returns
    -------
    list of Found
        Sorted by ``file``. A folder that cannot be read is among them, with a reason.
    """
    left_out = None if leave_out is None else os.path.realpath(leave_out)
    return sorted(_walk(folder, PurePosixPath(), (), left_out), key=lambda found: found.file)


def _walk(folder: Path, below: PurePosixPath, above: tuple[str, ...], left_out: str | None) -> Iterator[Found]:
    real = os.path.realpath(folder)
    if real in above or real == left_out:
        return
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        yield Found(str(below), folder, reason=f"the folder cannot be read: {error.strerror or error}.")
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if os.path.isdir(path):  # noqa: PTH112 - Path's own raises where it may not look
            yield from _walk(path, below / name, (*above, real), left_out)
        elif PurePosixPath(name).suffix.lower() in ENDINGS:
            yield from _file(path, below / name)


def _file(path: Path, below: PurePosixPath) -> Iterator[Found]:
    """A file, also one that cannot be looked at; but no pipe and no device, which might never end."""
    try:
        facts = path.stat()
    except OSError:
        yield Found(str(below), path)
    else:
        if stat.S_ISREG(facts.st_mode):
            yield Found(str(below), path, facts.st_size)


def places(files: Sequence[str], before: Mapping[str, str], taken: Sequence[str] = ()) -> dict[str, str]:
    """Where the result of each file goes, relative to the output folder.

    Parameters
    ----------
    files : sequence of str
        Paths with ``/``.
    before : mapping
        Where results went in an earlier run: they stay there, unless that has become impossible.
    taken : sequence of str
        Names at the top of the output folder that are other files'.

    Examples
    --------
    >>> places(["a.wav", "b/c.flac", "b/c.wav"], {})
    {'a.wav': 'a', 'b/c.flac': 'b/c.flac', 'b/c.wav': 'b/c.wav'}
    """
    used: defaultdict[str, set[str]] = defaultdict(set)  # by the folder that the name is in
    used["."].update(name.casefold() for name in taken)
    for file in files:
        for folder in PurePosixPath(file).parents[:-1]:
            used[_key(folder.parent)].add(folder.name.casefold())
    found = {}
    for file in files:
        place = PurePosixPath(before.get(file, ""))
        if place.name and place.parent == PurePosixPath(file).parent and _take(place, used):
            found[file] = str(place)
    stems = Counter(str(PurePosixPath(file).with_suffix("")).casefold() for file in files)
    for file in files:
        if file not in found:
            path = PurePosixPath(file)
            alone = stems[str(path.with_suffix("")).casefold()] == 1
            found[file] = str(_free(path, alone, used))
    return {file: found[file] for file in files}


def _free(path: PurePosixPath, alone: bool, used: dict[str, set[str]]) -> PurePosixPath:
    """The first name that nobody has: without the ending, with it, with a number."""
    if alone and _take(path.with_suffix(""), used):
        return path.with_suffix("")
    number, place = 1, path
    while not _take(place, used):
        number += 1
        place = path.with_name(f"{path.name}-{number}")
    return place


def _take(place: PurePosixPath, used: dict[str, set[str]]) -> bool:
    names = used[_key(place.parent)]
    if place.name.casefold() in names:
        return False
    names.add(place.name.casefold())
    return True


def _key(folder: PurePosixPath) -> str:
    return str(folder).casefold()
