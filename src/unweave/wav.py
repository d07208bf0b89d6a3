"""RIFF/WAVE files, read and written by numpy alone.

The problem: libsndfile stamps the time of day into float wavs (the PEAK chunk), so that the same sound gives
other bytes in the next second; it ends at 1024 channels; and a file that was cut short is read without a
word. Here the bytes follow from the samples alone, and a reader knows both what the header promises and what
the file holds.

Conventions: samples are float32 ``(channels, n)``. A code c of b bits stands for

    x = c / 2^(b-1),    c = round(x · 2^(b-1)), and at most 2^(b-1) - 1,

so that what was read from an integer file is written to the same integers again. 8-bit codes are offset by
128.

Written: the plain format for one or two channels of float or 16 bits, else WAVE_FORMAT_EXTENSIBLE with
channel mask 0 (no loudspeaker positions); ``fact`` for float; RF64 with ``ds64`` where RIFF's 32-bit sizes
end. A block wider than 65535 bytes does not fit into its field ``nBlockAlign``, which is then 65535; the
width follows from channels and bits.

Read: PCM of 8, 16, 24, 32 bits, float of 32 and 64; plain or EXTENSIBLE; RIFF, RF64 and BW64; unknown chunks
are skipped. A data size of 0 in a RIFF whose own size is wrong, and the largest sizes, are what programs
write into a pipe, before they know: 'to the end of the file'.

References: Microsoft & IBM, Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE), 1991;
Microsoft, Multiple Channel Audio Data and WAVE Files (EXTENSIBLE), 2001; EBU Tech 3306, RF64, 2018.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Samples
from unweave.errors import InvalidInput, ReadError
from unweave.words import counted

__all__ = [
    "MAX_CHANNELS",
    "MAX_RATE",
    "SUBTYPES",
    "UNKNOWN",
    "WavHeader",
    "WavWriter",
    "decoded",
    "quantise",
    "read_frames",
    "read_head",
    "read_header",
]

MAX_CHANNELS = 65535
MAX_RATE = 2**32 - 1
SUBTYPES = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32}
"""What is written: the subtype and its bits."""

UNKNOWN = -1
"""How much data a wav promises that was written before that was known."""

_PCM, _IEEE, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_READ_SUBTYPES = {
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_IEEE, 4): "FLOAT",
    (_IEEE, 8): "DOUBLE",
}


def quantise(samples: NDArray[np.float32], bits: int) -> NDArray[np.int32]:
    """Samples as integer codes of ``bits`` bits: the nearest code, and never one beyond the ends."""
    top = 2.0 ** (bits - 1)
    # float64, because 2^31 - 1 is no float32: a float32 clip would wrap at full scale.
    codes = np.multiply(samples, top, dtype=np.float64)
    np.rint(codes, out=codes)
    return np.clip(codes, -top, top - 1, out=codes).astype(np.int32)


class WavWriter:
    """Writes a wav in one pass: the length is known beforehand, so the header comes first.

    Parameters
    ----------
    file : a binary file open for writing
        It is left open.
    sample_rate : int
        Hz, 1 to 2^32 - 1.
    n_channels : int
        1 to 65535.
    n_samples : int
        Samples per channel that will be written.
    subtype : {"FLOAT", "PCM_16", "PCM_24", "PCM_32"}
        How a sample is stored.
    rf64 : bool
        Write RF64 even where RIFF would do; above 4 GiB it is written in any case.

    Raises
    ------
    InvalidInput
        An argument is out of range; or the samples written are more or fewer than promised.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> writer = WavWriter(file, 44100, n_channels=1, n_samples=2)
    >>> writer.write(np.zeros((1, 2), np.float32))
    >>> writer.close()
    >>> file.getvalue()[:4], len(file.getvalue())
    (b'RIFF', 66)
    """

    def __init__(
        self,
        file: BinaryIO,
        sample_rate: int,
        n_channels: int,
        n_samples: int,
        subtype: str = "FLOAT",
        *,
        rf64: bool = False,
    ) -> None:
        if subtype not in SUBTYPES:
            raise InvalidInput(f"subtype={subtype!r}, but a wav is written as one of {', '.join(SUBTYPES)}.")
        _whole("sample_rate", sample_rate, 1, MAX_RATE, "Hz")
        _whole("n_channels", n_channels, 1, MAX_CHANNELS, "channels")
        _whole("n_samples", n_samples, 0, 2**62, "samples")
        self._file = file
        self._subtype = subtype
        self._n_channels = n_channels
        self._promised = n_samples
        self._written = 0
        file.write(_header(sample_rate, n_channels, n_samples, subtype, rf64))

    def write(self, samples: Samples) -> None:
        """Append float32 ``(channels, n)``; full scale is 1.0."""
        if samples.ndim != 2 or samples.shape[0] != self._n_channels:
            raise InvalidInput(f"samples.shape={samples.shape}, but ({self._n_channels}, n) is needed.")
        if self._written + samples.shape[1] > self._promised:
            raise InvalidInput(
                f"{self._written + samples.shape[1]} samples were written, but the wav was opened for {self._promised}."
            )
        self._file.write(_encode(samples, self._subtype))
        self._written += samples.shape[1]

    def close(self) -> None:
        """End the data; the file itself stays open."""
        if self._written != self._promised:
            raise InvalidInput(
                f"{self._written} samples were written, but the wav was opened for {self._promised}: it is incomplete."
            )
        if (self._promised * self._n_channels * SUBTYPES[self._subtype] // 8) % 2:
            self._file.write(b"\0")  # chunks begin at even places

    def discard(self) -> None:
        """Let go of the file, complete or not."""


def _whole(name: str, value: object, low: int, high: int, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(f"{name}={value!r}, but a wav holds a whole number from {low} to {high} {unit}.")


def _header(sample_rate: int, n_channels: int, n_samples: int, subtype: str, rf64: bool) -> bytes:
    width = SUBTYPES[subtype] // 8
    n_bytes = n_samples * n_channels * width
    body = _chunk(b"fmt ", _format(sample_rate, n_channels, subtype))
    if subtype == "FLOAT":
        body += _chunk(b"fact", struct.pack("<I", min(n_samples, 0xFFFFFFFF)))
    riff_size = 4 + len(body) + 8 + n_bytes + n_bytes % 2
    if not rf64 and riff_size < 0xFFFFFFFF:
        return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + body + b"data" + struct.pack("<I", n_bytes)
    ds64 = _chunk(b"ds64", struct.pack("<QQQI", riff_size + 36, n_bytes, n_samples, 0))
    unknown = b"\xff\xff\xff\xff"
    return b"RF64" + unknown + b"WAVE" + ds64 + body + b"data" + unknown


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _format(sample_rate: int, n_channels: int, subtype: str) -> bytes:
    bits = SUBTYPES[subtype]
    tag = _IEEE if subtype == "FLOAT" else _PCM
    block = n_channels * bits // 8
    extensible = n_channels > 2 or (tag == _PCM and bits > 16)
    rates = (sample_rate, min(sample_rate * block, 0xFFFFFFFF), min(block, 0xFFFF), bits)
    plain = struct.pack("<HHIIHH", _EXTENSIBLE if extensible else tag, n_channels, *rates)
    if extensible:
        return plain + struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", tag) + _GUID_TAIL
    return plain + (b"\0\0" if tag == _IEEE else b"")  # only PCM may leave out the size of its extension


def _encode(samples: Samples, subtype: str) -> bytes:
    if subtype == "FLOAT":
        return samples.T.astype("<f4").tobytes()
    bits = SUBTYPES[subtype]
    codes = quantise(samples.T, bits).astype("<i4" if bits > 16 else "<i2", order="C")
    if bits == 24:
        return codes.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()  # the three low bytes of each
    return codes.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class WavHeader:
    """What a wav says of itself, and what is really there.

    ``subtype`` is empty where the coding is none of ours (ADPCM, µ-law, …); ``n_samples`` is what the header
    promises, ``n_there`` what the file holds, both per channel; ``data_start`` is the first sample's place in
    bytes.
    """

    sample_rate: int
    n_channels: int
    subtype: str
    width: int
    n_samples: int
    n_there: int
    data_start: int


def read_header(file: BinaryIO, name: str = "the wav file") -> WavHeader:
    """Read the header of a seekable wav from its beginning.

    Raises
    ------
    ReadError
        It is no wav, or it lacks its format or its data; ``name`` begins the sentence.
    """
    end = file.seek(0, 2)
    file.seek(0)
    riff, riff_size, wave = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if riff not in (b"RIFF", b"RF64", b"BW64") or wave != b"WAVE":
        raise ReadError(f"{name} is not a wav file: it does not begin with RIFF and WAVE.")
    chunks = _find_chunks(file)
    if b"fmt " not in chunks or b"data" not in chunks:
        lacking = "data" if b"fmt " in chunks else "format"
        raise ReadError(f"{name} has no {lacking} chunk: the file is damaged or was cut short.")
    tag, n_channels, sample_rate, width = _read_format(file, *chunks[b"fmt "])
    if not (n_channels and sample_rate and width):
        raise ReadError(f"{name} is damaged: its header says {counted(n_channels, 'channel')} at {sample_rate} Hz.")
    start, size = chunks[b"data"]
    there = max(end - start, 0)
    if size == 0xFFFFFFFF and b"ds64" in chunks:
        file.seek(chunks[b"ds64"][0])
        size = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))[1]
    elif _is_open_end(size, there, riff_size, end):
        size = there
    block = n_channels * width
    subtype = _READ_SUBTYPES.get((tag, width), "")
    return WavHeader(sample_rate, n_channels, subtype, width, size // block, min(size, there) // block, start)


def _find_chunks(file: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """Where each chunk's content begins and how long it says to be, up to the data."""
    chunks: dict[bytes, tuple[int, int]] = {}
    place = 12
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        place += 8
        chunks.setdefault(name, (place, size))
        if name == b"data" and b"fmt " in chunks:
            break
        place = file.seek(place + size + size % 2)
    return chunks


