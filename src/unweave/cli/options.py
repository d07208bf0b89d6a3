"""Options of commands: under headings in the help, with defaults that are read from where they live."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from unweave.formats import ENDINGS

__all__ = [
    "TALK",
    "BetaType",
    "CountType",
    "Declared",
    "FileType",
    "FolderType",
    "GainType",
    "HeadedCommand",
    "is_folder",
    "option",
    "stacked",
    "talk_options",
    "threads_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class Declared(Protocol):
    """A decorator that leaves the function what it is."""

    def __call__(self, function: F, /) -> F:
        """Add to the function."""
        ...


TALK = "Talk and work"
"""The heading of what a command says, and how it works."""

_OTHERS = "Other options"


class _HeadedOption(click.Option):
    """An option that knows the heading it stands under."""

    def __init__(self, *args: Any, heading: str = _OTHERS, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.heading = heading


class HeadedCommand(click.Command):
    """A command whose help has its options under headings, in the order in which they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, heading by heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "heading", _OTHERS), []).append(record)
        if _OTHERS in sections:  # last
            sections[_OTHERS] = sections.pop(_OTHERS)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def option(heading: str, *names: str, **settings: Any) -> Declared:
    """Declare an option under a heading; its default is shown."""
    settings.setdefault("show_default", True)
    return click.option(*names, cls=_HeadedOption, heading=heading, **settings)


def stacked(declared: Sequence[Declared]) -> Declared:
    """Several options as one decorator, in the order in which they are to stand in the help."""

    def decorate(function: F, /) -> F:
        for each in reversed(declared):
            function = each(function)
        return function

    return decorate


def threads_option(heading: str = TALK) -> Declared:
    """Declare ``--threads``."""
    return option(
        heading,
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="all processors",
        help="Processors to use; the result is the same.",
    )


def talk_options(json: str = "Print the result for programs.") -> Declared:
    """Declare ``--json``, with such a help, ``--quiet`` and ``--threads``."""
    return stacked(
        [
            option(TALK, "--json", "as_json", is_flag=True, help=json),
            option(TALK, "--quiet", is_flag=True, help="Say nothing but errors (and --json)."),
            threads_option(),
        ]
    )


class _NumberOrWord(click.ParamType[float | str]):
    """A number, or one of some words."""

    name = "number"
    words: dict[str, float | str]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Return what a word stands for, or the number."""
        if isinstance(value, str) and value.lower() in self.words:
            return self.words[value.lower()]
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither {', '.join(self.words)} nor a number.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows as the value."""
        return "|".join([*self.words, "NUMBER"])


class BetaType(_NumberOrWord):
    """A β, by its name or as a number."""

    def __init__(self, words: dict[str, float]) -> None:
        self.words = dict(words)


class CountType(click.IntRange):
    """A whole number of at least one, or 'auto'."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return 'auto', or the number."""
        return "auto" if isinstance(value, str) and value.lower() == "auto" else super().convert(value, param, ctx)


class GainType(_NumberOrWord):
    """A factor, or 'fit'."""

    words: dict[str, float | str] = {"fit": "fit"}  # noqa: RUF012 - a constant, as in the class above


_FILES = (*ENDINGS, ".csv", ".html", ".json", ".mid", ".npy", ".npz", ".png", ".safetensors")


class FileType(click.Path):
    """A file that is written; '-' is refused: sounds, tables and archives are not written to standard output."""

    what = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "-":
            told = f"'-' is standard output, but a {self.what} is written: name it, or say ./- for that name."
            self.fail(told, param, ctx)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class FolderType(FileType):
    """A folder that is written; who names it as a file is named wants a file, and is told that it will be none.

    An old folder may have any name, and so may a new one that is named with a slash at its end. A file that is there
    already is refused by whoever writes the folder.
    """

    what = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        path = super().convert(value, param, ctx)
        if path.suffix.lower() in _FILES and not (is_folder(value) or os.path.lexists(path)):
            self.fail(
                f"{os.fspath(value)!r} is named as a file is, but a folder is written: leave out {path.suffix}, or "
                "put / behind it.",
                param,
                ctx,
            )
        return path


def is_folder(value: str | os.PathLike[str]) -> bool:
    """Whether a path, as it was typed, is that of a folder: by a slash at its end, or because one is there."""
    named = os.fspath(value)
    return named.endswith(("/", os.sep)) or os.path.isdir(named)  # noqa: PTH112 - Path's own raises where it may not look
