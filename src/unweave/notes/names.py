"""Names of pitches and notes, as people say and read them.

Conventions: 'A4' is 440 Hz and MIDI number 69; what is out of tune has the hundredths of a semitone after it, 'A4+12'.
"""

from __future__ import annotations

import math
import re

from unweave.notes.note import Note

__all__ = ["called", "note_name", "pitch_named"]

_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NAME = re.compile(r"([A-Ga-g])([#♯b♭]?)(-?\d{1,2})([+-]\d{1,2})?")


def note_name(pitch: float) -> str:
    """The name of a pitch: 'A4' is 440 Hz; hundredths of a semitone beside it follow.

    Examples
    --------
    >>> note_name(69), note_name(60.25), note_name(53.9)
    ('A4', 'C4+25', 'F#3-10')
    """
    key = math.floor(pitch + 0.5)
    cents = round(100 * (pitch - key))
    return f"{_KEYS[key % 12]}{key // 12 - 1}" + (f"{cents:+d}" if cents else "")


def pitch_named(name: str) -> float | None:
    """The MIDI number of a name such as 'A4', 'Bb3' or 'C4+25'; None where it is none.

    Examples
    --------
    >>> pitch_named("A4"), pitch_named("Bb3"), pitch_named("C4+25"), pitch_named("kick")
    (69.0, 58.0, 60.25, None)
    """
    found = _NAME.fullmatch(name.strip())
    if found is None:
        return None
    key = _KEYS.index(found[1].upper()) + {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[found[2]]
    pitch = key + 12 * (int(found[3]) + 1) + int(found[4] or 0) / 100
    return pitch if 0 <= pitch <= 127 else None


def called(note: Note) -> str:
    """What a person calls a note, on one line."""
    words = [] if note.label is None else [" ".join(note.label.split())]
    return " ".join(words if note.pitch is None else [*words, note_name(note.pitch)])
