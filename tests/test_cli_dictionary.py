"""The commands around dictionaries: `seed`, `learn`, `dictionary`, `info`."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run, done, refused
from unweave.audio import Audio
from unweave.cli.names import part_names
from unweave.dictionary import Dictionary
from unweave.framing import STFT
from unweave.interchange import read_dictionary
from unweave.seeds import Seeds, seed
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

SMALL = STFT(512)
DRUMS = ("kick", "snare", "hihat")
PLAIN = ("--no-pictures", "--no-page", "--restarts", "1", "--max-iter", "5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a drum loop, its parts, a folder of hi-hats, and a kit."""
    place = tmp_path_factory.mktemp("drums")
    loop = drum_loop(n_bars=1, sample_rate=22050)
    for name, sound in loop.items():
        unweave.save(place / f"{name}.wav", sound)
    (place / "hats").mkdir()
    unweave.save(place / "hats" / "a.wav", loop["hihat"])
    unweave.save(place / "hats" / "b.flac", loop["hihat"])
    (place / "hats" / "notes.txt").write_text("no sound")
    (place / "empty").mkdir()
    spectra = np.random.default_rng(0).random((257, 4)).astype(np.float32)
    Dictionary(spectra, ("kick", "snare", "snare", "hihat"), SMALL, 22050).save(place / "kit.npz")
    return place


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


# ---------------------------------------------------------------- seed


@pytest.mark.usefixtures("here")
def test_seed_says_how_many_and_writes_nothing_unless_asked(run: Run, tmp_path: Path) -> None:
    found = seed(unweave.load("mix.wav"))
    lines = done(run("seed", "mix.wav")).splitlines()
    assert lines[0] == found.sentence
    assert lines[1].split() == "share of the singular values of the energy".split()  # noqa: SIM905
    assert lines[2].split() == ["50", "%", str(found.n_components), str(found.needed(0.5, "energy"))]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_seeds_are_the_library_s_and_a_start_for_decompose(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "seeds.npz"
    done(run("seed", "mix.wav", "--n-fft", 512, "--coverage", 0.9, "--count", "energy", "-o", out))
    found, expected = Seeds.load(out), seed("mix.wav", stft=SMALL, coverage=0.9, count="energy")
    np.testing.assert_array_equal(found.dictionary.bases, expected.dictionary.bases)
    np.testing.assert_array_equal(found.activations, expected.activations)
    parts = tmp_path / "parts"
    done(run("decompose", "mix.wav", "--bases", out, "--activations", out, "--out", parts, "--quiet", *PLAIN))
    assert len(list(parts.glob("component-*.wav"))) == expected.n_components


@pytest.mark.usefixtures("here")
def test_seed_takes_a_part_another_rate_and_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(done(run("seed", "mix.wav", "--start", 1, "--duration", 0.5, "--sample-rate", 8000, "--json")))
    part = unweave.load("mix.wav", start=1, duration=0.5, sample_rate=8000)
    assert told["sentence"] == seed(part).sentence
    assert (told["sample_rate"], told["n_components"]) == (8000, len(told["bases"]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("mix.wav").read_bytes())))
    assert json.loads(done(run("seed", "-", "--json", "--threads", 1))) == json.loads(
        done(run("seed", "mix.wav", "--json"))
    )


