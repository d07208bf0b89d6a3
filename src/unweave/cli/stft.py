"""`unweave stft`: magnitude and phase of a recording in files, for other programs, and sound from such files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

from unweave.arrays import Matrix
from unweave.audio import Audio, load, save
from unweave.cli.failure import one_line
from unweave.cli.onefile import check_target, file_options
from unweave.cli.options import FileType, HeadedCommand, option, talk_options
from unweave.cli.progress import working
from unweave.cli.request import Request, default_of, recording_options, stft_of, stft_options
from unweave.cli.sheets import read_sheet, write_sheet
from unweave.cli.sources import STDIN, read_recording
from unweave.cli.talk import say
from unweave.errors import Incompatible, InvalidInput
from unweave.files import write_several
from unweave.formats import choose_format
from unweave.framing import STFT
from unweave.npz import saved, write_npz
from unweave.polar import PADDINGS, from_polar, to_polar
from unweave.words import counted

__all__ = ["stft"]

_EXAMPLES = """\b
Examples:
  unweave stft loop.wav
      loop-stft.npz: magnitude, phase, and all settings
  unweave stft --inverse loop-stft.npz -o again.wav
      the sound, to the sample
  unweave stft loop.wav -o magnitude.csv --phase phase.csv --n-fft 1024 \\
      --hop-length 512
      tables with a line for every bin
  unweave stft --inverse magnitude.csv --phase phase.csv --n-fft 1024 \\
      --hop-length 512 --sample-rate 44100 --length 407634 -o again.wav
      tables know neither settings, rate nor length
