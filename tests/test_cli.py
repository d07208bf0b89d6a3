"""The commands: what they write, what they print, what they leave alone."""

import hashlib
import inspect
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unweave
from tests.commands import Run, done, listing, names, refused
from unweave import cli
from unweave.cli import output
from unweave.cli.interrupts import Interrupted, held_signals, raised_signals
from unweave.cli.names import part_names
from unweave.cli.output import OutputFolder
from unweave.cli.progress import Line, duration
from unweave.errors import InvalidInput, WriteError
from unweave.framing import STFT
from unweave.synthesis import drum_loop

SRC = Path(__file__).resolve().parents[1] / "src"
FAST = ("--restarts", "1", "--max-iter", "10")
PLAIN = (*FAST, "--no-pictures", "--no-page")
OWN_FILES = {"bases.npz", "decomposition.npz", "manifest.json"}
PAGE_FILES = {"index.html", "recording.wav"}


def manifest_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def decibels(signal_: np.ndarray, error: np.ndarray) -> float:
    wrong = np.square(error.astype(np.float64)).sum()
    return 10 * float(np.log10(np.square(signal_.astype(np.float64)).sum() / max(wrong, 1e-300)))


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC), **more}


@pytest.fixture(scope="session")
def loop_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    unweave.save(path, drum_loop(n_bars=1, stereo=True, sample_rate=22050)["mix"])
    return path.read_bytes()


@pytest.fixture
def here(here: Path, loop_bytes: bytes) -> Path:
    """A folder with a short drum loop in it, as working directory."""
    (here / "loop.wav").write_bytes(loop_bytes)
    return here


# ---------------------------------------------------------------- how many parts


def test_auto_counts_the_parts_and_says_why(here: Path, run: Run) -> None:
    out = done(run("decompose", "loop.wav", "-k", "auto", *FAST))
    rank = manifest_of(here / "loop-unweave")["result"]["rank"]
    assert rank["n_components"] == 3
    assert out.splitlines()[0] == rank["sentence"]
    assert out.splitlines()[1].startswith("component")
    assert len(out.splitlines()) == 6
    assert {"component-02.wav", "pictures/rank.png"} < set(listing(here / "loop-unweave"))
    page = (here / "loop-unweave" / "index.html").read_text("utf-8")
    assert "pictures/rank.png" in page
    assert rank["sentence"] in page


def test_auto_adds_nothing_to_json_and_nothing_where_it_was_not_asked(here: Path, run: Run) -> None:
    found = json.loads(done(run("decompose", "loop.wav", "-k", "AUTO", "--json", *PLAIN)))
    assert found == manifest_of(here / "loop-unweave")
    assert found["settings"]["n_components"] == len(found["components"]) == 3
    done(run("decompose", "loop.wav", "-k", "2", "--out", "two", *FAST))
    assert manifest_of(here / "two")["result"]["rank"] is None
    assert "pictures/rank.png" not in listing(here / "two")


def test_auto_makes_at_least_as_many_parts_as_are_given(here: Path, run: Run) -> None:
    np.save("five.npy", np.random.default_rng(0).random((1025, 5)))
    out = done(run("decompose", "loop.wav", "-k", "auto", "--bases", "five.npy", *PLAIN))
    assert out.splitlines()[0].endswith("But 5 were given.")
    assert len(manifest_of(here / "loop-unweave")["components"]) == 5


def test_a_number_of_parts_is_one_or_auto(here: Path, run: Run) -> None:
    for wrong in ("some", "0", "1.5"):
        code, out, err = run("decompose", "loop.wav", "-k", wrong)
        assert (code, out) == (2, "")
        assert "--components" in err
    code, _, err = run("decompose", "loop.wav")
    assert code == 2
    assert "or -k auto" in err


# ---------------------------------------------------------------- the output folder


def test_everything_is_in_the_folder_and_nothing_beside_it(here: Path, run: Run) -> None:
    out = done(run("decompose", "loop.wav", "-k", "3"))
    assert sorted(path.name for path in here.iterdir()) == ["loop-unweave", "loop.wav"]
    files = set(listing(here / "loop-unweave"))
    pictures = {name for name in files if name.startswith("pictures/")}
    assert files - pictures == OWN_FILES | PAGE_FILES | {f"component-{k:02d}.wav" for k in range(3)}
    large = {"spectrogram", "components", "bases", "activations", "divergence"}
    assert pictures == {f"pictures/{name}.png" for name in large | {f"strip-{k:02d}" for k in range(3)}}
    assert out.splitlines()[-1] == "Open loop-unweave/index.html to look and listen."
    assert out.splitlines()[0].split("  ")[0] == "component"
    assert len(out.splitlines()) == 5
    page = (here / "loop-unweave" / "index.html").read_text("utf-8")
    assert "component-02.wav" in page
    assert "pictures/strip-02.png" in page
    assert str(here) not in page


