"""`unweave hpss` and `unweave transients`: what they write, print and refuse."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run, names
from unweave.hpss import hpss
from unweave.synthesis import drum_loop
from unweave.transients import transients

COMMANDS = {"hpss": ("harmonic", "percussive"), "transients": ("transients", "residual")}


@pytest.fixture(scope="module")
def loop_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    loop = drum_loop(n_bars=1, stereo=True, sample_rate=22050)["mix"]
    unweave.save(path, unweave.Audio(loop.samples[:, :10001], 22050))
    return path.read_bytes()


@pytest.fixture
def here(here: Path, loop_bytes: bytes) -> Path:
    (here / "loop.wav").write_bytes(loop_bytes)
    return here


@pytest.mark.parametrize("command", COMMANDS)
def test_the_parts_are_those_of_the_library_and_sum_to_the_recording(command: str, here: Path, run: Run) -> None:
    code, out, err = run(command, "loop.wav")
    assert (code, err) == (0, "")
    folder = here / f"loop-{command}"
    assert names(folder) == {f"{name}.wav" for name in COMMANDS[command]} | {"manifest.json"}
    assert out.splitlines()[0].split() == ["part", "file", "level", "dB", "share", "%"]
    assert out.splitlines()[-1] == f"The parts are in loop-{command}."
    recording = unweave.load(here / "loop.wav")
    library = hpss if command == "hpss" else transients
    wanted = dict(zip(COMMANDS[command], library(recording), strict=False))
    total = np.zeros_like(recording.samples)
    for name, part in wanted.items():
        found = unweave.load(folder / f"{name}.wav")
        np.testing.assert_array_equal(found.samples, part.samples)
        total += found.samples
    np.testing.assert_allclose(total, recording.samples, atol=1e-6)


def test_advanced_writes_a_residual_and_overwriting_takes_it_away(here: Path, run: Run) -> None:
    assert (
        run("hpss", "loop.wav", "--mode", "advanced", "--harmonic-threshold", "0", "6", "1", "3", "-o", "out")[0] == 0
    )
    assert "residual.wav" in names(here / "out")
    settings = json.loads((here / "out" / "manifest.json").read_text("utf-8"))["settings"]
    assert settings["harmonic_threshold"] == [0, 6, 1, 3]
    code, _, err = run("hpss", "loop.wav", "-o", "out")
    assert code == 1
    assert "out is not empty" in err
    assert run("hpss", "loop.wav", "-o", "out", "--overwrite", "--quiet") == (0, "", "")
    assert names(here / "out") == {"harmonic.wav", "percussive.wav", "manifest.json"}


@pytest.mark.parametrize("command", COMMANDS)
def test_standard_input_formats_and_gain(
    command: str, here: Path, run: Run, loop_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(loop_bytes)))
    code, out, err = run(command, "-", "--format", "flac", "--gain", "fit", "--json", "--threads", "1")
    assert (code, err) == (0, "")
    manifest = json.loads(out)
    assert manifest["command"] == command
    assert manifest["audio"]["n_samples"] == 10001
    parts = [unweave.load(here / f"stdin-{command}" / part["file"]) for part in manifest["parts"]]
    recording = unweave.load(here / "loop.wav")
    wanted = recording.samples * np.float32(manifest["settings"]["gain"])
    np.testing.assert_allclose(sum(part.samples for part in parts), wanted, atol=1e-6)
    assert max([recording.peak * manifest["settings"]["gain"], *(part.peak for part in parts)]) == pytest.approx(
        10 ** (-1 / 20), rel=1e-4
    )


def test_a_format_that_would_clip_gets_one_gain_and_a_word_about_it(here: Path, run: Run) -> None:
    recording = unweave.load(here / "loop.wav")
    unweave.save(here / "loud.wav", unweave.Audio(recording.samples / recording.peak * 1.5, 22050))
    code, _, err = run("hpss", "loud.wav", "--subtype", "PCM_24")
    assert code == 0
    assert err.startswith("unweave: all parts were given one gain of 0.5942")
    assert run("hpss", "loud.wav", "-o", "float")[2] == ""


def test_a_part_of_the_recording_at_another_rate(here: Path, run: Run) -> None:
    assert run("transients", "loop.wav", "--start", "0.1", "--duration", "0.2", "--sample-rate", "44100")[0] == 0
    part = unweave.load(here / "loop-transients" / "residual.wav")
    assert (part.n_samples, part.sample_rate) == (8820, 44100)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("hpss", "loop.wav", "--harmonic-size", "4"), 2, "unweave: --harmonic-size=4 is not an odd number from 3"),
        (
            ("hpss", "loop.wav", "--percussive-threshold", "0.5", "1", "0.2", "1"),
            2,
            "frequencies must rise from 0 to 1",
        ),
        (("hpss", "loop.wav", "--power", "0"), 2, "unweave: --power=0.0 is not above 0"),
        (("hpss", "loop.wav", "--hop-length", "9000"), 2, "unweave: --hop-length=9000 is longer than"),
        (("hpss", "loop.wav", "--mode", "soft"), 2, "'soft' is not one of"),
        (("transients", "loop.wav", "--order", "9"), 2, "unweave: --order=9 is not from 10 to 200"),
        (("transients", "loop.wav", "--threshold-back", "nan"), 2, "unweave: --threshold-back=nan is not from 0"),
        (("transients", "none.wav"), 1, "none.wav"),
        (("transients", "loop.wav", "--subtype", "PCM_8"), 2, "unweave: --subtype='PCM_8'"),
        (("hpss", "loop.wav", "-o", "loop.wav"), 1, "loop.wav is a file, but a folder is needed"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    arguments: tuple[str, ...], code: int, words: str, here: Path, run: Run
) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert names(here) == {"loop.wav"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_failure_leaves_nothing_behind(command: str, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unweave.cli.split.write_manifest", fail)
    code, _, err = run(command, "loop.wav")
    assert code == 1
    assert "No space left on device" in err
    assert names(here) == {"loop.wav"}


@pytest.mark.parametrize("command", COMMANDS)
def test_silence_and_no_sound_at_all_have_parts(command: str, here: Path, run: Run) -> None:
    for n in (0, 1, 3000):
        unweave.save(here / f"{n}.wav", unweave.Audio(np.zeros(n), 22050))
        code, out, err = run(command, f"{n}.wav")
        assert (code, err) == (0, "")
        assert "silent" in out
        for name in COMMANDS[command]:
            assert unweave.load(here / f"{n}-{command}" / f"{name}.wav").n_samples == n
