"""Notes as MIDI files, and back.

The problem: a recording is in seconds, a MIDI file in ticks of beats; and whoever opens it in a studio program wants
the notes to lie over the recording *and* the bars to lie on the music. So times are never moved. Where a tempo is
known the file has it, and begins with one beat of another length, so that the second beat lies where the music's beat
does:

    lead-in = t_0 or t_0 + P, whichever is nearer to P          (t_0 the first beat, P = 60 / bpm, seconds)

Where no tempo is known, a file without one would mean 120 to all who read it. Then a beat is one second (60 to the
minute), and a text in the file says that it is no claim.

Conventions: a file of the first format. Drums, which have a label and no pitch, are on channel 10, by the keys of
General MIDI (`DRUM_KEYS`); other labels without pitch get keys from 60 up there, and a text event says which. Tones
are on channel 1, one track; tones with labels have a track, named so, and a channel for each label. A pitch is
rounded to the nearest key, halves up; velocity v is max(1, round(127 v)). A tick is half a millisecond at most. A key
is held once: a note that begins while its key is down ends the one before; of two that begin at once on one key the
louder one is kept. A note lasts one tick at least. The same notes give the same bytes.

Read: any format-0 or format-1 file, with its changes of tempo; pedals and pitch bends are not read.

References: MIDI Manufacturers Association, Standard MIDI Files 1.0, 1996; General MIDI System Level 1, 1991.
"""

from __future__ import annotations

import io
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from unweave.errors import ReadError
from unweave.files import write_whole
from unweave.notes.note import Note, in_order
from unweave.notes.tempo import Tempo, as_tempo

__all__ = ["DRUM_KEYS", "DRUM_LABELS", "drum_key", "read_midi", "write_midi"]

DRUM_KEYS: dict[str, int] = {
    "kick": 36,
    "snare": 38,
    "hihat": 42,
    "hihat-open": 46,
    "hihat-pedal": 44,
    "tom-floor": 41,
    "tom-floor-high": 43,
    "tom-low": 45,
    "tom": 47,
    "tom-mid": 48,
    "tom-high": 50,
    "crash": 49,
    "ride": 51,
    "ride-bell": 53,
    "china": 52,
    "splash": 55,
    "sidestick": 37,
    "clap": 39,
    "tambourine": 54,
    "cowbell": 56,
    "bongo-high": 60,
    "bongo-low": 61,
    "conga": 63,
    "conga-mute": 62,
    "conga-low": 64,
    "timbale-high": 65,
    "timbale-low": 66,
    "maracas": 70,
    "claves": 75,
    "triangle": 81,
    "shaker": 82,
}
"""Labels of drums, and their keys in General MIDI."""

DRUM_LABELS: dict[int, str] = {key: label for label, key in DRUM_KEYS.items()} | {
    35: "kick",
    40: "snare",
    57: "crash",
    59: "ride",
}
"""Keys of drums, and the labels that they are read as."""

_SAME = {
    "bassdrum": "kick",
    "bd": "kick",
    "kickdrum": "kick",
    "sd": "snare",
    "snaredrum": "snare",
    "hh": "hihat",
    "hat": "hihat",
    "hats": "hihat",
    "closedhihat": "hihat",
    "hihatclosed": "hihat",
    "openhihat": "hihat-open",
    "openhat": "hihat-open",
    "pedalhihat": "hihat-pedal",
    "toms": "tom",
    "tommid": "tom-mid",
    "midtom": "tom-mid",
    "lowtom": "tom-low",
    "hightom": "tom-high",
    "floortom": "tom-floor",
    "cymbal": "crash",
    "crashcymbal": "crash",
    "ridecymbal": "ride",
    "rimshot": "sidestick",
    "rim": "sidestick",
    "handclap": "clap",
}
_DRUM_CHANNEL = 9  # counted from 0
_FREE_KEY = 60  # the first of those for labels that General MIDI does not know
_FINEST = 5e-4  # seconds that a tick lasts at most
_NO_TEMPO = "no tempo was found: a beat of this file is one second"
_PLAIN = "notes"
_KEY_TEXT = re.compile(r"key (\d{1,3}): (.+)", re.DOTALL)


def _squeezed(label: str) -> str:
    return re.sub(r"[\s_-]+", "", label.casefold())


_KEYS = {_squeezed(label): key for label, key in DRUM_KEYS.items()} | {
    other: DRUM_KEYS[label] for other, label in _SAME.items()
}


def drum_key(label: str) -> int | None:
    """The key of a drum in General MIDI, or None for a label that is none.

    Examples
    --------
    >>> drum_key("kick"), drum_key("Hi-Hat"), drum_key("open hi-hat"), drum_key("violin")
    (36, 42, 46, None)
    """
    return _KEYS.get(_squeezed(label))


