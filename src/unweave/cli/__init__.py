"""The command line: `unweave decompose` and its sisters.

The problem: a command may be interrupted, refused or starved at any moment, and whoever typed it is no reader of
tracebacks. So every command returns an exit code and speaks at most one sentence on stderr when it fails, results go
to stdout and nothing else does, and files appear all at once at the end (`unweave.cli.output`).

    0    done
    1    something failed: a file, the disk, the memory
    2    the command line asks for what cannot be
    3    some of the files of a folder failed (`unweave batch`)
    130  Ctrl-C; 128 + n for other signals

The commands are loaded when they are called, so that ``unweave --help`` answers at once. Every default is read from
the library's signatures and from the fields of `unweave.cli.job.Job`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import click

from unweave import __version__
from unweave.cli.failure import USAGE, exit_code, is_expected, sentence
from unweave.cli.interrupts import raised_signals
from unweave.cli.talk import warn

__all__ = ["commands", "main"]

_SUMMARIES = {
    "decompose": "Take a recording apart into its sounds.",
    "seed": "Say how many components a recording has, and make a start for them.",
    "learn": "Learn a dictionary from recordings of single sounds.",
    "dictionary": "Join dictionaries, name and order their bases.",
    "info": "Say what a file is and what is in it.",
    "stems": "Take a song, drums, or what you have examples of, apart into named stems.",
    "group": "Put the parts of a decomposition together to sounds.",
    "evaluate": "Say how near stems are to the true ones.",
    "filter": "Split a recording into the sounds that a dictionary knows.",
    "match": "Say how loud known sounds are in a recording, or when they begin.",
    "transcribe": "Turn a recording into notes: MIDI, tables, a picture, a sound.",
    "cross": "Play one sound with the frames of another.",
    "morph": "Let the sounds of one recording turn into those of another.",
    "sines": "Part tones that last from all the rest.",
    "hpss": "Part what sounds from what strikes.",
    "transients": "Part clicks and strokes from the sound without them.",
    "stft": "Write magnitude and phase, and make sound of them again.",
    "batch": "Do one of these for every sound of a folder.",
    "fluid": "Do what FluCoMa's programs do, with their flags.",
    "demo": "Make a drum loop, take it apart, and say how well that went.",
    "doctor": "Say what is installed, and what this machine can do.",
}

_EXAMPLES = """\b
Examples:
  unweave demo                              a first look, with a drum loop
  unweave decompose loop.wav -k 3           three parts, in loop-unweave/
  unweave learn kick.wav snare.wav -o kit.npz
                                            a dictionary of sounds, for filter and match
  unweave filter loop.wav --bases kit.npz   the same sounds in another recording
  unweave decompose --help                  all options, and more examples
"""


class _Commands(click.Group):
    """A group that knows its commands by name and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SUMMARIES:
            return None
        command: click.Command = getattr(import_module(f"unweave.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


@click.group(
    cls=_Commands,
    epilog=_EXAMPLES,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
@click.version_option(__version__, prog_name="unweave", message="%(prog)s %(version)s")
def commands(context: click.Context) -> None:
    """Take a recording apart into the sounds that it is made of."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), file=sys.stderr)
        context.exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `unweave`. Default: what the process was called with.
    """
    _accept_any_text()
    try:
        with raised_signals():
            code = _call(sys.argv[1:] if arguments is None else list(arguments))
            if sys.stdout is not None:  # closed by whoever started the process
                sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except BaseException as error:  # noqa: BLE001 - the last stop: whatever it is becomes a sentence and a code
        return _report(error)
    return code if isinstance(code, int) else 0


def _call(arguments: list[str]) -> object:
    """What click's own ``main`` does, without its opinions on interruptions and errors."""
    try:
        with commands.make_context("unweave", arguments) as context:
            return commands.invoke(context)
    except click.NoSuchOption as error:
        named = next((each for each in arguments if each.startswith("-") and os.path.isfile(each)), None)  # noqa: PTH113
        if named is None:
            raise
        raise click.UsageError(f"{named} begins as an option does: say ./{named} for the file", error.ctx) from None


def _report(error: BaseException) -> int:
    if not is_expected(error) and os.environ.get("UNWEAVE_DEBUG"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    text = sentence(error)
    if text:
        with suppress(OSError):
            warn(text)
    if isinstance(error, OSError):
        _silence_stdout()
    return exit_code(error)


def _accept_any_text() -> None:
    """Let a terminal that knows few characters show the others as escapes, where it would refuse them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Where stdout takes no more, Python's own last flush would complain about it once more."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
