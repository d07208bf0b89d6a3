"""The files that notes are written as: in formats by name, drawn, made audible, and as markers in the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unweave import __version__, plot
from unweave.audio import Audio, save
from unweave.cli.manifest import recording_facts, write_manifest
from unweave.cli.notetable import counted
from unweave.cli.output import MANIFEST_FORMAT
from unweave.cli.request import Request
from unweave.cli.sources import STDIN, Recording
from unweave.cues import write_cues
from unweave.errors import InvalidInput, ReadError
from unweave.noteformats import FORMATS, write_notes
from unweave.notenames import called
from unweave.notes import Note
from unweave.sonification import mix
from unweave.tempo import Tempo
from unweave.wav import read_header

__all__ = ["CUES", "Found", "NoteFiles", "note_formats"]

CUES = "cues"
"""The format that is a copy of the recording with markers."""

_VERSION = 1
_ONSETS, _ROLL, _SOUND, _MARKED, _QUANTISED = (
    "onsets.png",
    "piano-roll.png",
    "notes.wav",
    "notes-cues.wav",
    "notes-quantised.mid",
)


def note_formats(names: str) -> tuple[str, ...]:
    """The formats in a list with commas, each once.

    Raises
    ------
    InvalidInput
        One of them is unknown.
    """
    given = [name.strip().lower() for name in names.split(",") if name.strip()]
    for name in given:
        if name not in (*FORMATS, CUES):
            raise InvalidInput(f"{name!r} is none of {', '.join([*FORMATS, CUES])}.")
    return tuple(dict.fromkeys(given))


@dataclass(frozen=True, slots=True)
class Found:
    """What was heard: notes, tempo, and the notes on its grid where that was asked for."""

    notes: Sequence[Note]
    tempo: Tempo | None
    quantised: Sequence[Note] | None = None


@dataclass(frozen=True, slots=True)
class NoteFiles:
    """Which files are asked for."""

    formats: Sequence[str]
    picture: bool
    sound: bool
    division: int | None

    def names(self) -> list[str]:
        """The files that may come to be."""
        named = [_MARKED if name == CUES else f"notes.{name}" for name in self.formats]
        pictures = [_ONSETS, _ROLL] if self.picture else []
        return [*named, *pictures, *([_SOUND] if self.sound else []), *([_QUANTISED] if self.division else [])]

    def write(self, folder: Path, request: Request, audio: Audio, found: Found) -> None:
        """Write all of them into a folder."""
        for name in self.formats:
            if name == CUES:
                _write_marked(folder / _MARKED, request, audio, found.notes)
            else:
                write_notes(
                    folder / f"notes.{name}",
                    found.notes,
                    format=name,
                    tempo=found.tempo,
                    duration=audio.duration,
                    sample_rate=audio.sample_rate,
                )
        if found.quantised is not None:
            write_notes(folder / _QUANTISED, found.quantised, tempo=found.tempo)
        if self.picture:
            _draw(folder, audio, found.notes)
        if self.sound:
            save(folder / _SOUND, mix(audio, found.notes))

    def manifest(self, folder: Path, recording: Recording, settings: dict[str, Any], found: Found) -> dict[str, Any]:
        """Say what was done with what, in a file of the folder, too."""
        manifest: dict[str, Any] = {
            "format": MANIFEST_FORMAT,
            "format_version": _VERSION,
            "unweave": __version__,
            "command": "transcribe",
            **recording_facts(recording),
            "settings": settings,
            "result": counted(found.notes, found.tempo),
            "files": [],
        }
        write_manifest(folder, manifest)
        return manifest


def _draw(folder: Path, audio: Audio, notes: Sequence[Note]) -> None:
    """Marks for what has no pitch, a piano roll for what has."""
    tones = [note for note in notes if note.pitch is not None]
    if len(tones) < len(notes) or not notes:
        plot.save_figure(plot.onsets(audio, notes)[0], folder / _ONSETS)
    if tones:
        plot.save_figure(plot.piano_roll(tones, duration=audio.duration), folder / _ROLL)


def _write_marked(path: Path, request: Request, audio: Audio, notes: Sequence[Note]) -> None:
    """The recording with a marker at every onset: its own bytes where it is a wav of which all is taken."""
    marks = [(note.onset, called(note)) for note in notes]
    if _is_whole_wav(request):
        write_cues(path, request.input, marks)
        return
    plain = path.with_name(f".{path.name}")
    save(plain, audio, format="wav")
    write_cues(path, plain, marks)
    plain.unlink()


def _is_whole_wav(request: Request) -> bool:
    if request.input == STDIN or request.start or request.duration is not None or request.sample_rate is not None:
        return False
    try:
        with Path(request.input).open("rb") as file:
            return bool(read_header(file).subtype)
    except (ReadError, OSError):
        return False
