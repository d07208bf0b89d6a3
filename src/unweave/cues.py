"""Markers with names in a wav file, which editors and samplers show; the sound is not touched.

The problem: to hand over where things happen in a recording, without another file that may be lost. A wav has a place
for it: the chunk ``cue `` lists samples, and ``labl`` in the list ``adtl`` their names. Libraries that write them
decode and encode the samples again. Here the file is copied chunk by chunk, its data byte for byte, and the markers
are put at its end. Markers that it had are replaced.

Conventions: times in seconds, at the nearest sample; names as UTF-8. What the header promises and the file does not
hold is not written: the copy of a file that was cut short is whole. RIFF up to 4 GiB, RF64 and BW64 up to 2^32
samples, which is as far as markers reach.

References: Microsoft & IBM, Multimedia Programming Interface and Data Specifications 1.0 (cue-points chunk,
associated data list), 1991; EBU Tech 3306, RF64, 2018.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

from unweave.errors import InvalidInput, ReadError
from unweave.files import write_whole
from unweave.wav import WavHeader, read_header

__all__ = ["Cue", "read_cues", "write_cues"]

_BLOCK = 2**20
_UNKNOWN = 0xFFFFFFFF


class Cue(NamedTuple):
    """A place in a recording, in seconds, and its name."""

    time: float
    label: str


class _Chunk(NamedTuple):
    name: bytes
    start: int
    size: int


def write_cues(path: str | PathLike[str], source: str | PathLike[str], cues: Iterable[tuple[float, str]]) -> None:
    """Copy the wav ``source`` to ``path`` with markers.

    Parameters
    ----------
    path : path
        A file of that name is replaced; it may be ``source`` itself.
    source : path
        A wav of any number of channels: PCM or float.
    cues : iterable of (seconds, name)
        In any order. Those after the end stand at the end.

    Raises
    ------
    InvalidInput
        A time is no number from 0 up.
    ReadError
        ``source`` is not a wav that we read, or a RIFF that would grow over 4 GiB.
    WriteError
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from unweave.audio import Audio, save
    >>> with TemporaryDirectory() as folder:
    ...     save(folder + "/a.wav", Audio(np.zeros(8000), 8000))
    ...     write_cues(folder + "/b.wav", folder + "/a.wav", [(0.5, "kick")])
    ...     read_cues(folder + "/b.wav")
    (Cue(time=0.5, label='kick'),)
    """
    name = str(source)
    ordered = sorted(((_checked(time), str(label)) for time, label in cues), key=lambda cue: cue[0])
    try:
        with Path(source).open("rb") as file:
            header = read_header(file, name)
            if not header.subtype:
                raise ReadError(
                    f"{name} is coded in a way that has no place for markers: save it as PCM or float first."
                )
            write_whole(path, _pieces(file, header, ordered, name))
    except ReadError:
        raise
    except OSError as error:
        if not error.errno:
            raise
        raise ReadError(f"{name} cannot be read: {error.strerror or error}.") from None


def _checked(time: float) -> float:
    if not 0 <= time < math.inf:
        raise InvalidInput(f"a marker at {time!r} s: times are numbers from 0 up.")
    return float(time)


def _pieces(file: BinaryIO, header: WavHeader, cues: list[tuple[float, str]], name: str) -> Iterator[bytes]:
    """The new file, piece by piece."""
    n_data = header.n_there * header.n_channels * header.width
    chunks = [chunk for chunk in _chunks(file, header, n_data) if not _is_marks(file, chunk)]
    marks = _marks(cues, header)
    file.seek(0)
    riff = file.read(4)
    size = 4 + sum(8 + chunk.size + chunk.size % 2 for chunk in chunks) + len(marks)
    wide = riff != b"RIFF"
    if not wide and size > _UNKNOWN:
        raise ReadError(
            f"{name} with its markers is larger than 4 GiB, which is the end of RIFF: save it as rf64 first."
        )
    yield riff + struct.pack("<I", _UNKNOWN if wide else size) + b"WAVE"
    for chunk in chunks:
        is_data = chunk.name == b"data"
        yield chunk.name + struct.pack("<I", _UNKNOWN if wide and is_data else chunk.size)
        if chunk.name == b"ds64":
            yield _ds64(file, chunk, (size, n_data, header.n_there))
        else:
            yield from _bytes(file, chunk)
        yield b"\0" * (chunk.size % 2)
    yield marks


def _chunks(file: BinaryIO, header: WavHeader, n_data: int) -> Iterator[_Chunk]:
    """All chunks of which everything is there; the data as far as it goes."""
    end = file.seek(0, 2)
    place = 12
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        if place + 8 == header.data_start:
            promised = header.n_samples * header.n_channels * header.width
            yield _Chunk(name, place + 8, n_data)
            # What follows a data chunk that ends with half a frame is found by the chunk's own size.
            size = size if size != _UNKNOWN and promised <= size <= end - place - 8 else promised
        elif place + 8 + size <= end:
            yield _Chunk(name, place + 8, size)
        place += 8 + size + size % 2


def _bytes(file: BinaryIO, chunk: _Chunk) -> Iterator[bytes]:
    file.seek(chunk.start)
    left = chunk.size
    while left:
        piece = file.read(min(left, _BLOCK))
        if not piece:
            raise ReadError("the wav file became shorter while it was read.")
        left -= len(piece)
        yield piece


def _is_marks(file: BinaryIO, chunk: _Chunk) -> bool:
    if chunk.name != b"LIST":
        return chunk.name == b"cue "
    file.seek(chunk.start)
    return file.read(4) == b"adtl"


def _ds64(file: BinaryIO, chunk: _Chunk, sizes: tuple[int, int, int]) -> bytes:
    file.seek(chunk.start)
    return struct.pack("<QQQ", *sizes) + file.read(chunk.size)[24:]


def _marks(cues: list[tuple[float, str]], header: WavHeader) -> bytes:
    """The chunks of the markers; nothing where there are none."""
    if not cues:
        return b""
    points, labels = b"", b"adtl"
    for number, (time, label) in enumerate(cues, 1):
        place = min(round(time * header.sample_rate), header.n_there, _UNKNOWN)
        points += struct.pack("<II4sIII", number, place, b"data", 0, 0, place)
        labels += _padded(b"labl", struct.pack("<I", number) + label.replace("\0", " ").encode("utf-8") + b"\0")
    return _padded(b"cue ", struct.pack("<I", len(cues)) + points) + _padded(b"LIST", labels)


def _padded(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def read_cues(path: str | PathLike[str]) -> tuple[Cue, ...]:
    """The markers of a wav, in order of time; those without a name have an empty one.

    Raises
    ------
    ReadError
        The file cannot be read, or is no wav.
    """
    try:
        with Path(path).open("rb") as file:
            header = read_header(file, str(path))
            n_data = header.n_there * header.n_channels * header.width
            chunks = [chunk for chunk in _chunks(file, header, n_data) if _is_marks(file, chunk)]
            contents = {chunk.name: b"".join(_bytes(file, chunk)) for chunk in chunks}
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    points, names = contents.get(b"cue ", b""), dict(_labels(contents.get(b"LIST", b"")))
    found = []
    for at in range(4, len(points) - 23, 24):
        number, _, _, _, _, sample = struct.unpack_from("<II4sIII", points, at)
        found.append(Cue(sample / header.sample_rate, names.get(number, "")))
    return tuple(sorted(found, key=lambda cue: cue.time))


def _labels(content: bytes) -> Iterator[tuple[int, str]]:
    at = 4
    while at + 12 <= len(content):
        name, size, number = struct.unpack_from("<4sII", content, at)
        if name == b"labl":
            yield number, content[at + 12 : at + 8 + size].rstrip(b"\0").decode("utf-8", "replace")
        at += 8 + size + size % 2
