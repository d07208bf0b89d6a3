"""`unweave fluid`: FluCoMa's programs with their own flags, and wrappers under their names.

    unweave fluid nmf -source loop.wav -resynth parts.wav -resynthmode 1 -components 3 -fftsettings 1024 -1 -1 -1
    unweave fluid install DIR

Differences from FluCoMa's programs. The exit code tells: 0 done, 1 a failure, 2 flags that cannot be; there it is 0
whatever happens. Files are written all or none. A call that would write nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unweave import __version__
from unweave.cli.flags import Flag, flags_of, parsed, wants_help, wants_version
from unweave.cli.interrupts import held_signals
from unweave.cli.options import HeadedCommand
from unweave.cli.talk import say
from unweave.cli.wrappers import NAMES, OTHERS, install
from unweave.errors import Incompatible, InvalidInput

if TYPE_CHECKING:
    from unweave.cli.programs import Program

__all__ = ["FLUCOMA_VERSION", "fluid"]

FLUCOMA_VERSION = "1.0.9"
"""The version whose flags are understood."""

_EXAMPLES = """\b
Examples:
  unweave fluid nmf -source loop.wav -resynth parts.wav -bases bases.wav -components 3
      parts.wav has a channel for each part
  unweave fluid hpss -source loop.wav -harmonic h.wav -percussive p.wav -harmfiltersize 31 31
  unweave fluid nmf -h
      the flags of a program
  unweave fluid install ~/flucoma-bin
      fluid-nmf and its siblings, for scripts that call FluCoMa's programs
"""


@click.command(
    cls=HeadedCommand,
    epilog=_EXAMPLES,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", metavar="PROGRAM", required=True)
@click.argument("flags", metavar="[-FLAG VALUE...]...", nargs=-1, type=click.UNPROCESSED)
def fluid(program: str, flags: Sequence[str]) -> None:
    """Do what a program of FluCoMa does, with its flags: nmf, nmfseed, nmfcross, hpss, sines, transients, stft.

    Flags have one dash and any case. Files are .wav of 32-bit floats or, by their name, .csv with a line for each
    channel; those that are there are replaced. `install DIR` writes programs named fluid-nmf and so on into DIR.
    """
    name = program.lower().removeprefix("fluid-")
    if name == "install":
        _install(flags)
    elif name in NAMES or name in OTHERS:
        _run(name, flags)
    else:
        raise click.UsageError(f"{program!r} is no program: there are {', '.join(NAMES)} and install.")


def _install(arguments: Sequence[str]) -> None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise click.UsageError("install needs one folder, as in: unweave fluid install ~/flucoma-bin.")
    folder = Path(arguments[0]).expanduser()
    with held_signals():
        written = install(folder)
    say(f"{', '.join(path.name for path in written)} are in {folder}: put it into PATH, or point to it.")


def _run(name: str, arguments: Sequence[str]) -> None:
    if wants_version(arguments):
        say(f"unweave {__version__}, in place of the Fluid Corpus Manipulation Toolkit, version {FLUCOMA_VERSION}")
        return
    if name in OTHERS:
        raise click.ClickException(
            f"fluid-{name} is not part of unweave, which has {', '.join(NAMES)}: use FluCoMa's own program for it."
        )
    # The library, which a question for the version need not wait for.
    from unweave.cli.programs import PROGRAMS
    from unweave.cli.progress import working
    from unweave.flucoma.buffers import write_buffers

    program = PROGRAMS[name]
    flags = flags_of(program.function, program.files)
    if wants_help(arguments):
        say(_help(name, program, flags))
        return
    with _told(name, flags), working(None, quiet=False) as watch:
        watch.stage(f"fluid-{name}")
        written = program.run(program, parsed(arguments, flags))
        with held_signals():
            write_buffers(written)
    for path in written:
        say(f"Writing {path}")


@contextmanager
def _told(name: str, flags: dict[str, Flag]) -> Iterator[None]:
    """Speak of flags, and point to the help of the program and not to that of all."""
    here = click.Context(fluid, parent=click.get_current_context().parent, info_name=f"fluid {name}")
    try:
        yield
    except click.UsageError as error:
        error.ctx = here
        raise
    except (InvalidInput, Incompatible) as error:
        raise click.UsageError(_with_dashes(str(error), flags), here) from None


def _with_dashes(sentence: str, flags: dict[str, Flag]) -> str:
    """Parameters as the flags that they are."""
    return re.sub(rf"(?<![\w./-])({'|'.join(flags)})=(?=[-\d('])", r"-\1 ", sentence)


def _help(name: str, program: Program, flags: dict[str, Flag]) -> str:
    """All flags with what they take; docs/flucoma.md says what they mean."""
    lines = [f"unweave fluid {name}, in place of FluCoMa's fluid-{name} (version {FLUCOMA_VERSION}). Flags:"]
    for flag in flags.values():
        if flag.kind is str:
            written = "written" if flag.name in program.writes else "read"
            what = f"FILE, {'read or written' if flag.name in program.either else written}"
        elif flag.name == "resynthmode":
            what = "1 where -resynth is given (default)"
        else:
            values = flag.default if isinstance(flag.default, tuple) else (flag.default,)
            what = " ".join(f"{value:g}" for value in values) + " (default)"
        lines.append(f"  -{flag.name:<20} {what}")
    return "\n".join(lines)
