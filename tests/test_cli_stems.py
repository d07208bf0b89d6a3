"""`unweave stems`, `unweave group` and `unweave evaluate`: what they write, print and refuse."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

import unweave
from tests.commands import Run, names
from unweave.arrays import Samples
from unweave.decomposition import decompose
from unweave.drums import Drums
from unweave.notes import Note
from unweave.notes.midi import read_midi, write_midi
from unweave.songs import song_pieces
from unweave.sorting import Sorter, train_sorter
from unweave.stems import separate
from unweave.synthesis import drum_loop

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
def here(made: Path, here: Path) -> Path:
    for each in made.iterdir():
        (here / each.name).symlink_to(each)
    return here


def error_db(folder: Path, mix: unweave.Audio, gain: float = 1.0) -> float:
    parts = [unweave.load(path) for path in folder.iterdir() if path.suffix in (".wav", ".flac")]
    wrong = np.square(sum(part.samples for part in parts) - gain * mix.samples.astype(np.float64)).sum()
    return float(10 * np.log10(wrong / np.square(gain * mix.samples).sum()))


LIKE = [word for name in DRUMS for word in ("--like", f"{name}=true/{name}.wav")]


def test_stems_are_those_of_the_library_and_sum_to_the_recording(here: Path, run: Run) -> None:
    code, out, err = run("stems", "loop.wav", *LIKE)
    assert (code, err) == (0, "")
    assert names(here / "loop-stems") == {*(f"{name}.wav" for name in DRUMS), "manifest.json"}
    assert out.splitlines()[-1] == "The parts are in loop-stems."
    mix = unweave.load("loop.wav")
    expected = separate(mix, {name: f"true/{name}.wav" for name in DRUMS})
    for name in DRUMS:
        assert np.array_equal(unweave.load(here / "loop-stems" / f"{name}.wav").samples, expected[name].audio.samples)
    assert error_db(here / "loop-stems", mix) < -110


@pytest.mark.parametrize(("more", "pieces"), [((), 1), (("--format", "flac"), 1), (("--subtype", "PCM_24"), 2)])
def test_stems_of_a_song_are_written_as_they_come(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], pieces: int
) -> None:
    calls = []

    def counted(audio: unweave.Audio, **settings: object) -> Iterator[Samples]:
        calls.append(settings)
        return song_pieces(audio, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("unweave.cli.stems.song_pieces", counted)
    if pieces == 2:  # too large to be kept until the loudest peak is known
        monkeypatch.setattr("unweave.cli.split._KEPT", 0)
    assert run("stems", "loop.wav", "--two", "drums", *more)[0] == 0
    assert calls == [{"two": "drums"}] * pieces
    mix, ext = unweave.load(here / "loop.wav"), "flac" if "flac" in more else "wav"
    assert error_db(here / "loop-stems", mix) < -110
    expected = separate(mix, "song", two="drums")
    for name in ("drums", "rest"):
        found = unweave.load(here / "loop-stems" / f"{name}.{ext}").samples
        np.testing.assert_allclose(found, expected[name].audio.samples, atol=2e-7)


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
    assert names(here / "loop-stems") == {"snare.wav", "rest.wav", "manifest.json"}


def test_hints_are_enough(here: Path, run: Run) -> None:
    write_midi("kick.mid", [Note(onset=0.5, offset=0.7, label="kick")])
    hints = ("--band", "low=0-200", "--silent", "low=0-0.5", "--score", "low=kick.mid", "--alone", "top=1-1.2,1.3-1.4")
    assert run("stems", "loop.wav", *hints, "--rest", "0", "-o", "out", "--quiet") == (0, "", "")
    low = unweave.load(here / "out" / "low.wav")
    assert np.abs(low.samples[:, : round(0.3 * 22050)]).max() < 1e-5
    assert names(here / "out") == {"low.wav", "top.wav", "manifest.json"}


def test_a_sound_is_silent_where_a_picture_is_black_or_a_table_zero(here: Path, run: Run) -> None:
    mask = np.repeat(np.array([[0.0, 0.0, 1.0, 1.0]]), 3, axis=0)
    imsave("mask.png", mask, cmap="gray")
    frames = "\n".join(f"{k},{int(k >= 50)},1" for k in range(100))
    (here / "table.csv").write_text(f'"seconds","kick","snare"\n{frames}\n')
    for file in ("mask.png", "table.csv"):
        like = ("--like", "kick=true/kick.wav", "--n-fft", "1024")
        arguments = ("stems", "loop.wav", *like, "--painted", f"kick={file}", "--overwrite", "--quiet")
        assert run(*arguments) == (0, "", "")
        kick = unweave.load(here / "loop-stems" / "kick.wav").samples
        half = kick.shape[1] // 2
        assert np.abs(kick[:, : half - 1024]).max() < 1e-5
        assert np.abs(kick[:, half + 1024 :]).max() > 0.05
        assert error_db(here / "loop-stems", unweave.load("loop.wav")) < -110
    told = json.loads((here / "loop-stems" / "manifest.json").read_text())
    assert told["settings"]["painted"] == ["kick=table.csv"]
    code, _, err = run("stems", "loop.wav", "--painted", "hihat=table.csv", "-o", "none")
    assert (code, "table.csv has no column 'hihat': it has kick, snare." in err) == (1, True), err


def test_notes_of_several_sounds_go_to_the_sounds_that_they_name(here: Path, run: Run) -> None:
    write_midi("all.mid", [Note(onset=0.5, offset=0.7, label="kick"), Note(onset=1.0, offset=1.2, label="snare")])
    like = [word for name in ("kick", "snare") for word in ("--like", f"{name}=true/{name}.wav")]
    assert run("stems", "loop.wav", *like, "--notes", "all.mid", "--rest", "4", "--quiet") == (0, "", "")
    kick = unweave.load(here / "loop-stems" / "kick.wav").samples
    assert np.abs(kick[:, : round(0.4 * 22050)]).max() < 1e-5
    write_midi("plain.mid", [Note(onset=0.5, offset=0.7, pitch=60)])
    code, _, err = run("stems", "loop.wav", *like, "--notes", "plain.mid", "-o", "none")
    assert code == 2
    assert "which is nobody's: say whose by --score NAME=FILE." in err


def test_formats_and_one_gain_for_all_where_one_would_clip(here: Path, run: Run) -> None:
    mix = unweave.load("loop.wav")
    unweave.save("loud.wav", unweave.Audio(mix.samples * 4, 22050))
    code, _, err = run("stems", "loud.wav", "--like", "kick=true/kick.wav", "--format", "flac", "--subtype", "PCM_24")
    assert code == 0
    assert "all parts were given one gain of" in err
    gain = json.loads((here / "loud-stems" / "manifest.json").read_text())["settings"]["gain"]
    assert error_db(here / "loud-stems", unweave.load("loud.wav"), gain) < -100
    assert names(here / "loud-stems") == {"kick.flac", "rest.flac", "manifest.json"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--like", "kick"), 2, "--like 'kick' is not NAME=VALUE, as in --like bark=dog1.wav,dog2.wav."),
        (("--alone", "a=0:3"), 2, "--alone '0:3' is no range, as in --alone vocals=0-4.5."),
        (("--band", "a=1-2,3-4"), 2, "--band names 'a' twice: a sound has one band."),
        (("--band", "a=300-30"), 2, "low and high in Hz are needed"),
        (("--score", "a=absent.mid"), 1, "absent.mid"),
        (("--score", "a=notes.png"), 2, "notes.png has no ending that says how notes are written"),
        (("--score", "a=none.csv"), 2, "--score of 'a' holds no notes: say --silent"),
        (("--painted", "a=absent.png"), 1, "absent.png is no picture that can be read: No such file"),
        (("--painted", "a=loop.wav"), 1, "loop.wav is no picture that can be read: its format is unknown."),
        (("--painted", "a=none.csv"), 1, "none.csv is not a table of numbers"),
        (("--painted", "a=x.png", "--painted", "a=y.png"), 2, "--painted names 'a' twice: one file for each sound."),
        (("--painted", "a"), 2, "--painted 'a' is not NAME=VALUE, as in --painted vocals=painted.png."),
        (("--loop",), 2, "--loop is for drums: say --of drums."),
        (("--of", "song", "--classes", "kick"), 2, "--classes is for drums: say --of drums."),
        (("--like", "a=loop.wav", "--sensitivity", "0.9"), 2, "--sensitivity is for drums: say --of drums."),
        (("--of", "drums", "--classes", "kick,cowbell"), 2, "--classes=['kick', 'cowbell']"),
        (("--of", "drums", "--rest", "3"), 2, "--rest is for separation by example."),
        (("--of", "drums", "--sensitivity", "2"), 2, "sensitivity"),
        (
            ("--of", "drums", "--notes", "none.csv"),
            1,
            "none.csv holds no notes: leave --notes out, and they are found.",
        ),
        (("--of", "drums", "--notes", "true/kick.wav"), 2, "true/kick.wav has no ending that says how notes are"),
        (("--n-fft", "1024"), 2, "--n-fft is for separation by example."),
        (("--power", "0"), 2, "--power=0.0 is not above 0"),
        (("--of", "drums", "--power", "99"), 2, "--power=99.0"),
        (("--like", "a=absent.wav"), 1, "absent.wav"),
        (("--like", "a=loop.wav", "--with", "kit.npz"), 2, "--with and --like: say one of them"),
        (("--like", "a=loop.wav", "--of", "song"), 2, "--of is for what is taken apart without examples"),
        (("--like", "a=loop.wav", "--two", "b"), 2, "--two='b' is not among the stems a, rest"),
        (("--like", "a=loop.wav", "--n-fft", "1"), 2, "n-fft"),
        (("--of", "piano"), 2, "piano"),
    ],
)
def test_what_cannot_be_is_refused(here: Path, run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    (here / "none.csv").write_text("onset,offset,pitch,label,velocity\n")
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
    assert names(here / "out") == {"group-0.wav", "group-1.wav", "groups.png", "manifest.json"}
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
        (("--by", "timbre,colour"), 2, "--by timbre,colour: 'colour' is not one of timbre, pitch, onset, place."),
        (("--by", ""), 2, "say one of --into with groups"),
        (("--with", "true/kick.wav"), 1, "true/kick.wav is not a sorter of unweave"),
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
    assert names(here / "loop-unweave-group") <= {*(f"{name}.wav" for name in DRUMS), "manifest.json"}
    assert error_db(here / "loop-unweave-group", unweave.load("loop.wav")) < -110


def test_a_sorter_is_learned_looked_at_and_applied_to_recordings_parts_and_folders(here: Path, run: Run) -> None:
    files_of = [f"true/{name}.wav" for name in DRUMS]
    code, out, err = run("learn", *files_of, "--sorter", "-k", "2", "-o", "sorter.npz")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["sorter.npz: a sorter", "  names           kick, snare, hihat"]
    assert run("info", "sorter.npz")[1] == out
    assert json.loads(run("info", "sorter.npz", "--json")[1])[0]["labels"] == list(DRUMS)
    assert Sorter.load("sorter.npz").stft.n_fft == 2048
    assert run("group", "loop-unweave", "--with", "sorter.npz", "--quiet") == (0, "", "")
    assert run("stems", "loop.wav", "--with", "sorter.npz", "--quiet") == (0, "", "")
    assert names(here / "loop-stems") == {*(f"{name}.wav" for name in DRUMS), "manifest.json"}
    assert error_db(here / "loop-stems", unweave.load("loop.wav")) < -110
    for name, expected in separate(unweave.load("loop.wav"), Sorter.load("sorter.npz")).items():
        assert np.array_equal(unweave.load(here / "loop-stems" / f"{name}.wav").samples, expected.audio.samples)
    arguments = ("batch", "true", "-o", "all", "--jobs", "1", "--quiet", "stems", "--with", "sorter.npz")
    assert run(*arguments) == (0, "", "")
    assert names(here / "all" / "kick") == {*(f"{name}.wav" for name in DRUMS), "manifest.json"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("true/kick.wav", "-o", "s.npz"), 2, "stems names 1 sounds: two at least are needed to be told apart."),
        (("true", "true", "--labels", "a,b", "-o", "s.csv"), 2, "s.csv ends in none of .npz"),
        (("true", "true", "--labels", "a,b", "-o", "s.npz", "--exemplars"), 2, "--sorter learns names: leave --exemp"),
        (("true", "true", "--blind", "-o", "s.npz"), 2, "--sorter learns names: leave --blind out."),
        (("true", "true", "--labels", "a,b", "-k", "a=2", "-o", "s.npz"), 2, "-k NAME=N is for a dictionary"),
        (("true/kick.wav", "silent.wav", "-o", "s.npz"), 2, "the stems of 'silent' are silent"),
        (("true/kick.wav", "empty.wav", "-o", "s.npz"), 2, "the stems of 'empty' are silent"),
        (("true/kick.wav", "slow.wav", "-o", "s.npz"), 2, "'kick' has 22050 Hz, but 'slow' has 8000 Hz: load all"),
        (("true/kick.wav", "absent.wav", "-o", "s.npz"), 1, "absent.wav"),
    ],
)
def test_what_no_sorter_can_be_made_of_is_refused(
    here: Path, run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    for name, length, rate in (("silent", 4000, 22050), ("empty", 0, 22050), ("slow", 4000, 8000)):
        level = 0.5 if name == "slow" else 0.0
        unweave.save(here / f"{name}.wav", unweave.Audio(np.full((1, length), level), rate))
    found = run("learn", *arguments, "--sorter", "--max-iter", "5")
    assert (found[0], words in found[2]) == (code, True), found[2]
    assert not (here / "s.npz").exists()


def test_a_recording_of_another_rate_is_refused_by_a_sorter(here: Path, run: Run) -> None:
    run("learn", "true/kick.wav", "true/snare.wav", "--sorter", "-k", "1", "-o", "sorter.npz", "--quiet")
    code, _, err = run("stems", "loop.wav", "--with", "sorter.npz", "--sample-rate", "8000")
    assert code == 2
    assert (
        "the sorter was trained at 22050 Hz, but this recording has 8000 Hz: load it with --sample-rate=22050." in err
    )


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


# ---------------------------------------------------------------- drums, and what is known of them


def test_drums_that_go_round_by_strokes_that_are_known(here: Path, run: Run) -> None:
    hits = [Note(onset=t, offset=t + 0.1, label="kick") for t in (0.0, 0.866, 1.155, 1.588)]
    write_midi(
        "beat.mid", [*hits, Note(onset=0.577, offset=0.6, label="snare"), Note(onset=1.5, offset=2, label="ride")]
    )
    arguments = ("--of", "drums", "--loop", "--notes", "beat.mid", "--classes", "kick, snare", "--power", "1.5")
    code, out, err = run("stems", "loop.wav", *arguments, "--json")
    assert (code, err) == (0, "")
    assert names(here / "loop-stems") == {"kick.wav", "snare.wav", "manifest.json"}
    of = Drums(classes=("kick", "snare"), notes=read_midi("beat.mid"), loop=True)
    for name, expected in separate(unweave.load("loop.wav"), of, power=1.5).items():
        assert np.array_equal(unweave.load(here / "loop-stems" / f"{name}.wav").samples, expected.audio.samples)
    told = json.loads(out)["settings"]
    assert (told["loop"], told["classes"], told["notes"]["name"]) == (True, "kick, snare", "beat.mid")
    assert error_db(here / "loop-stems", unweave.load("loop.wav")) < -110


def test_a_score_of_one_drum_leaves_the_others_to_be_found(here: Path, run: Run) -> None:
    write_midi("kick.mid", [Note(onset=0.866, offset=1, pitch=36)])
    assert run("stems", "loop.wav", "--of", "drums", "--score", "kick=kick.mid", "--quiet") == (0, "", "")
    kick, snare = (unweave.load(here / "loop-stems" / f"{name}.wav").samples for name in ("kick", "snare"))
    n = round(0.4 * 22050)
    assert np.square(kick[:, :n]).sum() < 0.05 * np.square(kick[:, round(0.85 * 22050) :][:, :n]).sum()
    assert np.abs(snare).max() > 0.1
    code, _, err = run("stems", "loop.wav", "--of", "drums", "--score", "voice=kick.mid", "-o", "none")
    assert (code, "is no drum: labels are kick, snare, hihat, tom, cymbal" in err) == (2, True), err


def test_strokes_are_the_drums_of_a_song(here: Path, run: Run) -> None:
    write_midi(
        "song.mid", [Note(onset=1.0, offset=1.1, label="snare"), Note(onset=0, offset=1, pitch=40, label="bass")]
    )
    assert run("stems", "loop.wav", "--of", "song", "--notes", "song.mid", "--quiet") == (0, "", "")
    drums = unweave.load(here / "loop-stems" / "drums.wav").samples
    assert np.abs(drums[:, : round(0.8 * 22050)]).max() < 1e-3
    assert np.abs(drums[:, round(0.95 * 22050) : round(1.2 * 22050)]).max() > 0.01
    write_midi("song.mid", [Note(onset=0, offset=1, pitch=40, label="flute")])
    code, _, err = run("stems", "loop.wav", "--of", "song", "--notes", "song.mid", "-o", "none")
    assert (code, "the guide names 'flute', which is not among the stems drums, bass" in err) == (2, True), err


def test_stems_with_refined_phases_sum_to_the_recording(here: Path, run: Run) -> None:
    assert run("stems", "loop.wav", *LIKE, "--refine", "2")[0] == 0
    assert error_db(here / "loop-stems", unweave.load("loop.wav")) < -110
    code, _, err = run("stems", "loop.wav", *LIKE, "--refine", "-1", "-o", "wrong")
    assert code == 2
    assert "refine=-1" in err


def test_a_rehearsal_needs_the_stems_of_one_recording(here: Path, run: Run) -> None:
    code, _, err = run("stems", "loop.wav", *LIKE, "--rehearse")
    assert code == 2  # two seconds are too short
    assert "rehearse=True needs the stems of one recording" in err
    assert run("stems", "loop.wav", *LIKE, "--no-rehearse")[0] == 0
    code, _, err = run("stems", "loop.wav", "--of", "drums", "--rehearse", "-o", "wrong")
    assert (code, "--rehearse is for separation by example" in err) == (2, True)
