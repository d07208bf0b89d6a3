"""FluCoMa's programs: which function each stands for, what it reads, and what it writes.

A program reads all of its files before it computes and writes after it, so that one file may be read and replaced, as
with seeds of NMF; and it writes all of its files or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from unweave import flucoma
from unweave.flucoma.buffers import Buffer

__all__ = ["PROGRAMS", "Program"]

Given = dict[str, Any]
Written = dict[str, Buffer]


@dataclass(frozen=True, slots=True)
class Program:
    """A program: the function, the files that it reads, those it writes, and how it goes from one to the other.

    ``either`` are files that are read or written, as a mode says.
    """

    function: Callable[..., Any]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Program, Given], Written]
    either: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All flags that name files."""
        return tuple(dict.fromkeys((*self.reads, *self.writes)))

    def called(self, given: Given) -> Any:
        """Call the function; what is missing is said in a sentence."""
        for name in self.reads:
            if name not in given:
                raise click.UsageError(f"-{name} is missing: which file is to be read?")
        return self.function(**given)


def _named(made: Mapping[str, Buffer], paths: Mapping[str, str]) -> Written:
    """The buffers that are to be written, by the names of their files."""
    return {path: made[name] for name, path in paths.items()}


def _require_outputs(paths: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse to compute for nobody, and to write two things into one file."""
    if not paths:
        raise click.UsageError(f"no output is named: give {_listed(names)} a file.")
    if len(set(paths.values())) < len(paths):
        raise click.UsageError(f"{_listed(paths)} name the same file: each needs its own.")


def _listed(names: Iterable[str]) -> str:
    *first, last = (f"-{name}" for name in names)
    return f"{', '.join(first)} or {last}" if first else last


def _plain(program: Program, given: Given) -> Written:
    """Outputs are written where they are named; nothing is computed for nobody."""
    paths = {name: given.pop(name) for name in program.writes if name in given}
    _require_outputs(paths, program.writes)
    made = program.called(given)
    return _named({program.writes[0]: made} if isinstance(made, Buffer) else made._asdict(), paths)


def _nmf(program: Program, given: Given) -> Written:
    """Bases and activations are read, written, or both, as their modes say."""
    paths = {name: given.pop(name) for name in program.writes if name in given}
    # A file for the sounds says that they are wanted; -resynthmode 0 may still say that they are not.
    given.setdefault("resynthmode", int("resynth" in paths))
    if given["resynthmode"] == 1 and "resynth" not in paths:
        raise click.UsageError("-resynthmode 1 needs a file: give -resynth one.")
    if given["resynthmode"] == 0:
        paths.pop("resynth", None)
    for name, mode in (("bases", "basesmode"), ("activations", "actmode")):
        if given.get(mode, 0) > 0:
            if name not in paths:
                raise click.UsageError(f"-{mode} {given[mode]} needs a file to read: give -{name} one.")
            given[name] = paths[name]
        if given.get(mode, 0) == 2:  # kept: the file is left alone
            paths.pop(name)
    _require_outputs(paths, program.writes)
    return _named(program.called(given)._asdict(), paths)


def _stft(program: Program, given: Given) -> Written:
    """Magnitude and phase are written, or with -inverse 1 read."""
    if given.get("inverse", 0) != 1:
        return _plain(Program(program.function, ("source",), ("magnitude", "phase"), _plain), given)
    given.pop("source", None)
    return _plain(Program(program.function, ("magnitude", "phase"), ("resynth",), _plain), given)


_FACTORS, _POLAR = ("bases", "activations"), ("magnitude", "phase")

PROGRAMS: dict[str, Program] = {
    "nmf": Program(flucoma.bufnmf, ("source",), ("resynth", "bases", "activations"), _nmf, _FACTORS),
    "nmfseed": Program(flucoma.bufnmfseed, ("source",), ("bases", "activations"), _plain),
    "nmfcross": Program(flucoma.bufnmfcross, ("source", "target"), ("output",), _plain),
    "hpss": Program(flucoma.bufhpss, ("source",), ("harmonic", "percussive", "residual"), _plain),
    "sines": Program(flucoma.bufsines, ("source",), ("sines", "residual"), _plain),
    "transients": Program(flucoma.buftransients, ("source",), ("transients", "residual"), _plain),
    "stft": Program(flucoma.bufstft, ("source",), ("magnitude", "phase", "resynth"), _stft, _POLAR),
}
"""The programs by name, without 'fluid-'."""
