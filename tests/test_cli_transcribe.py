"""`unweave transcribe`: what it writes, prints and refuses.

What it hears is told to it here, but for the last tests; how well it hears is shown in `tests/test_transcription.py`.
"""

import io
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unweave
from tests.commands import Run, names
from unweave import cli
from unweave.cues import read_cues
from unweave.notes import Note
from unweave.notes.formats import read_notes
from unweave.notes.midi import read_midi
from unweave.synthesis import drum_loop

COMMAND = "transcribe"
STEP = 60 / 104 / 4
DRUMS = tuple(
    Note(onset=place * STEP, offset=place * STEP + 0.1, label=label, velocity=0.8)
    for label, places in {"hihat": range(0, 32, 2), "kick": (0, 6, 16, 22), "snare": (4, 12, 20, 28)}.items()
    for place in places
)
TUNE = tuple(Note(onset=0.3 * k, offset=0.3 * k + 0.25, pitch=60 + k % 5, velocity=0.5) for k in range(8))


@pytest.fixture(scope="module")
def loop_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    unweave.save(path, drum_loop(2, sample_rate=16000)["mix"], subtype="PCM_16")
    return path.read_bytes()


@pytest.fixture
def here(here: Path, loop_bytes: bytes) -> Path:
    (here / "loop.wav").write_bytes(loop_bytes)
    return here


@pytest.fixture
def hears(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[Note, ...]], list[tuple[Any, ...]]]:
    """Tell what is heard; the list gets what the library was asked for."""
    module = import_module("unweave.cli.transcribe")
    asked: list[tuple[Any, ...]] = []

    def told(notes: tuple[Note, ...]) -> list[tuple[Any, ...]]:
        def heard(_: unweave.Audio, kind: object, **options: object) -> tuple[Note, ...]:
            asked.append((kind, options))
            return notes

        monkeypatch.setattr(module, "notes_of", heard)
        return asked

    return told


def test_drums_become_midi_rows_a_picture_and_a_sound(here: Path, run: Run, hears: Any) -> None:
    asked = hears(DRUMS)
    code, out, err = run("loop.wav", "--as", "drums")
    assert (code, err) == (0, "")
    assert names(here / "loop-notes") == {"notes.mid", "notes.csv", "onsets.png", "notes.wav", "manifest.json"}
    assert read_notes(here / "loop-notes" / "notes.csv") == tuple(sorted(DRUMS, key=lambda n: (n.onset, n.label)))
    assert [note.label for note in read_midi(here / "loop-notes" / "notes.mid")].count("hihat") == 16
    assert asked[0][0] == "drums"
    lines = out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["sound", "notes", "velocity"],
        ["hihat", "16", "0.80"],
        ["kick", "4", "0.80"],
        ["snare", "4", "0.80"],
    ]
    assert lines[4].startswith("Tempo: 104 beats per minute (found, confidence 1.00), the first beat at 0.000 s.")
    assert lines[5] == "The notes are in loop-notes."


def test_the_sound_is_the_recording_with_the_notes(here: Path, run: Run, hears: Any) -> None:
    hears(DRUMS)
    run("loop.wav", "--as", "drums")
    loop, heard = unweave.load("loop.wav"), unweave.load(here / "loop-notes" / "notes.wav")
    assert heard.samples.shape == loop.samples.shape
    assert heard.peak <= 1
    assert np.abs(heard.samples - loop.samples).max() > 0.1


def test_tones_have_a_piano_roll_and_their_range_is_told(here: Path, run: Run, hears: Any) -> None:
    hears(TUNE)
    code, out, _ = run("loop.wav", "--as", "piano", "-o", "tune")
    assert code == 0
    assert {"piano-roll.png", "notes.mid"} <= names(here / "tune")
    assert "onsets.png" not in names(here / "tune")
    assert out.splitlines()[1].split() == ["notes", "8", "C4", "to", "E4", "0.50"]


def test_all_formats_can_be_had_and_pictures_and_sound_left_out(here: Path, run: Run, hears: Any) -> None:
    hears((*DRUMS, *TUNE))
    code, _, err = run(
        "loop.wav", "-k", "5", "--formats", "json, JAMS,svl,txt,csv,mid,cues", "--no-picture", "--no-sound"
    )
    assert (code, err) == (0, "")
    endings = {"json", "jams", "svl", "txt", "csv", "mid"}
    assert names(here / "loop-notes") == {f"notes.{each}" for each in endings} | {"notes-cues.wav", "manifest.json"}