def write_midi(path: str | PathLike[str], notes: Iterable[Note], *, tempo: Tempo | float | None = None) -> None:
    """Write notes as a MIDI file.

    Parameters
    ----------
    path : path
        A file of that name is replaced.
    notes : iterable of Note
    tempo : Tempo or float, optional
        Of `unweave.notes.tempo.find_tempo`, or beats per minute, with a beat at 0. It draws the bars and moves no note.
        Default: the file says that a beat is a second, and that this is no claim.

    Raises
    ------
    InvalidInput
        The tempo is none.
    WriteError
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_midi(folder + "/a.mid", [Note(onset=0.5, offset=1, pitch=60.2, velocity=0.5)], tempo=90)
    ...     read_midi(folder + "/a.mid")
    (Note(pitch 60 at 0.500 s, 500 ms, velocity 0.50),)
    """
    write_whole(path, _encoded(in_order(notes), as_tempo(tempo)))


@dataclass(frozen=True, slots=True)
class _Clock:
    """From seconds to ticks and the other way round, piece by piece of constant tempo."""

    starts: tuple[tuple[int, float, float], ...]  # the tick and the second where a piece begins, seconds per tick

    def ticks(self, seconds: float) -> int:
        tick, begin, each = self.starts[bisect_right(self.starts, seconds, key=lambda piece: piece[1]) - 1]
        return tick + round((seconds - begin) / each)

    def seconds(self, ticks: int) -> float:
        tick, begin, each = self.starts[bisect_right(self.starts, ticks, key=lambda piece: piece[0]) - 1]
        return begin + (ticks - tick) * each

    @classmethod
    def of(cls, changes: Sequence[tuple[int, int]], per_beat: int) -> _Clock:
        """From ticks at which the tempo changes, and the microseconds of a beat from there on."""
        starts = [(0, 0.0, 0.5 / per_beat)]  # without a word the standard means 120
        for tick, micros in changes:
            last, begin, each = starts[-1]
            starts.append((tick, begin + (tick - last) * each, max(micros, 1) * 1e-6 / per_beat))
        return cls(tuple(starts))


def _encoded(notes: Sequence[Note], tempo: Tempo | None) -> bytes:
    from mido import MidiFile

    beats = [1_000_000] if tempo is None else _beats(tempo)
    per_beat = 480
    while max(beats) * 1e-6 / per_beat > _FINEST:
        per_beat *= 2
    clock = _Clock.of([(place * per_beat, micros) for place, micros in enumerate(beats)], per_beat)
    file = MidiFile(type=1, ticks_per_beat=per_beat, charset="utf-8")
    file.tracks.append(_tempo_track(beats, per_beat, known=tempo is not None))
    for channel, name, group in _groups(notes):
        file.tracks.append(_track(channel, name, group, clock))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def _beats(tempo: Tempo) -> list[int]:
    """Microseconds of the lead-in, where one is needed, and of all other beats."""
    period = tempo.period
    first = tempo.first_beat + (period if tempo.first_beat < period / 2 else 0)
    beats = [round(1e6 * first), round(1e6 * period)]
    return beats if abs(first - period) > 1e-4 else beats[1:]


def _tempo_track(beats: Sequence[int], per_beat: int, *, known: bool) -> Any:
    from mido import MetaMessage, MidiTrack

    track = MidiTrack()
    if not known:
        track.append(MetaMessage("text", text=_NO_TEMPO))
    for place, micros in enumerate(beats):
        track.append(MetaMessage("set_tempo", tempo=micros, time=per_beat if place else 0))
    track.append(MetaMessage("end_of_track"))
    return track


def _groups(notes: Sequence[Note]) -> Iterator[tuple[int, str, list[tuple[int, Note]]]]:
    """Channel, name, and notes with their keys, of every track."""
    drums = [note for note in notes if note.pitch is None]
    keys = _drum_keys(drums)
    if drums:
        yield _DRUM_CHANNEL, "drums", [(keys[note.label or ""], note) for note in drums]
    tones = [note for note in notes if note.pitch is not None]
    names = sorted({note.label for note in tones if note.label is not None})
    groups = [None, *names] if any(note.label is None for note in tones) else [*names]
    channels = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
    for place, name in enumerate(groups):
        found = [(math.floor((note.pitch or 0) + 0.5), note) for note in tones if note.label == name]
        yield channels[place % len(channels)], _PLAIN if name is None else name, found


def _drum_keys(drums: Sequence[Note]) -> dict[str, int]:
    """Every label's own key: that of General MIDI, else a second one of the same drum, else a free one from 60 up."""
    keys: dict[str, int] = {}
    labels = {note.label or "" for note in drums}
    for label in sorted(labels, key=lambda label: (drum_key(label) is None, label not in DRUM_KEYS, label)):
        key = drum_key(label)
        same = [] if key is None else [key, *(each for each, name in DRUM_LABELS.items() if name == DRUM_LABELS[key])]
        wanted = (*same, *range(_FREE_KEY, 128), *range(_FREE_KEY))
        # More than 128 sounds share the last key: a file has no more.
        keys[label] = next((key for key in wanted if key not in keys.values()), 127)
    return keys


