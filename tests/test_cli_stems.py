"""`unweave stems`, `unweave group` and `unweave evaluate`: what they write, print and refuse."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import unweave
from unweave import cli
from unweave.decomposition import decompose
from unweave.midi import write_midi
from unweave.notes import Note
from unweave.sorting import train_sorter
from unweave.stems import separate
from unweave.synthesis import drum_loop

Run = Callable[..., tuple[int, str, str]]
DRUMS = ("kick", "snare", "hihat")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop, its stems, and a decomposition of it."""
    folder = tmp_path_factory.mktemp("made")
    sounds = drum_loop(n_bars=1, stereo=True, sample_rate=22050)
    (folder / "true").mkdir()
    unweave.save(folder / "loop.wav", sounds["mix"])
    for name in DRUMS:
        unweave.save(folder / "true" / f"{name}.wav", sounds[name])
    unweave.save(folder / "true" / "mixture.wav", sounds["mix"])
    (folder / "loop-unweave").mkdir()
    parts = decompose(sounds["mix"], 5, max_iter=40, restarts=1)
    parts.save(folder / "loop-unweave" / "decomposition.npz")
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for each in made.iterdir():
        (tmp_path / each.name).symlink_to(each)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def error_db(folder: Path, mix: unweave.Audio, gain: float = 1.0) -> float:
    parts = [unweave.load(path) for path in folder.iterdir() if path.suffix in (".wav", ".flac")]
    wrong = np.square(sum(part.samples for part in parts) - gain * mix.samples.astype(np.float64)).sum()
    return float(10 * np.log10(wrong / np.square(gain * mix.samples).sum()))


LIKE = [word for name in DRUMS for word in ("--like", f"{name}=true/{name}.wav")]


def test_stems_are_those_of_the_library_and_sum_to_the_recording(here: Path, run: Run) -> None:
    code, out, err = run("stems", "loop.wav", *LIKE)
    assert (code, err) == (0, "")
    assert files(here / "loop-stems") == {*(f"{name}.wav" for name in DRUMS), "manifest.json"}
    assert out.splitlines()[-1] == "The parts are in loop-stems."
    mix = unweave.load("loop.wav")
    expected = separate(mix, {name: f"true/{name}.wav" for name in DRUMS})
    for name in DRUMS:
        assert np.array_equal(unweave.load(here / "loop-stems" / f"{name}.wav").samples, expected[name].audio.samples)
    assert error_db(here / "loop-stems", mix) < -110


