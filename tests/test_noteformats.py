"""Notes in files that other programs read."""

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.notes import Note, in_order
from unweave.notes.formats import FORMATS, READABLE, read_notes, write_notes
from unweave.notes.names import called, note_name, pitch_named
from unweave.notes.tempo import Tempo

NOTES = (
    Note(onset=0.1, offset=0.2, label="kick", velocity=1 / 3),
    Note(onset=0.1, offset=1.7, pitch=60.25, velocity=0.5),
    Note(onset=1.0, offset=1.5, pitch=69, label="violin & \"co\", 'x'", velocity=0.7),
    Note(onset=2.0, offset=2.0, label="große Trommel", velocity=0.0),
)
TEMPO = Tempo(bpm=97.5, first_beat=0.1, confidence=0.9)

times = st.floats(0, 1e5, allow_subnormal=False)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: name == name.strip())


@st.composite
def any_notes(draw: st.DrawFn) -> tuple[Note, ...]:
    found = []
    for _ in range(draw(st.integers(0, 5))):
        begin, end = sorted((draw(times), draw(times)))
        pitch = draw(st.none() | st.floats(0, 127))
        label = draw(names) if pitch is None else draw(st.none() | names)
        found.append(Note(onset=begin, offset=end, pitch=pitch, label=label, velocity=draw(st.floats(0, 1))))
    return in_order(found)


@pytest.mark.parametrize("name", ["csv", "json"])
@given(notes=any_notes())
def test_what_was_written_is_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, name: str, notes: tuple[Note, ...]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"notes.{name}"
    write_notes(path, notes, tempo=TEMPO)
    assert read_notes(path) == notes


