"""What cannot be done is refused in one sentence, with an exit code, and without a trace on the disk."""

import hashlib
import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unweave
from unweave.cli import main
from unweave.framing import STFT

SRC = Path(__file__).resolve().parents[1] / "src"
RATE = 44100


def tone(n_samples: int, n_channels: int = 1, rate: int = RATE) -> unweave.Audio:
    noise = np.random.default_rng(1).standard_normal((n_channels, n_samples)) * 0.05
    return unweave.Audio((np.sin(np.arange(n_samples) / 20) / 2 + noise).astype(np.float32), rate)


def listing(folder: Path) -> dict[str, str]:
    """Every file and folder below a folder, with what is in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


# ---------------------------------------------------------------- a folder full of trouble


def _npy(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)


def _dictionary(path: Path, n: int, stft: STFT | None = None, rate: float = RATE, n_channels: int = 1) -> None:
    stft = stft or STFT()
    unweave.Dictionary(np.ones((n_channels, stft.n_bins, n), np.float32), (), stft, rate).save(path)


def fill(folder: Path) -> None:
    """Good files and bad ones."""
    unweave.save(folder / "good.wav", tone(8820))
    unweave.save(folder / "stereo.wav", tone(8820, 2))
    unweave.save(folder / "nine.wav", tone(4410, 9))
    unweave.save(folder / "good.flac", tone(44100))
    data = (folder / "good.wav").read_bytes()
    (folder / "nan.wav").write_bytes(data[:-4] + struct.pack("<f", float("nan")))
    (folder / "cut.wav").write_bytes(data[:20000])
    (folder / "header.wav").write_bytes(data[: len(data) - 4 * 8820])
    flac = (folder / "good.flac").read_bytes()
    (folder / "cut.flac").write_bytes(flac[: len(flac) // 2])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("la la la\n" * 100)
    (folder / "folder").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "diary.txt").write_text("dear diary")
    (folder / "mine").mkdir()
    unweave.save(folder / "mine" / "component-00.wav", tone(8820))
    (folder / "blocked" / "index.html").mkdir(parents=True)
    (folder / "away").mkdir()
    (folder / "away" / "sub").symlink_to(folder / "full")
    bins = STFT().n_bins
    _dictionary(folder / "three.npz", 3)
    _dictionary(folder / "small.npz", 3, STFT(n_fft=1024))
    _dictionary(folder / "rate.npz", 3, rate=48000)
    _dictionary(folder / "stereo.npz", 3, n_channels=2)
    np.savez(folder / "other.npz", a=np.ones(3))
    _npy(folder / "negative.npy", -np.ones((bins, 2)))
    _npy(folder / "nan.npy", np.full((bins, 2), np.nan))
    _npy(folder / "bins.npy", np.ones((100, 2)))
    _npy(folder / "flat.npy", np.ones(bins))
    _npy(folder / "words.npy", np.array([["a"]]))
    _npy(folder / "frames.npy", np.ones((2, 5)))
    (folder / "cut.npy").write_bytes((folder / "bins.npy").read_bytes()[:200])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trouble")
    fill(place)
    return place


# ---------------------------------------------------------------- the list


@dataclass(frozen=True)
class Bad:
    """What is wrong, the arguments after `decompose`, the exit code, what the sentence must name; standard input."""

    what: str
    arguments: str
    code: int
    names: str
    stdin: bytes = b""
    more: tuple[str, ...] = ()


GOOD = "good.wav -k 2"

BAD = [
    # the recording
    Bad("a file that is not there", "none.wav -k 2", 1, "none.wav"),
    Bad("a folder for a recording", "folder -k 2", 1, "folder"),
    Bad("a file of no bytes", "empty.wav -k 2", 1, "empty.wav"),
    Bad("a text that is called wav", "text.wav -k 2", 1, "text.wav"),
    Bad("a flac that was cut short", "cut.flac -k 2", 1, "cut.flac"),
    Bad("a wav that was cut short", "cut.wav -k 2", 1, "cut.wav"),
    Bad("the header of a wav alone", "header.wav -k 2", 1, "header.wav"),
    Bad("a wav with NaN", "nan.wav -k 2", 1, "NaN"),
    Bad("a picture of numbers for a recording", "three.npz -k 2", 1, "three.npz"),
    Bad("a path under a file", "good.wav/x.wav -k 2", 1, "good.wav/x.wav"),
    Bad("a name with a line break that is not there", "-k 2", 1, "new line.wav", more=("new\nline.wav",)),
    Bad("a name that is too long", "-k 2", 1, "xxxx", more=("x" * 300 + ".wav",)),
    Bad("empty standard input", "- -k 2", 1, "stdin"),
    Bad("noise on standard input", "- -k 2", 1, "stdin", b"\x00\x01\x02garbage" * 50),
    Bad("no recording", "-k 2", 2, "INPUT"),
    Bad("two recordings", "good.wav stereo.wav -k 2", 2, "stereo.wav"),
    # which part of it
    Bad("a start below zero", f"{GOOD} --start -1", 2, "-1"),
    Bad("a start beyond the end", f"{GOOD} --start 99", 2, "99"),
    Bad("a start that is no number", f"{GOOD} --start soon", 2, "soon"),
    Bad("a start at NaN", f"{GOOD} --start nan", 2, "nan"),
    Bad("a duration of zero", f"{GOOD} --duration 0", 2, "--duration=0"),
    Bad("a duration below zero", f"{GOOD} --duration -2", 2, "-2"),
    Bad("a duration of NaN", f"{GOOD} --duration nan", 2, "nan"),
    Bad("an endless duration", f"{GOOD} --duration inf", 2, "inf"),
    Bad("a sample rate of zero", f"{GOOD} --sample-rate 0", 2, "--sample-rate=0"),
    Bad("a sample rate that no file holds", f"{GOOD} --sample-rate 22050.5", 2, "22050.5"),
    # how many parts
    Bad("no number of parts", "good.wav", 2, "-k"),
    Bad("no parts", "good.wav -k 0", 2, "0"),
    Bad("fewer than no parts", "good.wav -k -1", 2, "-1"),
    Bad("a number of parts that is none", "good.wav -k x", 2, "'x'"),
    Bad("a million parts", "good.wav -k 1000000", 2, "--components=1000000"),
    Bad("half a part", "good.wav -k 2.5", 2, "2.5"),
    # the transform
    Bad("an n_fft of one", f"{GOOD} --n-fft 1", 2, "--n-fft=1"),
    Bad("an n_fft of zero", f"{GOOD} --n-fft 0", 2, "--n-fft=0"),
    Bad("an n_fft beyond all use", f"{GOOD} --n-fft 4194304", 2, "--n-fft=4194304"),
    Bad("a hop of zero", f"{GOOD} --hop-length 0", 2, "--hop-length"),
    Bad("a hop longer than the window", f"{GOOD} --hop-length 3000", 2, "--hop-length=3000"),
    Bad("a hop that loses samples", f"{GOOD} --hop-length 2040", 2, "--hop-length=2040"),
    Bad("a window longer than the transform", f"{GOOD} --win-length 4096", 2, "--win-length=4096"),
    Bad("a window of one sample", f"{GOOD} --win-length 1", 2, "--win-length=1"),
    Bad("a window that nobody knows", f"{GOOD} --window kaiser", 2, "kaiser"),
    # the model
    Bad("a beta that is no word of ours", f"{GOOD} --beta manhattan", 2, "manhattan"),
    Bad("a beta of NaN", f"{GOOD} --beta nan", 2, "--beta=nan"),
    Bad("an infinite beta", f"{GOOD} --beta inf", 2, "--beta=inf"),
    Bad("a start that nobody knows", f"{GOOD} --init zen", 2, "zen"),
    Bad("a rule that nobody knows", f"{GOOD} --rule golden", 2, "golden"),
    Bad("an order that nobody knows", f"{GOOD} --sort taste", 2, "taste"),
    Bad("no starts", f"{GOOD} --restarts 0", 2, "--restarts=0"),
    Bad("fewer than no iterations", f"{GOOD} --max-iter -1", 2, "--max-iter=-1"),
    Bad("a tolerance of two", f"{GOOD} --tol 2", 2, "--tol=2"),
    Bad("a seed below zero", f"{GOOD} --seed -1", 2, "--seed=-1"),
    Bad("a seed that is no number", f"{GOOD} --seed lucky", 2, "lucky"),
    Bad("no threads", f"{GOOD} --threads 0", 2, "--threads"),
    Bad("bases that are not there", f"{GOOD} --bases none.npz", 1, "none.npz"),
    Bad("bases of another n_fft", "good.wav --bases small.npz --n-fft 2048", 2, "--n-fft=1024"),
    Bad("bases of another rate", "good.wav --bases rate.npz", 2, "48000"),
    Bad("bases of more channels", "good.wav --bases stereo.npz", 2, "2 channels"),
    Bad("bases that are a sound", f"{GOOD} --bases good.wav", 1, "good.wav is neither"),
    Bad("bases that are other numbers", f"{GOOD} --bases other.npz", 1, "other.npz"),
    Bad("bases that are negative", f"{GOOD} --bases negative.npy", 1, "negative.npy"),
    Bad("bases that are NaN", f"{GOOD} --bases nan.npy", 1, "nan.npy"),
    Bad("bases of too few bins", f"{GOOD} --bases bins.npy", 2, "(100, 2)"),
    Bad("bases without an axis", f"{GOOD} --bases flat.npy", 1, "flat.npy"),
    Bad("bases of words", f"{GOOD} --bases words.npy", 1, "words.npy"),
    Bad("bases that were cut short", f"{GOOD} --bases cut.npy", 1, "cut.npy"),
    Bad("more bases than parts", f"{GOOD} --bases three.npz", 2, "--components=2"),
    Bad("bases that are kept, but not there", f"{GOOD} --keep-bases", 2, "--keep-bases"),
    Bad("activations that are kept, but not there", f"{GOOD} --keep-activations", 2, "--keep-activations"),
    Bad("activations of another length", f"{GOOD} --activations frames.npy", 2, "(2, 5)"),
    Bad("activations that are a dictionary", f"{GOOD} --activations three.npz", 1, "three.npz"),
    # the sound of the parts
    Bad("a power of zero", f"{GOOD} --power 0", 2, "--power=0"),
    Bad("a power of NaN", f"{GOOD} --power nan", 2, "--power=nan"),
    Bad("a gain of zero", f"{GOOD} --gain 0", 2, "--gain=0"),
    Bad("a gain of NaN", f"{GOOD} --gain nan", 2, "--gain=nan"),
    Bad("a gain that is no word of ours", f"{GOOD} --gain loud", 2, "loud"),
    Bad("a resynthesis that nobody knows", f"{GOOD} --resynthesis magic", 2, "magic"),
    # the files
    Bad("a format that nobody knows", f"{GOOD} --format tape", 2, "tape"),
    Bad("a subtype that nobody knows", f"{GOOD} --subtype PCM_7", 2, "PCM_7"),
    Bad("a subtype that the format has not", f"{GOOD} --format flac --subtype FLOAT", 2, "FLOAT"),
    Bad("opus at 44.1 kHz", f"{GOOD} --format opus", 2, "44100"),
    Bad("a flac of nine channels", "nine.wav -k 2 --format flac", 2, "9"),
    Bad("a field that nobody knows", f"{GOOD} --name {{title}}.wav", 2, "{title}"),
    Bad("a template without a number", f"{GOOD} --name part.wav", 2, "part.wav"),
    Bad("a template that is broken", f"{GOOD} --name {{component.wav", 2, "{component.wav"),
    Bad("a template that digs", f"{GOOD} --name {{component.real}}.wav", 2, "component.real"),
    Bad("a format of text for a number", f"{GOOD} --name {{component:s}}.wav", 2, "{component:s}"),
    Bad("a number of a thousand digits", f"{GOOD} --name {{component:01000d}}.wav", 2, "1004 bytes"),
    Bad("a template that climbs", f"{GOOD} --name ../{{component}}.wav", 2, "../"),
    Bad("a template that climbs later", f"{GOOD} --name a/../../{{component}}.wav", 2, "a/../../"),
    Bad("a template from the root", f"{GOOD} --name /elsewhere/{{component}}.wav", 2, "/elsewhere/"),
    Bad("a template that names a folder", f"{GOOD} --name {{component}}/", 2, "{component}/"),
    Bad("a template that names nothing", GOOD, 2, "''", more=("--name", "")),
    Bad("the name of our manifest", "good.wav -k 1 --name manifest.json", 2, "manifest.json"),
    Bad("the name of our pictures", f"{GOOD} --name Pictures/{{component}}.wav", 2, "Pictures/0.wav"),
    Bad("an output folder that is a file", f"{GOOD} --out good.flac", 1, "good.flac"),
    Bad("an output folder under a file", f"{GOOD} --out good.flac/parts", 1, "good.flac/parts"),
    Bad("an output folder with a diary in it", f"{GOOD} --out full", 1, "diary.txt"),
    Bad("an output folder whose name is too long", GOOD, 1, "yyyy", more=("--out", "y" * 300)),
    Bad("an output folder without a name", GOOD, 1, "not empty", more=("--out", "")),
    Bad("the folder of the recording", "mine/component-00.wav -k 2 --out mine", 1, "component-00.wav"),
    Bad(
        "a part with the name of the recording", "mine/component-00.wav -k 2 --out mine --overwrite", 1, "read by this"
    ),
    Bad("a folder where the page would stand", f"{GOOD} --out blocked --overwrite", 1, "index.html"),
    Bad(
        "a link that leads out of the folder",
        f"{GOOD} --out away --overwrite --name sub/{{component}}.wav",
        1,
        "sub/0.wav",
    ),
    # the rest
    Bad("an option that nobody knows", f"{GOOD} --reverb", 2, "--reverb"),
    Bad("an option without its value", "good.wav -k", 2, "-k"),
]


def test_there_are_fifty_and_more() -> None:
    assert len({bad.what for bad in BAD}) == len(BAD) > 50


@pytest.fixture
def at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """In the folder of trouble; afterwards everything in it must be as before."""
    before = listing(folder)
    monkeypatch.chdir(folder)

    def unchanged() -> None:
        after = listing(folder)
        assert after == before, sorted(set(after.items()) ^ set(before.items()))

    yield unchanged
    unchanged()


def one_sentence(said: str, names: str) -> None:
    assert said.startswith("unweave: "), said
    assert said.count("\n") == 1, said
    assert said.endswith("\n"), said
    assert names in said, said
    assert "Traceback" not in said
    assert "report it" not in said, said


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_it_is_refused(
    bad: Bad, at_home: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bad.stdin)))
    code = main(["decompose", *bad.arguments.split(), *bad.more])
    out, err = capsys.readouterr()
    one_sentence(err, bad.names)
    assert (code, out) == (bad.code, "")
    at_home()


# ---------------------------------------------------------------- as processes


def unweave_process(
    *arguments: str, more: dict[str, str] | None = None, **settings: Any
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "UNWEAVE_DEBUG": "", **(more or {})}
    return subprocess.run(
        [sys.executable, "-m", "unweave", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
        **settings,
    )


@pytest.mark.parametrize(
    "what", ["a file that is not there", "an option that nobody knows", "bases that are NaN", "no parts"]
)
def test_it_is_refused_by_a_process_too(what: str, at_home: Callable[[], None]) -> None:
    bad = next(bad for bad in BAD if bad.what == what)
    done = unweave_process("decompose", *bad.arguments.split())
    one_sentence(done.stderr, bad.names)
    assert (done.returncode, done.stdout) == (bad.code, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits")
def test_a_full_disk_leaves_nothing(at_home: Callable[[], None]) -> None:
    import resource

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = unweave_process("decompose", "good.wav", "-k", "2", "--no-pictures", preexec_fn=small_disk)
    one_sentence(done.stderr, "good-unweave/component-00.wav")
    assert "File too large" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits")
def test_too_little_memory_is_said_in_a_sentence(at_home: Callable[[], None]) -> None:
    import resource

    def small_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20))

    arguments = ["decompose", "good.wav", "-k", "10000", "--n-fft", "65536", "--no-pictures", "--threads", "1"]
    done = unweave_process(*arguments, preexec_fn=small_memory, more={"OPENBLAS_NUM_THREADS": "1"})
    one_sentence(done.stderr, "memory")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_found_before_anything_is_computed(tmp_path: Path) -> None:
    unweave.save(tmp_path / "good.wav", tone(8820))
    (tmp_path / "closed").mkdir(mode=0o500)
    for out in ("closed", "closed/parts"):
        done = unweave_process("decompose", "good.wav", "-k", "2", "--out", out, cwd=tmp_path)
        one_sentence(done.stderr, out)
        assert done.returncode == 1
    assert listing(tmp_path / "closed") == {}


def test_a_crowded_setting_of_threads_is_refused(at_home: Callable[[], None]) -> None:
    done = unweave_process("decompose", "good.wav", "-k", "2", more={"UNWEAVE_THREADS": "many"})
    one_sentence(done.stderr, "UNWEAVE_THREADS='many'")
    assert done.returncode == 2


def test_an_error_that_should_not_happen_asks_to_be_reported(
    at_home: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("unweave.cli.work.steps", broken)
    arguments = ["decompose", "good.wav", "-k", "2"]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("unweave: an error that should not happen, ZeroDivisionError: a bug")
    assert said.count("\n") == 1
    monkeypatch.setenv("UNWEAVE_DEBUG", "1")
    assert main(arguments) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error_to_talk_about(folder: Path, tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m unweave decompose --help | head -1'
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(SRC)}
    )
    assert done.stderr == ""
    assert done.stdout.startswith("Usage: unweave decompose")


# ---------------------------------------------------------------- odd, but right


def _odd(name: str) -> tuple[unweave.Audio, list[str]]:
    silence = np.zeros((1, 4410), np.float32)
    return {
        "digital silence": (unweave.Audio(silence, RATE), []),
        "one sample": (tone(1), []),
        "no sample": (unweave.Audio(silence[:, :0], RATE), []),
        "more components than frames": (tone(2000), ["-k", "40"]),
        "eight channels": (tone(8820, 8), []),
        "22050 Hz": (tone(8820, rate=22050), []),
        "22050.5 Hz to 22050": (tone(8820, rate=22050), ["--sample-rate", "16000"]),
        "a duration beyond the end": (tone(8820), ["--duration", "100"]),
        "no iterations": (tone(8820), ["--max-iter", "0"]),
        "products": (tone(8820, 2), ["--resynthesis", "product"]),
        "Itakura-Saito on silence": (unweave.Audio(silence, RATE), ["--beta", "is"]),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "digital silence",
        "one sample",
        "no sample",
        "more components than frames",
        "eight channels",
        "22050 Hz",
        "22050.5 Hz to 22050",
        "a duration beyond the end",
        "no iterations",
        "products",
        "Itakura-Saito on silence",
    ],
)
def test_what_is_odd_but_right_succeeds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audio, options = _odd(name)
    unweave.save("odd.wav", audio)
    assert main(["decompose", "odd.wav", "-k", "2", "--no-pictures", "--quiet", *options]) == 0
    wanted = unweave.load("odd.wav", sample_rate=16000 if "16000" in options else None)
    files = sorted(Path("odd-unweave").glob("component-*.wav")) + sorted(Path("odd-unweave").glob("residual.wav"))
    parts = [unweave.load(path) for path in files]
    assert len(parts) >= 2
    assert all(part.samples.shape == wanted.samples.shape for part in parts)
    np.testing.assert_allclose(sum(part.samples for part in parts), wanted.samples, atol=2e-6)


@pytest.mark.parametrize(
    "name", ["with space.wav", "naïve 日本.wav", "a#b%20c?.wav", "-k.wav", 'quote\'s "it".wav', "&<b>.wav"]
)
def test_names_of_any_kind_are_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    unweave.save(name, tone(4410))
    options = ["-k", "2", "--no-pictures", "--name", "{track}/{component}.{ext}"]
    assert main(["decompose", *options, "--", name]) == 0
    stem = name.removesuffix(".wav")
    assert (tmp_path / f"{stem}-unweave" / stem / "1.wav").is_file()
