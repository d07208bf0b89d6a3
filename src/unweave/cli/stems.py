"""`unweave stems`: a recording in, its named stems out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from unweave.audio import Audio
from unweave.cli.filter import file_names
from unweave.cli.hints import assignments, guide_of, hint_options
from unweave.cli.known import bases_name, read_kit
from unweave.cli.options import HeadedCommand, option
from unweave.cli.progress import Watch
from unweave.cli.request import Request, output_options, own, recording_options
from unweave.cli.split import split, split_named
from unweave.corpus import find_sounds
from unweave.drums import CLASSES, Drums
from unweave.errors import InvalidInput, ReadError
from unweave.examples import Like
from unweave.framing import STFT
from unweave.guide import Guide
from unweave.notes import Note
from unweave.notes.formats import read_notes
from unweave.songs import SOURCES, song_names, song_pieces
from unweave.sorting import Sorter
from unweave.stems import KINDS, Examples, separate

__all__ = ["stems"]

_EXAMPLES = """\b
Examples:
  unweave stems song.wav
      drums.wav, bass.wav, vocals.wav and other.wav, in song-stems/
  unweave stems loop.wav --of drums
      kick.wav, snare.wav, hihat.wav and what else there is
  unweave stems loop.wav --of drums --loop --notes beat.mid --classes kick,snare
      stems that go round as the loop does, by strokes that are known
  unweave stems song.wav --two vocals
      vocals.wav, and all the rest of it in rest.wav
  unweave stems field.wav --like bark=dog1.wav,dog2.wav
      that sound, learned from examples, and the rest
  unweave stems verse2.wav --like vocals=v1.wav --like band=b1.wav --n-fft 8192
      both sounds have examples: nothing is left over
  unweave stems duo.wav --alone voice=0-4.5 --score piano=piano.mid
      no examples, but hints
"""

_WHAT, _LIKE, _DRUMS = "What it is a recording of (one of these)", "By example", "Drums"
_CLASSES = f"Which stems, of {', '.join(CLASSES)}; other drums go to the nearest one."


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
@option(_WHAT, "--with", "kit", metavar="FILE", help="A dictionary or a sorter (.npz), as learn makes it.")
@option(_WHAT, "--two", metavar="NAME", help="Only this stem, and rest.")
@hint_options
@option(_DRUMS, "--loop", is_flag=True, help="The recording is a loop: its stems are loops as well.")
@option(
    _DRUMS,
    "--notes",
    metavar="FILE",
    help="All strokes: a MIDI file (or .csv, .json, .txt). Of other recordings: notes with the labels of their sounds.",
)
@option(_DRUMS, "--classes", metavar="NAME,...", show_default="kick, snare, hihat, and what is found", help=_CLASSES)
@own(
    Drums,
    _DRUMS,
    "--sensitivity",
    type=float,
    metavar="SHARE",
    help="0 to 1. More: softer strokes too, and some that nobody played.",
)
@own(
    Examples,
    _LIKE,
    "--rest",
    type=int,
    metavar="N",
    show_default="32 where one sound has a name, 0 where several have",
    help="Free bases for all that has no name; 0: there is nothing else.",
)
@own(
    Examples,
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
    "--rehearse/--no-rehearse",
    default=None,
    show_default="where the examples are the stems of one recording, no drums",
    help="Take the examples' sum apart first, to learn how far examples are to be believed.",
)
@option(
    "Sound of the stems",
    "--power",
    type=float,
    metavar="NUMBER",
    show_default="1 for songs, else 2",
    help="Exponent of the masks; more separates harder and rougher.",
)
@own(
    separate,
    "Sound of the stems",
    "--refine",
    type=int,
    metavar="N",
    help="Steps towards phases that fit the stems' magnitudes.",
)
@output_options("stems")
def stems(**options: Any) -> None:
    """Take the recording INPUT apart into named stems, which sum to it.

    INPUT is a sound file, or - for standard input. Say --of what it is, or which sounds to look for: --like with
    examples, --with a dictionary or a sorter. Hints (--alone, --silent, --score, --band, --painted) help all of these,
    and are enough by themselves.
    """
    request = Request.of("stems", options)
    settings = request.settings
    with request.told():
        guide = guide_of(settings)
        of, guide = _of(settings, guide)
    settings["kit"] = None if settings["kit"] is None else bases_name(settings["kit"])
    settings["notes"] = None if settings["notes"] is None else bases_name(settings["notes"])
    for name in ("like", "alone", "silent", "score", "band", "painted"):
        settings[name] = [_without_folders(value) for value in settings[name]]

    two, power, refine = options["two"], options["power"], options["refine"]
    if of == "song" and not guide.names and not refine and two in (None, *SOURCES):
        # Nothing needs all of the stems: they are written as they come, and hours of sound fit into memory.
        given = {} if power is None else {"power": power}
        split(request, song_names(two), lambda audio: song_pieces(audio, two=two, **given))
        return

    def make(audio: Audio, watch: Watch) -> Mapping[str, Audio]:
        watch.stage("separating")
        found = separate(audio, of, two=two, guide=guide, power=power, refine=refine)
        names = file_names(list(found))
        return dict(zip(names, (stem.audio for stem in found.values()), strict=True))

    split_named(request, make)


def _of(settings: Mapping[str, Any], guide: Guide) -> tuple[Any, Guide]:
    """What the recording is of, in the library's words, and what is known of it."""
    notes = None if settings["notes"] is None else _notes(settings["notes"])
    like = _like(settings)
    if like is not None and settings["of"] is not None:
        raise InvalidInput("--of is for what is taken apart without examples: leave out --like and --with, or it.")
    if settings["of"] == "drums":
        _refuse(settings, _OF_EXAMPLES, "separation by example")
        return _drums(settings, notes), guide
    _refuse(settings, _OF_DRUMS, "drums: say --of drums")
    if notes is not None:
        guide = _scored(guide, notes, song=like is None and settings["of"] == "song")
    if isinstance(like, Sorter) or (like is None and (settings["of"] or not guide.names)):
        _refuse(settings, _OF_EXAMPLES, "separation by example")
        return like or "song", guide
    stft = None if settings["n_fft"] is None else STFT(settings["n_fft"])
    # Where there are no examples, the hints are all that is known.
    told = (settings["rest"], settings["n_bases"], stft, settings["rehearse"])
    return Examples({} if like is None else like, *told), guide


