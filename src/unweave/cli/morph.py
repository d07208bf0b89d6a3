"""`unweave morph`: the sounds of one recording turn into those of another."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import click
import numpy as np

from unweave import morph as library
from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.cli.names import track_of
from unweave.cli.onefile import check_target, file_options
from unweave.cli.onesound import chosen_file, save_sound, sound_options, tell
from unweave.cli.options import HeadedCommand, option, talk_options
from unweave.cli.progress import Watch, followed, working
from unweave.cli.request import default_of
from unweave.cli.sounds import SoundFile, require_gain
from unweave.cli.sources import load_decomposition, read_activations, read_bases, read_recording
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, ReadError
from unweave.interchange import read_arrays
from unweave.parts import Decomposition

__all__ = ["morph"]

_EXAMPLES = """\b
Examples:
  unweave morph --source drums-unweave/decomposition.npz \\
      --target bells-unweave/bases.npz -o between.wav
      the rhythm of the drums, half-way to the bells
  unweave morph --source drums-unweave/decomposition.npz \\
      --target bells-unweave/bases.npz --interpolation 0:1
      from drums to bells, in drums-unweave-morph.wav
  unweave morph --source drums-unweave/bases.npz \\
      --target bells-unweave/bases.npz --drive another.wav
      another recording of the drums, morphed as a live input would be
