import contextlib
import json
import os
import time
import zipfile

import numpy as np
import pytest

from unweave.errors import Incompatible, InvalidInput, ReadError, WriteError
from unweave.npz import read_npy, read_npz, understood, write_npz

ARRAYS = {"bases": np.arange(6, dtype=np.float32).reshape(2, 3), "counts": np.array([1, 2**40])}
SETTINGS = {"name": "Große Trommel ♪", "seed": 2**62, "beta": 0.1, "list": [1, None, True]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


def test_arrays_and_settings_come_back_as_they_were(path):
    write_npz(path, ARRAYS, SETTINGS)
    arrays, settings = read_npz(path, "a test")
    assert settings == SETTINGS
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_numpy_alone_reads_the_file(path):
    write_npz(path, ARRAYS, SETTINGS)
    with np.load(path, allow_pickle=False) as file:
        assert file.files == ["bases", "counts", "settings"]
        assert json.loads(str(file["settings"])) == SETTINGS


def test_the_same_values_make_the_same_bytes_at_any_time(path, monkeypatch):
    write_npz(path, ARRAYS, SETTINGS)
    first = path.read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_npz(path, ARRAYS, dict(reversed(SETTINGS.items())))
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_nothing_is_pickled(path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(path, {"bad": np.array([{}, None])}, {})
    assert list(path.parent.iterdir()) == []


def test_nothing_is_unpickled(path):
    np.savez(path, bad=np.array([{}, None], dtype=object))
    with pytest.raises(
        ReadError,
        match=r"file.npz is not a test of unweave \(\.npz\): 'bad' in it is damaged, or no array of numbers\.$",
    ):
        read_npz(path, "a test")


def test_a_failure_leaves_the_old_file_and_no_other(path, monkeypatch):
    write_npz(path, ARRAYS, SETTINGS)
    before = path.read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(WriteError, match=r"file\.npz cannot be written: No space left on device\."):
        write_npz(path, ARRAYS, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file_and_no_other(path, monkeypatch):
    write_npz(path, ARRAYS, SETTINGS)
    before = path.read_bytes()

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_npz(path, ARRAYS, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["absent/file.npz", "there/file.npz", "folder"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "there").write_text("a file, not a folder")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match=f"{name} cannot be written: "):
        write_npz(tmp_path / name, ARRAYS, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "there"]
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_any_new_file(path, mask, mode):
    before = os.umask(mask)
    try:
        write_npz(path, ARRAYS, {})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


# -- files that are something else


def test_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(ReadError, match=r"file\.npz cannot be read: No such file or directory\."):
        read_npz(path, "a test")


@pytest.mark.parametrize("content", [b"", b"\x00", b"RIFF....WAVE", b"PK\x03\x04", b"\x93NUMPY", b"text " * 99])
def test_bytes_of_another_kind_are_refused_in_one_sentence(path, content):
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"^[^\n]*file\.npz is not a test of unweave \(\.npz\): [^\n]*\.$"):
        read_npz(path, "a test")


def test_what_is_wrong_is_said_in_words_of_ours(path):
    for content, reason in (
        (b"RIFF....WAVE", "it is no archive of arrays at all."),
        (b"PK\x03\x04rubbish", "it is damaged, or a part of it is missing."),
        (b"\x93NUMPY\x01", "it is damaged, or a part of it is missing."),
    ):
        path.write_bytes(content)
        with pytest.raises(ReadError) as told:
            read_npz(path, "a test")
        assert str(told.value) == f"{path} is not a test of unweave (.npz): {reason}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<text/>")
    with pytest.raises(ReadError, match=r"'word/document\.xml' in it is damaged, or no array of numbers\.$"):
        read_npz(path, "a test")
    np.savez(path, settings=np.array("no json"))
    with pytest.raises(ReadError, match=r"its settings are no text in JSON\.$"):
        read_npz(path, "a test")


def test_a_single_array_is_refused(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ReadError, match=r"file\.npz is a single array, not a test of unweave"):
        read_npz(path, "a test")


@pytest.mark.parametrize("text", ["no json", "[1, 2]", "3"])
def test_settings_that_are_none_are_refused_or_empty(path, text):
    np.savez(path, settings=np.array(text))
    if text == "no json":
        with pytest.raises(ReadError, match="is not a test of unweave"):
            read_npz(path, "a test")
    else:
        assert read_npz(path, "a test") == ({}, {})


@pytest.mark.filterwarnings("ignore:Reading")  # of what NumPy takes for headers of Python 2
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_bytes_raise_a_read_error_or_nothing(path, compressed):
    save = np.savez_compressed if compressed else np.savez
    save(path, bases=np.arange(400).reshape(20, 20) % 7, settings=np.array("{}"))
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for place in rng.choice(len(whole), 250, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        for content in (bytes(damaged), whole[:place]):
            path.write_bytes(content)
            with contextlib.suppress(ReadError):
                read_npz(path, "a test")
                refused -= 1
            refused += 1
    assert refused > 250


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("beta"), "a.npz lacks 'beta': was it written by another version"),
        (InvalidInput("It is wrong."), "a.npz is damaged, or of another version of unweave: It is wrong."),
        (Incompatible("No."), "a.npz is damaged, or of another version of unweave: No."),
        (TypeError("what"), "a.npz is damaged"),
        (IndexError("where"), "a.npz is damaged"),
    ],
)
def test_what_a_file_says_wrong_is_the_fault_of_the_file(error, words):
    with pytest.raises(ReadError, match=words), understood("a.npz"):
        raise error


# -- one array


def test_one_array_comes_back_as_it_was(tmp_path):
    np.save(tmp_path / "a.npy", ARRAYS["bases"])
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), ARRAYS["bases"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a matrix that NumPy can read: it does not begin like one (.npy)."),
        (b"text " * 99, "is not a matrix that NumPy can read: it does not begin like one (.npy)."),
        (b"PK\x03\x04", "is not a matrix that NumPy can read: it does not begin like one (.npy)."),
        (b"\x93NUMPY", "is not a matrix that NumPy can read: it is damaged, or holds something else than numbers."),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_a_file_without_one_array_is_refused_in_words_of_ours(tmp_path, content, words):
    path = tmp_path / "a.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError) as told:
        read_npy(path)
    assert str(told.value) == f"{path} {words}"


def test_one_array_of_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, None], dtype=object))
    with pytest.raises(ReadError, match="is damaged, or holds something else than numbers"):
        read_npy(tmp_path / "a.npy")