def _track(channel: int, name: str, group: Sequence[tuple[int, Note]], clock: _Clock) -> Any:
    from mido import Message, MetaMessage, MidiTrack

    track = MidiTrack([MetaMessage("track_name", name=name)])
    if channel == _DRUM_CHANNEL:
        named = sorted({(key, note.label or "") for key, note in group if DRUM_LABELS.get(key) != note.label})
        track += [MetaMessage("text", text=f"key {key}: {label}") for key, label in named]
    events = []
    for key, first, last, velocity in _held(group, clock):
        events += [(last, 0, key, 0), (first, 1, key, velocity)]
    now = 0
    for tick, begins, key, velocity in sorted(events):  # a key is let go before it is pressed again
        kind = "note_on" if begins else "note_off"
        track.append(Message(kind, channel=channel, note=key, velocity=velocity, time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track"))
    return track


def _held(group: Sequence[tuple[int, Note]], clock: _Clock) -> Iterator[tuple[int, int, int, int]]:
    """Key, ticks from and to, and velocity, where every key is held by one note at a time."""
    by_key: dict[int, dict[int, tuple[int, int]]] = {}
    for key, note in group:
        first = clock.ticks(note.onset)
        last = max(first + 1, clock.ticks(note.offset))
        velocity = max(1, round(127 * note.velocity))
        older = by_key.setdefault(key, {}).get(first, (0, 0))
        by_key[key][first] = max(older, (velocity, last))
    for key, found in by_key.items():
        begins = sorted(found)
        for first, following in zip(begins, [*begins[1:], math.inf], strict=True):
            velocity, last = found[first]
            yield key, first, int(min(last, following)), velocity


def read_midi(path: str | PathLike[str]) -> tuple[Note, ...]:
    """Read the notes of a MIDI file.

    Parameters
    ----------
    path : path

    Returns
    -------
    tuple of Note
        Those of channel 10 by their labels, the others by pitch, with the name of their track as a label where it has
        one. A key that is never let go ends with its track.

    Raises
    ------
    ReadError
        It is no MIDI file that can be read.
    """
    from mido import MidiFile
    from mido.midifiles.meta import KeySignatureError

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    if data[:4] != b"MThd":
        raise ReadError(f"{path} is not a MIDI file: it does not begin with MThd.")
    try:
        # Names are bytes to us: some programs write them as UTF-8, others as Latin-1.
        file = MidiFile(file=io.BytesIO(data), clip=True, charset="latin-1")
        return _decoded(file)
    except (ValueError, EOFError, LookupError, OSError, ArithmeticError, TypeError, KeySignatureError) as error:
        reason = (str(error).splitlines() or ["it ends too early"])[0].rstrip(".") or "it ends too early"
        raise ReadError(f"{path} is damaged, or no MIDI file: {reason}.") from None


def _decoded(file: Any) -> tuple[Note, ...]:
    tracks = [list(_timed(track)) for track in file.tracks]
    changes = sorted(
        (tick, place, message.tempo)
        for place, track in enumerate(tracks)
        for tick, message in track
        if message.type == "set_tempo"
    )
    clock = _clock([(tick, tempo) for tick, _, tempo in changes], file.ticks_per_beat)
    return in_order(note for track in tracks for note in _read_track(track, clock))


def _clock(changes: Sequence[tuple[int, int]], division: int) -> _Clock:
    """The clock of a file: ticks of beats, or of frames of film where the division is below zero."""
    if division >= 0:
        return _Clock.of(changes, max(division, 1))
    frames, each = -(division >> 8), division & 0xFF
    return _Clock(((0, 0.0, 1 / (max(frames, 1) * max(each, 1))),))


def _timed(track: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    now = 0
    for message in track:
        now += message.time
        yield now, message


def _text(name: str) -> str:
    """A name whose bytes were taken for Latin-1, as UTF-8 where it is that."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


def _read_track(track: Sequence[tuple[int, Any]], clock: _Clock) -> Iterator[Note]:
    name = next((_text(message.name).strip("\0 ") for _, message in track if message.type == "track_name"), "")
    texts = (_KEY_TEXT.fullmatch(_text(message.text)) for _, message in track if message.type == "text")
    labels = DRUM_LABELS | {int(found[1]): found[2] for found in texts if found}
    down: dict[tuple[int, int], list[tuple[int, int]]] = {}
    ended: list[tuple[int, int, int, int, int]] = []
    for tick, message in track:
        if message.type not in ("note_on", "note_off"):
            continue
        place = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            down.setdefault(place, []).append((tick, message.velocity))
        elif down.get(place):
            ended.append((*place, *down[place].pop(0), tick))
    last = track[-1][0] if track else 0
    ended += [(*place, *begun, last) for place, held in down.items() for begun in held]
    for channel, key, first, velocity, end in ended:
        drum = channel == _DRUM_CHANNEL
        yield Note(
            onset=clock.seconds(first),
            offset=clock.seconds(end),
            pitch=None if drum else float(key),
            label=labels.get(key, f"key {key}") if drum else (name if name not in ("", _PLAIN) else None),
            velocity=velocity / 127,
        )