def test_the_marked_copy_is_the_recording_bit_for_bit(here: Path, run: Run, hears: Any, loop_bytes: bytes) -> None:
    hears(DRUMS)
    run("loop.wav", "--as", "drums", "--formats", "cues", "--no-picture", "--no-sound")
    marked = (here / "loop-notes" / "notes-cues.wav").read_bytes()
    assert marked[12 : len(loop_bytes)] == loop_bytes[12:]
    cues = read_cues(here / "loop-notes" / "notes-cues.wav")
    assert [cue.label for cue in cues].count("snare") == 4
    assert len(cues) == len(DRUMS)


def test_the_marked_copy_of_a_piece_is_that_piece(here: Path, run: Run, hears: Any) -> None:
    hears(DRUMS[:2])
    run("loop.wav", "--as", "drums", "--formats", "cues", "--start", "0.5", "--duration", "1")
    marked = unweave.load(here / "loop-notes" / "notes-cues.wav")
    np.testing.assert_array_equal(marked.samples, unweave.load("loop.wav", start=0.5, duration=1).samples)
    assert not [name for name in names(here / "loop-notes") if name.startswith(".")]


def test_quantised_notes_have_a_file_of_their_own(here: Path, run: Run, hears: Any) -> None:
    late = tuple(Note(onset=note.onset + 0.004, offset=note.offset, label=note.label) for note in DRUMS)
    hears(late)
    assert run("loop.wav", "--as", "drums", "--quantise", "16", "--tempo", "104")[0] == 0
    raw, moved = (read_midi(here / "loop-notes" / f"{name}.mid") for name in ("notes", "notes-quantised"))
    assert [note.onset for note in raw] == pytest.approx(sorted(note.onset for note in late), abs=5e-4)
    steps = np.array([note.onset - moved[0].onset for note in moved]) / STEP
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.01)


def test_without_a_tempo_nothing_is_quantised_and_that_is_said(here: Path, run: Run, hears: Any) -> None:
    hears(DRUMS[:2])
    code, out, err = run("loop.wav", "--as", "drums", "--quantise", "16")
    assert code == 0
    assert "Nothing was quantised: say --tempo." in err
    assert "No tempo was found: in the MIDI file a beat is one second." in out
    assert "notes-quantised.mid" not in names(here / "loop-notes")


def test_silence_makes_a_folder_without_notes(here: Path, run: Run, hears: Any) -> None:
    hears(())
    code, out, err = run("loop.wav", "--as", "pitched")
    assert (code, err) == (0, "")
    assert out == "There are no notes in it.\nThe notes are in loop-notes.\n"
    assert read_notes(here / "loop-notes" / "notes.csv") == ()


def test_the_options_reach_the_library(here: Path, run: Run, hears: Any) -> None:
    asked = hears(TUNE)
    run(
        *[
            "loop.wav",
            "--as",
            "piano",
            "--sensitivity",
            "0.7",
            "--shortest",
            "0.05",
            "--lowest",
            "C2",
            "--highest",
            "96.5",
            "-o",
            "a",
        ]
    )
    run(*["loop.wav", "-k", "7", "--seed", "3", "-o", "b"])
    assert asked[0] == (
        "piano",
        {"sensitivity": 0.7, "shortest": 0.05, "lowest": 36, "highest": 96.5, "n_components": None, "rng": None},
    )
    kind, options = asked[1]
    assert (kind, options["n_components"], options["rng"]) == (None, 7, 3)


def test_a_dictionary_is_handed_over(here: Path, run: Run, hears: Any) -> None:
    asked = hears(DRUMS)
    parts = drum_loop(1, sample_rate=16000)
    unweave.save("kick.wav", parts["kick"])
    assert cli.main(["learn", "kick.wav", "-o", "kit.npz", "--quiet"]) == 0
    code, _, err = run("loop.wav", "--with", "kit.npz")
    assert (code, err) == (0, "")
    assert asked[0][0].labels == ("kick",)
    told = json.loads((here / "loop-notes" / "manifest.json").read_text("utf-8"))
    assert told["settings"]["kit"]["name"] == "kit.npz"


def test_a_matrix_is_no_dictionary(here: Path, run: Run) -> None:
    np.save("m.npy", np.ones((1025, 2)))
    code, _, err = run("loop.wav", "--with", "m.npy")
    assert code == 2
    assert "is a matrix without names: --with needs a dictionary, as learn makes it" in err


