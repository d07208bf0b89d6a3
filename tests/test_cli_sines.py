"""`unweave sines`: what it writes, what it says, and what it leaves alone."""

import json
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run
from unweave.audio import Audio
from unweave.framing import STFT
from unweave.sines import sines, tracks

COMMAND = "sines"
RATE = 16000


@pytest.fixture
def here(here: Path) -> Path:
    """A folder with two tones in noise in it, one in each channel, as working directory."""
    t = np.arange(RATE) / RATE
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, RATE))
    tones = 0.3 * np.sin(2 * np.pi * np.array([[440.0], [1000.0]]) * t)
    unweave.save(here / "two.wav", Audio(tones + noise, RATE))
    return here


def test_the_folder_holds_what_the_library_makes(here: Path, run: Run) -> None:
    code, out, err = run("two.wav")
    assert (code, err) == (0, "")
    for name, part in zip(("sines", "residual"), sines(unweave.load("two.wav")), strict=True):
        np.testing.assert_array_equal(unweave.load(here / "two-sines" / f"{name}.wav").samples, part.samples)
    assert sorted(path.name for path in (here / "two-sines").iterdir()) == [
        "manifest.json",
        "residual.wav",
        "sines.wav",
    ]
    assert "The parts are in two-sines." in out


def test_every_setting_is_passed_on(here: Path, run: Run) -> None:
    numbers = {
        "bandwidth": 30,
        "detection_threshold": -50.0,
        "birth_low_threshold": -20.0,
        "birth_high_threshold": -30.0,
        "min_track_length": 7,
        "tracking": "hungarian",
        "track_magnitude_range": 9.0,
        "track_frequency_range": 33.0,
        "track_probability": 0.4,
    }
    options = [word for name, value in numbers.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    more = "--n-fft 512 --hop-length 100 --win-length 400 --window hamming --start 0.25 --duration 0.5 -o parts --json"
    code, out, _ = run("two.wav", *options, *more.split())
    assert code == 0
    sound = unweave.load("two.wav", start=0.25, duration=0.5)
    expected = sines(sound, **numbers, stft=STFT(512, 100, 400, "hamming"))  # type: ignore[arg-type]
    for name, part in zip(("sines", "residual"), expected, strict=True):
        np.testing.assert_array_equal(unweave.load(here / "parts" / f"{name}.wav").samples, part.samples)
    told = json.loads(out)
    assert told["settings"].items() >= numbers.items()
    assert [part["name"] for part in told["parts"]] == ["sines", "residual"]


def test_the_tracks_are_a_table(here: Path, run: Run) -> None:
    code, _, _ = run("two.wav", "-o", "parts", "--tracks", "parts/tracks.csv", "--birth-high-threshold", "-20")
    assert code == 0
    lines = (here / "parts" / "tracks.csv").read_text("utf-8").splitlines()
    assert lines[0] == "track,channel,time,frequency,level"
    found = tracks(unweave.load("two.wav"), birth_high_threshold=-20)
    table = np.loadtxt(lines[1:], delimiter=",")
    assert table.shape == (sum(track.times.size for track in found), 5)
    for number, track in enumerate(found):
        rows = table[table[:, 0] == number]
        assert set(rows[:, 1]) == {track.channel}
        np.testing.assert_allclose(rows[:, 2], track.times, atol=1e-6)
        np.testing.assert_allclose(rows[:, 3], track.frequencies, atol=1e-3)
        np.testing.assert_allclose(rows[:, 4], track.levels, atol=1e-2)


def test_a_fixed_point_format_does_not_clip(here: Path, run: Run) -> None:
    unweave.save("loud.wav", Audio(4 * unweave.load("two.wav").samples, RATE))
    code, _, err = run("loud.wav", "--format", "flac", "-o", "parts")
    assert code == 0
    assert "all parts were given one gain" in err
    parts = [unweave.load(here / "parts" / f"{name}.flac").samples for name in ("sines", "residual")]
    gain = json.loads((here / "parts" / "manifest.json").read_text("utf-8"))["settings"]["gain"]
    np.testing.assert_allclose(parts[0] + parts[1], gain * unweave.load("loud.wav").samples, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--track-probability", "3"], 2, "--track-probability=3.0 is not between 0 and 1"),
        (["--min-track-length", "0"], 2, "--min-track-length=0 is not between 1 and"),
        (["--tracking", "munkres"], 2, "munkres"),
        (["--hop-length", "4000"], 2, "--hop-length=4000 is longer than"),
        (["--tracks", "two.wav"], 1, "two.wav is read by this command and would be replaced"),
        (["--tracks", "there.csv"], 1, "there.csv is there already: choose another --tracks, or say --overwrite"),
        (["--tracks", "no/tracks.csv"], 1, "there is no folder no"),
        (["--tracks", "two-sines/sines.wav"], 1, "is no name for a table here"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    here: Path, run: Run, options: list[str], code: int, words: str
) -> None:
    (here / "there.csv").write_text("mine")
    found, out, err = run("two.wav", *options)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert sorted(path.name for path in here.iterdir()) == ["there.csv", "two.wav"]
    assert (here / "there.csv").read_text() == "mine"


def test_an_old_folder_and_an_old_table_are_replaced_only_when_asked(here: Path, run: Run) -> None:
    again = ("two.wav", "-o", "parts", "--tracks", "parts/tracks.csv")
    assert run(*again)[0] == 0
    before = (here / "parts" / "tracks.csv").read_bytes()
    assert run(*again)[0] == 1
    assert run(*again, "--overwrite", "--quiet") == (0, "", "")
    assert (here / "parts" / "tracks.csv").read_bytes() == before


def test_silence_and_nothing_are_parted_too(here: Path, run: Run) -> None:
    for name, n in (("silence", 5000), ("nothing", 0)):
        unweave.save(f"{name}.wav", Audio(np.zeros((1, n)), RATE))
        code, _, err = run(f"{name}.wav", "--tracks", f"{name}.csv")
        assert (code, err) == (0, "")
        assert unweave.load(here / f"{name}-sines" / "sines.wav").n_samples == n
        assert (here / f"{name}.csv").read_text("utf-8") == "track,channel,time,frequency,level\n"
