"""`unweave transcribe`: the notes of a recording, as files, a picture, and a sound to check them by."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from unweave.cli.failure import one_line
from unweave.cli.known import bases_name, read_dictionary
from unweave.cli.notefiles import CUES, Found, NoteFile, NoteFiles, note_formats
from unweave.cli.notetable import described, tempo_sentence
from unweave.cli.options import FileType, FolderType, HeadedCommand, is_folder, option, talk_options
from unweave.cli.progress import Watch, working
from unweave.cli.request import Request, own, recording_options
from unweave.cli.sources import read_recording
from unweave.cli.talk import say, warn
from unweave.errors import InvalidInput
from unweave.notes import Note
from unweave.notes.formats import FORMATS, format_of
from unweave.notes.names import pitch_named
from unweave.notes.tempo import FASTEST, SLOWEST, as_tempo, find_tempo, quantise
from unweave.transcription import KINDS
from unweave.transcription import transcribe as notes_of

__all__ = ["transcribe"]

_EXAMPLES = """\b
Examples:
  unweave transcribe loop.wav --as drums
      kick, snare, hi-hat and what else there is: MIDI, CSV, a picture, and a
      sound to check them by, in loop-notes/
  unweave transcribe loop.wav --as drums -o loop.mid
      just a MIDI file
  unweave transcribe prelude.wav --as piano --lowest C2 --highest C6
      the notes of a piano, in a range
  unweave learn snare.wav kick.wav hat.wav --labels snare,kick,hihat -o kit.npz
  unweave transcribe loop.wav --with kit.npz
      the sounds of a kit of your own
  unweave transcribe anything.wav -k 12
      twelve components, named by their pitch or by what they resemble
  unweave transcribe loop.wav --as drums --tempo 104 --quantise 16
      also on the grid of sixteenths, in a file of its own
  unweave transcribe loop.wav --as drums --formats mid,json,cues
      JSON, and a copy of the recording with a marker at each onset
"""

_WHAT, _NOTES, _TIME, _FILES = "What plays (one of these)", "The notes", "Tempo", "Output folder, or one file"
_USUAL = ("mid", "csv")
_SOUNDS = tuple(kind for kind in KINDS if kind != "blind")


class _PitchType(click.ParamType[float]):
    """A MIDI number, or the name of a pitch."""

    name = "pitch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the MIDI number."""
        named = pitch_named(value) if isinstance(value, str) else None
        if named is not None:
            return named
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither the name of a pitch, such as C4, nor a MIDI number.", param, ctx)


class _FormatsType(click.ParamType[tuple[str, ...]]):
    """Formats, with commas between them."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the formats, each once."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            return note_formats(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class _OutType(FolderType):
    """A folder, or a file by the ending of a format of notes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder's path, or the file."""
        path = FileType.convert(self, value, param, ctx)
        if is_folder(value):
            return path
        try:
            return NoteFile(path, format_of(path))
        except InvalidInput:
            return super().convert(value, param, ctx)


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@option(_WHAT, "--as", "kind", type=click.Choice(_SOUNDS), help="What the recording is of.")
@option(
    _WHAT,
    "--with",
    "kit",
    metavar="FILE",
    help="The sounds of a dictionary (.npz, .safetensors), as learn makes it.",
)
@option(
    _WHAT,
    "-k",
    "--components",
    "n_components",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many components, named by pitch or by what they resemble.",
)
@own(
    notes_of,
    _NOTES,
    "--sensitivity",
    type=float,
    metavar="SHARE",
    help="0 to 1. More: quiet notes too, and false ones.",
)
@own(
    notes_of,
    _NOTES,
    "--shortest",
    type=float,
    metavar="SECONDS",
    show_default="that of the sounds",
    help="Least length of a tone, least time from a stroke to the next of its kind.",
)
@own(
    notes_of, _NOTES, "--lowest", type=_PitchType(), metavar="PITCH", help="Lowest note: a name, C2, or a MIDI number."
)
@own(notes_of, _NOTES, "--highest", type=_PitchType(), metavar="PITCH", help="Highest note.")
@own(notes_of, _NOTES, "--seed", "rng", type=int, metavar="N", help="With -k: another seed, another random start.")
@option(
    _TIME,
    "--tempo",
    type=click.FloatRange(SLOWEST, FASTEST),
    metavar="BPM",
    show_default="found from the notes",
    help="Beats per minute. It draws the bars of the MIDI file, and moves no note.",
)
@option(
    _TIME,
    "--quantise",
    "division",
    type=click.IntRange(1, 192),
    metavar="N",
    help="Also write notes-quantised.mid, on a grid of N lines in four beats: 16 for sixteenths. One file is on it.",
)
@option(
    _FILES,
    "-o",
    "--out",
    type=_OutType(),
    metavar="DIR|FILE",
    show_default="<name>-notes",
    help=f"The folder; or, by its ending, just a file with the notes: {', '.join(f'.{name}' for name in FORMATS)}.",
)
@option(
    _FILES,
    "--formats",
    type=_FormatsType(),
    default=",".join(_USUAL),
    metavar="NAMES",
    help=f"What the notes are written as, of {', '.join([*FORMATS, CUES])}, with commas between them.",
)
@option(_FILES, "--picture/--no-picture", default=True, help="Draw the notes.")
@option(_FILES, "--sound/--no-sound", default=True, help="Write notes.wav: the notes under the recording.")
@option(_FILES, "--overwrite", is_flag=True, help="Replace what an earlier run has written; other files stay.")
@talk_options()
def transcribe(**options: Any) -> None:
    """Turn the recording INPUT into notes: when each begins, what it is, and how loud.

    Say what plays: --as drums, piano or pitched (any one instrument with a pitch), --with a dictionary of sounds, or -k
    components of which nothing is known.
    """
    alone = options["out"] if isinstance(options["out"], NoteFile) else None
    if alone is not None:
        options |= _settled_by(alone)
    request = Request.of("notes", options)  # which is the end of the folder's name
    _refuse_senseless(request.settings)
    files = alone or NoteFiles.of(request)
    piped = request.as_json and not sys.stdout.isatty()
    with working(request.threads, quiet=request.quiet or piped) as watch, request.told():
        manifest, notes, advice = _run(request, files, watch)
    if not request.quiet:
        for sentence in advice:
            warn(sentence)
    if request.as_json:
        say(json.dumps(manifest | {"notes": [_row(note) for note in notes]}, indent=2))
    elif not request.quiet:
        say(described(manifest["result"]))
        say(f"The notes are in {one_line(str(files.shown))}.")