def test_the_manifest_says_how_and_names_no_folders(here: Path, run: Run) -> None:
    code, out, _ = run("stems", "loop.wav", "--like", "kick=true/kick.wav,true", "--rest", "4", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["command"] == "stems"
    assert told["settings"]["like"] == ["kick=kick.wav,true"]
    assert [part["name"] for part in told["parts"]] == ["kick", "rest"]
    assert str(here) not in out


def test_a_dictionary_serves_as_examples(here: Path, run: Run) -> None:
    assert run("learn", "true/kick.wav", "true/snare.wav", "-o", "kit.npz", "--quiet")[0] == 0
    assert run("stems", "loop.wav", "--with", "kit.npz", "--rest", "8", "--two", "snare", "--quiet") == (0, "", "")
    assert files(here / "loop-stems") == {"snare.wav", "rest.wav", "manifest.json"}


def test_hints_are_enough(here: Path, run: Run) -> None:
    write_midi("kick.mid", [Note(onset=0.5, offset=0.7, label="kick")])
    hints = ("--band", "low=0-200", "--silent", "low=0-0.5", "--score", "low=kick.mid", "--alone", "top=1-1.2,1.3-1.4")
    assert run("stems", "loop.wav", *hints, "--rest", "0", "-o", "out", "--quiet") == (0, "", "")
    low = unweave.load(here / "out" / "low.wav")
    assert np.abs(low.samples[:, : round(0.3 * 22050)]).max() < 1e-5
    assert files(here / "out") == {"low.wav", "top.wav", "manifest.json"}


def test_formats_and_one_gain_for_all_where_one_would_clip(here: Path, run: Run) -> None:
    mix = unweave.load("loop.wav")
    unweave.save("loud.wav", unweave.Audio(mix.samples * 4, 22050))
    code, _, err = run("stems", "loud.wav", "--like", "kick=true/kick.wav", "--format", "flac", "--subtype", "PCM_24")
    assert code == 0
    assert "all parts were given one gain of" in err
    gain = json.loads((here / "loud-stems" / "manifest.json").read_text())["settings"]["gain"]
    assert error_db(here / "loud-stems", unweave.load("loud.wav"), gain) < -100
    assert files(here / "loud-stems") == {"kick.flac", "rest.flac", "manifest.json"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--like", "kick"), 2, "--like 'kick' is not NAME=VALUE, as in --like bark=dog1.wav,dog2.wav."),
        (("--alone", "a=0:3"), 2, "--alone '0:3' is no range, as in --alone vocals=0-4.5."),
        (("--band", "a=1-2,3-4"), 2, "--band names 'a' twice: a sound has one band."),
        (("--band", "a=300-30"), 2, "low and high in Hz are needed"),
        (("--score", "a=absent.mid"), 1, "absent.mid"),
        (("--like", "a=absent.wav"), 1, "absent.wav"),
        (("--like", "a=loop.wav", "--with", "kit.npz"), 2, "--with and --like: say one of them"),
        (("--like", "a=loop.wav", "--of", "song"), 2, "--of is for what is taken apart without examples"),
        (("--like", "a=loop.wav", "--two", "b"), 2, "--two='b' is not among the stems a, rest"),
        (("--like", "a=loop.wav", "--n-fft", "1"), 2, "n-fft"),
        (("--of", "piano"), 2, "piano"),
    ],
)
def test_what_cannot_be_is_refused(here: Path, run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    found = run("stems", "loop.wav", *arguments)
    assert found[0] == code, found[2]
    assert words in found[2]
    assert not (here / "loop-stems").exists()


def test_parts_are_grouped_by_hand(here: Path, run: Run) -> None:
    code, out, err = run("group", "loop-unweave", "--into", "kick=0,4", "snare=1", "rest")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["kick", "snare", "rest"]
    assert error_db(here / "loop-unweave-group", unweave.load("loop.wav")) < -110


@pytest.mark.parametrize("by", ["timbre", "pitch", "onset", "place"])
def test_parts_are_grouped_by_a_cue_with_a_picture_that_shows_why(here: Path, run: Run, by: str) -> None:
    assert run("group", "loop-unweave/decomposition.npz", "--by", by, "-k", "2", "-o", "out", "--quiet") == (0, "", "")
    assert files(here / "out") == {"group-0.wav", "group-1.wav", "groups.png", "manifest.json"}
    assert error_db(here / "out", unweave.load("loop.wav")) < -110


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "say one of --into with groups"),
        (("--into",), 2, "--into needs groups"),
        (("--into", "a=0", "--by", "pitch"), 2, "say one of --into with groups"),
        (("--by", "pitch", "a=0"), 2, "'a=0' is for --into"),
        (("--into", "a=0", "-k", "2"), 2, "-k is for --by"),
        (("--into", "a=x"), 2, "'x' is not the number of a part"),
        (("--into", "a=9"), 2, "there are 5, numbered from 0"),
        (("--into", "a=1", "b=1"), 2, "component 1 is in 'a' and in 'b'"),
        (("--into", "a=1", "b", "c"), 2, "one bare name can take what is left"),
        (("--by", "timbre", "-k", "9"), 2, "n-groups=9 is not a whole number from 1 to 5"),
    ],
)
def test_groups_that_cannot_be_are_refused(
    run: Run, here: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    found = run("group", "loop-unweave", *arguments)
    assert (found[0], words in found[2]) == (code, True), found[2]
    assert not (here / "loop-unweave-group").exists()


def test_parts_are_named_by_a_sorter(here: Path, run: Run) -> None:
    true = {name: unweave.load(here / "true" / f"{name}.wav") for name in DRUMS}
    train_sorter(true, n_components=2, max_iter=40, restarts=1).save("sorter.npz")
    assert run("group", "loop-unweave", "--with", "sorter.npz", "--quiet") == (0, "", "")
    assert files(here / "loop-unweave-group") <= {*(f"{name}.wav" for name in DRUMS), "manifest.json"}
    assert error_db(here / "loop-unweave-group", unweave.load("loop.wav")) < -110
    code, _, err = run("group", "loop-unweave", "--with", "loop.wav", "-o", "other")
    assert code == 1
    assert "loop.wav" in err


def test_a_folder_without_a_decomposition_is_refused(run: Run, here: Path) -> None:
    code, _, err = run("group", "true", "--by", "pitch")
    assert code == 1
    assert "decomposition.npz" in err


def test_stems_are_scored_by_their_names(here: Path, run: Run) -> None:
    run("stems", "loop.wav", *LIKE, "--quiet")
    code, out, err = run("evaluate", "--reference", "true", "--estimate", "loop-stems")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["stem", "estimate", "SI-SDR", "SDR", "SIR", "SAR"]
    assert [line[0] for line in lines[1:]] == [*sorted(DRUMS), "mean"]
    assert all(float(line[2]) > 8 for line in lines[1:4])


def test_scores_for_programs_and_spreadsheets(here: Path, run: Run) -> None:
    run("group", "loop-unweave", "--by", "timbre", "-k", "3", "-o", "out", "--quiet")
    arguments = ("evaluate", "--reference", "true", "--estimate", "out", "--match", "best")
    told = json.loads(run(*arguments, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--csv")[1])))
    assert [row["stem"] for row in rows] == [stem["name"] for stem in told["stems"]] == sorted(DRUMS)
    assert {row["estimate"] for row in rows} == {"group-0", "group-1", "group-2"}
    assert float(rows[0]["si_sdr"]) == pytest.approx(told["stems"][0]["si_sdr"], abs=1e-4)
    assert json.loads(run(*arguments, "--json", "--no-bss")[1])["mean"]["sdr"] is None


def test_what_has_no_estimate_is_left_out_aloud(here: Path, run: Run) -> None:
    run("stems", "loop.wav", "--like", "kick=true/kick.wav", "--quiet")
    code, out, err = run("evaluate", "--reference", "true", "--estimate", "loop-stems", "--no-bss")
    assert code == 0
    assert "hihat, snare of true have no estimate: left out." in err
    assert "kick" in out


@pytest.mark.parametrize(
    ("reference", "estimate", "words"),
    [
        ("absent", "true", "absent is not a folder"),
        ("true", "loop.wav", "loop.wav is not a folder"),
        ("true", "empty", "empty holds no stems"),
        ("true", "other", "no stem of true (hihat, kick, snare) has its name in other (x): say --match best"),
    ],
)
def test_folders_that_cannot_be_compared_are_refused(
    here: Path, run: Run, reference: str, estimate: str, words: str
) -> None:
    (here / "empty").mkdir()
    (here / "other").mkdir()
    unweave.save(here / "other" / "x.wav", unweave.load("loop.wav"))
    code, _, err = run("evaluate", "--reference", reference, "--estimate", estimate)
    assert code in (1, 2)
    assert words in err
