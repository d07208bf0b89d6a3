"""Notes as MIDI files, and back."""

import io
from contextlib import suppress
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.notes import Note, in_order
from unweave.notes.midi import DRUM_KEYS, DRUM_LABELS, drum_key, read_midi, write_midi
from unweave.notes.tempo import Tempo

LOOP = [
    Note(onset=0.0512, offset=0.15, label="kick", velocity=0.9),
    Note(onset=0.3009, offset=0.35, label="hihat", velocity=0.4),
    Note(onset=0.5501, offset=0.65, label="snare", velocity=0.7),
]
TUNE = [
    Note(onset=0.1, offset=1.0, pitch=60, velocity=0.5),
    Note(onset=0.1, offset=0.7, pitch=64, velocity=0.6),
    Note(onset=1.0, offset=1.5, pitch=60, velocity=0.7),
]


def messages(path: Path, kind: str) -> list[mido.Message]:
    return [
        message for track in mido.MidiFile(path, charset="utf-8").tracks for message in track if message.type == kind
    ]


def times(path: Path) -> list[float]:
    """When notes begin, as another program counts: by the changes of tempo in the file."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on":
            found.append(now)
    return found


@pytest.mark.parametrize(
    "tempo", [None, 10, 60, 97.3, 120, 1000, Tempo(bpm=97.3, first_beat=0.2), Tempo(bpm=60, first_beat=0.9)]
)
def test_times_are_kept_to_half_a_millisecond_at_any_tempo(tmp_path: Path, tempo: Tempo | float | None) -> None:
    path = tmp_path / "a.mid"
    late = [Note(onset=3599.9876, offset=3600, pitch=50)]
    write_midi(path, [*LOOP, *TUNE, *late], tempo=tempo)
    assert times(path) == pytest.approx([note.onset for note in in_order([*LOOP, *TUNE, *late])], abs=5e-4)
    back = read_midi(path)
    for note, read in zip(in_order([*LOOP, *TUNE, *late]), back, strict=True):
        assert (read.onset, read.offset) == pytest.approx((note.onset, note.offset), abs=5e-4)
        assert read.velocity == pytest.approx(note.velocity, abs=0.5 / 127)
        assert (read.pitch, read.label) == (note.pitch, note.label)


def test_drums_are_on_channel_10_by_the_keys_of_general_midi_and_tones_on_channel_1(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [*LOOP, *TUNE])
    found = {(message.channel + 1, message.note) for message in messages(tmp_path / "a.mid", "note_on")}
    assert found == {(10, 36), (10, 38), (10, 42), (1, 60), (1, 64)}


def test_the_table_of_drums_can_be_read_backwards() -> None:
    assert {label: DRUM_KEYS[DRUM_LABELS[key]] for label, key in DRUM_KEYS.items()} == DRUM_KEYS
    assert (DRUM_KEYS["kick"], DRUM_KEYS["snare"], DRUM_KEYS["hihat"]) == (36, 38, 42)
    assert (DRUM_LABELS[35], DRUM_LABELS[40]) == ("kick", "snare")
    assert all(35 <= key <= 82 for key in DRUM_LABELS)


def test_other_names_of_drums_are_understood() -> None:
    names = {"Bass Drum": 36, "BD": 36, "hi-hat": 42, "open_hihat": 46, "floor tom": 41, "cymbal": 49, "flute": None}
    assert {name: drum_key(name) for name in names} == names


def test_the_tempo_is_never_silently_120(tmp_path: Path) -> None:
    write_midi(tmp_path / "none.mid", LOOP)
    (tempo,) = messages(tmp_path / "none.mid", "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == 60
    assert "no tempo was found" in messages(tmp_path / "none.mid", "text")[0].text
    write_midi(tmp_path / "told.mid", LOOP, tempo=96)
    (tempo,) = messages(tmp_path / "told.mid", "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(96)
    assert not [found for found in messages(tmp_path / "told.mid", "text") if "tempo" in found.text]


@pytest.mark.parametrize("first", [0.05, 0.3, 0.61])
def test_beats_of_the_file_lie_on_the_beats_of_the_music(tmp_path: Path, first: float) -> None:
    tempo = Tempo(bpm=96, first_beat=first)
    beats = [Note(onset=tempo.seconds(k), offset=tempo.seconds(k) + 0.1, label="kick") for k in range(8)]
    write_midi(tmp_path / "a.mid", beats, tempo=tempo)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert len([message for message in file.tracks[0] if message.type == "set_tempo"]) == 2
    assert times(tmp_path / "a.mid") == pytest.approx([note.onset for note in beats], abs=5e-4)
    now, ticks = 0, []
    for message in file.tracks[1]:
        now += message.time
        if message.type == "note_on":
            ticks.append(now)
    # All beats but one that lies in the lead-in are at whole beats of the file.
    assert all(tick % file.ticks_per_beat <= 1 for tick in ticks[1:])


def test_the_same_notes_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [*LOOP, *TUNE], tempo=100)
    write_midi(tmp_path / "b.mid", [*TUNE, *LOOP][::-1], tempo=100)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_a_key_is_held_by_one_note_at_a_time(tmp_path: Path) -> None:
    notes = [Note(onset=0, offset=2, pitch=60, velocity=0.5), Note(onset=1, offset=1.5, pitch=60.3, velocity=0.6)]
    same = [Note(onset=3, offset=3.5, pitch=62, velocity=velocity) for velocity in (0.2, 0.8)]
    write_midi(tmp_path / "a.mid", [*notes, *same])
    found = [
        (round(note.onset, 3), round(note.offset, 3), round(note.velocity, 1)) for note in read_midi(tmp_path / "a.mid")
    ]
    assert found == [(0, 1, 0.5), (1, 1.5, 0.6), (3, 3.5, 0.8)]


def test_pitches_are_rounded_to_the_nearest_key_halves_up(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [Note(onset=k, offset=k + 0.5, pitch=p) for k, p in enumerate((59.5, 60.49, 126.7))])
    assert [note.pitch for note in read_midi(tmp_path / "a.mid")] == [60, 60, 127]


def test_labels_that_general_midi_does_not_know_come_back(tmp_path: Path) -> None:
    labels = ["component 3", "große Trommel", "太鼓", "kick", "bongo-high", "cymbal", "BD"]
    notes = [Note(onset=k, offset=k + 0.5, label=label) for k, label in enumerate(labels)]
    tones = [Note(onset=k, offset=k + 0.5, pitch=60 + k, label=label) for k, label in enumerate(["viola", "flûte"])]
    write_midi(tmp_path / "a.mid", [*notes, *tones])
    back = read_midi(tmp_path / "a.mid")
    assert [note.label for note in back if note.pitch is None] == [
        "component 3",
        "große Trommel",
        "太鼓",
        "kick",
        "bongo-high",
        "cymbal",
        "BD",
    ]
    assert [note.label for note in back if note.pitch is not None] == ["viola", "flûte"]
    assert {message.channel for message in messages(tmp_path / "a.mid", "note_on")} == {0, 1, 9}


def test_no_notes_make_a_file_without_notes(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [])
    assert read_midi(tmp_path / "a.mid") == ()


def test_soft_short_notes_are_still_notes(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [Note(onset=1, offset=1, pitch=60, velocity=0)])
    (note,) = read_midi(tmp_path / "a.mid")
    assert note.velocity == pytest.approx(1 / 127)
    assert 0 < note.duration < 1e-3


def foreign(*tracks: list[mido.Message], division: int = 480) -> bytes:
    file = mido.MidiFile(type=1, ticks_per_beat=division)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    changes = [
        mido.MetaMessage("set_tempo", tempo=250_000, time=480),
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=480),
    ]
    notes = [
        mido.MetaMessage("track_name", name="Fl\xf6te"),
        mido.Message("note_on", note=60, velocity=127, time=480),
        mido.Message("note_on", note=60, velocity=0, time=480),  # lets go
        mido.Message("note_on", note=62, velocity=64, time=480),  # is never let go
        mido.Message("note_off", note=99, time=10),  # never was pressed
        mido.MetaMessage("end_of_track", time=470),
    ]
    (tmp_path / "a.mid").write_bytes(foreign(changes, notes))
    first, second = read_midi(tmp_path / "a.mid")
    assert (first.onset, first.offset, first.velocity, first.label) == (0.5, 0.75, 1, "Flöte")
    assert (second.onset, second.offset) == (1.75, 2.75)


def test_a_file_that_counts_frames_of_film_is_read(tmp_path: Path) -> None:
    data = bytearray(
        foreign([mido.Message("note_on", note=60, time=1000), mido.Message("note_off", note=60, time=500)])
    )
    data[12:14] = bytes([256 - 25, 40])  # 25 frames a second, 40 ticks a frame: milliseconds
    (tmp_path / "a.mid").write_bytes(data)
    (note,) = read_midi(tmp_path / "a.mid")
    assert (note.onset, note.offset) == pytest.approx((1.0, 1.5))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"MThd", b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrk\0\0\0\x20\0\x90"])
def test_what_is_no_midi_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(ReadError, match="MIDI file"):
        read_midi(tmp_path / "a.mid")


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mid"
    write_midi(path, [*LOOP, *TUNE], tempo=99)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(4, len(content)))])
    with suppress(ReadError):
        read_midi(path)


def test_a_tempo_that_is_none_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="beats per minute from 10 to 1000"):
        write_midi(tmp_path / "a.mid", [], tempo=5)
    with pytest.raises(WriteError, match="cannot be written"):
        write_midi(tmp_path / "none" / "a.mid", [])
    with pytest.raises(ReadError, match="cannot be read"):
        read_midi(tmp_path / "none.mid")
    assert list(tmp_path.iterdir()) == []
