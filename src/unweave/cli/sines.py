"""`unweave sines`: tones that last in one file, all the rest in another, and the tracks of the tones as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from unweave import sines as library
from unweave.audio import Audio
from unweave.cli.options import HeadedCommand, option
from unweave.cli.output import MANIFEST
from unweave.cli.progress import Watch
from unweave.cli.request import Request, output_options, own, recording_options, stft_of, stft_options
from unweave.cli.sheets import write_lines
from unweave.cli.sources import STDIN
from unweave.cli.split import split_named
from unweave.errors import WriteError
from unweave.framing import STFT
from unweave.sines.tracking import Method, SineModel, Track

__all__ = ["sines"]

_EXAMPLES = """\b
Examples:
  unweave sines voice.wav
      sines.wav and residual.wav, in voice-sines/
  unweave sines piano.wav --n-fft 4096 --tracks partials.csv
      longer windows for low notes, and every partial as a table
  unweave sines noisy.wav --track-frequency-range 15 --min-track-length 25
      only what is steady: less of the noise passes for tones
"""

_TONES, _TRACKS = "Tones", "Tracks"
_PARTS = ("sines", "residual")
_HEADER = "track,channel,time,frequency,level"


_own = partial(own, library.sines)
"""An option with the default that the library has."""


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@stft_options(STFT())
@_own(
    _TONES,
    "--bandwidth",
    type=int,
    metavar="BINS",
    help="Bins around a tone that may be taken for it. Fewer leave its flanks in the residual.",
)
@_own(_TONES, "--detection-threshold", type=float, metavar="DB", help="Quieter peaks are not looked at.")
@_own(
    _TONES,
    "--birth-low-threshold",
    type=float,
    metavar="DB",
    help="How far below the loudest peak a low tone may begin.",
)
@_own(_TONES, "--birth-high-threshold", type=float, metavar="DB", help="The same at 20 kHz.")
@_own(
    _TRACKS,
    "--min-track-length",
    type=int,
    metavar="FRAMES",
    help="Frames that a tone must last. More: less noise, and fewer short notes.",
)
@_own(
    _TRACKS,
    "--tracking",
    type=click.Choice(list(get_args(Method))),
    help="Join the nearest peaks first, or those that are best together (slower, steadier where tones cross).",
)
@_own(_TRACKS, "--track-magnitude-range", type=float, metavar="DB", help="Change of level from frame to frame.")
@_own(
    _TRACKS,
    "--track-frequency-range",
    type=float,
    metavar="HZ",
    help="Change of frequency from frame to frame. More follows faster slides, less lets less noise pass.",
)
@_own(_TRACKS, "--track-probability", type=float, metavar="0..1", help="Near 1, leaps are accepted as well.")
@option(
    _TRACKS,
    "--tracks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_default="none",
    help="Also write the tracks, comma-separated: track, channel, seconds, Hz, dB.",
)
@output_options("sines")
def sines(tracks: Path | None, **options: Any) -> None:
    """Take the recording INPUT apart into the tones that last and the rest, which sum to it.

    INPUT is a sound file, or - for standard input. The folder holds sines.wav and residual.wav: breath, bow, hammers
    and drums are in the second. Each channel is taken apart by itself.
    """
    request = Request.of("sines", options)
    stft = stft_of(request, STFT())
    settings = {
        name: value for name, value in request.settings.items() if name in {field.name for field in fields(SineModel)}
    }
    with request.told():
        SineModel(**settings)
    if tracks is not None:
        _check_table(tracks, request)
    heard: list[Audio] = []

    def make(audio: Audio, watch: Watch) -> Mapping[str, Audio]:
        watch.stage("following tones")
        heard.append(audio)
        return dict(zip(_PARTS, library.sines(audio, **settings, stft=stft), strict=True))

    split_named(request, make, _PARTS)
    if tracks is not None:
        del settings["bandwidth"]
        write_lines(tracks, _table(library.tracks(heard[0], **settings, stft=stft)))


def _check_table(path: Path, request: Request) -> None:
    """Refuse a table that could not be written; the folder of the parts may still be to come."""
    out = request.folder().shown
    if path.name in {MANIFEST, *(f"{name}.{request.format}" for name in _PARTS)} or path.is_dir():
        raise WriteError(f"{path} is no name for a table here: choose another --tracks, such as tracks.csv.")
    if request.input != STDIN and path.exists() and path.samefile(request.input):
        raise WriteError(f"{path} is read by this command and would be replaced: choose another --tracks.")
    if path.exists() and not request.overwrite:
        raise WriteError(f"{path} is there already: choose another --tracks, or say --overwrite.")
    if not path.parent.is_dir() and os.path.realpath(path.parent) != os.path.realpath(out):
        raise WriteError(f"{path} cannot be written: there is no folder {path.parent}.")


def _table(found: Iterable[Track]) -> Iterator[str]:
    yield _HEADER
    for number, track in enumerate(found):
        points = zip(track.times.tolist(), track.frequencies.tolist(), track.levels.tolist(), strict=True)
        for time, frequency, level in points:
            yield f"{number},{track.channel},{time:.6f},{frequency:.3f},{level:.2f}"