"""

_ANALYSIS, _BACK, _RECORDING = "Analysis", "The way back", "The recording"
_FORMAT, _VERSION = "unweave magnitude and phase", 1
_BUFFERS = (".wav", ".csv")
_IN_FILE = ("n_fft", "hop_length", "win_length", "window", "zeros_after", "padding", "sample_rate", "length", "phase")


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@option(
    _RECORDING,
    "--channel",
    type=click.IntRange(min=0),
    metavar="N",
    show_default="all",
    help="Only this channel, counted from 0.",
)
@stft_options(STFT())
@option(
    _ANALYSIS,
    "--padding",
    type=click.Choice(PADDINGS),
    default=default_of(to_polar, "padding"),
    help="Zeros around the recording: none, half a window, or a window less a hop.",
)
@option(_ANALYSIS, "--zeros-after", is_flag=True, help="Where --n-fft is longer: all zeros behind the window.")
@option(_BACK, "--inverse", is_flag=True, help="INPUT is what this command has written: make sound of it.")
@option(
    _BACK,
    "--length",
    type=click.IntRange(min=0),
    metavar="SAMPLES",
    show_default="that in the file, or all that the frames hold",
    help="Length of the sound.",
)
@option(
    "Output file",
    "--phase",
    type=FileType(),
    metavar="FILE",
    help="The file of the phase, where that of the magnitude is .wav or .csv.",
)
@file_options(".npz for all in one; .wav or .csv for the magnitude; a sound.", show_default="<name>-stft.npz")
@talk_options()
def stft(*, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, threads: int | None, **options: Any) -> None:
    """Write magnitude and phase of the recording INPUT, or with --inverse make sound of them.

    An .npz holds both, channels by bins by frames, with all that the way back needs. A .wav has a channel for every
    bin and a sample for every frame, a .csv a line for every bin: the bins of all channels of the recording, one
    channel after the other.
    """
    task = _Task.of(options, out, overwrite)
    with working(threads, quiet=quiet or (as_json and not sys.stdout.isatty())) as watch:
        watch.stage("back" if options["inverse"] else "transform")
        told = _back(task) if options["inverse"] else _forth(task)
    if as_json:
        say(json.dumps(told, indent=2))
    elif not quiet:
        say(_sentence(told))


@dataclass(frozen=True, slots=True)
class _Task:
    """What the command was asked for."""

    request: Request
    out: Path
    phase: Path | None

    @classmethod
    def of(cls, options: Mapping[str, Any], out: Path | None, overwrite: bool) -> _Task:
        """Check what can be checked before anything is read."""
        request = Request.of("stft", options)
        inverse, phase = options["inverse"], options["phase"]
        out = out or Path(f"{request.track}-stft.{'wav' if inverse else 'npz'}")
        if not inverse and options["length"] is not None:
            raise InvalidInput("--length is for the way back: say --inverse, or --duration in seconds.")
        if not inverse and out.suffix.lower() not in (".npz", *_BUFFERS):
            raise InvalidInput(f"{out} is neither .npz nor .wav nor .csv: choose another --out.")
        if not inverse and phase is not None and (phase.suffix.lower() not in _BUFFERS or out.suffix.lower() == ".npz"):
            raise InvalidInput(f"--phase={phase}, but it is for a .wav or .csv beside another: an .npz holds both.")
        if phase is not None and phase == out:
            raise InvalidInput(f"--phase and --out are both {out}: each needs a file of its own.")
        inputs = [request.input, *([phase] if inverse and phase else [])]
        check_target(out, overwrite=overwrite, inputs=inputs)
        if phase is not None and not inverse:
            check_target(phase, overwrite=overwrite, inputs=inputs, named="--phase")
        return cls(request, out, phase)

    @property
    def padding(self) -> str:
        return str(self.request.settings["padding"])

    def stft(self) -> STFT:
        """The settings that the options ask for."""
        found = stft_of(self.request, STFT())
        return STFT(**{**found.settings(), "zeros_after": self.request.settings["zeros_after"]})


# ---------------------------------------------------------------- forth


def _forth(task: _Task) -> dict[str, Any]:
    request, settings = task.request, task.stft()
    audio = read_recording(request.input, request.start, request.duration, request.sample_rate).audio
    audio = _chosen(audio, request.settings["channel"])
    magnitude, phase = to_polar(audio, settings, padding=task.padding)
    facts = {
        "stft": settings.settings(),
        "padding": task.padding,
        "sample_rate": audio.sample_rate,
        "n_samples": audio.n_samples,
    }
    if task.out.suffix.lower() == ".npz":
        head = {"format": _FORMAT, "version": _VERSION}
        write_npz(task.out, {"magnitude": magnitude, "phase": phase}, {**head, **facts})
    else:
        rate = max(1, round(audio.sample_rate / settings.hop_length))
        tables = [(task.out, magnitude)] + ([(task.phase, phase)] if task.phase else [])
        write_several((path, _buffer(table.reshape(-1, table.shape[2]), rate)) for path, table in tables)
    counts = dict(zip(("n_channels", "n_bins", "n_frames"), magnitude.shape, strict=True))
    return {"file": str(task.out), "phase": str(task.phase) if task.phase else None, **counts, **facts}


def _chosen(audio: Audio, channel: int | None) -> Audio:
    if channel is None:
        return audio
    if channel >= audio.n_channels:
        last = audio.n_channels - 1
        raise InvalidInput(f"--channel={channel}, but the last channel of the recording is {last}, counted from 0.")
    return Audio(audio.samples[channel], audio.sample_rate)


def _buffer(table: Matrix, rate: int) -> Callable[[Path], None]:
    """What writes a table ``(bins, frames)`` to a path, as text or as a sound with a channel for every bin."""

    def write(path: Path) -> None:
        if path.suffix.lower() == ".csv":
            write_sheet(path, table)
        else:
            save(path, Audio(table, rate), subtype="FLOAT")

    return write


# ---------------------------------------------------------------- back


def _back(task: _Task) -> dict[str, Any]:
    name = task.request.input
    if name == STDIN:
        raise InvalidInput("--inverse reads files, not standard input: name the file.")
    choose_format(task.out, None, None)
    audio = _from_npz(task, name) if Path(name).suffix.lower() not in _BUFFERS else _from_buffers(task, Path(name))
    save(task.out, audio)
    rate, count = audio.sample_rate, audio.n_samples
    return {"file": str(task.out), "n_channels": audio.n_channels, "sample_rate": rate, "n_samples": count}


def _from_npz(task: _Task, name: str) -> Audio:
    context = click.get_current_context()
    for option_ in _IN_FILE:
        if context.get_parameter_source(option_) is ParameterSource.COMMANDLINE and option_ != "length":
            raise InvalidInput(f"{name} knows its --{option_.replace('_', '-')}: leave it out.")
    with saved(name, "magnitude and phase", (_FORMAT,)) as (arrays, settings):
        pair = arrays["magnitude"], arrays["phase"]
        found = STFT(**settings["stft"])
        rate, padding, n_samples = (settings[key] for key in ("sample_rate", "padding", "n_samples"))
    return _sound(task, pair, found, rate=rate, padding=padding, n_samples=n_samples)


def _from_buffers(task: _Task, magnitude: Path) -> Audio:
    if task.phase is None:
        raise InvalidInput(f"{magnitude} is a magnitude: name the file of its phase with --phase.")
    if task.request.sample_rate is None:
        raise InvalidInput(f"{magnitude} does not say the rate of the sound: give --sample-rate in Hz, such as 44100.")
    settings = task.stft()
    pair = _read_buffer(magnitude, settings), _read_buffer(task.phase, settings)
    return _sound(task, pair, settings, rate=task.request.sample_rate, padding=task.padding, n_samples=None)


def _sound(
    task: _Task, pair: tuple[Matrix, Matrix], settings: STFT, *, rate: float, padding: str, n_samples: int | None
) -> Audio:
    """The sound, of the length that was asked for."""
    asked = task.request.settings["length"]
    length = n_samples if asked is None else asked
    try:
        return from_polar(*pair, settings, sample_rate=rate, padding=padding, n_samples=length)
    except (Incompatible, InvalidInput) as error:
        raise type(error)(str(error).replace("n_samples=", "--length=")) from None


def _read_buffer(path: Path, settings: STFT) -> Matrix:
    """A table as ``(channels, bins, frames)``."""
    table = read_sheet(path) if path.suffix.lower() == ".csv" else load(path).samples
    if table.shape[0] % settings.n_bins:
        raise Incompatible(
            f"{path} has {table.shape[0]} rows or channels, but --n-fft={settings.n_fft} makes {settings.n_bins} bins "
            "for every channel of the sound: was it made with another one?"
        )
    return np.asarray(table).reshape(-1, settings.n_bins, table.shape[1])


def _sentence(told: Mapping[str, Any]) -> str:
    channels = counted(told["n_channels"], "channel")
    file = one_line(told["file"])
    if "n_bins" not in told:
        return f"{file}: {channels}, {counted(told['n_samples'], 'sample')} at {told['sample_rate']} Hz."
    what = "magnitude and phase" if told["phase"] or file.lower().endswith(".npz") else "magnitude"
    both = f"{file} and {one_line(told['phase'])}" if told["phase"] else file
    return f"{both}: {what} of {channels}, {told['n_bins']} bins, {counted(told['n_frames'], 'frame')}."
