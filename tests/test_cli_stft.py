"""`unweave stft`: what it writes, the way back, and what it refuses."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run
from unweave.audio import Audio
from unweave.errors import WriteError
from unweave.framing import STFT
from unweave.polar import PADDINGS, to_polar
from unweave.synthesis import drum_loop

COMMAND = "stft"
RATE = 22050


@pytest.fixture
def here(here: Path) -> Path:
    """A folder with a stereo drum loop of an odd length in it, as working directory."""
    loop = drum_loop(n_bars=1, stereo=True, sample_rate=RATE)["mix"]
    unweave.save(here / "loop.wav", Audio(loop.samples[:, :12347], RATE))
    return here


def error(first: str, second: str, edge: int = 0) -> float:
    one, two = (unweave.load(name).samples for name in (first, second))
    assert one.shape == two.shape
    return float(np.abs(one - two)[:, edge : one.shape[1] - edge].max())


@pytest.mark.parametrize("padding", PADDINGS)
def test_one_file_holds_all_that_the_way_back_needs(here: Path, run: Run, padding: str) -> None:
    options = f"--n-fft 1024 --hop-length 200 --win-length 800 --window hamming --zeros-after --padding {padding}"
    code, out, err = run("loop.wav", *options.split())
    assert (code, err) == (0, "")
    frames = {"none": 58, "half": 62, "full": 65}[padding]
    assert out == f"loop-stft.npz: magnitude and phase of 2 channels, 513 bins, {frames} frames.\n"
    stored = np.load("loop-stft.npz")
    expected = to_polar(unweave.load("loop.wav"), STFT(1024, 200, 800, "hamming", zeros_after=True), padding=padding)
    np.testing.assert_array_equal(stored["magnitude"], expected[0])
    np.testing.assert_array_equal(stored["phase"], expected[1])
    assert json.loads(str(stored["settings"]))["n_samples"] == 12347
    code, out, err = run("--inverse", "loop-stft.npz", "-o", "again.wav")
    assert (code, out, err) == (0, f"again.wav: 2 channels, 12347 samples at {RATE} Hz.\n", "")
    assert error("loop.wav", "again.wav", edge=300 if padding == "none" else 0) < 1e-5


@pytest.mark.parametrize("kind", ["wav", "csv"])
def test_bare_tables_go_there_and_back(here: Path, run: Run, kind: str) -> None:
    names = (f"magnitude.{kind}", "--phase", f"phase.{kind}")
    settings = ("--n-fft", "512", "--hop-length", "128", "--padding", "full")
    code, out, err = run("loop.wav", "-o", *names, *settings)
    assert (code, err) == (0, "")
    assert out == f"magnitude.{kind} and phase.{kind}: magnitude and phase of 2 channels, 257 bins, 100 frames.\n"
    expected = to_polar(unweave.load("loop.wav"), STFT(512, 128), padding="full")
    for table, name in zip(expected, names[::2], strict=True):
        stored = unweave.load(name).samples if kind == "wav" else np.loadtxt(name, delimiter=",").astype(np.float32)
        np.testing.assert_array_equal(stored, table.reshape(514, 100))  # the left channel's bins, then the right one's
    back = ("--sample-rate", str(RATE), "--length", "12347")
    assert run("--inverse", *names, *settings, *back, "-o", "again.wav")[0] == 0
    assert error("loop.wav", "again.wav") < 1e-5


def test_the_channel_that_is_asked_for_is_the_one_that_is_read(here: Path, run: Run) -> None:
    """FluCoMa's BufSTFT reads the first, whatever startChan says."""
    for channel in (0, 1):
        assert run("loop.wav", "--channel", str(channel), "--overwrite")[0] == 0
        alone = Audio(unweave.load("loop.wav").samples[channel], RATE)
        np.testing.assert_array_equal(np.load("loop-stft.npz")["magnitude"], to_polar(alone)[0])


def test_the_rate_of_the_sound_is_kept(here: Path, run: Run) -> None:
    """FluCoMa's is that of the frames, rounded, times the hop: 44032 for 44100."""
    unweave.save("fast.wav", Audio(unweave.load("loop.wav").samples, 44100))
    run("fast.wav", "--n-fft", "1024", "--hop-length", "512")
    run("--inverse", "fast-stft.npz", "-o", "again.wav")
    assert unweave.load("again.wav").sample_rate == 44100


def test_a_magnitude_alone_and_a_part_of_the_recording(here: Path, run: Run) -> None:
    code, out, _ = run("loop.wav", "-o", "m.csv", "--start", "0.1", "--duration", "0.2", "--n-fft", "64", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["phase"], told["n_channels"], told["n_bins"], told["n_samples"]) == (None, 2, 33, 4410)
    assert not (here / "phase.csv").exists()


