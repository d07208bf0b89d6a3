"""What the files of the parts are called: a template with fields, checked before anything is computed.

Fields: ``{track}`` the recording's name without its extension, ``{component}`` the number from 0, ``{label}`` the name
from a dictionary or the number again, ``{ext}`` the extension of the format. A format such as ``{component:02d}`` is
allowed, and ``/`` makes folders. Where several parts have one label they are counted: snare-1, snare-2.
"""

from __future__ import annotations

import os
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath

from unweave.errors import InvalidInput

__all__ = ["RECORDING", "RESERVED", "part_names", "track_of"]

FIELDS = ("track", "component", "label", "ext")
RECORDING = "recording"
"""The copy of what was taken apart, without its extension."""

RESERVED = ("manifest.json", "index.html", "decomposition.npz", "bases.npz", "pictures", "envelopes", RECORDING)
"""First words of paths that the program itself writes; of a file name, what is before the extension counts too."""

_LONGEST = 255


def track_of(name: str) -> str:
    """The recording's name without folders and without the extension."""
    return PurePath(name).stem or "recording"


def part_names(template: str, track: str, labels: Sequence[str], ext: str, *, residual: bool = False) -> list[str]:
    """The names of all parts, relative to the output folder, with ``/`` between folders.

    Parameters
    ----------
    template : str
    track : str
    labels : sequence of str
        One a component; where several are the same, their number among these follows.
    ext : str
        Extension without a dot.
    residual : bool
        Add the name of what the parts leave over, which stands beside the first part.

    Raises
    ------
    InvalidInput
        An unknown field, a path that leaves the folder, two parts of one name, a name of the program's own files.
    """
    _fields(template)  # refuses what it does not know
    names = [
        _filled(template, {"track": track, "component": k, "label": label, "ext": ext})
        for k, label in enumerate(_counted(labels))
    ]
    if residual:
        names.append(str(PurePosixPath(names[0]).parent / f"residual.{ext}"))
    for name in names:
        _refuse(template, name)
    _refuse_same(template, names)
    return names


def _counted(labels: Sequence[str]) -> list[str]:
    """The labels, those that come several times with a number behind them, from 1."""
    total, seen = Counter(labels), Counter[str]()
    counted = []
    for label in labels:
        seen[label] += 1
        counted.append(f"{label}-{seen[label]}" if total[label] > 1 else label)
    return counted


def _fields(template: str) -> list[str]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidInput(f"--name {template!r} is no template: {error}.") from None
    for _, field, form, conversion in parsed:
        if field is None:
            continue
        if field not in FIELDS:
            raise InvalidInput(f"--name {template!r} has a field {{{field}}}: only {_known()} are known.")
        if conversion or not re.fullmatch(r"[^{}]{0,8}", form or ""):
            raise InvalidInput(f"--name {template!r}: {field}:{form} is no format such as {{component:02d}}.")
    return [field for _, field, _, _ in parsed if field]


def _known() -> str:
    return ", ".join(f"{{{field}}}" for field in FIELDS)


def _filled(template: str, values: Mapping[str, str | int]) -> str:
    tame = {field: _tame(value) if isinstance(value, str) else value for field, value in values.items()}
    try:
        return template.format_map(tame)
    except ValueError as error:
        raise InvalidInput(f"--name {template!r} cannot be filled in: {error}.") from None


def _tame(value: str) -> str:
    """A value makes no folders, and nothing that a terminal would obey."""
    return "".join("_" if char in "/\\" or not (char.isprintable() or char == " ") else char for char in value)


def _refuse(template: str, name: str) -> None:
    steps = name.split("/")
    if name.startswith("/") or PurePath(name).is_absolute() or ".." in steps:
        raise InvalidInput(f"--name {template!r} leads out of the output folder: {name!r}.")
    if any(step in ("", ".") for step in steps) or "\\" in name or not name.isprintable():
        raise InvalidInput(f"--name {template!r} makes {name!r}, which names no file.")
    longest = max(len(os.fsencode(step)) for step in steps)
    if longest > _LONGEST:
        raise InvalidInput(f"--name {template!r} makes a name of {longest} bytes: {_LONGEST} are the most.")
    first = steps[0].casefold()
    if first in RESERVED or (len(steps) == 1 and PurePath(first).stem in RESERVED) or first.startswith(".unweave-"):
        raise InvalidInput(f"--name {template!r} makes {name!r}, which is taken by a file of the program's own.")


def _refuse_same(template: str, names: Sequence[str]) -> None:
    """Refuse equal names, also where the disk does not tell capitals."""
    seen: dict[str, int] = {}
    for k, name in enumerate(names):
        key = name.casefold()
        if key in seen:
            advice = "" if "component" in _fields(template) else ": put {component} into it"
            raise InvalidInput(f"--name {template!r} gives parts {seen[key]} and {k} the same name, {name!r}{advice}.")
        seen[key] = k
