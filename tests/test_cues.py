"""Markers in a wav, whose samples are not touched."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from unweave.audio import Audio, load, save
from unweave.cues import Cue, read_cues, write_cues
from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.wav import WavWriter, read_header

MARKS = [(0.5, "kick"), (0.125, "große Trommel"), (0.25, "C#4")]


def wav(path: Path, n_channels: int = 1, n_samples: int = 8000, subtype: str = "FLOAT", **options: bool) -> bytes:
    rng = np.random.default_rng(n_channels)
    with path.open("wb") as file:
        writer = WavWriter(file, 8000, n_channels, n_samples, subtype, **options)
        writer.write(rng.uniform(-1, 1, (n_channels, n_samples)).astype(np.float32))
        writer.close()
    return path.read_bytes()


def data_of(content: bytes) -> bytes:
    header = read_header(io.BytesIO(content))
    return content[header.data_start :][: header.n_there * header.n_channels * header.width]


def chunks_of(content: bytes) -> list[tuple[bytes, int]]:
    """Names and sizes, as any other program walks through them; the end must be met exactly."""
    found, place = [], 12
    while place < len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        found.append((name, size))
        place += 8 + size + size % 2
    assert place == len(content)
    return found


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize(("n_channels", "n_samples"), [(1, 8000), (2, 4001), (7, 4001), (1, 4095)])
def test_the_samples_are_the_same_bytes_and_the_markers_come_back(
    tmp_path: Path, subtype: str, n_channels: int, n_samples: int
) -> None:
    before = wav(tmp_path / "a.wav", n_channels, n_samples, subtype)
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", MARKS)
    after = (tmp_path / "b.wav").read_bytes()
    assert data_of(after) == data_of(before)
    assert struct.unpack_from("<I", after, 4)[0] == len(after) - 8
    assert [name for name, _ in chunks_of(after)][-2:] == [b"cue ", b"LIST"]
    end = n_samples / 8000
    assert read_cues(tmp_path / "b.wav") == tuple(Cue(min(time, end), name) for time, name in sorted(MARKS))
    np.testing.assert_array_equal(load(tmp_path / "b.wav").samples, load(tmp_path / "a.wav").samples)


def test_markers_lie_at_the_nearest_sample(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav")
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", [(100.4 / 8000, "x"), (100.6 / 8000, "y")])
    assert [round(cue.time * 8000) for cue in read_cues(tmp_path / "b.wav")] == [100, 101]


def test_markers_that_were_there_are_replaced_and_other_chunks_are_kept(tmp_path: Path) -> None:
    content = wav(tmp_path / "a.wav")
    info = b"LIST" + struct.pack("<I", 13) + b"INFOabcdefghi\0"
    content = content[:4] + struct.pack("<I", len(content) - 8 + len(info)) + content[8:] + info
    (tmp_path / "a.wav").write_bytes(content)
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", MARKS)
    write_cues(tmp_path / "c.wav", tmp_path / "b.wav", [(0.75, "snare")])
    assert read_cues(tmp_path / "c.wav") == (Cue(0.75, "snare"),)
    assert info in (tmp_path / "c.wav").read_bytes()
    write_cues(tmp_path / "d.wav", tmp_path / "c.wav", [])
    assert (tmp_path / "d.wav").read_bytes() == content


def test_a_file_may_be_marked_in_its_place(tmp_path: Path) -> None:
    before = wav(tmp_path / "a.wav")
    write_cues(tmp_path / "a.wav", tmp_path / "a.wav", MARKS)
    assert data_of((tmp_path / "a.wav").read_bytes()) == data_of(before)
    assert len(read_cues(tmp_path / "a.wav")) == 3


def test_rf64_stays_rf64(tmp_path: Path) -> None:
    before = wav(tmp_path / "a.wav", rf64=True)
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", MARKS)
    after = (tmp_path / "b.wav").read_bytes()
    assert after[:4] == b"RF64"
    assert struct.unpack_from("<Q", after, 20)[0] == len(after) - 8
    assert data_of(after) == data_of(before)
    assert len(read_cues(tmp_path / "b.wav")) == 3


def test_a_file_that_was_cut_short_or_written_into_a_pipe_becomes_whole(tmp_path: Path) -> None:
    whole = wav(tmp_path / "a.wav", 2, 1000, "PCM_16")
    cut = whole[:-401]
    start = read_header(io.BytesIO(whole)).data_start
    piped = whole[:4] + b"\xff" * 4 + whole[8 : start - 4] + b"\xff" * 4 + whole[start:]
    for content, n_samples in ((cut, 899), (piped, 1000)):
        (tmp_path / "b.wav").write_bytes(content)
        write_cues(tmp_path / "c.wav", tmp_path / "b.wav", MARKS)
        after = (tmp_path / "c.wav").read_bytes()
        chunks_of(after)
        assert data_of(after) == whole[start:][: n_samples * 4]


def test_the_same_markers_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav")
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", MARKS)
    write_cues(tmp_path / "c.wav", tmp_path / "a.wav", MARKS[::-1])
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_a_sound_without_samples_can_be_marked(tmp_path: Path) -> None:
    save(tmp_path / "a.wav", Audio(np.zeros((2, 0)), 44100))
    write_cues(tmp_path / "b.wav", tmp_path / "a.wav", [(1.0, "x")])
    assert read_cues(tmp_path / "b.wav") == (Cue(0.0, "x"),)


@pytest.mark.parametrize("time", [-0.1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, time: float) -> None:
    wav(tmp_path / "a.wav")
    with pytest.raises(InvalidInput, match="times are numbers from 0 up"):
        write_cues(tmp_path / "b.wav", tmp_path / "a.wav", [(time, "x")])
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_what_is_no_wav_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC" * 20)
    with pytest.raises(ReadError, match="a.flac is not a wav file"):
        write_cues(tmp_path / "b.wav", tmp_path / "a.flac", MARKS)
    with pytest.raises(ReadError, match="none.wav cannot be read"):
        write_cues(tmp_path / "b.wav", tmp_path / "none.wav", MARKS)
    with pytest.raises(ReadError, match="none.wav cannot be read"):
        read_cues(tmp_path / "none.wav")
    content = bytearray(wav(tmp_path / "a.wav", 1, 100, "PCM_16"))
    content[20:22] = struct.pack("<H", 2)  # ADPCM
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ReadError, match="has no place for markers"):
        write_cues(tmp_path / "b.wav", tmp_path / "a.wav", MARKS)
    wav(tmp_path / "a.wav")
    with pytest.raises(WriteError, match="cannot be written"):
        write_cues(tmp_path / "none" / "b.wav", tmp_path / "a.wav", MARKS)
    assert not (tmp_path / "b.wav").exists()