_OF_EXAMPLES = {"rest": "--rest", "n_bases": "--exemplars", "n_fft": "--n-fft", "rehearse": "--rehearse"}
_OF_DRUMS = {"loop": "--loop", "classes": "--classes", "sensitivity": "--sensitivity"}
_USUAL = {each.name: each.default for each in (*fields(Drums), *fields(Examples))}


def _refuse(settings: Mapping[str, Any], options: Mapping[str, str], what: str) -> None:
    """Refuse options that a kind of recording would ignore."""
    for name, shown in options.items():
        if settings[name] not in (_USUAL.get(name), None):
            raise InvalidInput(f"{shown} is for {what}.")


def _notes(path: str) -> tuple[Note, ...]:
    notes = read_notes(path)
    if not notes:
        raise ReadError(f"{path} holds no notes: leave --notes out, and they are found.")
    return notes


def _drums(settings: Mapping[str, Any], notes: tuple[Note, ...] | None) -> Drums:
    classes = None if settings["classes"] is None else [name.strip() for name in settings["classes"].split(",")]
    return Drums(classes=classes, notes=notes, sensitivity=settings["sensitivity"], loop=settings["loop"])


def _scored(guide: Guide, notes: tuple[Note, ...], *, song: bool) -> Guide:
    """What is known, with notes for each sound that is among their labels; strokes are the drums of a song."""
    score = {name: tuple(known) for name, known in guide.score.items()}
    for note in notes:
        name = "drums" if song and note.pitch is None else note.label
        if name is None:
            raise InvalidInput(f"--notes has {note!r}, which is nobody's: say whose by --score NAME=FILE.")
        score[name] = (*score.get(name, ()), note)
    return replace(guide, score=score)


def _like(settings: Mapping[str, Any]) -> Like | Sorter | None:
    """The examples, the dictionary or the sorter that the options name."""
    kit = settings["kit"]
    if kit is not None and settings["like"]:
        raise InvalidInput("--with and --like: say one of them; unweave dictionary joins several.")
    if kit is not None:
        return read_kit(kit)
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


def _without_folders(value: str) -> str:
    """``NAME=FILE,FILE`` as manifests have it."""
    name, _, rest = value.partition("=")
    return f"{name}={','.join(Path(each).name for each in rest.split(','))}"