def test_another_length_can_be_asked_for(here: Path, run: Run) -> None:
    run("loop.wav")
    assert run("--inverse", "loop-stft.npz", "--length", "5000", "-o", "short.wav", "--quiet") == (0, "", "")
    np.testing.assert_allclose(unweave.load("short.wav").samples, unweave.load("loop.wav").samples[:, :5000], atol=1e-5)


def test_flucomas_buffers_can_be_read(here: Path, run: Run, shared: Path) -> None:
    golden = np.load(shared / "golden" / "bufstft.npz")
    sound = unweave.load(shared / "audio" / "conga_groove.wav")
    for name in ("magnitude", "phase"):
        unweave.save(f"{name}.wav", Audio(golden[name], 86))
    settings = ("--n-fft", "1024", "--hop-length", "512", "--sample-rate", str(sound.sample_rate))
    tables = ("--inverse", "magnitude.wav", "--phase", "phase.wav")
    assert run(*tables, *settings, "--length", str(sound.n_samples), "-o", "again.wav")[0] == 0
    np.testing.assert_allclose(unweave.load("again.wav").samples, sound.samples, atol=1e-5)


def test_an_empty_recording_has_one_frame_of_zeros(here: Path, run: Run) -> None:
    unweave.save("nothing.wav", Audio(np.zeros((1, 0)), RATE))
    for padding in PADDINGS:
        assert run("nothing.wav", "--padding", padding, "--overwrite")[0] == 0
        assert run("--inverse", "nothing-stft.npz", "-o", "again.wav", "--overwrite")[0] == 0
        assert unweave.load("again.wav").n_samples == 0


def test_nothing_is_replaced_unasked(here: Path, run: Run) -> None:
    (here / "m.csv").write_text("mine")
    code, _, err = run("loop.wav", "-o", "phase.csv", "--phase", "m.csv")
    assert code == 1
    assert "m.csv is there already" in err
    assert (here / "m.csv").read_text() == "mine"
    assert not (here / "phase.csv").exists()


def test_two_files_are_written_or_none(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def failing(path: Path, table: object) -> None:
        calls.append(path)
        path.write_text("half")
        if len(calls) == 2:
            raise WriteError(f"{path} cannot be written: No space left on device.")

    monkeypatch.setattr(import_module("unweave.cli.stft"), "write_sheet", failing)
    code, _, err = run("loop.wav", "-o", "m.csv", "--phase", "p.csv")
    assert (code, err) == (1, "unweave: p.csv cannot be written: No space left on device.\n")
    assert [path.name for path in here.iterdir()] == ["loop.wav"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("loop.wav -o x.txt", 2, "x.txt is neither .npz nor .wav nor .csv"),
        ("loop.wav -o x.npz --phase p.wav", 2, "an .npz holds both"),
        ("loop.wav -o x.wav --phase x.wav", 2, "each needs a file of its own"),
        ("loop.wav --length 7", 2, "--length is for the way back"),
        ("loop.wav --channel 2", 2, "--channel=2, but the last channel of the recording is 1"),
        ("loop.wav -o loop.wav --overwrite", 1, "loop.wav is read by this command and would be replaced"),
        ("loop.wav --hop-length 3000", 2, "--hop-length=3000 is longer than"),
        ("--inverse - -o x.wav", 2, "--inverse reads files, not standard input"),
        ("--inverse loop.wav -o x.wav", 2, "loop.wav is a magnitude: name the file of its phase with --phase"),
        ("--inverse loop.wav --phase loop.wav -o x.wav", 2, "does not say the rate of the sound"),
        ("--inverse loop.wav --phase loop.wav -o x.wav --sample-rate 8000", 2, "but --n-fft=2048 makes 1025 bins"),
        ("--inverse known.npz -o x.wav --n-fft 512", 2, "known.npz knows its --n-fft: leave it out"),
        ("--inverse known.npz -o x.wav --length 99999", 2, "--length=99999, but the 25 frames end at sample"),
        ("--inverse other.npz -o x.wav", 1, "other.npz is not magnitude and phase of unweave: it holds a"),
        ("--inverse words.csv --phase words.csv -o x.wav --sample-rate 8000", 1, "words.csv is no table of numbers"),
        ("--inverse uneven.csv --phase words.csv -o x.wav --sample-rate 8000", 1, "uneven.csv is no table"),
        ("--inverse gone.csv --phase words.csv -o x.wav --sample-rate 8000", 1, "gone.csv cannot be read"),
        ("--inverse known.npz -o x.tiff", 2, "x.tiff"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(here: Path, run: Run, options: str, code: int, words: str) -> None:
    run("loop.wav", "-o", "known.npz")
    np.savez("other.npz", a=np.zeros(3))
    (here / "words.csv").write_text("one,two\n")
    (here / "uneven.csv").write_text("1,2\n3\n")
    before = sorted(here.iterdir())
    found, out, err = run(*options.split())
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert sorted(here.iterdir()) == before
