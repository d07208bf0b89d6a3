"""Dictionaries as bare matrices."""

import json

import numpy as np
import pytest

import unweave
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, ReadError, WriteError
from unweave.framing import STFT
from unweave.interchange import (
    read_activations,
    read_decomposition,
    read_dictionary,
    write_activations,
    write_decomposition,
    write_dictionary,
)
from unweave.npz import read_npz
from unweave.safetensors import read_safetensors, write_safetensors
from unweave.synthesis import drum_loop

SMALL = STFT(8, 2)


def bases(*shape):
    return np.random.default_rng(1).random(shape).astype(np.float32)


@pytest.mark.parametrize("extension", [".npz", ".safetensors", ".npy", ".csv", ".CSV"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_bases_come_back_to_the_bit(tmp_path, extension, n_channels):
    kit = Dictionary(bases(n_channels, 5, 3), ("kick", 'a "b", c', "60"), SMALL, 8000)
    path = tmp_path / f"kit{extension}"
    write_dictionary(path, kit)
    whole = extension in (".npz", ".safetensors")
    back = read_dictionary(path, **({} if whole else {"stft": SMALL, "sample_rate": 8000}))
    np.testing.assert_array_equal(back.bases, kit.bases)
    assert back.labels == (("0", "1", "2") if extension == ".npy" else kit.labels)
    assert (back.stft, back.sample_rate) == (SMALL, 8000)
    assert list(tmp_path.iterdir()) == [path]


def test_labels_that_are_numbers_are_told_from_numbers(tmp_path):
    write_dictionary(tmp_path / "kit.csv", Dictionary(bases(5, 2), ("60", "62"), SMALL, 8000))
    assert read_dictionary(tmp_path / "kit.csv", sample_rate=8000).labels == ("60", "62")
    assert (tmp_path / "kit.csv").read_text().splitlines()[0] == '"60","62"'


def test_a_table_of_another_program_needs_no_names(tmp_path):
    path = tmp_path / "bases.csv"
    path.write_text("1,0\n.5,2\n0,1e-3\n\n")
    found = read_dictionary(path, sample_rate=44100)
    assert (found.labels, found.stft) == (("0", "1"), STFT(4))
    np.testing.assert_array_equal(found.bases[0], np.float32([[1, 0], [0.5, 2], [0, 1e-3]]))
    assert read_dictionary(path, sample_rate=44100, labels=("a", "b")).labels == ("a", "b")


def test_taps_are_kept_by_npy_and_do_not_fit_into_a_table(tmp_path):
    kit = Dictionary(bases(1, 5, 2, 3), (), SMALL, 8000)
    write_dictionary(tmp_path / "kit.npz", kit)
    np.testing.assert_array_equal(read_dictionary(tmp_path / "kit.npz").bases, kit.bases)
    two = Dictionary(bases(2, 5, 2, 3), (), SMALL, 8000)
    write_dictionary(tmp_path / "kit.npy", two)
    np.testing.assert_array_equal(read_dictionary(tmp_path / "kit.npy", sample_rate=8000).bases, two.bases)
    with pytest.raises(InvalidInput, match=r"bases of 3 taps do not fit into a table: write \.npz or \.npy"):
        write_dictionary(tmp_path / "kit.csv", kit)


def test_what_cannot_be_written_is_refused(tmp_path):
    kit = Dictionary(bases(5, 2), (), SMALL, 8000)
    with pytest.raises(InvalidInput, match=r"kit\.txt ends in none of \.npz, \.safetensors, \.npy, \.csv"):
        write_dictionary(tmp_path / "kit.txt", kit)
    with pytest.raises(WriteError, match="cannot be written: No such file"):
        write_dictionary(tmp_path / "absent" / "kit.csv", kit)


@pytest.mark.parametrize(
    ("name", "content", "options", "error"),
    [
        ("a.csv", b"", {"sample_rate": 8000}, (ReadError, "not a table of numbers")),
        ("a.csv", b"1,2\n3\n", {"sample_rate": 8000}, (ReadError, "as many in each row")),
        ("a.csv", b"a,b\n1,x\n", {"sample_rate": 8000}, (ReadError, "not a table of numbers")),
        ("a.csv", b"\xff\xfe", {"sample_rate": 8000}, (ReadError, "is not a table")),
        ("a.csv", b"1\n2\n3\n", {}, (InvalidInput, "does not say its rate: pass sample_rate=")),
        ("a.csv", b"1\n-2\n3\n", {"sample_rate": 8000}, (InvalidInput, "finite and not negative")),
        ("a.csv", b"1\n2\n3\n", {"sample_rate": 8000, "stft": STFT(8)}, (Incompatible, "3 rows, but n_fft=8 makes 5")),
        ("a.npy", b"", {"sample_rate": 8000}, (ReadError, "not a matrix that NumPy can read")),
        ("a.npz", b"", {"sample_rate": 8000}, (InvalidInput, "a dictionary brings its own")),
        ("a.wav", b"", {}, (InvalidInput, "ends in none of")),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content, options, error):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error[0], match=error[1]):
        read_dictionary(tmp_path / name, **options)


def test_files_that_are_not_there_or_hold_something_else_are_refused(tmp_path):
    for name in ("absent.csv", "absent.npy"):
        with pytest.raises(ReadError, match="cannot be read: No such file"):
            read_dictionary(tmp_path / name, sample_rate=8000)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ReadError, match="holds no bases"):
        read_dictionary(tmp_path / "one.npy", sample_rate=8000)


# ---------------------------------------------------------------- decompositions and safetensors


@pytest.fixture(scope="module")
def parts():
    loop = drum_loop(1, sample_rate=8000, stereo=True)["mix"]
    return unweave.decompose(loop, 2, stft=STFT(256), restarts=1, max_iter=5, order="none")


@pytest.mark.parametrize("extension", [".npz", ".safetensors"])
def test_a_decomposition_comes_back_to_the_bit(tmp_path, parts, extension):
    path = tmp_path / f"parts{extension}"
    write_decomposition(path, parts)
    back = read_decomposition(path)
    for name in ("bases", "activations", "divergences", "frequencies"):
        np.testing.assert_array_equal(getattr(back, name), getattr(parts, name))
    np.testing.assert_array_equal(back.audio.samples, parts.audio.samples)
    assert (back.stft, back.labels, back.factorization.stop) == (parts.stft, parts.labels, parts.factorization.stop)
    np.testing.assert_array_equal(read_dictionary(path).bases, parts.bases)


def test_safetensors_have_the_arrays_and_the_settings_of_the_npz(tmp_path, parts):
    write_decomposition(tmp_path / "a.npz", parts)
    write_decomposition(tmp_path / "a.safetensors", parts)
    arrays, settings = read_npz(tmp_path / "a.npz", "a decomposition")
    tensors, metadata = read_safetensors(tmp_path / "a.safetensors")
    assert json.loads(metadata["settings"]) == settings
    assert tensors.keys() == arrays.keys()
    assert all(np.array_equal(tensors[name], arrays[name]) for name in arrays)


def test_bases_of_several_taps_fit_into_safetensors(tmp_path):
    kit = Dictionary(bases(2, 5, 2, 3), (), SMALL, 8000)
    write_dictionary(tmp_path / "kit.safetensors", kit)
    np.testing.assert_array_equal(read_dictionary(tmp_path / "kit.safetensors").bases, kit.bases)


def test_activations_are_a_table_that_can_be_edited(tmp_path, parts):
    path = tmp_path / "activations.csv"
    write_activations(path, parts)
    np.testing.assert_array_equal(read_activations(path).astype(np.float32), parts.activations)
    lines = path.read_text().splitlines()
    assert lines[0] == '"seconds","0","1"'
    assert len(lines) == 1 + parts.activations.shape[1]
    np.testing.assert_allclose([float(line.split(",")[0]) for line in lines[1:]], parts.times, rtol=1e-6)


def test_tensors_that_are_nothing_of_ours_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"weight": bases(2, 2)})
    with pytest.raises(ReadError, match=r"a\.safetensors is not a dictionary of unweave: it holds weight"):
        read_dictionary(path)
    with pytest.raises(ReadError, match=r"a\.safetensors is not a decomposition of unweave"):
        read_decomposition(path)
    write_safetensors(path, {"bases": bases(2, 2)}, {"settings": "{"})
    with pytest.raises(ReadError, match="settings that are no JSON text"):
        read_dictionary(path)


def test_a_table_that_is_none_of_activations_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n3,4\n")
    with pytest.raises(ReadError, match="its first column is not 'seconds'"):
        read_activations(path)
    with pytest.raises(InvalidInput, match=r"ends in none of \.csv"):
        read_activations(tmp_path / "a.txt")
    with pytest.raises(InvalidInput, match=r"ends in none of \.npz, \.safetensors"):
        read_decomposition(path)