def test_the_result_is_there_for_programs(here: Path, run: Run, hears: Any) -> None:
    hears(TUNE)
    code, out, _ = run("loop.wav", "--as", "piano", "--json", "--quiet")
    told = json.loads(out)
    assert code == 0
    assert told["result"]["n_notes"] == len(told["notes"]) == 8
    assert told["notes"][1] == {"onset": 0.3, "offset": 0.55, "pitch": 61, "label": None, "velocity": 0.5}
    written = json.loads((here / "loop-notes" / "manifest.json").read_text("utf-8"))
    assert written == {name: value for name, value in told.items() if name != "notes"}


def test_the_same_command_gives_the_same_bytes(here: Path, run: Run, hears: Any) -> None:
    hears((*DRUMS, *TUNE))
    for folder in "ab":
        assert run("loop.wav", "-k", "9", "-o", folder, "--formats", "mid,csv,json,jams,txt,svl,cues")[0] == 0
    for name in names(here / "a"):
        assert (here / "a" / name).read_bytes() == (here / "b" / name).read_bytes(), name


def test_standard_input_is_read(here: Path, run: Run, hears: Any, loop_bytes: bytes, monkeypatch: Any) -> None:
    hears(DRUMS)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(loop_bytes)))
    assert run("-", "--as", "drums", "--formats", "cues")[0] == 0
    assert len(read_cues(here / "stdin-notes" / "notes-cues.wav")) == len(DRUMS)


def test_a_folder_with_files_is_not_overwritten_unasked(here: Path, run: Run, hears: Any) -> None:
    hears(DRUMS)
    assert run("loop.wav", "--as", "drums")[0] == 0
    code, _, err = run("loop.wav", "--as", "drums")
    assert code == 1
    assert "is not empty" in err
    assert run("loop.wav", "--as", "drums", "--formats", "csv", "--no-picture", "--no-sound", "--overwrite")[0] == 0
    assert names(here / "loop-notes") == {"notes.csv", "manifest.json"}


@pytest.mark.parametrize("name", ["tune.mid", "Tune.MIDI", "tune.csv", "a b.json", "tune.jams", "tune.txt", "tune.svl"])
def test_a_name_that_ends_as_notes_do_is_just_that_file(here: Path, run: Run, hears: Any, name: str) -> None:
    hears(TUNE)
    code, out, err = run("loop.wav", "--as", "piano", "-o", name)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"The notes are in {name}."
    assert names(here) == {"loop.wav", name}
    run("loop.wav", "--as", "piano", "--formats", "mid,csv,json,jams,txt,svl", "-o", "all")
    twin = "notes.mid" if name == "Tune.MIDI" else f"notes{Path(name).suffix}"
    assert (here / name).read_bytes() == (here / "all" / twin).read_bytes()


def test_one_file_has_the_rules_of_all_outputs(here: Path, run: Run, hears: Any, loop_bytes: bytes) -> None:
    hears(TUNE)
    words = ("loop.wav", "--as", "piano", "-o")
    (here / "a.mid").write_bytes(b"mine")
    assert run(*words, "a.mid")[::2] == (
        1,
        "unweave: a.mid is there already: choose another --out, or say --overwrite.\n",
    )
    assert (here / "a.mid").read_bytes() == b"mine"
    assert run(*words, "a.mid", "--overwrite", "--quiet") == (0, "", "")
    assert len(read_midi(here / "a.mid")) == len(TUNE)
    assert run(*words, "no/a.mid")[::2] == (1, "unweave: no/a.mid cannot be written: there is no folder no.\n")
    (here / "loop.wav").rename(here / "loop.csv")
    code, _, err = run("loop.csv", "--as", "piano", "-o", "loop.csv", "--overwrite")
    assert (code, err) == (
        1,
        "unweave: loop.csv is read by this command and would be replaced: choose another --out.\n",
    )