@pytest.mark.usefixtures("here")
def test_seed_of_silence_says_so(run: Run, tmp_path: Path) -> None:
    unweave.save(tmp_path / "silent.wav", Audio(np.zeros(8000), 8000))
    assert done(run("seed", tmp_path / "silent.wav")) == "1 component: the recording is silent.\n"
    assert json.loads(done(run("seed", tmp_path / "silent.wav", "--json")))["needed"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("seed", "absent.wav"), 1, "absent.wav does not exist"),
        (("seed", "hats"), 1, "hats is a folder"),
        (("seed", "mix.wav", "--coverage", "2"), 2, "--coverage=2.0 is not a share from 0 to 1"),
        (
            ("seed", "mix.wav", "--min-components", "3", "--max-components", "2"),
            2,
            "--min-components=3 is more than --max-components=2",
        ),
        (("seed", "mix.wav", "--seed", "-1"), 2, "--seed=-1 is not a whole number"),
        (("seed", "mix.wav", "--duration", "0"), 2, "--duration=0 takes nothing"),
        (("seed", "mix.wav", "-o", "seeds.npy"), 2, "seeds.npy does not end in .npz"),
        (("seed", "mix.wav", "-o", "kit.npz"), 1, "kit.npz is there already: choose another --out, or say --overwr"),
        (("seed", "mix.wav", "-o", "absent/s.npz"), 1, "there is no folder absent"),
        (("learn", "kick.wav"), 2, "Missing option"),
        (("learn", "kick.wav", "-o", "kick.txt"), 2, "ends in none of .npz, .safetensors, .npy, .csv"),
        (("learn", "kick.wav", "-o", "hats.npz", "--labels", "a,b"), 2, "--labels names 2 labels for 1 files"),
        (("learn", "kick.wav", "-o", "hats.npz", "--labels", ""), 2, "--labels has an empty name"),
        (("learn", "kick.wav", "-o", "a.npz", "-k", "x"), 2, "-k x is neither a number of bases nor NAME=NUMBER"),
        (("learn", "kick.wav", "-o", "a.npz", "-k", "b=1"), 2, "-k b=1 names 'b', which is not among kick"),
        (("learn", "kick.wav", "-o", "a.npz", "-k", "0"), 2, "n_bases=0 is not a whole number"),
        (("learn", "empty", "-o", "a.npz"), 1, "empty is a folder without sound files"),
        (("learn", "absent.wav", "-o", "a.npz"), 1, "absent.wav does not exist"),
        (("learn", "kick.wav", "-o", "hats"), 2, "ends in none of"),
        (("dictionary", "kit.npz", "-o", "kit.npz", "--overwrite"), 1, "kit.npz is read by this command"),
        (("dictionary", "kit.npz", "-o", "a.npz", "--select", "tom"), 2, "label 'tom' is not among kick, snare"),
        (("dictionary", "kit.npz", "-o", "a.npz", "--relabel", "kick"), 2, "--relabel kick is not of the form OLD=NEW"),
        (("dictionary", "kit.npz", "-o", "a.npz", "--join", "9=x"), 2, "base 9: there are 4"),
        (("dictionary", "kick.wav", "-o", "a.npz"), 1, "kick.wav is not a dictionary of unweave"),
        (("info", "absent"), 1, "absent cannot be read: No such file"),
        (("info", "hats"), 1, "hats is a folder without a manifest of unweave"),
        (("info", "hats/notes.txt"), 1, "hats/notes.txt"),
        (("info",), 2, "Missing argument"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    before = sorted(Path().rglob("*"))
    assert words in refused(run(*arguments), code)
    assert sorted(Path().rglob("*")) == before


# ---------------------------------------------------------------- learn


@pytest.mark.usefixtures("here")
def test_learn_makes_the_library_s_dictionary_under_the_names_of_the_files(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "kit.npz"
    told = done(run("learn", "kick.wav", "hats", "-o", out, "--n-fft", 512, "--max-iter", 3))
    found = Dictionary.load(out)
    expected = learn_examples({"kick": "kick.wav", "hats": ["hats/a.wav", "hats/b.flac"]}, stft=SMALL, max_iter=3)
    np.testing.assert_array_equal(found.bases, expected.bases)
    assert (found.labels, found.stft) == (("kick", "hats"), SMALL)
    assert told.splitlines()[0] == f"{out}: a dictionary"


@pytest.mark.usefixtures("here")
def test_labels_gather_files_and_counts_go_by_label(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "kit.npz"
    files = ("kick.wav", "snare.wav", "hats/a.wav", "hats/b.flac")
    options = ("--labels", "kick,drum,hat,hat", "-k", 1, "-k", "hat=2", "--n-fft", 256, "--max-iter", 2)
    told = json.loads(done(run("learn", *files, *options, "-o", out, "--json")))
    assert [row["label"] for row in told["bases"]] == ["kick", "drum", "hat", "hat"]
    assert Dictionary.load(out).labels == ("kick", "drum", "hat", "hat")


@pytest.mark.usefixtures("here")
def test_examples_of_several_rates_need_one(run: Run, tmp_path: Path) -> None:
    unweave.save(tmp_path / "low.wav", unweave.load("snare.wav", sample_rate=8000))
    files, out = ("kick.wav", str(tmp_path / "low.wav")), tmp_path / "kit.npz"
    assert "has 8000 Hz, but kick.wav has 22050 Hz" in refused(run("learn", *files, "-o", out), 2)
    done(run("learn", *files, "-o", out, "--sample-rate", 8000, "--n-fft", 256, "--max-iter", 2, "--quiet"))
    assert Dictionary.load(out).sample_rate == 8000


@pytest.mark.usefixtures("here")
def test_parts_of_one_label_have_files_of_their_own(run: Run, tmp_path: Path) -> None:
    arguments = ("decompose", "mix.wav", "--bases", "kit.npz", "--keep-bases", "--quiet", *PLAIN)
    done(run(*arguments, "--out", tmp_path / "a", "--name", "{label}.{ext}"))
    names = {path.name for path in (tmp_path / "a").glob("*.wav")}
    assert names == {"kick.wav", "snare-1.wav", "snare-2.wav", "hihat.wav"}
    done(run(*arguments, "--out", tmp_path / "b"))
    assert len(list((tmp_path / "b").glob("component-*.wav"))) == 4


def test_counted_labels_never_cover_each_other_up() -> None:
    assert part_names("{label}.wav", "t", ["a", "b", "a"], "wav") == ["a-1.wav", "b.wav", "a-2.wav"]
    with pytest.raises(unweave.InvalidInput, match="the same name"):
        part_names("{label}.wav", "t", ["a", "a-1", "a"], "wav")


# ---------------------------------------------------------------- dictionary


@pytest.mark.usefixtures("here")
def test_dictionary_does_what_is_asked_for_in_the_order_of_the_help(run: Run, tmp_path: Path) -> None:
    out, kit = tmp_path / "out.npz", Dictionary.load("kit.npz")
    done(
        run(
            *("dictionary", "kit.npz", "kit.npz", "-o", out, "--drop", "3,6", "--relabel", "snare=clap"),
            *("--relabel", "3=boom", "--join", "1,2=claps", "--order", "boom", "--normalize", "max"),
        )
    )
    found = Dictionary.load(out)
    assert found.labels == ("boom", "kick", "claps", "clap", "hihat")
    merged = Dictionary.merge(kit, kit).normalize("max")
    np.testing.assert_allclose(found.bases[:, :, 0], merged.bases[:, :, 0])
    np.testing.assert_allclose(found.bases.max(axis=(0, 1)), 1)


@pytest.mark.usefixtures("here")
def test_dictionary_selects_and_orders_low_to_high(run: Run, tmp_path: Path) -> None:
    out, kit = tmp_path / "out.npz", Dictionary.load("kit.npz")
    done(run("dictionary", "kit.npz", "-o", out, "--select", "hihat,0"))
    np.testing.assert_array_equal(Dictionary.load(out).bases, kit.bases[:, :, [3, 0]])
    told = json.loads(
        done(run("dictionary", "kit.npz", "-o", out, "--overwrite", "--order", "centroid", "--json", "--quiet"))
    )
    assert Dictionary.load(out).labels == kit.reorder("centroid").labels
    assert [row["label"] for row in told["bases"]] == list(kit.reorder("centroid").labels)


@pytest.mark.usefixtures("here")
def test_dictionaries_go_to_tables_and_come_back(run: Run, tmp_path: Path) -> None:
    table, back = tmp_path / "kit.csv", tmp_path / "back.npz"
    assert done(run("dictionary", "kit.npz", "-o", table, "--quiet")) == ""
    assert "does not say its rate: say --sample-rate" in refused(run("dictionary", table, "-o", back), 2)
    done(run("dictionary", table, "-o", back, "--sample-rate", 22050))
    kit = Dictionary.load("kit.npz")
    np.testing.assert_array_equal(Dictionary.load(back).bases, kit.bases)
    np.testing.assert_array_equal(read_dictionary(table, sample_rate=22050).bases, kit.bases)


@pytest.mark.usefixtures("here")
def test_dictionaries_go_to_safetensors_and_come_back_whole(run: Run, tmp_path: Path) -> None:
    tensors, back = tmp_path / "kit.safetensors", tmp_path / "back.npz"
    done(run("dictionary", "kit.npz", "-o", tensors, "--quiet"))
    done(run("dictionary", tensors, "-o", back))
    assert back.read_bytes() == Path("kit.npz").read_bytes()


@pytest.mark.usefixtures("here")
def test_dictionaries_that_do_not_fit_together_are_refused(run: Run, tmp_path: Path) -> None:
    Dictionary(np.ones((1025, 1)), (), STFT(), 22050).save(tmp_path / "long.npz")
    words = refused(run("dictionary", "kit.npz", tmp_path / "long.npz", "-o", tmp_path / "a.npz"), 2)
    assert "their --n-fft is 512 and 2048" in words
    assert not (tmp_path / "a.npz").exists()


# ---------------------------------------------------------------- info


@pytest.mark.usefixtures("here")
def test_info_knows_every_kind_of_file(run: Run, tmp_path: Path) -> None:
    seed("mix.wav", stft=SMALL).save(tmp_path / "seeds.npz")
    np.save(tmp_path / "matrix.npy", np.arange(6.0).reshape(2, 3))
    parts = tmp_path / "parts"
    done(run("decompose", "mix.wav", "-k", 2, "--out", parts, "--quiet", *PLAIN))
    names = ["mix.wav", "kit.npz", tmp_path / "seeds.npz", parts / "decomposition.npz", tmp_path / "matrix.npy", parts]
    found = json.loads(done(run("info", *names, "--json")))
    assert [each["file"] for each in found] == [str(name) for name in names]
    sound, kit, seeds, decomposition, matrix, folder = found
    kinds = ["sound", "dictionary", "seeds", "decomposition", "matrix", "folder"]
    assert [each["kind"] for each in found] == kinds
    audio = unweave.load("mix.wav")
    assert (sound["n_samples"], sound["sample_rate"], sound["n_channels"]) == (audio.n_samples, 22050, 1)
    assert sound["peak_db"] == pytest.approx(20 * np.log10(audio.peak))
    assert sound["level_db"] == pytest.approx(10 * np.log10(np.mean(audio.samples.astype(float) ** 2)))
    assert [row["label"] for row in kit["bases"]] == ["kick", "snare", "snare", "hihat"]
    assert seeds["n_components"] == len(seeds["bases"])
    assert (decomposition["n_components"], decomposition["n_iter"]) == (2, 5)
    assert decomposition["duration"] == pytest.approx(audio.duration)
    assert (matrix["shape"], matrix["greatest"]) == ([2, 3], 5)
    assert [row["file"] for row in folder["parts"]] == ["component-00.wav", "component-01.wav"]
    for name, each in zip(names, found, strict=True):
        told = done(run("info", name))
        assert told.startswith(f"{name}: ")
        assert len(told.splitlines()) > 3 or each["kind"] == "matrix"


def test_info_tells_silence_and_emptiness(run: Run, tmp_path: Path) -> None:
    for name, n_samples in (("silent", 100), ("empty", 0)):
        unweave.save(tmp_path / f"{name}.wav", Audio(np.zeros((2, n_samples)), 8000))
        told = done(run("info", tmp_path / f"{name}.wav"))
        assert "silent" in told.splitlines()[-1]
        assert "channels        2" in told


def test_info_refuses_archives_of_others(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", W=np.ones(3))
    assert "holds arrays, but is no file of unweave" in refused(run("info", tmp_path / "other.npz"), 1)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04rubbish")
    assert "broken.npz is not" in refused(run("info", tmp_path / "broken.npz"), 1)
    (tmp_path / "manifest.json").write_text('{"format": "unweave manifest"}')
    assert "lacks 'files'" in refused(run("info", tmp_path), 1)
