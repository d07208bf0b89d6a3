"""`unweave cross`: what it writes, what it says, and what it leaves alone."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run
from unweave.audio import Audio
from unweave.cross import cross
from unweave.synthesis import drum_loop

COMMAND = "cross"
FAST = ("--iterations", "4", "--phase-iterations", "2")


@pytest.fixture
def here(here: Path) -> Path:
    """A folder with a stereo drum loop and a melody of another rate in it, as working directory."""
    unweave.save(here / "loop.wav", drum_loop(n_bars=1, stereo=True, sample_rate=22050)["mix"])
    t = np.arange(16000) / 16000
    unweave.save(here / "tune.wav", Audio(0.3 * np.sin(2 * np.pi * (300 + 200 * t) * t), 16000))
    return here


def test_the_file_holds_what_the_library_makes(here: Path, run: Run) -> None:
    code, out, err = run("loop.wav", "tune.wav")
    assert (code, err) == (0, "")
    made = unweave.load(here / "tune-cross.wav")
    expected = cross(unweave.load("loop.wav"), unweave.load("tune.wav"))
    np.testing.assert_array_equal(made.samples, expected.samples)
    assert (made.sample_rate, made.n_channels, made.n_samples) == (22050, 2, 22050)
    assert out.startswith("tune-cross.wav: 2 channels, 1.000 s at 22050 Hz, level -")


def test_parts_of_both_sounds_and_every_setting_are_passed_on(here: Path, run: Run) -> None:
    options = "--source-start 0.5 --source-duration 1 --target-start 0.25 --target-duration 0.5 --time-sparsity 5"
    more = "--polyphony 4 --continuity 3 --iterations 6 --ramp last --phase-iterations 3 --seed 9 --n-fft 512"
    code, _, err = run("loop.wav", "tune.wav", "-o", "a.wav", *options.split(), *more.split(), "--window", "hamming")
    assert (code, err) == (0, "")
    expected = cross(
        unweave.load("loop.wav", start=0.5, duration=1),
        unweave.load("tune.wav", start=0.25, duration=0.5),
        time_sparsity=5,
        polyphony=4,
        continuity=3,
        n_iter=6,
        ramp="last",
        n_phase_iter=3,
        rng=9,
        stft=unweave.STFT(512, 256, window="hamming"),  # the overlap is that of the usual transform
    )
    np.testing.assert_array_equal(unweave.load(here / "a.wav").samples, expected.samples)


def test_json_tells_what_was_made_from_what(here: Path, run: Run) -> None:
    code, out, err = run("loop.wav", "tune.wav", "--json", "--target-duration", "0.5", *FAST)
    assert (code, err) == (0, "")
    told = json.loads(out)
    made = unweave.load(here / told["file"])
    assert (told["n_channels"], told["n_samples"], told["duration"]) == (2, made.n_samples, 0.5)
    assert told["peak"] == pytest.approx(made.peak)
    assert (told["source"]["name"], told["target"]["duration"]) == ("loop.wav", 0.5)
    assert len(told["target"]["sha256"]) == 64
    assert told["settings"]["n_iter"] == 4
    assert told["stft"]["n_fft"] == 1024


def test_quiet_says_nothing(here: Path, run: Run) -> None:
    assert run("loop.wav", "tune.wav", "--quiet", *FAST) == (0, "", "")


def test_the_same_command_gives_the_same_bytes_with_any_number_of_threads(here: Path, run: Run) -> None:
    for name, threads in (("a.wav", "1"), ("b.wav", "3")):
        assert run("loop.wav", "tune.wav", "-o", name, "--threads", threads, *FAST)[0] == 0
    assert (here / "a.wav").read_bytes() == (here / "b.wav").read_bytes()


def test_formats_are_taken_from_the_name_or_named(here: Path, run: Run) -> None:
    assert run("loop.wav", "tune.wav", "-o", "a.flac", *FAST)[0] == 0
    assert (here / "a.flac").read_bytes().startswith(b"fLaC")
    assert run("loop.wav", "tune.wav", "--format", "flac", *FAST)[0] == 0
    assert (here / "tune-cross.flac").read_bytes().startswith(b"fLaC")
    assert run("loop.wav", "tune.wav", "-o", "b.wav", "--subtype", "PCM_16", *FAST)[0] == 0
    assert (here / "b.wav").stat().st_size < 100_000


def test_what_would_clip_gets_a_gain_and_a_sentence(here: Path, run: Run) -> None:
    code, _, err = run("loop.wav", "tune.wav", "-o", "a.flac", "--gain", "100", *FAST)
    assert code == 0
    assert "does not clip and lies at -1 dB" in err
    assert unweave.load(here / "a.flac").peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    code, _, err = run("loop.wav", "tune.wav", "-o", "b.wav", "--gain", "fit", *FAST)
    assert (code, err) == (0, "")
    assert unweave.load(here / "b.wav").peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_standard_input_is_one_of_the_two(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (here / "tune.wav").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, _ = run("loop.wav", "-", *FAST)
    assert (code, out.partition(":")[0]) == (0, "stdin-cross.wav")
    assert run("loop.wav", "tune.wav", *FAST)[0] == 0
    assert (here / "stdin-cross.wav").read_bytes() == (here / "tune-cross.wav").read_bytes()


def test_silence_is_written_as_silence(here: Path, run: Run) -> None:
    unweave.save("silent.wav", Audio(np.zeros(8000), 16000))
    code, out, err = run("loop.wav", "silent.wav", "--gain", "fit", *FAST)
    assert (code, err) == (0, "")
    assert out.rstrip().endswith("silent.")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("loop.wav", "tune.wav", "--time-sparsity", "4"), 2, "--time-sparsity=4 is even"),
        (("loop.wav", "tune.wav", "--continuity", "0"), 2, "--continuity=0 is not a whole number"),
        (("loop.wav", "tune.wav", "--polyphony", "0"), 2, "--polyphony=0 is not a whole number"),
        (("loop.wav", "tune.wav", "--iterations", "0"), 2, "--iterations=0 is not a whole number"),
        (("loop.wav", "tune.wav", "--phase-iterations", "-1"), 2, "--phase-iterations=-1 is not a whole number"),
        (("loop.wav", "tune.wav", "--seed", "-1"), 2, "--seed=-1 is not a whole number"),
        (("loop.wav", "tune.wav", "--n-fft", "1"), 2, "--n-fft=1 is not between 2"),
        (("loop.wav", "tune.wav", "--gain", "0"), 2, "--gain=0.0 is neither 'fit' nor"),
        (("loop.wav", "tune.wav", "--source-start", "9"), 2, "--source-start=9 s is beyond the end: loop.wav lasts"),
        (("loop.wav", "tune.wav", "--target-start", "9"), 2, "--target-start=9 s is beyond the end: tune.wav lasts"),
        (("loop.wav", "tune.wav", "--target-duration", "0"), 2, "--target-duration=0 takes nothing"),
        (("-", "-"), 2, "SOURCE and TARGET cannot both be standard input"),
        (("loop.wav", "tune.wav", "-o", "a.xyz"), 2, "a.xyz ends in .xyz, which names no sound format"),
        (("loop.wav", "absent.wav"), 1, "absent.wav does not exist"),
        (("loop.wav", "tune.wav", "-o", "absent/a.wav"), 1, "absent/a.wav cannot be written"),
        (("loop.wav", "tune.wav", "-o", "loop.wav", "--overwrite"), 1, "loop.wav is read by this command"),
        (("loop.wav",), 2, "Missing argument 'TARGET'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    here: Path, run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_a_file_that_is_there_is_replaced_only_when_told_so(here: Path, run: Run) -> None:
    (here / "tune-cross.wav").write_text("precious")
    code, _, err = run("loop.wav", "tune.wav", *FAST)
    assert code == 1
    assert "tune-cross.wav is there already" in err
    assert (here / "tune-cross.wav").read_text() == "precious"
    assert run("loop.wav", "tune.wav", "--overwrite", *FAST)[0] == 0
    assert unweave.load(here / "tune-cross.wav").n_samples == 22050