def _settled_by(alone: NoteFile) -> dict[str, Any]:
    """What the options mean where just one file is written; those that ask for other files are refused."""
    context = click.get_current_context()
    for name in ("formats", "picture", "sound"):
        said = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if said and context.params[name]:
            raise click.UsageError(
                f"--{name} is for a folder, and --out {alone.path} is one file: leave one of them out."
            )
    return {"out": None, "formats": (alone.format,), "picture": False, "sound": False}


def _refuse_senseless(settings: Mapping[str, Any]) -> None:
    """Refuse a command line that does not say what plays, or says it twice, or asks for what has no effect."""
    said = [name for name, field in _CHOICES.items() if settings[field] is not None]
    if len(said) != 1:
        wrong = f"{' and '.join(said)} are given" if said else "what plays is not said"
        raise click.UsageError(
            f"{wrong}: say one of --as {'|'.join(_SOUNDS)}, --with a dictionary, or -k with a number of components."
        )
    if settings["rng"] is not None and said != ["-k"]:
        raise click.UsageError("--seed is for -k: nothing else here is left to chance.")
    as_tempo(settings["tempo"])


_CHOICES = {"--as": "kind", "--with": "kit", "-k": "n_components"}


def _run(
    request: Request, files: NoteFile | NoteFiles, watch: Watch
) -> tuple[dict[str, Any], Sequence[Note], list[str]]:
    """The manifest, the notes, and what a person should know."""
    settings = request.settings
    files.check(request)
    kind = settings["kind"] if settings["kit"] is None else read_dictionary(settings["kit"])
    watch.stage("reading")
    recording = read_recording(request.input, request.start, request.duration, request.sample_rate)
    watch.stage("listening")
    passed = ("sensitivity", "shortest", "lowest", "highest", "n_components", "rng")
    notes = notes_of(recording.audio, kind, **{name: settings[name] for name in passed})
    found, advice = _counted(notes, settings)
    watch.stage("writing")
    return files.write(request, recording, _settings(request), found), notes, advice


def _counted(notes: Sequence[Note], settings: Mapping[str, Any]) -> tuple[Found, list[str]]:
    """Notes with their tempo, and on its grid; and what could not be done."""
    tempo = find_tempo(notes, bpm=settings["tempo"]) or as_tempo(settings["tempo"])
    division = settings["division"]
    if division is None:
        return Found(notes, tempo), []
    if tempo is None:
        return Found(notes, tempo), [f"{tempo_sentence(None)} Nothing was quantised: say --tempo."]
    return Found(notes, tempo, quantise(notes, tempo, division)), []


def _settings(request: Request) -> dict[str, Any]:
    """The settings that a manifest tells."""
    kit = request.settings["kit"]
    told = {"start": request.start, "duration": request.duration, "sample_rate": request.sample_rate}
    own_ones = request.settings | {"kit": None if kit is None else bases_name(kit)}
    return told | own_ones | {"formats": list(request.settings["formats"])}


def _row(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in ("onset", "offset", "pitch", "label", "velocity")}
