"""Recordings with ground truth in a folder, in whichever of three layouts they lie.

    ours         FOLDER/mix.flac, notes.json, meta.json and perhaps stems: README.md of shared/data
    MAPS         NAME.wav beside NAME.txt with lines 'OnsetTime OffsetTime MidiPitch', and perhaps NAME.mid
    MDB Drums    audio/drum_only/NAME_Drum.wav, annotations/class/NAME_class.txt (or subclass) with lines 'time label'

`recordings` finds all of them, however deep they lie. Drums get the names of their families (`WORDS`) whatever a
layout calls them. MAPS has velocities in its MIDI files only, MDB Drums has none: such notes have velocity 1.

References: V. Emiya, R. Badeau, B. David, IEEE TASLP 18(6), 2010, doi:10.1109/TASL.2009.2038819 (MAPS). C. Southall,
C.-W. Wu, A. Lerch, J. Hockman, MDB Drums, ISMIR 2017 late breaking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import unweave as uw
from unweave.notes import Note, in_order

SOUNDS = (".flac", ".wav", ".aiff", ".aif", ".ogg")

CODES = {
    "kick": "kd",
    "snare": "sd sdb sdd sdf sdg sdns",
    "hihat": "hh chh ohh phh",
    "tom": "tt hit mht hft lft",
    "cymbal": "cy rdc rdb crc chc spc",
    "other": "ot sst tmb",
}
"""What MDB Drums calls the drums of a family: classes and subclasses."""

WORDS = {
    "kick": "kick bassdrum bass_drum",
    "snare": "snare snaredrum rimshot",
    "hihat": "hihat hi_hat hat",
    "tom": "tom toms",
    "cymbal": "cymbal crash ride splash china",
}
"""What people call them, perhaps with other words before and after."""

_CODE = {name: family for family, names in CODES.items() for name in names.split()}
_WORD = {name: family for family, names in WORDS.items() for name in names.split()}


@dataclass(frozen=True)
class Recording:
    """A recording and its notes: where it lies, which group of recordings it belongs to, and what it is of."""

    name: str
    group: str
    kind: str  # "drums", "piano", or what meta.json says
    path: Path
    notes: tuple[Note, ...]
    stems: Mapping[str, Path] = field(default_factory=dict)

    def load(self) -> uw.Audio:
        """The sound."""
        return uw.load(str(self.path))


def family(label: str) -> str:
    """Which family a drum belongs to: 'Crash 2' is a cymbal, 'low tom' a tom; what nobody knows is 'other'."""
    words = re.sub(r"[^a-z]+", "_", label.lower()).strip("_")
    if words in _CODE:
        return _CODE[words]
    return next((kind for name, kind in _WORD.items() if f"_{name}_" in f"_{words}_"), "other")


def in_families(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The same notes under the names of their families; those without a label are left out."""
    return tuple(
        Note(onset=note.onset, offset=note.offset, label=family(note.label), velocity=note.velocity)
        for note in notes
        if note.label is not None
    )


def recordings(data: Path) -> list[Recording]:
    """All recordings with ground truth under a folder, by name."""
    found = {each.path: each for layout in (_ours, _maps, _mdb) for each in layout(data)}
    return sorted(found.values(), key=lambda each: (each.group, each.name))


def _place(data: Path, path: Path) -> tuple[str, str]:
    """Name and group: the path below the folder, and the folder that it lies in."""
    inside = path.relative_to(data)
    return inside.as_posix(), inside.parent.name or data.resolve().name


def _sound(folder: Path, stem: str) -> Path | None:
    return next((path for path in sorted(folder.glob(f"{stem}.*")) if path.suffix.lower() in SOUNDS), None)


# ---------------------------------------------------------------- ours


