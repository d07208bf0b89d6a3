"""`unweave cross`: one sound played with the frames of another."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from unweave import cross as mosaic
from unweave.audio import Audio, load
from unweave.cli.names import track_of
from unweave.cli.onefile import check_target, file_options
from unweave.cli.onesound import chosen_file, save_sound, sound_options, tell
from unweave.cli.options import Declared, HeadedCommand, option, talk_options
from unweave.cli.progress import Watch, by_stages, followed, working
from unweave.cli.request import default_of, own, stft_options
from unweave.cli.sounds import SoundFile, require_gain
from unweave.cli.sources import STDIN, Recording, read_recording
from unweave.errors import Incompatible, InvalidInput, UnweaveError
from unweave.framing import STFT

__all__ = ["cross"]

_EXAMPLES = """\b
Examples:
  unweave cross bees.wav let-it-be.wav -o let-it-bee.wav
      the song, buzzed by bees
  unweave cross choir.flac speech.wav --source-start 30 --source-duration 20 --target-duration 5
      five seconds of speech from twenty of the choir, in speech-cross.wav
  unweave cross rain.wav piano.wav --polyphony 5 --continuity 15 --n-fft 2048
      more of the rain: fewer frames at a time, longer gestures
"""

_SOUNDS, _MOSAIC = "The sounds", "The mosaic"

_OPTIONS = {
    "n_iter": "--iterations",
    "n_phase_iter": "--phase-iterations",
    **{name: f"--{name.replace('_', '-')}" for name in ("time_sparsity", "polyphony", "continuity", "ramp")},
}
"""What the library calls by other names than the command line."""


_own = partial(own, mosaic.cross, _MOSAIC)
"""An option with the default that the library has."""


def _part(which: str) -> Declared:
    """Two options: which part of a sound is taken."""
    start = option(
        _SOUNDS,
        f"--{which}-start",
        type=float,
        default=default_of(load, "start"),
        metavar="SECONDS",
        help=f"Begin there in {which.upper()}.",
    )
    duration = option(
        _SOUNDS,
        f"--{which}-duration",
        type=float,
        metavar="SECONDS",
        show_default="to the end",
        help=f"Take so much of {which.upper()}.",
    )
    return lambda function: start(duration(function))


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@_part("source")
@_part("target")
@_own("--time-sparsity", type=int, metavar="N", help="Frames within which a source frame is played once; odd.")
@_own(
    "--polyphony",
    type=int,
    metavar="N",
    help="Source frames at a time. Fewer: more of the source is heard; more: more of the target.",
)
@_own("--continuity", type=int, metavar="N", help="Source frames that are wanted in a row; odd. 1: grains.")
@_own("--iterations", "n_iter", type=int, metavar="N", help="Updates, over which the limits grow.")
@_own(
    "--ramp",
    type=click.Choice(list(mosaic.RAMPS)),
    help="How they grow: little by little, or all at once in the last update, as in FluCoMa.",
)
@_own(
    "--phase-iterations",
    "n_phase_iter",
    type=int,
    metavar="N",
    help="Iterations of Griffin-Lim; 0 keeps the phases of the source's frames.",
)
@option(_MOSAIC, "--seed", "rng", type=int, default=0, metavar="N", help="Another seed chooses other frames.")
@stft_options(mosaic.CROSS_STFT)
@file_options("The sound.", show_default="<target>-cross.wav")
@sound_options
@talk_options()
def cross(
    *, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, threads: int | None, **options: Any
) -> None:
    """Play TARGET with the sounds of SOURCE.

    The result has the rhythm, the pitches and the level of TARGET, as far as they can be had from SOURCE, and the
    timbre, the channels and the sample rate of SOURCE. Either may be -, for standard input. The work grows with the
    length of the one times the length of the other.
    """
    job = _Job.of(options, out)
    check_target(job.out, overwrite=overwrite, inputs=[job.source, job.target])
    with working(threads, quiet=quiet or (as_json and not sys.stdout.isatty())) as watch:
        done, note = _work(job, watch)
    tell(done, note, as_json=as_json, quiet=quiet)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is asked for, checked as far as it can be without the sounds."""

    source: str
    target: str
    parts: dict[str, tuple[float, float | None]]  # start and duration by 'source' and 'target', in seconds
    out: Path
    file: SoundFile
    gain: Any
    stft: STFT
    plan: mosaic.CrossPlan

    @classmethod
    def of(cls, options: dict[str, Any], out: Path | None) -> _Job:
        """Sort and check the options of the command."""
        given = dict(options)
        source, target = given.pop("source"), given.pop("target")
        if source == target == STDIN:
            raise InvalidInput("SOURCE and TARGET cannot both be standard input: give one of them as a file.")
        parts = {which: (given.pop(f"{which}_start"), given.pop(f"{which}_duration")) for which in ("source", "target")}
        file = chosen_file(out, given.pop("format"), given.pop("subtype"))
        gain = given.pop("gain")
        require_gain(gain)
        stft = _stft({name: given.pop(name) for name in ("n_fft", "hop_length", "win_length", "window")})
        with _renamed(_OPTIONS):
            plan = mosaic.CrossPlan(**given)
        track = "stdin" if target == STDIN else track_of(target)
        return cls(source, target, parts, out or Path(f"{track}-cross.{file.ext}"), file, gain, stft, plan)

    def read(self, which: str) -> Recording:
        """The part of a sound that is asked for."""
        with _renamed({name: f"--{which}-{name}" for name in ("start", "duration")}):
            return read_recording(self.source if which == "source" else self.target, *self.parts[which], None)


