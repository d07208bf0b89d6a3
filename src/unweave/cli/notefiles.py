"""The files that notes are written as: in formats by name, drawn, made audible, and as markers in the recording.

They fill a folder (`NoteFiles`), or one file is all that is wanted (`NoteFile`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unweave import __version__, plot
from unweave.audio import Audio, save
from unweave.cli.manifest import file_facts, recording_facts, write_manifest
from unweave.cli.notetable import counted
from unweave.cli.onefile import check_target
from unweave.cli.output import MANIFEST, MANIFEST_FORMAT, OutputFolder
from unweave.cli.request import Request
from unweave.cli.sources import STDIN, Recording
from unweave.cues import write_cues
from unweave.errors import InvalidInput, ReadError
from unweave.notes import Note
from unweave.notes.formats import FORMATS, write_notes
from unweave.notes.names import called
from unweave.notes.sonification import mix
from unweave.notes.tempo import Tempo
from unweave.wav import read_header

__all__ = ["CUES", "Found", "NoteFile", "NoteFiles", "note_formats"]

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
class NoteFile:
    """One file that is asked for: notes in a format, those on the grid where there is one."""

    path: Path
    format: str

    @property
    def shown(self) -> Path:
        """What the user is told."""
        return self.path

    def check(self, request: Request) -> None:
        """Refuse what can be refused before anything is read."""
        kit = request.settings["kit"]
        check_target(self.path, overwrite=request.overwrite, inputs=[request.input, *([kit] if kit else [])])

    def write(self, request: Request, recording: Recording, settings: dict[str, Any], found: Found) -> dict[str, Any]:
        """Write it, and say what was done with what."""
        wanted = found.notes if found.quantised is None else found.quantised
        _write(self.path, self.format, recording.audio, wanted, found.tempo)
        return _manifest(recording, settings, found) | {"files": [file_facts(self.path, self.path.name)]}


@dataclass(frozen=True, slots=True)
class NoteFiles:
    """A folder of the files that are asked for."""

    formats: Sequence[str]
    picture: bool
    sound: bool
    division: int | None
    folder: OutputFolder

    @classmethod
    def of(cls, request: Request) -> NoteFiles:
        """Those that the options name."""
        asked = request.settings
        return cls(asked["formats"], asked["picture"], asked["sound"], asked["division"], request.folder())

    @property
    def shown(self) -> Path:
        """What the user is told."""
        return self.folder.shown

    def names(self) -> list[str]:
        """The files that may come to be."""
        named = [_MARKED if name == CUES else f"notes.{name}" for name in self.formats]
        pictures = [_ONSETS, _ROLL] if self.picture else []
        return [*named, *pictures, *([_SOUND] if self.sound else []), *([_QUANTISED] if self.division else [])]

    def check(self, request: Request) -> None:
        """Refuse what can be refused before anything is read."""
        self.folder.check([*self.names(), MANIFEST])

    def write(self, request: Request, recording: Recording, settings: dict[str, Any], found: Found) -> dict[str, Any]:
        """Write all of them, and say what was done with what, in a file of the folder, too."""
        manifest = _manifest(recording, settings, found)
        with self.folder as folder:
            self._fill(folder.path, request, recording.audio, found)
            write_manifest(folder.path, manifest)
            folder.commit()
        return manifest

    def _fill(self, folder: Path, request: Request, audio: Audio, found: Found) -> None:
        for name in self.formats:
            if name == CUES:
                _write_marked(folder / _MARKED, request, audio, found.notes)
            else:
                _write(folder / f"notes.{name}", name, audio, found.notes, found.tempo)
        if found.quantised is not None:
            write_notes(folder / _QUANTISED, found.quantised, tempo=found.tempo)
        if self.picture:
            _draw(folder, audio, found.notes)
        if self.sound:
            save(folder / _SOUND, mix(audio, found.notes))


def _manifest(recording: Recording, settings: dict[str, Any], found: Found) -> dict[str, Any]:
    """What was done with what, but for the files."""
    return {
        "format": MANIFEST_FORMAT,
        "format_version": _VERSION,
        "unweave": __version__,
        "command": "transcribe",
        **recording_facts(recording),
        "settings": settings,
        "result": counted(found.notes, found.tempo),
        "files": [],
    }


def _write(path: Path, name: str, audio: Audio, notes: Sequence[Note], tempo: Tempo | None) -> None:
    """Write notes in a format, with what it tells of the recording."""
    write_notes(path, notes, format=name, tempo=tempo, duration=audio.duration, sample_rate=audio.sample_rate)


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
