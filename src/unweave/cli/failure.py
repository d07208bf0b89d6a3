"""From an exception to one sentence and an exit code.

The library names its parameters (``hop_length=0 …``); whoever typed ``--hop-length`` reads the name of the option.
"""

from __future__ import annotations

import re

import click

from unweave.cli.interrupts import Interrupted
from unweave.errors import Incompatible, InvalidInput, UnweaveError

__all__ = ["CTRL_C", "USAGE", "exit_code", "is_expected", "one_line", "sentence"]

FAILURE, USAGE, CTRL_C = 1, 2, 130

_RENAMED = {
    "n_components": "--components",
    "rng": "--seed",
    "order": "--sort",
    "learn_bases": "--keep-bases",
    "learn_activations": "--keep-activations",
}
_SAME = [
    "n_fft",
    "hop_length",
    "win_length",
    "window",
    "beta",
    "bases",
    "activations",
    "restarts",
    "rule",
    "max_iter",
    "tol",
    "power",
    "start",
    "duration",
    "sample_rate",
    "gain",
    "format",
    "subtype",
]
_OPTIONS = {name: f"--{name.replace('_', '-')}" for name in _SAME} | _RENAMED
# Neither may stand inside of a file's name, such as n_fft=512.wav.
_BARE = re.compile(rf"(?<![\w./-])({'|'.join(name for name in _SAME if '_' in name)})(?![\w=/-])(?!\.\w)")
_GIVEN = re.compile(rf"(?<![\w./-])({'|'.join(_OPTIONS)})=(?!\S*\.[a-z])")


def sentence(error: BaseException) -> str:
    """What a person is told; empty where there is nothing to say."""
    return one_line(_words(error))


def one_line(text: str) -> str:
    """The text without line breaks and other characters that a terminal would obey."""
    joined = " ".join(text.split())
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in joined)


def _words(error: BaseException) -> str:
    if isinstance(error, click.Abort | KeyboardInterrupt | Interrupted):
        return "stopped; nothing was written."
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message().rstrip('.')}. Try {error.ctx.command_path} --help."
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, UnweaveError):
        return _BARE.sub(
            lambda found: _OPTIONS[found[1]], _GIVEN.sub(lambda found: f"{_OPTIONS[found[1]]}=", str(error))
        )
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return (
            f"the memory does not suffice{detail}: take a part of the recording with --duration, or fewer components."
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror or str(error) or type(error).__name__}."
    if isinstance(error, SystemExit | click.exceptions.Exit):
        return ""
    return (
        f"an error that should not happen, {type(error).__name__}: {error} - please report it, with the command and "
        "what UNWEAVE_DEBUG=1 shows before it."
    )


def is_expected(error: BaseException) -> bool:
    """Whether it is an error of the world, and not one of this program."""
    return not isinstance(error, Exception) or isinstance(
        error, click.ClickException | click.Abort | click.exceptions.Exit | UnweaveError | OSError | MemoryError
    )


def exit_code(error: BaseException) -> int:
    """2 for what the command line asks, 1 for what the world answers."""
    if isinstance(error, Interrupted):
        return 128 + error.signum
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return CTRL_C
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILURE
    return USAGE if isinstance(error, click.UsageError | InvalidInput | Incompatible) else FAILURE
