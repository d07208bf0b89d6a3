"""The file format safetensors, read and written by its rules."""

import json

import numpy as np
import pytest

from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.safetensors import read_safetensors, write_safetensors

KINDS = ["u8", "i8", "f8", "c8", "f4", "u4", "i4", "f2", "u2", "i2", "i1", "u1", "?"]


def packed(header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def test_every_type_and_shape_comes_back_to_the_bit(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {kind: (100 * rng.random((2, 3))).astype(kind) for kind in KINDS}
    arrays |= {"scalar": np.array(3.5), "none": np.zeros((0, 4), np.float32), "ünï": np.array([np.nan, -0.0, np.inf])}
    path = tmp_path / "a.safetensors"
    write_safetensors(path, arrays, {"said": 'ü "x"\n', "": ""})
    back, metadata = read_safetensors(path)
    assert metadata == {"said": 'ü "x"\n', "": ""}
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable
    assert list(tmp_path.iterdir()) == [path]


def test_big_endian_and_transposed_arrays_keep_their_values(tmp_path):
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    write_safetensors(tmp_path / "a.safetensors", {"x": array})
    back, metadata = read_safetensors(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back["x"], array)
    assert metadata == {}
    assert array.dtype == np.dtype(">f4")


def test_the_bytes_are_those_of_the_specification(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"b": np.float32([1]), "a": np.float32([2, 3]), "z": np.int64([4])}, {"k": "v"})
    header = (
        b'{"__metadata__":{"k":"v"},"z":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},'
        b'"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}}'
    )
    header += b" " * (-len(header) % 8)
    data = np.int64([4]).astype("<i8").tobytes() + np.float32([2, 3, 1]).astype("<f4").tobytes()
    assert path.read_bytes() == len(header).to_bytes(8, "little") + header + data


def test_a_file_of_another_writer_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    header = {"x": {"data_offsets": [4, 8], "dtype": "F32", "shape": []}, "y": {"dtype": "I16", "shape": [2, 1]}}
    header["y"]["data_offsets"] = [0, 4]
    path.write_bytes(packed(header, np.int16([[1], [-2]]).tobytes() + np.float32(0.5).tobytes()))
    arrays, _ = read_safetensors(path)
    np.testing.assert_array_equal(arrays["y"], [[1], [-2]])
    assert arrays["x"] == np.float32(0.5)
    path.write_bytes(packed({}))
    assert read_safetensors(path) == ({}, {})


def entry(dtype="U8", shape=(1,), span=(0, 1)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "its header is cut off"),
        (packed({}, length=100), "its header is cut off"),
        (packed({}, length=2**63), "its header is cut off"),
        (packed(b" {}"), "its header does not begin with {"),
        (packed(b"{"), "is not a safetensors file"),
        (packed(b'{"a":' * 100_000), "is not a safetensors file"),
        (packed(b"{\xff}"), "is not a safetensors file"),
        (packed(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'), "it has a name twice"),
        (packed({"__metadata__": {"a": 1}}), "its metadata are not texts"),
        (packed({"__metadata__": []}), "its metadata are not texts"),
        (packed({"a": entry()}), "its arrays need 1 bytes, but 0 are there"),
        (packed({"a": entry()}, b"12"), "its arrays need 1 bytes, but 2 are there"),
        (packed({"a": entry(), "b": entry()}, b"1"), "overlap or leave a gap at byte 1"),
        (packed({"a": entry(span=(1, 2))}, b"12"), "overlap or leave a gap at byte 0"),
        (packed({"a": entry("F32")}, b"1"), "data_offsets that do not fit its shape"),
        (packed({"a": entry(shape=(-1,))}, b"1"), "that are not counts"),
        (packed({"a": entry(shape=(True,))}, b"1"), "that are not counts"),
        (packed({"a": entry(span=(0, 1, 2))}, b"1"), "do not fit its shape"),
        (packed({"a": entry("BF16", span=(0, 2))}, b"12"), "'a' is of BF16, which NumPy does not have"),
        (packed({"a": entry([])}, b"1"), "which NumPy does not have"),
        (packed({"a": {"dtype": "U8"}}), "'a' needs dtype, shape and data_offsets"),
        (packed({"a": []}), "'a' needs dtype, shape and data_offsets"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path, content, words):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=words):
        read_safetensors(path)


def test_a_file_that_is_missing_or_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ReadError, match="cannot be read: No such file"):
        read_safetensors(tmp_path / "none.safetensors")
    with pytest.raises(WriteError, match="cannot be written: No such file"):
        write_safetensors(tmp_path / "none" / "a.safetensors", {})


def test_what_the_format_has_no_name_for_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="'x' is of <U1, which safetensors has no name for"):
        write_safetensors(tmp_path / "a.safetensors", {"x": np.array("a")})
    with pytest.raises(InvalidInput, match="complex128"):
        write_safetensors(tmp_path / "a.safetensors", {"x": np.zeros(2, complex)})
    with pytest.raises(InvalidInput, match="keeps for itself"):
        write_safetensors(tmp_path / "a.safetensors", {"__metadata__": np.zeros(2)})
    assert list(tmp_path.iterdir()) == []
