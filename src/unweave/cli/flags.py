"""Flags with one dash and several values, as FluCoMa's programs take them: `-fftsettings 1024 -1 -1 -1`.

Flags and their defaults are read from the signature of the function that they are for. How many values a flag takes
follows from its default: one for a number, as many as a tuple has. Names are those of files where the caller says so.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

__all__ = ["Flag", "flags_of", "parsed", "wants_help", "wants_version"]

_MORE = {"fftsettings": 1, "harmfiltersize": 1, "percfiltersize": 1}
"""Numbers that may follow and say how much room live objects are to make: taken, and without meaning here."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: what it takes, and how many of it."""

    name: str
    kind: type
    least: int = 1
    most: int = 1
    default: Any = None

    @property
    def one(self) -> bool:
        """Whether the function gets a value, and not a tuple of them."""
        return self.least == 1


def flags_of(function: Callable[..., object], files: Iterable[str]) -> dict[str, Flag]:
    """The flags of a function by name: its parameters, and the names of files."""
    flags = {name: Flag(name, str) for name in files}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in flags:
            continue
        default = parameter.default
        values = default if isinstance(default, tuple) else (default,)
        more = _MORE.get(name, 0)
        flags[name] = Flag(name, type(values[0]), len(values), len(values) + more, default)
    return flags


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether the first word asks for help, in any of the ways that FluCoMa's programs know."""
    return bool(arguments) and re.fullmatch(r"-*h(elp)?", arguments[0], re.IGNORECASE) is not None


def wants_version(arguments: Sequence[str]) -> bool:
    """Whether the first word asks for the version."""
    return bool(arguments) and re.fullmatch(r"-*v(ersion)?", arguments[0], re.IGNORECASE) is not None


def parsed(arguments: Sequence[str], flags: dict[str, Flag]) -> dict[str, Any]:
    """What was given, by name.

    Raises
    ------
    click.UsageError
        An unknown flag, one that comes twice, values that are too few or of the wrong kind, a word without a flag.
    """
    given: dict[str, Any] = {}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not _is_flag(word):
            raise click.UsageError(
                f"{word!r} stands where a flag is expected: one such as -{next(iter(flags))} comes before it."
            )
        flag = _known(word, flags)
        if flag.name in given:
            raise click.UsageError(f"-{flag.name} is given twice.")
        given[flag.name] = _taken(flag, words)
    return given


def _is_flag(word: str) -> bool:
    return word.startswith("-") and _number(word) is None


def _known(word: str, flags: dict[str, Flag]) -> Flag:
    name = word.lstrip("-").lower()
    if name not in flags:
        near = difflib.get_close_matches(name, flags, 1)
        advice = f", which knows -{near[0]}" if near else ""
        raise click.UsageError(f"{word} is no flag of this program{advice}.")
    return flags[name]


def _taken(flag: Flag, words: list[str]) -> Any:
    """Take the values of a flag from the words that follow it."""
    if flag.kind is str:
        if not words or _is_flag(words[0]):
            raise click.UsageError(f"-{flag.name} needs the name of a file.")
        return words.pop(0)
    values: list[float] = []
    while words and len(values) < flag.most and (number := _number(words[0])) is not None:
        values.append(number)
        words.pop(0)
    if len(values) < flag.least:
        numbers = "a number" if flag.one else f"{flag.least} numbers"
        found = f", but {words[0]!r} follows" if words else ""
        raise click.UsageError(f"-{flag.name} needs {numbers}{found}.")
    typed = tuple(_typed(flag, value) for value in values[: flag.least])
    return typed[0] if flag.one else typed


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _typed(flag: Flag, value: float) -> float | int:
    if flag.kind is not int:
        return value
    if not value.is_integer():
        raise click.UsageError(f"-{flag.name} needs a whole number, but {value:g} follows.")
    return int(value)
