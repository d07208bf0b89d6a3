"""`unweave filter` and `unweave match`: what they write, what they print, what they refuse."""

import csv
import io
import json
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import unweave as uw
from tests.commands import Run, done
from unweave.cli.filter import file_names
from unweave.matching import match_by
from unweave.onsets import find_onsets
from unweave.streaming import filter_by
from unweave.synthesis import drum_loop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop, stereo, and a kit that knows its drums: two bases for the snare."""
    folder = tmp_path_factory.mktemp("made")
    loop = drum_loop(n_bars=1, sample_rate=22050, stereo=True)
    uw.save(folder / "loop.wav", loop["mix"])
    learned = [
        uw.decompose(uw.Audio(loop[name].samples[:1], 22050), count, stft=uw.STFT(1024), restarts=1, max_iter=20)
        for name, count in (("kick", 1), ("snare", 2), ("hihat", 1))
    ]
    kit = uw.Dictionary.merge(*(each.dictionary for each in learned))
    kit.relabel(["kick", "snare", "snare", "hi/hat"]).save(folder / "kit.npz")
    np.save(folder / "kit.npy", kit.bases[0])
    return folder


@pytest.fixture
def here(here: Path, made: Path) -> Path:
    for each in made.iterdir():
        (here / each.name).write_bytes(each.read_bytes())
    return here


# ---------------------------------------------------------------- filter


def test_a_file_for_each_label_and_they_sum_to_the_recording(here: Path, run: Run) -> None:
    out = done(run("filter", "loop.wav", "--bases", "kit.npz"))
    names = ["kick.wav", "snare.wav", "hi_hat.wav"]
    assert [line.split()[1] for line in out.splitlines()[1:4]] == names
    assert {path.name for path in (here / "loop-filter").iterdir()} == {*names, "manifest.json"}
    loop = uw.load("loop.wav")
    parts = [uw.load(here / "loop-filter" / name) for name in names]
    wanted = filter_by(loop, uw.Dictionary.load("kit.npz"))
    for part, samples in zip(parts, wanted.values(), strict=True):
        assert np.array_equal(part.samples, samples.samples)
    assert np.abs(sum(part.samples for part in parts) - loop.samples).max() < 1e-6


def test_the_settings_are_in_the_manifest_and_no_path(here: Path, run: Run) -> None:
    options = ("--iterations", "3", "--power", "2", "--no-warm-start", "--learn", "snare", "--forgetting", "0.8")
    printed = json.loads(done(run("filter", "loop.wav", "--bases", str(here / "kit.npz"), "--json", *options)))
    assert printed == json.loads((here / "loop-filter" / "manifest.json").read_text("utf-8"))
    settings = printed["settings"]
    assert settings["bases"]["name"] == "kit.npz"
    assert len(settings["bases"]["sha256"]) == 64
    assert (settings["n_iter"], settings["power"], settings["warm_start"]) == (3, 2.0, False)
    assert (settings["learn"], settings["forgetting"]) == (["snare"], 0.8)
    assert settings["stft"]["n_fft"] == 1024
    assert str(here) not in json.dumps(printed)
    learned = filter_by(
        uw.load("loop.wav"),
        uw.Dictionary.load("kit.npz"),
        n_iter=3,
        power=2,
        warm_start=False,
        learn_bases=[False, True, True, False],
        forgetting=0.8,
    )
    assert np.array_equal(uw.load(here / "loop-filter" / "snare.wav").samples, learned["snare"].samples)


def test_a_matrix_has_numbers_for_labels_and_the_settings_that_are_said(here: Path, run: Run) -> None:
    arguments = ("--bases", "kit.npy", "--n-fft", "1024", "--hop-length", "200", "-o", "parts", "--format", "flac")
    done(run("filter", "loop.wav", *arguments, "--quiet"))
    assert sorted(path.name for path in (here / "parts").glob("*.flac")) == ["0.flac", "1.flac", "2.flac", "3.flac"]


def test_standard_input_and_an_empty_recording_are_filtered(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO((here / "loop.wav").read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    done(run("filter", "-", "--bases", "kit.npz", "--quiet"))
    assert uw.load(here / "stdin-filter" / "kick.wav").n_samples == uw.load("loop.wav").n_samples
    uw.save("empty.wav", uw.Audio(np.zeros((2, 0)), 22050))
    done(run("filter", "empty.wav", "--bases", "kit.npz", "--quiet"))
    assert uw.load(here / "empty-filter" / "kick.wav").samples.shape == (2, 0)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "Missing option '--bases'"),
        (("--bases", "none.npz"), 1, "none.npz cannot be read"),
        (("--bases", "loop.wav"), 1, "loop.wav is neither a dictionary"),
        (("--bases", "kit.npz", "--n-fft", "512"), 2, "--n-fft=1024, but this transform has --n-fft=512"),
        (("--bases", "kit.npz", "--sample-rate", "44100"), 2, "at 22050 Hz, but this recording has 44100 Hz"),
        (
            ("--bases", "kit.npy"),
            2,
            "shape=(513, 4), but (channels, 1025, n)",
        ),
        (("--bases", "kit.npz", "--power", "0"), 2, "--power=0.0 is not above 0"),
        (("--bases", "kit.npz", "--forgetting", "2"), 2, "--forgetting=2.0 is not a number above 0"),
        (("--bases", "kit.npz", "--iterations", "0"), 2, "Invalid value for '--iterations'"),
        (("--bases", "kit.npz", "--learn", "cowbell"), 2, "--learn 'cowbell' is not among kick, snare, hi/hat"),
        (("--bases", "kit.npz", "-o", ".", "--overwrite"), 1, "kit.npz is read by this command and lies in ."),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(
    here: Path, run: Run, options: tuple[str, ...], code: int, words: str
) -> None:
    before = sorted(here.iterdir())
    got, out, err = run("filter", "loop.wav", *options)
    assert (got, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert sorted(here.iterdir()) == before


def test_labels_become_names_of_files() -> None:
    assert file_names(["a/b", " ", ".x", "ok"]) == ["a_b", "_", "_x", "ok"]
    with pytest.raises(uw.InvalidInput, match="the labels 'A' and 'a' would make one file"):
        file_names(["A", "a"])
    with pytest.raises(uw.InvalidInput, match="is too long"):
        file_names(["x" * 300])


# ---------------------------------------------------------------- match


def test_rows_tell_the_time_and_how_much_there_is(here: Path, run: Run) -> None:
    rows = list(csv.reader(io.StringIO(done(run("match", "loop.wav", "--bases", "kit.npz")))))
    assert rows[0] == ["time", "kick", "snare", "hi/hat"]
    found = np.array(rows[1:], float)
    wanted = match_by(uw.load("loop.wav"), uw.Dictionary.load("kit.npz"))
    assert np.allclose(found[:, 1:].T, wanted, rtol=1e-5)
    assert np.allclose(found[:, 0], np.arange(wanted.shape[1]) * 256 / 22050, atol=1e-6)


def test_lines_of_json_tell_the_same(here: Path, run: Run) -> None:
    options = ("--bases", "kit.npz", "--smoothing", "0.1", "--threshold", "0.1", "--iterations", "5")
    lines = [json.loads(line) for line in done(run("match", "loop.wav", *options, "--jsonl")).splitlines()]
    rows = list(csv.reader(io.StringIO(done(run("match", "loop.wav", *options, "--csv")))))
    assert [list(map(float, row)) for row in rows[1:]] == [
        [line["time"], *line["activations"].values()] for line in lines
    ]


def test_rows_are_printed_as_they_are_known(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("unweave.cli.match")
    for form in ("--csv", "--jsonl"):
        at_once = done(run("match", "loop.wav", "--bases", "kit.npz", form))
        told: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(module, "_BLOCK", 8192)
            patch.setattr(module, "say", told.append)
            done(run("match", "loop.wav", "--bases", "kit.npz", form))
        assert len(told) >= uw.load("loop.wav").n_samples // 8192
        assert "".join(f"{lines}\n" for lines in told) == at_once


@pytest.mark.parametrize("options", [(), ("--jsonl",), ("--onsets",), ("--onsets", "--jsonl")])
def test_a_pipe_is_told_as_it_comes(here: Path, run: Run, options: tuple[str, ...]) -> None:
    wanted = done(run("match", "loop.wav", "--bases", "kit.npz", *options))
    content = bytearray((here / "loop.wav").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"  # a live sound has no length
    words = [sys.executable, "-m", "unweave", "match", "-", "--bases", "kit.npz", *options]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(content[: len(content) * 3 // 4])
        process.stdin.flush()
        told = process.stdout.read(len(wanted) // 2)  # would never return, if the end of the sound were waited for
        assert process.poll() is None
        process.stdin.write(content[len(content) * 3 // 4 :])
        process.stdin.close()
        told += process.stdout.read()
    assert (process.returncode, told.decode()) == (0, wanted)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_live_sound_is_ended_by_ctrl_c_without_a_word(here: Path) -> None:
    content = (here / "loop.wav").read_bytes()
    words = [sys.executable, "-m", "unweave", "match", "-", "--bases", "kit.npz"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(content[: len(content) // 2])
        process.stdin.flush()
        told = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, said = process.stdout.read(), process.stderr.read()
    assert told == b"time,kick,snare,hi/hat\n"
    assert (rest + b"\n")[-1:] == b"\n"
    assert (process.returncode, said) == (130, b"")


def test_what_was_told_stands_where_the_rest_is_damaged(here: Path, run: Run) -> None:
    loop = (here / "loop.wav").read_bytes()
    (here / "cut.wav").write_bytes(loop[: -len(loop) // 4])
    code, out, err = run("match", "cut.wav", "--bases", "kit.npz")
    wanted = done(run("match", "loop.wav", "--bases", "kit.npz"))
    assert code == 1
    assert wanted.startswith(out)
    assert "cut.wav was cut short" in err


def test_onsets_are_told_with_label_and_volume(here: Path, run: Run) -> None:
    options = ("--bases", "kit.npz", "--onsets", "--threshold", "0.2", "--refractory", "0.1", "--look-ahead", "0.05")
    rows = list(csv.reader(io.StringIO(done(run("match", "loop.wav", *options)))))
    wanted = find_onsets(
        uw.load("loop.wav"), uw.Dictionary.load("kit.npz"), threshold=0.2, refractory=0.1, look_ahead=0.05
    )
    assert rows[0] == ["time", "label", "volume"]
    assert [(float(time), label) for time, label, _ in rows[1:]] == [(each.time, each.label) for each in wanted]
    lines = [json.loads(line) for line in done(run("match", "loop.wav", *options, "--jsonl")).splitlines()]
    assert [line["time"] for line in lines] == [each.time for each in wanted]


def test_a_sound_has_a_channel_for_each_label(here: Path, run: Run) -> None:
    code, out, err = run("match", "loop.wav", "--bases", "kit.npz", "--wav", "levels.wav")
    assert code == 0
    assert out == "3 channels (kick, snare, hi/hat) are in levels.wav.\n"
    assert "levels.wav says 86 Hz, but has 86.1328 frames a second" in err
    wanted = match_by(uw.load("loop.wav"), uw.Dictionary.load("kit.npz"))
    assert np.array_equal(uw.load("levels.wav").samples, wanted)
    assert run("match", "loop.wav", "--bases", "kit.npz", "--wav", "levels.wav")[0] == 1
    assert done(run("match", "loop.wav", "--bases", "kit.npz", "--wav", "levels.wav", "--overwrite", "--quiet")) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--onsets", "--wav", "x.wav"), "--wav holds activations, and --onsets makes none"),
        (("--jsonl", "--wav", "x.wav"), "--wav writes a sound"),
        (("--onsets", "--smoothing", "1"), "--smoothing is for activations"),
        (("--look-ahead", "0.1"), "--look-ahead is for onsets: say --onsets too"),
        (("--onsets", "--refractory", "-1"), "--refractory=-1.0 is not a number from 0"),
        (("--threshold", "1"), "--threshold=1.0 is not a number from 0 up, to below 1"),
        (("--n-fft", "512"), "but this transform has --n-fft=512"),
    ],
)
def test_options_without_effect_and_out_of_range_are_refused(
    here: Path, run: Run, options: tuple[str, ...], words: str
) -> None:
    code, out, err = run("match", "loop.wav", "--bases", "kit.npz", *options)
    assert (code, out) == (2, "")
    assert words in err
    assert not (here / "x.wav").exists()


def test_the_second_half_of_a_loop_is_split_by_what_the_first_has_taught(
    shared: Path, tmp_path: Path, run: Run
) -> None:
    from unweave.evaluation import si_sdr
    from unweave.training import learn_examples

    stems = ("kick", "snare", "hihat")
    loaded = {name: uw.load(shared / "data" / "drums_1" / f"{name}.flac") for name in ("mix", *stems)}
    middle = loaded["mix"].n_samples // 2
    first = {name: uw.Audio(loaded[name].samples[:, :middle], 44100) for name in stems}
    learn_examples(first, 2).save(tmp_path / "kit.npz")
    uw.save(tmp_path / "half.wav", uw.Audio(loaded["mix"].samples[:, middle:], 44100))
    out = tmp_path / "parts"
    done(run("filter", str(tmp_path / "half.wav"), "--bases", str(tmp_path / "kit.npz"), "-o", str(out), "--quiet"))
    scores = [si_sdr(uw.Audio(loaded[name].samples[:, middle:], 44100), uw.load(out / f"{name}.wav")) for name in stems]
    assert np.mean(scores) >= 8
