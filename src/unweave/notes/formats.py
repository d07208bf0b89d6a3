"""Notes as files that other programs read: by the ending, and the same bytes for the same notes.

    .mid   MIDI, for studio programs (`unweave.notes.midi`)                                 read, too
    .csv   onset,offset,pitch,label,velocity: a row a note, for spreadsheets          read, too; exactly the same notes
    .json  the same as objects, and the tempo                                         read, too; exactly the same notes
    .txt   labels of Audacity: begin, end, name, parted by tabs                       read, too; without velocity
    .jams  JAMS, for research: note_midi for tones; onset and tag_open for the rest; tempo
    .svl   layers of Sonic Visualiser: notes for tones, time instants for the rest

Conventions: seconds; pitch as a MIDI number; velocity from 0 to 1. In CSV and JSON numbers have as many digits as
they need to come back the same. Labels name a tone by its pitch, 'A4' or, where it is out of tune, 'A4+12' with the
hundredths of a semitone; a tone with a label is 'violin A4'. A drum's label that looks like a pitch is read as one.

References: E. J. Humphrey, J. Salamon, O. Nieto, J. Forsyth, R. M. Bittner, J. P. Bello, JAMS: a JSON annotated music
specification for reproducible MIR research, ISMIR 2014. C. Cannam, C. Landone, M. Sandler, Sonic Visualiser, ACM
Multimedia 2010, doi:10.1145/1873951.1874248.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from unweave.errors import InvalidInput, ReadError, UnweaveError
from unweave.files import write_whole
from unweave.notes.midi import read_midi, write_midi
from unweave.notes.names import called, pitch_named
from unweave.notes.note import Note, in_order
from unweave.notes.tempo import Tempo, as_tempo

__all__ = ["FORMATS", "READABLE", "format_of", "read_notes", "write_notes"]

_COLUMNS = ("onset", "offset", "pitch", "label", "velocity")
_JSON_FORMAT = "unweave notes"
_JAMS_VERSION = "0.3.4"


@dataclass(frozen=True, slots=True)
class _About:
    """What a file may tell beside the notes."""

    tempo: Tempo | None
    duration: float
    sample_rate: float


def format_of(path: str | PathLike[str], format: str | None = None) -> str:  # noqa: A002 - as in `unweave.save`
    """The format that is meant: the one named, or that of the file's ending.

    Raises
    ------
    InvalidInput
        It is none of `FORMATS`.
    """
    name = (Path(path).suffix.lower().removeprefix(".") if format is None else format).lower()
    name = {"midi": "mid"}.get(name, name)
    if name not in FORMATS:
        told = f"{path} has no ending that says" if format is None else f"format={format!r} is none of those"
        raise InvalidInput(f"{told} how notes are written: {', '.join(FORMATS)}.")
    return name


def write_notes(
    path: str | PathLike[str],
    notes: Iterable[Note],
    *,
    format: str | None = None,  # noqa: A002 - as in `unweave.save`
    tempo: Tempo | float | None = None,
    duration: float | None = None,
    sample_rate: float = 44100,
) -> None:
    """Write notes in the format of the file's ending.

    Parameters
    ----------
    path : path
        A file of that name is replaced.
    notes : iterable of Note
        They are written in order of time.
    format : str, optional
        One of `FORMATS`; default: the ending.
    tempo : Tempo or float, optional
        For ``mid``, ``json`` and ``jams``. It moves no note.
    duration : float, optional
        Seconds of the recording, for ``jams``, ``json`` and ``svl``. Default: the end of the last note.
    sample_rate : float
        Hz of the recording, for ``svl``, which counts samples.

    Raises
    ------
    InvalidInput
        The format is none of ours; a number is out of range.
    WriteError
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_notes(folder + "/a.csv", [Note(onset=0.5, offset=1, pitch=60, velocity=0.5)])
    ...     read_notes(folder + "/a.csv")
    (Note(pitch 60 at 0.500 s, 500 ms, velocity 0.50),)
    """
    name = format_of(path, format)
    ordered = in_order(notes)
    last = max((note.offset for note in ordered), default=0.0)
    duration = last if duration is None else duration
    for what, number, least in (("duration", duration, 0.0), ("sample_rate", sample_rate, 1.0)):
        if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number < math.inf:
            raise InvalidInput(f"{what}={number!r} is not a number from {least:g} up.")
    about = _About(as_tempo(tempo), float(duration), sample_rate)
    if name == "mid":
        write_midi(path, ordered, tempo=about.tempo)
    else:
        write_whole(path, _TEXTS[name](ordered, about).encode("utf-8"))


def _csv(notes: Sequence[Note], _: _About) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for note in notes:
        rows.writerow(["" if (value := getattr(note, name)) is None else value for name in _COLUMNS])
    return text.getvalue()


def _tempo_object(tempo: Tempo | None) -> dict[str, Any] | None:
    if tempo is None:
        return None
    return {"bpm": tempo.bpm, "first_beat": tempo.first_beat, "confidence": tempo.confidence}


def _json(notes: Sequence[Note], about: _About) -> str:
    rows = ",\n".join(f"    {json.dumps(_object(note), ensure_ascii=False)}" for note in notes)
    return (
        f'{{\n  "format": "{_JSON_FORMAT}",\n  "duration": {about.duration!r},\n'
        f'  "tempo": {json.dumps(_tempo_object(about.tempo))},\n  "notes": [\n{rows}\n  ]\n}}\n'
    )


def _object(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in _COLUMNS}


def _audacity(notes: Sequence[Note], _: _About) -> str:
    return "".join(f"{note.onset:.6f}\t{note.offset:.6f}\t{called(note)}\n" for note in notes)


def _jams(notes: Sequence[Note], about: _About) -> str:
    tones = [note for note in notes if note.pitch is not None]
    drums = [note for note in notes if note.pitch is None]
    annotations = []
    if tones or not drums:
        annotations.append(_annotation("note_midi", [(note, note.pitch) for note in tones], about))
    if drums:
        annotations.append(_annotation("onset", [(note, None) for note in drums], about))
        annotations.append(_annotation("tag_open", [(note, note.label) for note in drums], about))
    if about.tempo is not None:
        found = about.tempo
        row = {"time": 0.0, "duration": about.duration, "value": found.bpm, "confidence": found.confidence or 0.0}
        annotations.append(_annotation("tempo", [], about) | {"data": [row]})
    file = {
        "title": "",
        "artist": "",
        "release": "",
        "duration": about.duration,
        "identifiers": {},
        "jams_version": _JAMS_VERSION,
    }
    whole = {"annotations": annotations, "file_metadata": file, "sandbox": {}}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _annotation(namespace: str, rows: Sequence[tuple[Note, Any]], about: _About) -> dict[str, Any]:
    """What JAMS calls an annotation; velocities, for which it has no place, are in the sandbox."""
    moments = namespace == "onset"
    return {
        "namespace": namespace,
        "annotation_metadata": {"annotation_tools": "unweave", "data_source": "program"},
        "data": [
            {
                "time": note.onset,
                "duration": 0.0 if moments else note.duration,
                "value": value,
                "confidence": None,
            }
            for note, value in rows
        ],
        "sandbox": {"velocity": [note.velocity for note, _ in rows]} if rows else {},
        "time": 0.0,
        "duration": about.duration,
    }


def _layers(notes: Sequence[Note], about: _About) -> str:
    models, datasets, layers = [], [], []
    tones = [note for note in notes if note.pitch is not None]
    drums = [note for note in notes if note.pitch is None]
    rate, end = about.sample_rate, math.ceil(about.duration * about.sample_rate)
    common = f'sampleRate="{rate:.10g}" start="0" end="{end}" type="sparse" resolution="1" notifyOnAdd="true"'
    if tones or not drums:
        pitches = [note.pitch or 0.0 for note in tones] or [0.0]
        models.append(
            f'<model id="1" name="tones" {common} dimensions="3" dataset="0" subtype="note" valueQuantization="0" '
            f'minimum="{min(pitches)!r}" maximum="{max(pitches)!r}" units="MIDI Pitch"/>'
        )
        datasets.append(_dataset(0, 3, [_tone_point(note, rate) for note in tones]))
        layers.append('<layer id="2" type="notes" name="Notes" model="1" verticalScale="1"/>')
    if drums:
        models.append(f'<model id="3" name="drums" {common} dimensions="1" dataset="4"/>')
        datasets.append(_dataset(4, 1, [f"{_frame(note.onset, rate)} label={_attribute(note)}" for note in drums]))
        layers.append('<layer id="5" type="timeinstants" name="Time Instants" model="3"/>')
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!DOCTYPE sonic-visualiser>",
        "<sv>",
        "<data>",
        *models,
        *datasets,
        "</data>",
        "<display>",
        *layers,
        "</display>",
        "</sv>",
    ]
    return "\n".join(lines) + "\n"


def _dataset(number: int, dimensions: int, points: Sequence[str]) -> str:
    inner = "".join(f"<point {point}/>\n" for point in points)
    return f'<dataset id="{number}" dimensions="{dimensions}">\n{inner}</dataset>'


def _frame(seconds: float, rate: float) -> str:
    return f'frame="{round(seconds * rate)}"'


def _tone_point(note: Note, rate: float) -> str:
    frames = max(1, round(note.offset * rate) - round(note.onset * rate))
    return (
        f'{_frame(note.onset, rate)} value="{note.pitch!r}" duration="{frames}" level="{note.velocity!r}" '
        f"label={_attribute(note)}"
    )


def _attribute(note: Note) -> str:
    """A name as an attribute of XML, without the characters that XML does not have."""
    return quoteattr("".join(char for char in called(note) if char.isprintable()))


_TEXTS: dict[str, Callable[[Sequence[Note], _About], str]] = {
    "csv": _csv,
    "json": _json,
    "jams": _jams,
    "txt": _audacity,
    "svl": _layers,
}
FORMATS: dict[str, str] = {
    "mid": "MIDI, for studio programs",
    "csv": "rows, for spreadsheets",
    "json": "objects, for programs",
    "jams": "JAMS, for research",
    "txt": "labels of Audacity",
    "svl": "layers of Sonic Visualiser",
}
"""Formats by their endings, and what they are."""


def read_notes(path: str | PathLike[str], *, format: str | None = None) -> tuple[Note, ...]:  # noqa: A002
    """Read notes from a file: MIDI, CSV, JSON, or labels of Audacity.

    Parameters
    ----------
    path : path
    format : str, optional
        One of `READABLE`; default: the ending.

    Raises
    ------
    InvalidInput
        The format is none that can be read.
    ReadError
        The file is not what it should be; the sentence says where.
    """
    name = format_of(path, format)
    if name not in READABLE:
        raise InvalidInput(f"{path}: notes are read from {', '.join(READABLE)}, and only written as {name}.")
    if name == "mid":
        return read_midi(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeError:
        raise ReadError(f"{path} is not text (UTF-8), as {name} must be.") from None
    return in_order(_READERS[name](text, str(path)))


def _made(path: str, where: str, **values: Any) -> Note:
    """A note, or the file and the place where it is none."""
    try:
        numbers = {name: float(values[name]) for name in ("onset", "offset", "velocity") if values[name] is not None}
        pitch, label = values["pitch"], values["label"]
        return Note(
            pitch=None if pitch is None else float(pitch), label=None if label is None else str(label), **numbers
        )
    except (UnweaveError, ValueError, TypeError) as error:
        raise ReadError(f"{path}, {where}: {str(error).rstrip('.')}.") from None


def _read_csv(text: str, path: str) -> list[Note]:
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise ReadError(f"{path} is not CSV: {error}.") from None
    head = text.partition("\n")[0]
    lacking = [name for name in ("onset", "offset") if name not in next(csv.reader([head]), [])]
    if lacking:
        raise ReadError(f"{path} has no column {lacking[0]!r}: its first row must name {', '.join(_COLUMNS)}.")
    found = []
    for number, row in enumerate(rows, 2):
        values = {name: row.get(name) or None for name in _COLUMNS}
        found.append(_made(path, f"row {number}", **values))
    return found


def _read_json(text: str, path: str) -> list[Note]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is not JSON: {error}.") from None
    rows = whole.get("notes") if isinstance(whole, dict) else whole
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReadError(f"{path} holds no notes: an object with a list 'notes' is needed, as unweave writes it.")
    return [
        _made(path, f"note {number}", **{name: row.get(name) for name in _COLUMNS}) for number, row in enumerate(rows)
    ]


def _read_labels(text: str, path: str) -> list[Note]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("\\"):  # a second line of a label holds its frequencies
            continue
        begin, end, name = [*line.split("\t", 2), "", ""][:3]
        first, _, last = name.strip().rpartition(" ")
        pitch = pitch_named(last)
        label = name.strip() if pitch is None else first
        values = {"onset": begin, "offset": end, "velocity": None}
        found.append(_made(path, f"line {number}", pitch=pitch, label=label or None, **values))
    return found


_READERS: dict[str, Callable[[str, str], list[Note]]] = {"csv": _read_csv, "json": _read_json, "txt": _read_labels}
READABLE: tuple[str, ...] = ("mid", *_READERS)
"""Formats that can be read."""