def test_the_parts_sum_to_the_recording(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", *PLAIN))
    mix = unweave.load("loop.wav").samples
    parts = [unweave.load(f"loop-unweave/component-{k:02d}.wav") for k in range(3)]
    assert all(part.sample_rate == 22050 for part in parts)
    assert decibels(mix, sum(part.samples for part in parts) - mix) >= 110


def test_the_files_of_the_folder_are_read_back(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", *PLAIN))
    parts = unweave.Decomposition.load("loop-unweave/decomposition.npz")
    np.testing.assert_array_equal(parts.component(1).samples, unweave.load("loop-unweave/component-01.wav").samples)
    bases = unweave.Dictionary.load("loop-unweave/bases.npz")
    np.testing.assert_array_equal(bases.bases, parts.bases)
    assert bases.sample_rate == 22050


def test_the_manifest_tells_everything_but_when_and_where(here: Path, run: Run) -> None:
    done(run("decompose", str(here / "loop.wav"), "-k", "3", "--seed", "5", *PLAIN))
    text = (here / "loop-unweave" / "manifest.json").read_text("utf-8")
    found = manifest_of(here / "loop-unweave")
    assert str(here) not in text
    assert found["input"] == {
        "name": "loop.wav",
        "sha256": hashlib.sha256((here / "loop.wav").read_bytes()).hexdigest(),
    }
    audio = unweave.load("loop.wav")
    assert found["audio"] == {
        "sample_rate": 22050,
        "n_channels": 2,
        "n_samples": audio.n_samples,
        "duration": audio.duration,
    }
    settings = found["settings"]
    assert settings["stft"] == STFT().settings()
    assert (settings["seed"], settings["rule"], settings["n_components"]) == (5, "extrapolated", 3)
    assert (settings["gain"], settings["subtype"], settings["power"]) == (1.0, "FLOAT", 1.0)
    assert found["unweave"] == unweave.__version__
    assert len(found["result"]["divergences"]) == len(found["result"]["iterations"]) > 1
    assert found["result"]["stop_sentence"] == str(unweave.Stop[found["result"]["stop"]])
    files = {entry["file"]: entry["sha256"] for entry in found["files"]}
    assert files == {name: digest for name, digest in listing(here / "loop-unweave").items() if name != "manifest.json"}
    sizes = {entry["file"]: entry["size"] for entry in found["files"]}
    assert all((here / "loop-unweave" / name).stat().st_size == size for name, size in sizes.items())


def test_what_is_said_of_a_part_is_true(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", *PLAIN))
    found = manifest_of(here / "loop-unweave")
    assert found["residual"] is None
    assert sum(part["energy_share"] for part in found["components"]) == pytest.approx(1)
    centroids = [part["centroid_hz"] for part in found["components"]]
    assert centroids == sorted(centroids)
    for part in found["components"]:
        audio = unweave.load(f"loop-unweave/{part['file']}")
        level = 10 * np.log10(np.mean(np.square(audio.samples, dtype=np.float64)))
        assert part["level_db"] == pytest.approx(level, abs=1e-6)
        assert part["peak"] == pytest.approx(audio.peak)


def test_the_same_command_gives_the_same_bytes(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", "--envelopes", *FAST, "--out", "one"))
    time.sleep(1.1)  # another second on the clock
    done(run("decompose", "loop.wav", "-k", "3", "--envelopes", *FAST, "--out", "two"))
    assert listing(here / "one") == listing(here / "two")


def test_the_number_of_threads_changes_nothing(here: Path, run: Run) -> None:
    for threads in ("1", "2"):
        done(run("decompose", "loop.wav", "-k", "3", "--threads", threads, "--out", threads, *PLAIN))
    assert listing(here / "1") == listing(here / "2")


def test_every_seed_is_repeatable(here: Path, run: Run) -> None:
    found = {}
    for seed in ("1", "2"):
        options = ["--seed", seed, "--init", "random", *PLAIN]
        for out in ("a", "b"):
            done(run("decompose", "loop.wav", "-k", "3", "--out", out + seed, *options))
        assert listing(here / f"a{seed}") == listing(here / f"b{seed}")
        found[seed] = listing(here / f"a{seed}")
    assert found["1"]["component-00.wav"] != found["2"]["component-00.wav"]


def test_products_and_their_residual_sum_to_the_recording(here: Path, run: Run) -> None:
    out = done(run("decompose", "loop.wav", "-k", "2", "--resynthesis", "product", *PLAIN))
    assert "residual" in out
    mix = unweave.load("loop.wav").samples
    names = ["component-00.wav", "component-01.wav", "residual.wav"]
    total = sum(unweave.load(f"loop-unweave/{name}").samples for name in names)
    assert decibels(mix, total - mix) >= 110
    found = manifest_of(here / "loop-unweave")
    assert found["residual"]["file"] == "residual.wav"


def test_envelopes_are_written_beside_the_parts(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--envelopes", *PLAIN))
    names = {name for name in listing(here / "loop-unweave") if name.startswith("envelopes/")}
    kinds = ("envelope", "enveloped-noise", "vocoded-noise")
    assert names == {f"envelopes/{k:02d}-{kind}.wav" for k in range(2) for kind in kinds}
    envelope = unweave.load("loop-unweave/envelopes/00-envelope.wav")
    assert envelope.n_channels == 1
    assert 0 <= envelope.samples.min() <= envelope.samples.max() <= 1


# ---------------------------------------------------------------- which part, which names, which format


def test_a_part_of_the_recording_is_taken(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--start", "0.5", "--duration", "1", *PLAIN))
    part = unweave.load("loop-unweave/component-00.wav")
    assert part.n_samples == 22050
    whole = unweave.load("loop.wav", start=0.5, duration=1).samples
    total = part.samples + unweave.load("loop-unweave/component-01.wav").samples
    assert decibels(whole, total - whole) >= 110


def test_the_settings_of_the_transform_are_heeded(here: Path, run: Run) -> None:
    settings = ["--n-fft", "1024", "--win-length", "800", "--hop-length", "200", "--window", "blackman"]
    done(run("decompose", "loop.wav", "-k", "2", *settings, *PLAIN))
    parts = unweave.Decomposition.load("loop-unweave/decomposition.npz")
    assert parts.stft == STFT(1024, 200, 800, "blackman")


def test_the_folder_and_the_names_are_the_users(here: Path, run: Run) -> None:
    template = "{track}/{component:03d} {label}.{ext}"
    done(run("decompose", "loop.wav", "-k", "2", "--out", "a/b/parts", "--format", "flac", "--name", template, *PLAIN))
    assert set(listing(here / "a" / "b" / "parts")) == OWN_FILES | {"loop/000 0.flac", "loop/001 1.flac"}


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3", "aiff", "caf", "rf64"])
def test_every_format_can_be_had(form: str, here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--format", form, *FAST, "--no-pictures"))
    files = {name for name in listing(here / "loop-unweave") if name.endswith(f".{form}")}
    assert files == {f"component-00.{form}", f"component-01.{form}", f"recording.{form}"}
    assert unweave.load(f"loop-unweave/component-01.{form}").n_samples == unweave.load("loop.wav").n_samples


def test_standard_input_is_as_good_as_a_file(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch, loop_bytes: bytes
) -> None:
    done(run("decompose", "loop.wav", "-k", "2", *PLAIN))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(loop_bytes)))
    done(run("decompose", "-", "-k", "2", *PLAIN))
    file, stdin = listing(here / "loop-unweave"), listing(here / "stdin-unweave")
    assert {**file, "manifest.json": ""} == {**stdin, "manifest.json": ""}
    names = manifest_of(here / "loop-unweave")["input"], manifest_of(here / "stdin-unweave")["input"]
    assert names[0]["sha256"] == names[1]["sha256"]
    assert names[1]["name"] == "stdin"


def test_a_pipe_is_as_good_as_a_file(here: Path) -> None:
    command = f'cat loop.wav | "{sys.executable}" -m unweave decompose - -k 2 --no-pictures --no-page --quiet'
    subprocess.run(["sh", "-c", command], check=True, env=environment())
    assert "component-01.wav" in listing(here / "stdin-unweave")


# ---------------------------------------------------------------- gains


@pytest.mark.parametrize("form", [["--format", "flac"], ["--subtype", "PCM_16"]], ids=["flac", "16 bits"])
def test_what_would_clip_gets_one_gain_and_it_is_said(form: list[str], here: Path, run: Run) -> None:
    loud = unweave.load("loop.wav").samples * 4
    unweave.save("loud.wav", unweave.Audio(loud, 22050))
    code, _, said = run("decompose", "loud.wav", "-k", "2", *form, *FAST, "--no-pictures")
    assert code == 0
    assert said.startswith("unweave: all parts were given one gain of 0.")
    assert said.count("\n") == 1
    found = manifest_of(here / "loud-unweave")
    gain = found["settings"]["gain"]
    assert (gain < 1, found["settings"]["gain_asked"]) == (True, 1.0)
    parts = [unweave.load(f"loud-unweave/{part['file']}").samples for part in found["components"]]
    np.testing.assert_allclose(sum(parts), loud * gain, atol=2e-4)
    name = "recording.flac" if "flac" in form else "recording.wav"
    np.testing.assert_allclose(unweave.load(f"loud-unweave/{name}").samples, loud * gain, atol=2e-4)


def test_what_would_not_clip_keeps_its_level(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--format", "flac", "--gain", "0.5", *PLAIN))
    assert manifest_of(here / "loop-unweave")["settings"]["gain"] == 0.5


def test_fit_brings_the_loudest_to_one_decibel_below_full_scale(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--gain", "fit", *FAST, "--no-pictures"))
    found = manifest_of(here / "loop-unweave")
    sounds = [part["file"] for part in found["components"]] + ["recording.wav"]
    loudest = max(unweave.load(f"loop-unweave/{name}").peak for name in sounds)
    assert 20 * np.log10(loudest) == pytest.approx(-1, abs=1e-3)


def test_float_files_may_peak_above_one(here: Path, run: Run) -> None:
    unweave.save("loud.wav", unweave.Audio(unweave.load("loop.wav").samples * 4, 22050))
    done(run("decompose", "loud.wav", "-k", "2", *PLAIN))
    assert max(part["peak"] for part in manifest_of(here / "loud-unweave")["components"]) > 1


# ---------------------------------------------------------------- bases and activations


def test_a_dictionary_is_kept_and_brings_its_settings_and_labels(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", "--n-fft", "1024", *PLAIN))
    learned = unweave.Dictionary.load("loop-unweave/bases.npz")
    unweave.Dictionary(learned.bases, ("kick", "snare", "a/b"), learned.stft, learned.sample_rate).save("drums.npz")
    name = "{label}.{ext}"
    done(run("decompose", "loop.wav", "--bases", "drums.npz", "--keep-bases", "--out", "again", "--name", name, *PLAIN))
    assert set(listing(here / "again")) == OWN_FILES | {"kick.wav", "snare.wav", "a_b.wav"}
    again = unweave.Dictionary.load("again/bases.npz")
    np.testing.assert_array_equal(again.bases, learned.bases)
    assert (again.stft, again.labels) == (learned.stft, ("kick", "snare", "a/b"))
    found = manifest_of(here / "again")["settings"]
    digest = hashlib.sha256((here / "drums.npz").read_bytes()).hexdigest()
    assert found["bases"] == {"name": "drums.npz", "sha256": digest}
    assert found["n_components"] == 3


def test_one_setting_of_a_dictionary_can_be_changed(here: Path, run: Run) -> None:
    unweave.Dictionary(np.ones((513, 2)), (), STFT(1024, 128, 1000), 22050).save("flat.npz")
    done(run("decompose", "loop.wav", "--bases", "flat.npz", "--hop-length", "200", *PLAIN))
    assert unweave.Decomposition.load("loop-unweave/decomposition.npz").stft == STFT(1024, 200, 1000)


def test_a_decomposition_gives_bases_and_activations(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--out", "one", *PLAIN))
    given_ = ["--bases", "one/decomposition.npz", "--activations", "one/decomposition.npz"]
    done(run("decompose", "loop.wav", *given_, "--keep-bases", "--keep-activations", "--out", "two", *PLAIN))
    one, two = (unweave.Decomposition.load(f"{name}/decomposition.npz") for name in ("one", "two"))
    np.testing.assert_array_equal(one.bases, two.bases)
    np.testing.assert_array_equal(one.activations, two.activations)
    assert two.factorization.stop is unweave.Stop.NOTHING_TO_LEARN
    assert listing(here / "one")["component-01.wav"] == listing(here / "two")["component-01.wav"]


def test_plain_matrices_do_as_well(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", "--out", "one", *PLAIN))
    one = unweave.Decomposition.load("one/decomposition.npz")
    np.save("bases.npy", one.bases)
    np.save("activations.npy", one.activations)
    given_ = ["--bases", "bases.npy", "--keep-bases", "--activations", "activations.npy"]
    done(run("decompose", "loop.wav", "-k", "3", *given_, "--out", "two", *PLAIN))
    two = unweave.Decomposition.load("two/decomposition.npz")
    np.testing.assert_array_equal(two.bases[:, :, :2], one.bases)
    assert two.n_components == 3


def test_constraints_are_heeded_and_told(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", "--out", "free", *PLAIN))
    parts = unweave.Dictionary.load("free/bases.npz")
    weights = np.ones((parts.stft.n_bins, parts.stft.n_frames(unweave.load("loop.wav").n_samples)))
    weights[600:] = 0
    np.save("weights.npy", weights)
    strengths = "--l1 0.2 --continuity 0.1 --bases-l1 0.01 --l2 0.01 --group 0.1 --groups a,b,a --weights weights.npy"
    options = [*strengths.split(), "--bases", "free/bases.npz", "--adapt", "30"]
    done(run("decompose", "loop.wav", "-k", "3", "--out", "held", *options, *PLAIN))
    settings = manifest_of(here / "held")["settings"]
    assert (settings["l1"], settings["groups"], settings["adapt"]) == (0.2, "a,b,a", 30)
    assert settings["weights"]["name"] == "weights.npy"
    assert settings["rule"] == "extrapolated"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--groups a,b,c", "groups are given, but group=0"),
        ("--group 0.1 --groups a,b", "penalties.groups has 2 entries for 3 components."),
        ("--l1 -1", "penalties.l1=-1 is not from 0"),
        ("--adapt 10", "--adapt lets given bases go slowly: it needs --bases"),
        ("--rule hals --beta euclidean --taps 4", "'hals' knows no taps: extrapolated and multiplicative do."),
        ("--l1 0.1 --rule joint", "rule joint knows no penalties"),
        ("--weights loop.wav", "loop.wav is neither"),
    ],
)
def test_constraints_that_do_not_fit_are_refused(options: str, words: str, here: Path, run: Run) -> None:
    code, _, err = run("decompose", "loop.wav", "-k", "3", *options.split())
    assert code in (1, 2)
    assert words in err
    assert not (here / "loop-unweave").exists()


def test_bases_may_last_several_frames(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", "--taps", "4", "--envelopes", *FAST))
    parts = unweave.Decomposition.load("loop-unweave/decomposition.npz")
    assert parts.bases.shape[2:] == (3, 4)
    sounds = [unweave.load(f"loop-unweave/component-{k:02d}.wav").samples for k in range(3)]
    true = unweave.load("loop.wav").samples
    assert decibels(true, true - np.sum(sounds, axis=0, dtype=np.float64)) > 110
    assert manifest_of(here / "loop-unweave")["settings"]["taps"] == 4
    again = ["--bases", "loop-unweave/bases.npz", "--keep-bases", "--out", "again"]
    done(run("decompose", "loop.wav", *again, *PLAIN))
    np.testing.assert_array_equal(unweave.Dictionary.load("again/bases.npz").bases, parts.bases)
    sparse = ["--bases", "loop-unweave/bases.npz", "--adapt", "10", "--l1", "0.3", "--out", "sparse"]
    done(run("decompose", "loop.wav", *sparse, *PLAIN))
    levels = unweave.Decomposition.load("sparse/decomposition.npz").activations
    assert np.mean(levels < 0.01 * levels.max()) > np.mean(parts.activations < 0.01 * parts.activations.max())
    settings = manifest_of(here / "sparse")["settings"]
    assert (settings["l1"], settings["adapt"], settings["rule"]) == (0.3, 10, "extrapolated")
    code, _, err = run("decompose", "loop.wav", "-k", "3", "--taps", "0", "--out", "none", *PLAIN)
    assert code
    assert "taps=0 is not a whole number from 1 to 1000" in err
    assert not (here / "none").exists()


# ---------------------------------------------------------------- what was there before


def test_an_earlier_run_is_replaced_only_when_that_is_said(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "3", *PLAIN, "--name", "parts/{component}.{ext}"))
    before = listing(here)
    code, out, said = run("decompose", "loop.wav", "-k", "2", *PLAIN)
    assert (code, out) == (1, "")
    assert "bases.npz is in the way" in said
    assert listing(here) == before
    (here / "loop-unweave" / "diary.txt").write_text("dear diary")
    done(run("decompose", "loop.wav", "-k", "2", *PLAIN, "--overwrite"))
    wanted = OWN_FILES | {"component-00.wav", "component-01.wav", "diary.txt"}
    assert set(listing(here / "loop-unweave")) == wanted
    assert not (here / "loop-unweave" / "parts").exists()


@pytest.mark.parametrize("command", ["decompose", "demo", "filter", "group", "hpss", "sines", "stems", "transients"])
@pytest.mark.parametrize("name", ["kick.wav", "a b.FLAC", "parts.npz", "notes.mid"])
def test_a_folder_is_not_called_as_a_file_is_unless_that_is_said(command: str, name: str, here: Path, run: Run) -> None:
    code, out, err = run(command, "-o", name)
    assert (code, out) == (2, "")
    assert f"'{name}' is named as a file is, but a folder is written" in err
    (here / "old.wav").mkdir()
    for meant in ("old.wav", f"{name}/", "take-1.2"):
        assert "is named as a file" not in run(command, "--out", meant, "--no-such-option")[2]


def test_an_empty_folder_is_filled(here: Path, run: Run) -> None:
    (here / "empty").mkdir()
    done(run("decompose", "loop.wav", "-k", "2", "--out", "empty", *PLAIN))
    assert set(listing(here / "empty")) == OWN_FILES | {"component-00.wav", "component-01.wav"}


def test_a_link_to_a_folder_is_filled_and_stays_a_link(here: Path, run: Run) -> None:
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    done(run("decompose", "loop.wav", "-k", "2", "--out", "link", *PLAIN))
    assert (here / "link").is_symlink()
    assert "manifest.json" in listing(here / "real")


def test_the_copy_of_the_recording_is_not_replaced_while_it_is_taken_apart(here: Path, run: Run) -> None:
    done(run("decompose", "loop.wav", "-k", "2", *FAST, "--no-pictures"))
    before = listing(here)
    arguments = ["-k", "2", "--out", "loop-unweave", "--overwrite"]
    code, _, said = run("decompose", "loop-unweave/recording.wav", *arguments)
    assert code == 1
    assert "read by this command" in said
    assert listing(here) == before


@pytest.mark.parametrize("stage", ["write_manifest", "write_sound", "write_parts"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError()])
def test_a_failure_at_any_stage_leaves_everything_as_it_was(
    stage: str, error: BaseException, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(run("decompose", "loop.wav", "-k", "3", *FAST, "--no-pictures"))
    before = listing(here)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"unweave.cli.work.{stage}", fails)
    arguments = ["decompose", "loop.wav", "-k", "2", *FAST, "--no-pictures"]
    for options in (["--overwrite"], ["--out", "new/folder"]):
        code, out, said = run(*arguments, *options)
        assert code == (130 if isinstance(error, KeyboardInterrupt) else 1)
        assert out == ""
        assert said.count("\n") == 1
        assert listing(here) == before
        assert not (here / "new").exists()


def test_a_parent_that_another_job_makes_at_the_same_time_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, mkdir = tmp_path / "parts", Path.mkdir

    def late(self: Path, *args: Any, **options: Any) -> None:
        if self == shared and not shared.exists():
            mkdir(self)  # the other job was a little quicker
        mkdir(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", late)
    with OutputFolder(shared / "kick") as folder:
        (folder.path / "manifest.json").write_text("{}")
        folder.commit()
    assert listing(tmp_path).keys() >= {"parts/kick/manifest.json"}


@pytest.mark.parametrize("fails_at", range(1, 12))
def test_a_failure_while_files_are_moved_into_their_place_is_undone(
    fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    for name in ("a/1", "a/2", "b"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(f"old {name}")
    listed = [{"file": name} for name in ("a/1", "a/2", "b")]
    (target / "manifest.json").write_text(json.dumps({"format": output.MANIFEST_FORMAT, "files": listed}))
    before = listing(tmp_path)
    rename, count = Path.rename, 0

    def sometimes(self: Path, other: Path) -> Path:
        nonlocal count
        count += 1
        if count == fails_at:
            raise OSError(5, "Input/output error")
        return rename(self, other)

    folder = OutputFolder(target, overwrite=True)
    folder.check()
    monkeypatch.setattr(Path, "rename", sometimes)
    try:
        with folder:
            for name in ("b", "c/1", "manifest.json"):
                (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
                (folder.path / name).write_text(f"new {name}")
            folder.commit()
    except OSError:
        assert listing(tmp_path) == before
    else:
        assert fails_at > 7
        assert set(listing(target)) == {"b", "c/1", "manifest.json"}
        assert (target / "b").read_text() == "new b"
    assert list(target.rglob(".unweave-*")) == []


def test_a_manifest_cannot_have_files_outside_of_its_folder_removed(here: Path, run: Run) -> None:
    (here / "out").mkdir()
    (here / "linked").mkdir()
    (here / "linked" / "photo").write_text("photo")
    (here / "out" / "link").symlink_to(here / "linked")
    names = ["../loop.wav", str(here / "loop.wav"), "link/photo", "", "no\0", 7, "."]
    bad = {"format": output.MANIFEST_FORMAT, "files": [{"file": name} for name in names]}
    (here / "out" / "manifest.json").write_text(json.dumps(bad))
    done(run("decompose", "loop.wav", "-k", "1", "--out", "out", "--overwrite", *PLAIN))
    assert (here / "loop.wav").exists()
    assert (here / "linked" / "photo").exists()


def test_a_target_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    folder.check()

    def late() -> None:
        with folder:
            (folder.path / "a").write_text("ours")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "a").write_text("theirs")
            folder.commit()

    with pytest.raises(WriteError, match="meanwhile"):
        late()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "theirs"


# ---------------------------------------------------------------- signals


def _start(here: Path, *arguments: str) -> subprocess.Popen[str]:
    long = ["--restarts", "1000", "--tol", "0", "--max-iter", "100000", "--no-pictures"]
    return subprocess.Popen(
        [sys.executable, "-m", "unweave", "decompose", "loop.wav", "-k", "4", *long, *arguments],
        cwd=here,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for_work(folder: Path) -> None:
    for _ in range(400):
        if list(folder.glob(".unweave-*")):
            return
        time.sleep(0.05)
    pytest.fail("the work never began")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("out", ["deep/down/new", "old"])
def test_who_is_interrupted_leaves_nothing(signum: signal.Signals, out: str, here: Path) -> None:
    (here / "old").mkdir()
    (here / "old" / "diary.txt").write_text("dear diary")
    before = listing(here)
    process = _start(here, "--out", out, "--overwrite")
    _wait_for_work(here / Path(out).parent if out != "old" else here / "old")
    time.sleep(0.2)
    process.send_signal(signum)
    told, said = process.communicate(timeout=20)
    assert (process.returncode, told) == (128 + signum, "")
    assert said == "unweave: stopped; nothing was written.\n"
    assert listing(here) == before
    assert sorted(path.name for path in here.iterdir()) == ["loop.wav", "old"]


def test_signals_wait_while_they_are_held() -> None:
    seen = []

    def work() -> None:
        with held_signals():
            signal.raise_signal(signal.SIGINT)
            seen.append("went on")
        seen.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == ["went on"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_polite_signals_are_exceptions_and_then_themselves_again() -> None:
    with pytest.raises(Interrupted), raised_signals():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# ---------------------------------------------------------------- what is printed


def test_json_is_the_manifest_and_nothing_else(here: Path, run: Run) -> None:
    out = done(run("decompose", "loop.wav", "-k", "2", "--json", *PLAIN))
    assert json.loads(out) == manifest_of(here / "loop-unweave")


def test_quiet_says_nothing(here: Path, run: Run) -> None:
    assert done(run("decompose", "loop.wav", "-k", "2", "--quiet", *PLAIN)) == ""
    assert json.loads(done(run("decompose", "loop.wav", "-k", "2", "--quiet", "--json", "--overwrite", *PLAIN)))


def test_the_table_has_a_row_a_part(here: Path, run: Run) -> None:
    unweave.save("silence.wav", unweave.Audio(np.zeros((1, 4410), np.float32), 22050))
    lines = done(run("decompose", "silence.wav", "-k", "2", *PLAIN)).splitlines()
    assert lines[0].split() == ["component", "file", "level", "dB", "centroid", "Hz", "share", "%"]
    assert re.fullmatch(r"0 +component-00\.wav +silent +\d+", lines[1])
    assert lines[-1] == "The parts are in silence-unweave."


def test_a_terminal_that_knows_only_ascii_is_enough(here: Path) -> None:
    (here / "loop.wav").rename(here / "日本.wav")
    for arguments in (["日本.wav", "-k", "1"], ["日本.wav", "-k", "1", "--overwrite", "--json"], ["日.wav", "-k", "1"]):
        result = subprocess.run(
            [sys.executable, "-m", "unweave", "decompose", *arguments, *PLAIN],
            cwd=here,
            env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="1"),
            capture_output=True,
            check=False,
        )
        assert result.returncode == (1 if "日.wav" in arguments else 0), result.stderr
        assert b"Traceback" not in result.stderr
        assert (result.stdout + result.stderr).isascii()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_stdout_that_is_full_is_named(here: Path) -> None:
    result = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m unweave decompose loop.wav -k 1 {" ".join(PLAIN)} > /dev/full'],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == "unweave: standard output cannot be written: No space left on device.\n"


def test_there_is_no_progress_where_nobody_looks(here: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "unweave", "decompose", "loop.wav", "-k", "1", *PLAIN],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_there_is_progress_on_a_terminal_and_it_goes_away(here: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    arguments = ["decompose", "loop.wav", "-k", "2", "--tol", "0", "--max-iter", "3000", "--no-pictures", "--no-page"]
    result = subprocess.run(
        [sys.executable, "-m", "unweave", *arguments], cwd=here, env=environment(), stderr=theirs, capture_output=False,
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break
        if not more:
            break
        said += more
    os.close(ours)
    text = said.decode("ascii")
    assert "iterations" in text
    assert re.search(r"\d+ %, \d+ s left", text)
    assert re.search(r"\r +\r$", text)
    assert "\r" not in result.stdout


def test_the_line_of_progress_is_wiped_out() -> None:
    stream = io.StringIO()
    line = Line(stream)
    line.stage("reading")
    line.at(0.5)
    line.close()
    line.close()
    assert stream.getvalue() == "\rreading ...\r" + " " * 11 + "\r"


def test_times_left_are_said_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.2, 59, 61, 3725)] == ["0 s", "59 s", "1 min 01 s", "1 h 02 min"]


def test_many_parts_need_few_files_at_a_time(here: Path) -> None:
    resource = pytest.importorskip("resource")

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    subprocess.run(
        [sys.executable, "-m", "unweave", "decompose", "loop.wav", "-k", "70", "--quiet", *PLAIN],
        cwd=here,
        env=environment(),
        preexec_fn=few_files,
        check=True,
    )
    assert len(listing(here / "loop-unweave")) == 73


# ---------------------------------------------------------------- help


COMMANDS = [[], ["decompose"], ["demo"], ["doctor"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "unweave")
def test_every_command_has_help(command: list[str], run: Run) -> None:
    text = done(run(*command, "--help"))
    assert text == done(run(*command, "-h"))
    if command != ["doctor"]:
        assert f"Examples:\n    unweave {' '.join(command)}" in text


def test_the_help_of_all_commands_is_that_of_each() -> None:
    context = click.Context(cli.commands)
    for name in cli.commands.list_commands(context):
        command = cli.commands.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_the_defaults_are_those_of_the_library(run: Run) -> None:
    command = cli.commands.get_command(click.Context(cli.commands), "decompose")
    assert command is not None
    options = {option.name: option for option in command.params}
    library = inspect.signature(unweave.decompose).parameters
    ours = {"n_components": None, "rule": "auto", "rng": 0}
    names = {"init": "start", "seed": "rng", "sort": "order"}
    for option in ("beta", "init", "restarts", "max_iter", "tol", "seed", "sort", "power", "bases", "activations"):
        name = names.get(option, option)
        assert options[option].default == ours.get(name, library[name].default), option
    text = " ".join(done(run("decompose", "--help")).split())
    for option in ("restarts", "max_iter", "tol", "power", "beta", "init", "sort"):
        assert f"[default: {library[names.get(option, option)].default}]" in text
    assert f"[default: ({STFT().n_fft}, or that of --bases)]" in text
    assert f"[default: ({STFT().window})]" in text


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    code, out, said = run("unmix")
    assert (code, out) == (2, "")
    assert said.startswith("unweave: No such command 'unmix'")
    assert said.count("\n") == 1


def test_a_file_that_begins_as_an_option_does_is_known_as_a_file(here: Path, run: Run) -> None:
    (here / "loop.wav").rename(here / "-loop.wav")
    sentence = refused(run("decompose", "-loop.wav", "-k", "2"), 2)
    assert "-loop.wav begins as an option does: say ./-loop.wav for the file." in sentence
    assert run("info", "./-loop.wav")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "decompose loop.wav -k 2 -o -",
            "'-' is standard output, but a folder is written: name it",
        ),
        ("transcribe loop.wav --as drums -o -", "'-' is standard output, but a folder is written"),
        ("stft loop.wav -o -", "'-' is standard output, but a file is written"),
        ("match loop.wav --bases kit.npz --wav -", "'-' is standard output, but a file is written"),
        (
            "match loop.wav --bases kit.npz --wav a.flac",
            "--wav=a.flac would hold a wav all the same",
        ),
        ("info -", "- is standard input, which can be read once only: name a file"),
        ("learn - -o kit.npz", "- is standard input, which can be read once only"),
        ("hpss loop.wav --sample-rate 1e300", "--sample-rate=1e+300 is more than 4294967295 Hz"),
        ("match loop.wav --bases kit.npz --sample-rate 1e300", "--sample-rate=1e+300 is more than 4294967295 Hz"),
        ("batch . hpss -o out", "-o stands before the command, as in: unweave batch FOLDER -o DIR COMMAND"),
        ("batch --memory nan -o out . hpss", "--memory=nan is not a number of gigabytes"),
        ("batch --memory 1e300 -o out . hpss", "--memory=1e+300 is not a number of gigabytes"),
        ("dictionary kit.npz --sample-rate 8000 -o b.npz", "--sample-rate is for .npy and .csv"),
    ],
)
def test_what_a_new_user_tries_is_answered(words: str, sentence: str, here: Path, run: Run) -> None:
    unweave.Dictionary(np.ones((5, 2)), (), unweave.STFT(8), 22050).save(here / "kit.npz")
    before = names(here)
    assert sentence in refused(run(*words.split()), 2)
    assert names(here) == before


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    code, out, said = run()
    assert (code, out) == (2, "")
    assert said.startswith("Usage: unweave [OPTIONS] COMMAND")


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert done(run("--version")) == f"unweave {unweave.__version__}\n"


# ---------------------------------------------------------------- doctor and demo


def test_the_doctor_says_what_is_there(run: Run) -> None:
    text = done(run("doctor"))
    for word in ("unweave", unweave.__version__, "numpy", "libsndfile", "threads", "BLAS", "flac"):
        assert word in text


def test_the_doctor_speaks_json(run: Run) -> None:
    found = json.loads(done(run("doctor", "--json")))
    assert found["unweave"] == unweave.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert set(found["formats"].values()) == {True}
    assert found["libsndfile"]
    assert found["threads"] >= 1


def test_the_demo_reaches_its_score_twice(here: Path, run: Run) -> None:
    (here / "loop.wav").unlink()
    first = done(run("demo", "--out", "a/demo"))
    folder = here / "a" / "demo"
    assert {"loop.wav", "true-parts/kick.wav", "loop-unweave/index.html"} <= set(listing(folder))
    scores = [float(score) for score in re.findall(r"component-\d\d\.wav +(-?[\d.]+) dB", first)]
    assert len(scores) == 3
    assert min(scores) >= 10
    assert "open a/demo/loop-unweave/index.html" in first
    before = listing(here)
    assert done(run("demo", "--out", "a/demo")) == first
    assert listing(here) == before


def test_the_demo_fails_below_its_score(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def short() -> dict[str, unweave.Audio]:
        return drum_loop(n_bars=1, sample_rate=16000)

    monkeypatch.setattr("unweave.cli.demo.drum_loop", short)
    monkeypatch.setattr("unweave.cli.demo.PASS_DB", 200.0)
    code, out, _ = run("demo")
    assert code == 1
    assert "SI-SDR" in out


def test_the_demo_leaves_other_peoples_folders_alone(here: Path, run: Run) -> None:
    (here / "unweave-demo").mkdir()
    (here / "unweave-demo" / "loop.wav").write_text("mine")
    before = listing(here)
    code, _, said = run("demo")
    assert code == 1
    assert "no demo has written" in said
    assert listing(here) == before


# ---------------------------------------------------------------- names


def test_names_are_filled_in() -> None:
    names = part_names("{track}/{component:02d}-{label}.{ext}", "a b", ["kick", "0"], "wav", residual=True)
    assert names == ["a b/00-kick.wav", "a b/01-0.wav", "a b/residual.wav"]


@pytest.mark.parametrize(
    ("template", "labels", "words"),
    [
        ("{label}.wav", ["a", "A"], "the same name"),
        ("{label}", ["a", ".."], "leads out"),
        ("{label}", ["residual.wav", "b"], "the same name"),
        ("{label}.wav", ["index.html", "manifest"], "the program's own"),
        ("{label}", ["a", "."], "names no file"),
        ("{label}{component}", ["", "x" * 300], "255 are the most"),
        ("{{}}", ["a", "b"], "the same name"),
        ("{0}.wav", ["a"], "has a field {0}"),
        ("{}.wav", ["a"], "has a field {}"),
        ("{component!r}.wav", ["a"], "no format"),
        ("{component:{ext}}.wav", ["a"], "no format"),
        (".unweave-x/{component}", ["a"], "the program's own"),
    ],
)
def test_names_that_cannot_be_are_refused(template: str, labels: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)):
        part_names(template, "track", labels, "wav", residual=True)


PIECES = st.sampled_from([*"ab/.{}:02d", "{track}", "{component}", "{label}", "{ext}", ".."])


@given(
    template=st.lists(PIECES, max_size=8).map("".join),
    track=st.text(max_size=5),
    labels=st.lists(st.text(max_size=4), min_size=1, max_size=3),
)
def test_every_name_stays_in_the_folder(template: str, track: str, labels: list[str]) -> None:
    try:
        names = part_names(template, track, labels, "wav")
    except InvalidInput:
        return
    root = Path("/root/of/all")
    for name in names:
        assert root in Path(os.path.normpath(root / name)).parents
    assert len({name.casefold() for name in names}) == len(names)