def test_midi_comes_back_as_near_as_ticks_and_keys_are(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.midi", NOTES, tempo=TEMPO)
    for note, read in zip(NOTES, read_notes(tmp_path / "a.midi"), strict=True):
        assert read.onset == pytest.approx(note.onset, abs=5e-4)
        assert read.label == note.label
        assert read.pitch == (None if note.pitch is None else round(note.pitch))


def test_labels_of_audacity_come_back_without_velocity(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.txt", NOTES)
    assert (tmp_path / "a.txt").read_text("utf-8").splitlines()[:2] == [
        "0.100000\t0.200000\tkick",
        "0.100000\t1.700000\tC4+25",
    ]
    back = read_notes(tmp_path / "a.txt")
    assert [(note.onset, note.offset, note.pitch, note.label) for note in back] == [
        (note.onset, note.offset, note.pitch, note.label) for note in NOTES
    ]
    assert {note.velocity for note in back} == {1.0}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_notes_give_the_same_bytes_in_any_order(tmp_path: Path, name: str) -> None:
    for file, notes in (("a", NOTES), ("b", NOTES[::-1])):
        write_notes(tmp_path / file, iter(notes), format=name, tempo=TEMPO, duration=3.0)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("notes", [(), NOTES[:1], NOTES[1:2]], ids=["none", "a drum", "a tone"])
def test_every_format_holds_nothing_drums_alone_and_tones_alone(
    tmp_path: Path, name: str, notes: tuple[Note, ...]
) -> None:
    path = tmp_path / f"a.{name}"
    write_notes(path, notes)
    if name in READABLE:
        assert len(read_notes(path)) == len(notes)


def test_a_spreadsheet_gets_a_row_a_note(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.csv", NOTES)
    rows = list(csv.reader((tmp_path / "a.csv").read_text("utf-8").splitlines()))
    assert rows[0] == ["onset", "offset", "pitch", "label", "velocity"]
    assert rows[1][:4] == ["0.1", "0.2", "", "kick"]
    assert len(rows) == 1 + len(NOTES)


def test_json_tells_the_tempo_and_the_length(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.json", NOTES, tempo=TEMPO, duration=5)
    whole = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert whole["tempo"] == {"bpm": 97.5, "first_beat": 0.1, "confidence": 0.9}
    assert whole["duration"] == 5
    assert whole["notes"][0] == {"onset": 0.1, "offset": 0.2, "pitch": None, "label": "kick", "velocity": 1 / 3}


def test_jams_has_tones_as_note_midi_and_drums_as_onsets_and_tags(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.jams", NOTES, tempo=TEMPO, duration=5)
    whole = json.loads((tmp_path / "a.jams").read_text("utf-8"))
    found = {each["namespace"]: each for each in whole["annotations"]}
    assert list(found) == ["note_midi", "onset", "tag_open", "tempo"]
    assert [row["value"] for row in found["note_midi"]["data"]] == [60.25, 69]
    assert found["note_midi"]["data"][0]["duration"] == pytest.approx(1.6)
    assert found["note_midi"]["sandbox"] == {"velocity": [0.5, 0.7]}
    assert [row["value"] for row in found["tag_open"]["data"]] == ["kick", "große Trommel"]
    assert found["tempo"]["data"][0]["value"] == 97.5
    assert whole["file_metadata"]["duration"] == 5


def test_jams_is_valid_by_its_own_schema(tmp_path: Path) -> None:
    schema = pytest.importorskip("jams.schema", exc_type=ImportError)
    jsonschema = pytest.importorskip("jsonschema")
    for notes, tempo in ((NOTES, TEMPO), ((), None)):
        write_notes(tmp_path / "a.jams", notes, tempo=tempo)
        whole = json.loads((tmp_path / "a.jams").read_text("utf-8"))
        jsonschema.Draft4Validator(schema.JAMS_SCHEMA).validate(whole)
        for each in whole["annotations"]:
            rules = schema.namespace_array(each["namespace"])
            jsonschema.Draft4Validator(rules).validate(each["data"])


def test_layers_have_notes_for_tones_and_instants_for_drums(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.svl", NOTES, sample_rate=8000, duration=3)
    tree = ET.parse(tmp_path / "a.svl").getroot()
    tones, drums = tree.findall("data/model")
    assert (tones.get("subtype"), tones.get("dimensions"), tones.get("end")) == ("note", "3", "24000")
    assert (drums.get("dimensions"), drums.get("sampleRate")) == ("1", "8000")
    points, instants = (dataset.findall("point") for dataset in tree.findall("data/dataset"))
    assert points[0].attrib == {"frame": "800", "value": "60.25", "duration": "12800", "level": "0.5", "label": "C4+25"}
    assert points[1].get("label") == "violin & \"co\", 'x' A4"
    assert [(point.get("frame"), point.get("label")) for point in instants] == [
        ("800", "kick"),
        ("16000", "große Trommel"),
    ]
    assert [layer.get("type") for layer in tree.findall("display/layer")] == ["notes", "timeinstants"]
    ids = {dataset.get("id") for dataset in tree.findall("data/dataset")}
    assert {model.get("dataset") for model in tree.findall("data/model")} == ids


def test_names_of_pitches_come_back() -> None:
    for cents in range(0, 12701, 17):
        assert pitch_named(note_name(cents / 100)) == pytest.approx(cents / 100)
    assert [pitch_named(name) for name in ("c4", "B♭2", "E#3", "C-1", "H4", "C", "G#9", "kick", "")] == [
        60,
        46,
        53,
        0,
        None,
        None,
        None,
        None,
        None,
    ]
    assert called(Note(onset=0, offset=1, pitch=61, label="a\tb\nc")) == "a b c C#4"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("csv", "", "has no column 'onset'"),
        ("csv", "onset,pitch\n1,60\n", "has no column 'offset': its first row must name"),
        ("csv", "onset,offset,pitch\n0,1,60\n2,1,60\n", "row 3: onset=2 and offset=1"),
        ("csv", "onset,offset,pitch\n0,x,60\n", "row 2: could not convert"),
        ("csv", "onset,offset,label\n0,,kick\n", "row 2: "),
        ("csv", 'onset,offset,label\n0,1,"kick\n', "is not CSV"),
        ("json", "{", "is not JSON"),
        ("json", "{}", "holds no notes"),
        ("json", '{"notes": [3]}', "holds no notes"),
        ("json", '{"notes": [{"onset": 0, "offset": 1}]}', "note 0: a note needs a pitch or a label"),
        ("json", '[{"onset": 0, "offset": 1, "pitch": "x"}]', "note 0: could not convert"),
        ("txt", "0\t1\tkick\nzero\tone\tkick\n", "line 2: could not convert"),
        ("txt", "0\t1\n", "line 1: a note needs a pitch or a label"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / f"a.{name}").write_text(text, "utf-8")
    with pytest.raises(ReadError, match=words):
        read_notes(tmp_path / f"a.{name}")


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ReadError, match="is not text"):
        read_notes(tmp_path / "a.csv")
    with pytest.raises(ReadError, match="cannot be read"):
        read_notes(tmp_path / "b.csv")


def test_a_spreadsheets_own_mark_and_missing_velocities_are_borne(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffoffset,onset,label\r\n1,0.5,kick\r\n", "utf-8", newline="")
    assert read_notes(tmp_path / "a.csv") == (Note(onset=0.5, offset=1, label="kick"),)


def test_an_ending_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match="has no ending that says how notes are written: mid, csv, json, jams, txt, svl"
    ):
        write_notes(tmp_path / "a.xyz", NOTES)
    with pytest.raises(InvalidInput, match="format='abc' is none of those"):
        write_notes(tmp_path / "a.csv", NOTES, format="abc")
    with pytest.raises(InvalidInput, match="notes are read from mid, csv, json, txt, and only written as svl"):
        read_notes(tmp_path / "a.svl")


@pytest.mark.parametrize("wrong", [{"duration": -1}, {"duration": float("nan")}, {"sample_rate": 0}, {"tempo": 3}])
def test_absurd_settings_are_refused_and_nothing_is_written(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="is not a number"):
        write_notes(tmp_path / "a.svl", NOTES, **wrong)  # type: ignore[arg-type]
    with pytest.raises(WriteError, match="cannot be written"):
        write_notes(tmp_path / "none" / "a.csv", NOTES)
    assert list(tmp_path.iterdir()) == []