def _read_format(file: BinaryIO, start: int, size: int) -> tuple[int, int, int, int]:
    """The coding's number, channels, rate, and bytes of one sample; zeros where the chunk is too short."""
    file.seek(start)
    content = file.read(min(size, 40)).ljust(40, b"\0")
    tag, n_channels, sample_rate, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == _EXTENSIBLE and content[26:40] == _GUID_TAIL:
        (tag,) = struct.unpack("<H", content[24:26])
    width = -(-bits // 8)
    # A sample of 20 bits may live in 4 bytes: the block tells, where it is a multiple of the channels.
    if n_channels and block and block % n_channels == 0 and block != 0xFFFF:
        width = max(width, block // n_channels)
    return tag, n_channels, sample_rate, width


def _is_open_end(size: int, there: int, riff_size: int, end: int) -> bool:
    """Whether the data size stands for 'to the end', as programs write it into a pipe."""
    if size == 0:
        return there > 0 and riff_size not in (end - 8, end - 9)
    return size > there and _is_endless(size)


def _is_endless(size: int) -> bool:
    """Whether a size is one of those that programs write before they know it."""
    # ffmpeg writes 2^32 - 1, or a little less; SoX 0x7FFFF000; arecord about 2^31.
    return size >= 0xFFFFFF00 or 0x7FFFF000 <= size <= 0x80000000


def read_head(file: BinaryIO) -> tuple[bytes, int | None]:
    """Read a pipe up to its first sample, if it is a wav: what was read, and how many bytes of data it promises.

    None where it is no wav, or where the pipe ends before the data; `UNKNOWN` where it promises nothing.
    """
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return head, None
    known = False
    while len(chunk := file.read(8)) == 8:
        head += chunk
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data" and known:
            return head, _promised(head, size)
        known = known or name == b"fmt "
        content = file.read(size + size % 2)
        head += content
        if len(content) < size:
            return head, None
    return head + chunk, None


def _promised(head: bytes, size: int) -> int:
    """How many bytes of data a head promises whose last chunk says ``size``; it ends with the first sample."""
    if size == 0xFFFFFFFF and head[12:16] == b"ds64":
        size = int.from_bytes(head[28:36], "little")
        return size if 0 < size < 2**64 - 1 else UNKNOWN
    if size == 0:  # nothing, where the size of the whole is right; it is that of the head where none was known
        riff_size = int.from_bytes(head[4:8], "little")
        return 0 if len(head) - 8 < riff_size and not _is_endless(riff_size) else UNKNOWN
    return UNKNOWN if _is_endless(size) else size


def read_frames(file: BinaryIO, header: WavHeader, start: int, n: int, name: str = "the wav file") -> Samples:
    """Read ``n`` samples from sample ``start`` on as float32 ``(channels, n)``.

    Raises
    ------
    ReadError
        The file holds fewer, or its coding is none of ours.
    """
    if not header.subtype:
        raise ReadError(f"{name} is coded in a way that only libsndfile reads.")
    block = header.n_channels * header.width
    file.seek(header.data_start + start * block)
    raw = file.read(n * block) if n else b""
    if len(raw) < n * block:
        raise ReadError(f"{name} ends before sample {start + n}: it was cut short.")
    return decoded(raw, header)


def decoded(raw: bytes, header: WavHeader) -> Samples:
    """Whole frames of a wav as float32 ``(channels, n)``."""
    return np.ascontiguousarray(_decode(raw, header.subtype).reshape(-1, header.n_channels).T)


def _decode(raw: bytes, subtype: str) -> NDArray[np.float32]:
    if subtype == "FLOAT":
        return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
    if subtype == "DOUBLE":
        with np.errstate(over="ignore"):  # beyond float32 is infinity, and refused as such
            return np.frombuffer(raw, "<f8").astype(np.float32)
    if subtype == "PCM_U8":
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if subtype == "PCM_24":
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)  # code · 256: the sign is in its place
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    bits = 16 if subtype == "PCM_16" else 32
    return np.frombuffer(raw, f"<i{bits // 8}").astype(np.float32) / np.float32(2 ** (bits - 1))
