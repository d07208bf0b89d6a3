"""What a command that splits a recording is asked for: the options that all of them share, and their values.

`unweave.cli.split` shows how a command is made of them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import click

from unweave.audio import load, save
from unweave.cli.names import track_of
from unweave.cli.options import Declared, F, FolderType, GainType, option, stacked, talk_options
from unweave.cli.output import OutputFolder
from unweave.cli.sources import STDIN
from unweave.errors import Incompatible, InvalidInput
from unweave.formats import FORMATS
from unweave.framing import STFT, WINDOWS

__all__ = ["Request", "default_of", "output_options", "own", "recording_options", "stft_of", "stft_options"]

_RECORDING, _ANALYSIS, _FILES = "The recording", "Analysis", "Output folder"
_STFT_FIELDS = ("n_fft", "hop_length", "win_length", "window")


def default_of(function: Callable[..., Any], name: str) -> Any:
    """The default of a parameter of a function or of a dataclass."""
    return inspect.signature(function).parameters[name].default


def own(function: Callable[..., Any], heading: str, *names: str, **settings: Any) -> Declared:
    """An option whose default is that of the parameter of ``function`` with its name."""
    field = next((name for name in names if not name.startswith("-")), "")
    long = next(name for name in names if name.startswith("--")).removeprefix("--").partition("/")[0]
    default = default_of(function, field or long.replace("-", "_"))
    shown = {"show_default": " ".join(f"{each:g}" for each in default)} if isinstance(default, tuple) else {}
    return option(heading, *names, default=default, **{**shown, **settings})


def recording_options(function: F) -> F:
    """Declare INPUT, and which part of it is taken."""
    start, duration, rate = (default_of(load, name) for name in ("start", "duration", "sample_rate"))
    return stacked(
        [
            click.argument("input", metavar="INPUT"),
            option(_RECORDING, "--start", type=float, default=start, metavar="SECONDS", help="Begin there."),
            option(
                _RECORDING,
                "--duration",
                type=float,
                default=duration,
                metavar="SECONDS",
                show_default="to the end",
                help="Take so much.",
            ),
            option(
                _RECORDING,
                "--sample-rate",
                type=float,
                default=rate,
                metavar="HZ",
                show_default="as it is",
                help="Convert to this rate first.",
            ),
        ]
    )(function)


def stft_options(usual: STFT) -> Declared:
    """Declare the settings of the transform; ``usual`` are those of the library's function."""
    quotient = usual.n_fft / usual.hop_length
    lengths = {"type": click.IntRange(min=1), "metavar": "N"}
    return stacked(
        [
            option(
                _ANALYSIS,
                "--n-fft",
                type=int,
                metavar="N",
                default=usual.n_fft,
                help="Samples of a transform. Longer tells pitches apart, shorter keeps drums sharp.",
            ),
            option(
                _ANALYSIS,
                "--hop-length",
                **lengths,
                show_default=f"--n-fft / {quotient:g}",
                help="Samples from one frame to the next.",
            ),
            option(_ANALYSIS, "--win-length", **lengths, show_default="--n-fft", help="Samples under the window."),
            option(
                _ANALYSIS,
                "--window",
                type=click.Choice(list(WINDOWS)),
                default=usual.window,
                help="Shape of the window.",
            ),
        ]
    )


def stft_of(request: Request, usual: STFT) -> STFT:
    """The transform that `stft_options` ask for."""
    given = {name: request.settings[name] for name in _STFT_FIELDS if request.settings[name] is not None}
    if "hop_length" not in given:
        given["hop_length"] = max(1, given["n_fft"] * usual.hop_length // usual.n_fft)
    with request.told():
        return STFT(**given)


def output_options(command: str) -> Declared:
    """Declare where the sounds go, what they are written as, and what is said about it."""
    several = {name: form for name, form in FORMATS.items() if len(form.subtypes) > 1}
    return stacked(
        [
            option(
                _FILES,
                "-o",
                "--out",
                type=FolderType(),
                metavar="DIR",
                show_default=f"<name>-{command}",
                help="The folder.",
            ),
            option(
                _FILES,
                "--format",
                type=click.Choice(list(FORMATS)),
                default=default_of(Request, "format"),
                help="Format of the sounds.",
            ),
            option(
                _FILES,
                "--subtype",
                metavar="NAME",
                show_default="; ".join(f"{name} {form.subtype}" for name, form in several.items()),
                help="FLOAT, PCM_16, PCM_24 or PCM_32.",
            ),
            option(
                _FILES,
                "--gain",
                type=GainType(),
                default=default_of(save, "gain"),
                help="One factor for all parts; fit brings the loudest peak to -1 dB. Formats that would clip get fit.",
            ),
            option(_FILES, "--overwrite", is_flag=True, help="Replace what an earlier run has written."),
            talk_options("Print the manifest instead of the table."),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command was asked for. Times are in seconds; None means that the library decides."""

    command: str
    input: str  # '-' is standard input
    settings: dict[str, Any]  # the options of the command's own, by the names of their parameters
    start: float = 0
    duration: float | None = None
    sample_rate: float | None = None
    out: Path | None = None
    format: str = "wav"
    subtype: str | None = None
    gain: float | Literal["fit"] = 1.0
    overwrite: bool = False
    as_json: bool = False
    quiet: bool = False
    threads: int | None = None

    @classmethod
    def of(cls, command: str, options: Mapping[str, Any]) -> Request:
        """Sort the options of a command into those that all share and its own."""
        shared = {item.name for item in fields(cls)} - {"command", "settings"}
        own = {name: value for name, value in options.items() if name not in shared}
        return cls(command=command, settings=own, **{name: options[name] for name in shared if name in options})

    @property
    def track(self) -> str:
        """The recording's name without folders and extension."""
        return "stdin" if self.input == STDIN else track_of(self.input)

    def folder(self) -> OutputFolder:
        """The folder that is written."""
        inputs = [] if self.input == STDIN else [Path(self.input)]
        return OutputFolder(self.out or Path(f"{self.track}-{self.command}"), overwrite=self.overwrite, inputs=inputs)

    def told(self) -> _Told:
        """A context in which errors of the library speak of ``--harm-size`` where it says ``harm_size=``."""
        return _Told(tuple(self.settings))


class _Told:
    """Errors in the words of who typed the command."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InvalidInput | Incompatible) and self._names:
            words = re.sub(
                rf"(?<![\w./-])({'|'.join(map(re.escape, self._names))})(?==)",
                lambda found: f"--{found[1].replace('_', '-')}",
                str(error),
            )
            raise type(error)(words) from None
