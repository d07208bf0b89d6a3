"""`unweave stems`: a recording in, its named stems out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from unweave.audio import Audio
from unweave.cli.filter import file_names
from unweave.cli.hints import assignments, guide_of, hint_options
from unweave.cli.known import bases_name, own
from unweave.cli.options import HeadedCommand, option
from unweave.cli.progress import Watch
from unweave.cli.request import Request, output_options, recording_options
from unweave.cli.sources import read_bases
from unweave.cli.split import split_named
from unweave.corpus import find_sounds
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, ReadError
from unweave.examples import Like, explain
from unweave.framing import STFT
from unweave.guide import Guide
from unweave.stems import KINDS, POWER, separate

__all__ = ["stems"]

_EXAMPLES = """\b
Examples:
  unweave stems song.wav
      drums.wav, bass.wav, vocals.wav and other.wav, in song-stems/
  unweave stems loop.wav --of drums
      kick.wav, snare.wav, hihat.wav and what else there is
  unweave stems song.wav --two vocals
      vocals.wav, and all the rest of it in rest.wav
  unweave stems field.wav --like bark=dog1.wav,dog2.wav
      that sound, learned from examples, and the rest
  unweave stems verse2.wav --like vocals=v1.wav --like band=b1.wav --n-fft 8192
      both sounds have examples: nothing is left over
  unweave stems duo.wav --alone voice=0-4.5 --score piano=piano.mid
      no examples, but hints
"""

_WHAT, _LIKE = "What it is a recording of (one of these)", "By example"


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@option(
    _WHAT,
    "--of",
    type=click.Choice(list(KINDS)),
    show_default="song, where nothing else is said",
    help="A song: drums, bass, vocals, other. Drums: kick, snare, hi-hat.",
)
@option(
    _WHAT,
    "--like",
    multiple=True,
    metavar="NAME=FILE,...",
    help="A sound, and recordings or folders of recordings of it; may be said several times.",
)
@option(_WHAT, "--with", "kit", metavar="FILE", help="The sounds of a dictionary (.npz), as learn makes it.")
@option(_WHAT, "--two", metavar="NAME", help="Only this stem, and rest.")
@hint_options
@own(
    explain,
    _LIKE,
    "--rest",
    type=int,
    metavar="N",
    show_default="32 where one sound has a name, 0 where several have",
    help="Free bases for all that has no name; 0: there is nothing else.",
)
@own(
    explain,
    _LIKE,
    "--exemplars",
    "n_bases",
    type=int,
    metavar="N",
    help="Most frames of the examples of each sound. More know it better, and take longer.",
)
@option(
    _LIKE,
    "--n-fft",
    type=int,
    metavar="N",
    show_default="what suits INPUT, or that of --with",
    help="Samples of a transform: 8192 suits most songs, 1024 drums.",
)
@option(
    _LIKE,
    "--power",
    type=float,
    default=POWER,
    metavar="NUMBER",
    help="Exponent of the masks; more separates harder and rougher.",
)
@output_options("stems")
def stems(**options: Any) -> None:
    """Take the recording INPUT apart into named stems, which sum to it.

    INPUT is a sound file, or - for standard input. Say --of what it is, or which sounds to look for: --like with
    examples, --with a dictionary. Hints (--alone, --silent, --score, --band) help both, and are enough by themselves.
    """
    request = Request.of("stems", options)
    settings = request.settings
    with request.told():
        guide = guide_of(settings)
        like = _like(settings)
        of = _of(settings, like, guide)
        chosen = {} if isinstance(of, str) else _chosen(settings)
    settings["kit"] = None if settings["kit"] is None else bases_name(settings["kit"])
    for name in ("like", "alone", "silent", "score", "band"):
        settings[name] = [_without_folders(value) for value in settings[name]]

    def make(audio: Audio, watch: Watch) -> Mapping[str, Audio]:
        watch.stage("separating")
        found = separate(audio, of, two=options["two"], guide=guide, **chosen)
        names = file_names(list(found))
        return dict(zip(names, (stem.audio for stem in found.values()), strict=True))

    split_named(request, make)


def _like(settings: Mapping[str, Any]) -> Like | None:
    """The examples or the dictionary that the options name."""
    if settings["kit"] is not None and settings["like"]:
        raise InvalidInput("--with and --like: say one of them; unweave dictionary joins several.")
    if settings["kit"] is not None:
        bases = read_bases(settings["kit"])
        if not isinstance(bases, Dictionary):
            raise InvalidInput(f"{settings['kit']} is a matrix without names: --with needs a dictionary (.npz).")
        return bases
    found = assignments("--like", settings["like"])
    return {name: [each for path in paths for each in _sounds(path)] for name, paths in found.items()} or None


def _sounds(name: str) -> list[str]:
    """A file, or the sounds in a folder."""
    if not Path(name).is_dir():
        return [name]
    found = [str(each.path) for each in find_sounds(Path(name)) if not each.reason]
    if not found:
        raise ReadError(f"{name} is a folder without sound files.")
    return found


def _of(settings: Mapping[str, Any], like: Like | None, guide: Guide) -> Any:
    """What the recording is of, in the library's words."""
    if like is not None:
        if settings["of"] is not None:
            raise InvalidInput("--of is for what is taken apart without examples: leave out --like and --with, or it.")
        return like
    if settings["of"] is None and guide.names:
        return {}  # the hints are all that is known
    return settings["of"] or "song"


def _chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of separation by example."""
    stft = None if settings["n_fft"] is None else STFT(settings["n_fft"])
    return {"rest": settings["rest"], "n_bases": settings["n_bases"], "stft": stft, "power": settings["power"]}


def _without_folders(value: str) -> str:
    """``NAME=FILE,FILE`` as manifests have it."""
    name, _, rest = value.partition("=")
    return f"{name}={','.join(Path(each).name for each in rest.split(','))}"