"""

_SOUNDS, _MORPH = "The sounds", "The morph"
_BEST, _ORDER = "best", "order"


class _WayType(click.ParamType[tuple[float, ...]]):
    """One number, or several with colons between them."""

    name = "way"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers."""
        if not isinstance(value, str):
            return (float(value),)
        try:
            numbers = tuple(float(word) for word in value.split(":"))
        except ValueError:
            numbers = (math.nan,)
        if not all(0 <= number <= 1 for number in numbers):
            self.fail(f"{value!r} is neither a number from 0 to 1 nor several with colons, such as 0:1.", param, ctx)
        return numbers


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@option(_SOUNDS, "--source", required=True, metavar="FILE", help="The bases at 0: a decomposition or a dictionary.")
@option(_SOUNDS, "--target", required=True, metavar="FILE", help="The bases at 1: as many, or more to choose from.")
@option(
    _SOUNDS,
    "--activations",
    metavar="FILE",
    show_default="those of --source",
    help="What plays: a decomposition (.npz, .safetensors), a table (.csv) or a matrix (n, frames) (.npy).",
)
@option(_SOUNDS, "--drive", metavar="INPUT", help="Play this recording instead, as a live input; - is standard input.")
@option(
    _MORPH,
    "--interpolation",
    type=_WayType(),
    default=default_of(library.morph, "interpolation"),
    metavar="T|A:B",
    help="0 is the source, 1 the target; 0:1 glides from one to the other, 0:1:0 there and back.",
)
@option(
    _MORPH,
    "--assign",
    type=click.Choice([_BEST, _ORDER]),
    default=_BEST if default_of(library.morph, "assign") else _ORDER,
    help="Which sound turns into which: those that are nearest, or first to first.",
)
@option(
    _MORPH,
    "--hop-length",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="an eighth of the window",
    help="Samples between frames of the sound that is made. Longer: faster and rougher.",
)
@option(
    _MORPH,
    "--look-ahead/--no-look-ahead",
    default=default_of(library.morph, "look_ahead"),
    help="Look one frame ahead: sharper attacks.",
)
@option(
    _MORPH,
    "--seed",
    "rng",
    type=click.IntRange(min=0),
    default=default_of(library.morph, "rng"),
    metavar="N",
    help="Of the phases of what is very faint.",
)
@file_options("The sound.", show_default="<source>-morph.wav")
@sound_options
@talk_options()
def morph(
    *, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, threads: int | None, **options: Any
) -> None:
    """Let the sounds of one recording turn into those of another, and keep their rhythm.

    The sounds are what `unweave decompose` has learned: decomposition.npz or bases.npz in its folder. Both must have
    been made with the same --n-fft and at the same sample rate.
    """
    job = _Job.of(options, out)
    check_target(job.out, overwrite=overwrite, inputs=job.inputs)
    with working(threads, quiet=quiet or (as_json and not sys.stdout.isatty())) as watch:
        done, note = _work(job, watch)
    tell(done, note, as_json=as_json, quiet=quiet)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is asked for, checked as far as it can be without the files."""

    source: str
    target: str
    activations: str | None
    drive: str | None
    settings: dict[str, Any]
    out: Path
    file: SoundFile
    gain: Any

    @classmethod
    def of(cls, options: dict[str, Any], out: Path | None) -> _Job:
        """Sort and check the options of the command."""
        given = dict(options)
        sounds = {name: given.pop(name) for name in ("source", "target", "activations", "drive")}
        if sounds["activations"] is not None and sounds["drive"] is not None:
            raise InvalidInput("--activations and --drive say two things about what plays: give one of them.")
        name, subtype, gain = (given.pop(each) for each in ("format", "subtype", "gain"))
        file = chosen_file(out, name, subtype)
        require_gain(gain)
        return cls(**sounds, settings=given, out=out or _beside(sounds["source"], file.ext), file=file, gain=gain)

    @property
    def inputs(self) -> list[str]:
        """Files that are read."""
        return [each for each in (self.source, self.target, self.activations, self.drive) if each is not None]


def _beside(source: str, ext: str) -> Path:
    """The default name: that of the folder for the files in it that have the same names everywhere."""
    path = PurePath(source)
    track = path.parent.name if path.stem in {"decomposition", "bases"} and path.parent.name else track_of(source)
    return Path(f"{track}-morph.{ext}")


def _bases(path: str) -> Dictionary | Decomposition:
    """A decomposition, which says more, or a dictionary."""
    found = read_bases(path)
    if not isinstance(found, Dictionary):
        raise ReadError(f"{path} is a matrix, which does not know its transform: pass a dictionary or a decomposition.")
    return load_decomposition(path) if "activations" in read_arrays(path, "a dictionary")[0] else found


def _playing(job: _Job, source: Dictionary | Decomposition) -> Decomposition | Matrix | Audio:
    """What plays: a recording, activations, or those of the source."""
    if job.drive is not None:
        rate = source.audio.sample_rate if isinstance(source, Decomposition) else source.sample_rate
        return read_recording(job.drive, 0, None, rate).audio
    if job.activations is None:
        if isinstance(source, Decomposition):
            return source
        raise InvalidInput(
            f"--source {job.source} is a dictionary, which has no activations: give --activations FILE, --drive INPUT, "
            "or the decomposition.npz beside it."
        )
    found = read_activations(job.activations)
    with Path(job.activations).open("rb") as file:
        matrix = file.read(6) == b"\x93NUMPY" or Path(job.activations).suffix.lower() == ".csv"
    return found if matrix else load_decomposition(job.activations)


def _work(job: _Job, watch: Watch) -> tuple[dict[str, Any], str]:
    """Read, make and write the sound; return what is told about it, and about its gain."""
    watch.stage("reading")
    source, target = _bases(job.source), _bases(job.target)
    playing = _playing(job, source)
    settings = dict(job.settings)
    way, hop = settings.pop("interpolation"), settings.pop("hop_length")
    watch.stage("morph")
    assign = settings.pop("assign") == _BEST
    stft = None if hop is None else replace(source.stft, hop_length=hop)
    steps = library.morph_steps(source, target, playing, np.array(way), assign=assign, stft=stft, **settings)
    sound = followed(steps, watch.at)
    job.file.form.refuse(str(job.out), sound.sample_rate, sound.n_channels, sound.n_samples)
    facts, note = save_sound(job.out, sound, job.file, job.gain, watch.stage)
    played = {name: getattr(job, name) for name in ("source", "target", "activations", "drive")}
    return facts | played | {"settings": {**job.settings, "interpolation": list(way)}}, note