def test_one_file_is_told_as_a_folder_is(here: Path, run: Run, hears: Any) -> None:
    hears(TUNE)
    code, out, err = run("loop.wav", "--as", "piano", "-o", "tune.mid", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert [file["file"] for file in told["files"]] == ["tune.mid"]
    assert told["files"][0]["size"] == (here / "tune.mid").stat().st_size
    assert (told["settings"]["formats"], told["result"]["n_notes"]) == (["mid"], len(TUNE))


def test_one_file_holds_the_quantised_notes_where_they_are_asked_for(here: Path, run: Run, hears: Any) -> None:
    hears(tuple(Note(onset=note.onset + 0.004, offset=note.offset, label=note.label) for note in DRUMS))
    assert run("loop.wav", "--as", "drums", "--quantise", "16", "--tempo", "104", "-o", "grid.csv")[0] == 0
    steps = np.array([note.onset for note in read_notes(here / "grid.csv")]) / STEP
    np.testing.assert_allclose(steps - steps[0], np.rint(steps - steps[0]), atol=0.01)
    assert names(here) == {"loop.wav", "grid.csv"}


def test_a_folder_may_have_the_name_of_a_file_where_that_is_said(here: Path, run: Run, hears: Any) -> None:
    hears(TUNE)
    assert run("loop.wav", "--as", "piano", "-o", "tune.mid/")[0] == 0
    assert {"notes.mid", "notes.csv"} <= names(here / "tune.mid")
    assert run("loop.wav", "--as", "piano", "-o", "tune.mid", "--overwrite")[0] == 0  # the folder is there
    code, _, err = run("loop.wav", "--as", "piano", "-o", "tune.wav")
    assert code == 2
    assert "'tune.wav' is named as a file is, but a folder is written: leave out .wav, or put / behind it." in err


def test_a_failure_leaves_nothing(here: Path, run: Run, hears: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(DRUMS)

    def fails(*_: object) -> None:
        raise unweave.WriteError("the disk is full.")

    monkeypatch.setattr("unweave.cli.notefiles.mix", fails)
    assert run("loop.wav", "--as", "drums")[::2] == (1, "unweave: the disk is full.\n")
    assert names(here) == {"loop.wav"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "what plays is not said: say one of --as drums|piano|pitched, --with a dictionary, or -k"),
        (["--as", "drums", "-k", "3"], "--as and -k are given: say one of"),
        (["--as", "drums", "--with", "kit.npz"], "--as and --with are given"),
        (["--as", "flute"], "'flute' is not one of 'drums', 'piano', 'pitched'"),
        (["--as", "drums", "--seed", "1"], "--seed is for -k"),
        (["--as", "drums", "--formats", "mid,doc"], "'doc' is none of mid, csv, json, jams, txt, svl, cues"),
        (
            ["--as", "drums", "-o", "a.mid", "--formats", "csv"],
            "--formats is for a folder, and --out a.mid is one file",
        ),
        (["--as", "drums", "-o", "a.mid", "--picture"], "--picture is for a folder, and --out a.mid is one file"),
        (["--as", "drums", "--tempo", "5"], "5.0 is not in the range 10.0<=x<=1000.0"),
        (["--as", "drums", "--tempo", "nan"], "beats per minute"),
        (["--as", "drums", "--quantise", "0"], "0 is not in the range 1<=x<=192"),
        (["--as", "piano", "--lowest", "H"], "'H' is neither the name of a pitch, such as C4, nor a MIDI number"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(arguments: list[str], words: str, run: Run) -> None:
    code, out, err = run("none.wav", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_errors_of_the_library_speak_of_the_options(here: Path, run: Run) -> None:
    code, _, err = run("loop.wav", "--as", "drums", "--sensitivity", "2")
    assert code == 2
    assert "--sensitivity=2" in err
    code, _, err = run("loop.wav", "--as", "drums", "--lowest", "C2")
    assert code == 2
    assert "--lowest=36" in err


def test_a_kit_taught_from_its_sounds_transcribes_a_loop_made_of_them(here: Path, run: Run) -> None:
    parts = drum_loop(2, sample_rate=44100)
    for name, part in parts.items():
        unweave.save(f"{name}.wav", part)
    assert cli.main(["learn", "kick.wav", "snare.wav", "hihat.wav", "-o", "kit.npz", "--quiet"]) == 0
    code, out, _ = run("mix.wav", "--with", "kit.npz")
    assert code == 0
    found = read_notes(here / "mix-notes" / "notes.csv")
    counts = {label: sum(note.label == label for note in found) for label in ("kick", "snare", "hihat")}
    # The pattern of the loop: a bar has 4 kicks, 4 snares (two of them soft) and 9 hi-hats.
    assert counts["kick"] == pytest.approx(8, abs=1)
    assert counts["snare"] == pytest.approx(8, abs=2)
    assert counts["hihat"] == pytest.approx(18, abs=2)
    assert "Tempo: 104" in out
