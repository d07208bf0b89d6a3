"""What is told of notes: how many of each sound, how high, how loud, and the tempo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unweave.cli.failure import one_line
from unweave.notes import Note
from unweave.notes.names import note_name
from unweave.notes.tempo import Tempo

__all__ = ["counted", "described", "tempo_sentence"]

_NAMELESS = "notes"


def counted(notes: Sequence[Note], tempo: Tempo | None) -> dict[str, Any]:
    """The result of a transcription in a few numbers, for tables and manifests."""
    groups: dict[str | None, list[Note]] = {}
    for note in notes:
        groups.setdefault(note.label, []).append(note)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0] or ""))
    found = None
    if tempo is not None:
        found = {"bpm": tempo.bpm, "first_beat": tempo.first_beat, "confidence": tempo.confidence}
    return {
        "n_notes": len(notes),
        "sounds": [_sound(label, group) for label, group in ordered],
        "tempo": found,
        "tempo_sentence": tempo_sentence(tempo),
    }


def _sound(label: str | None, group: Sequence[Note]) -> dict[str, Any]:
    pitches = [note.pitch for note in group if note.pitch is not None]
    return {
        "label": label,
        "n_notes": len(group),
        "lowest": min(pitches, default=None),
        "highest": max(pitches, default=None),
        "mean_velocity": sum(note.velocity for note in group) / len(group),
    }


def tempo_sentence(tempo: Tempo | None) -> str:
    """What is known of the tempo."""
    if tempo is None:
        return "No tempo was found: in the MIDI file a beat is one second."
    how = "as told" if tempo.confidence is None else f"found, confidence {tempo.confidence:.2f}"
    return f"Tempo: {tempo.bpm:.4g} beats per minute ({how}), the first beat at {tempo.first_beat:.3f} s."


def described(result: Mapping[str, Any]) -> str:
    """The table of a result, and a line about the tempo."""
    if not result["n_notes"]:
        return "There are no notes in it."
    rows = [("sound", "notes", "pitches", "velocity"), *(_cells(sound) for sound in result["sounds"])]
    if not any(row[2] for row in rows[1:]):
        rows = [(*row[:2], "", row[3]) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for name, count, pitches, velocity in rows:
        middle = f"  {pitches:{widths[2]}}" if widths[2] else ""
        lines.append(f"{name:{widths[0]}}  {count:>{widths[1]}}{middle}  {velocity:>{widths[3]}}")
    return "\n".join([*lines, result["tempo_sentence"]])


def _cells(sound: Mapping[str, Any]) -> tuple[str, str, str, str]:
    low, high = sound["lowest"], sound["highest"]
    pitches = "" if low is None else note_name(low) if low == high else f"{note_name(low)} to {note_name(high)}"
    name = one_line(sound["label"] or _NAMELESS)
    return name, str(sound["n_notes"]), pitches, f"{sound['mean_velocity']:.2f}"