def _stft(asked: dict[str, Any]) -> STFT:
    """The transform; without a hop it has the overlap of the usual one."""
    usual = mosaic.CROSS_STFT
    if asked["hop_length"] is None and asked["n_fft"] > 1:
        asked = {**asked, "hop_length": max(1, asked["n_fft"] * usual.hop_length // usual.n_fft)}
    return STFT(**{name: value for name, value in asked.items() if value is not None})


@contextmanager
def _renamed(options: dict[str, str]) -> Iterator[None]:
    """Let errors of the library name the options that were typed."""
    try:
        yield
    except (InvalidInput, Incompatible) as error:
        names = rf"(?<![\w./-])({'|'.join(options)})(?==)"
        told: type[UnweaveError] = type(error)
        raise told(re.sub(names, lambda found: options[found[1]], str(error))) from None


def _work(job: _Job, watch: Watch) -> tuple[dict[str, Any], str]:
    """Read, make and write the sound; return what is told about it, and about its gain."""
    watch.stage("reading")
    source, target = (job.read(which) for which in ("source", "target"))
    rate, channels = source.audio.sample_rate, source.audio.n_channels
    job.file.form.refuse(str(job.out), rate, channels, round(target.audio.n_samples * rate / target.audio.sample_rate))
    sound = _made(job, source.audio, target.audio, watch)
    facts, note = save_sound(job.out, sound, job.file, job.gain, watch.stage)
    told_too = {
        "source": {"name": source.name, "sha256": source.sha256, **_range(job, "source")},
        "target": {"name": target.name, "sha256": target.sha256, **_range(job, "target")},
        "settings": {name: getattr(job.plan, name) for name in job.plan.__slots__},
        "stft": job.stft.settings(),
    }
    return facts | told_too, note


def _range(job: _Job, which: str) -> dict[str, Any]:
    return dict(zip(("start", "duration"), job.parts[which], strict=True))


def _made(job: _Job, source: Audio, target: Audio, watch: Watch) -> Audio:
    tell = by_stages(watch)
    steps = mosaic.cross_steps(source, target, job.plan, stft=job.stft)
    return followed(steps, lambda progress: tell(progress.stage, progress.share))