def _ours(data: Path) -> Iterator[Recording]:
    for listed in sorted(data.rglob("notes.json")):
        folder = listed.parent
        mix = _sound(folder, "mix")
        if mix is None:
            continue
        rows = json.loads(listed.read_text("utf-8"))
        meta = folder / "meta.json"
        told = json.loads(meta.read_text("utf-8")) if meta.exists() else {}
        kind = told.get("kind") or ("drums" if all(family(str(row["label"])) != "other" for row in rows) else "piano")
        stems = {row.get("stem", "mix"): _sound(folder, row.get("stem", "mix")) for row in rows}
        there = {name: path for name, path in stems.items() if path is not None and name != "mix"}
        name, group = _place(data, folder) if folder != data else (folder.resolve().name, folder.resolve().name)
        yield Recording(name, group, kind, mix, in_order(_note(row, kind) for row in rows), there)


def _note(row: Mapping[str, float | str], kind: str) -> Note:
    """A drum has a label and no pitch here, a tone a pitch and no label; velocities of 1 to 127 become 0 to 1."""
    onset, offset, velocity = float(row["onset"]), float(row["offset"]), float(row["velocity"]) / 127
    if kind == "drums":
        return Note(onset=onset, offset=offset, label=family(str(row["label"])), velocity=velocity)
    return Note(onset=onset, offset=offset, pitch=float(row["pitch"]), velocity=velocity)


# ---------------------------------------------------------------- MAPS


def _maps(data: Path) -> Iterator[Recording]:
    for listed in sorted(data.rglob("*.txt")):
        sound = _sound(listed.parent, listed.stem)
        rows = _table(listed)
        if sound is None or not rows or [word.lower() for word in rows[0][:2]] != ["onsettime", "offsettime"]:
            continue
        notes = [
            Note(onset=max(0.0, float(row[0])), offset=float(row[1]), pitch=float(row[2]))
            for row in rows[1:]
            if len(row) >= 3  # lines may be empty
        ]
        midi = next((path for path in sorted(listed.parent.glob(f"{listed.stem}.mid*"))), None)
        name, group = _place(data, sound.with_suffix(""))
        yield Recording(name, group, "piano", sound, in_order(_with_velocities(notes, midi) if midi else notes))


def _table(path: Path) -> list[list[str]]:
    """The words of every line that has any."""
    return [words for line in path.read_text("utf-8", "replace").splitlines() if (words := line.split())]


def _with_velocities(notes: list[Note], midi: Path, apart: float = 0.05) -> list[Note]:
    """Each note with the velocity of the note of the same key in the MIDI file that is the nearest, if it is near."""
    from unweave.notes.midi import read_midi

    keys: dict[float, list[Note]] = {}
    for note in read_midi(midi):
        if note.pitch is not None:
            keys.setdefault(note.pitch, []).append(note)
    loud = []
    for note in notes:
        near = min(keys.get(note.pitch or 0.0, []), key=lambda each: abs(each.onset - note.onset), default=None)
        heard = near is not None and abs(near.onset - note.onset) <= apart
        velocity = near.velocity if near is not None and heard else note.velocity
        loud.append(Note(onset=note.onset, offset=note.offset, pitch=note.pitch, velocity=velocity))
    return loud


# ---------------------------------------------------------------- MDB Drums


def _mdb(data: Path) -> Iterator[Recording]:
    for folder in sorted(path for path in data.rglob("annotations") if path.is_dir()):
        sounds = folder.parent / "audio" / "drum_only"
        written = {path.stem.removesuffix("_class"): path for path in sorted((folder / "class").glob("*.txt"))}
        for path in sorted((folder / "subclass").glob("*.txt")):
            written.setdefault(path.stem.removesuffix("_subclass"), path)  # the classes are enough where they are there
        for name, path in sorted(written.items()):
            sound = _sound(sounds, f"{name}_Drum") or _sound(sounds, name) or _sound(sounds, f"{name}_*")
            if sound is not None:
                notes = [_hit(*words[:2]) for words in _table(path) if len(words) >= 2]
                yield Recording(name, _place(data, folder)[1], "drums", sound, in_order(notes))


def _hit(time: str, label: str) -> Note:
    onset = max(0.0, float(time))
    return Note(onset=onset, offset=onset + 0.1, label=family(label))
