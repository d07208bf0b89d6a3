"""One face for all sound files: a `Source` to read from and a `Sink` to write to.

The problem: libsndfile knows most formats, but not how to say what is wrong with a file or with a request; it
takes what is left of a wav or an aiff for the whole, guesses the length of an mp3, scales floats to integers
by one factor in some formats and by another in others, and its vorbis depends on the sizes of the blocks.
What it must not do is done here or in `unweave.wav` and `unweave.formats`; this is the only module that
imports soundfile, and does it late.

Conventions: float32 ``(channels, n)``; places and lengths in samples per channel.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np

from unweave.arrays import Samples
from unweave.errors import ReadError
from unweave.formats import Format, mp3_with_length, without_chance
from unweave.wav import (
    SUBTYPES,
    UNKNOWN,
    WavHeader,
    WavWriter,
    decoded,
    quantise,
    read_frames,
    read_head,
    read_header,
)

__all__ = ["Sink", "Source", "libsndfile_version", "open_pipe", "open_sink", "open_source"]


class Sink(Protocol):
    """What a sound is written to: blocks ``(channels, n)``, then `close`, which leaves the file open."""

    def write(self, samples: Samples) -> None:
        """Append samples."""

    def close(self) -> None:
        """Finish the file's contents."""

    def discard(self) -> None:
        """Let go, whatever becomes of the contents."""


_ENDLESS = 2**62


@dataclass(slots=True)
class Source:
    """An open sound file: what it promises, and how to read n samples from a place on."""

    name: str
    sample_rate: int
    n_channels: int
    n_samples: int
    n_there: Callable[[], int]
    read: Callable[[int, int], Samples]
    close: Callable[[], None] = lambda: None
    is_pipe: bool = False  # then it is read from the beginning on, without gaps, and may give fewer than are asked for

    @property
    def has_length(self) -> bool:
        """Whether it is known how many samples there are to be."""
        return self.n_samples < _ENDLESS

    def seconds(self, n: int) -> str:
        """Samples in seconds, rounded down to milliseconds, so that asking for as much succeeds."""
        return f"{math.floor(1000 * n / self.sample_rate) / 1000:g}"

    def cut_short(self) -> ReadError:
        """The sentence for a file that holds less than it promises."""
        there = self.seconds(self.n_there())
        advice = "" if there == "0" else f": load it with duration={there} to have the part that is there"
        return ReadError(
            f"{self.name} was cut short: it promises {self.seconds(self.n_samples)} s, but {there} s are there{advice}."
        )


def open_source(file: BinaryIO, name: str) -> Source:
    """Open a seekable file at its beginning; ``name`` begins the sentences about it."""
    head = file.read(12)
    if not head:
        raise ReadError(f"{name} is empty: it has 0 bytes.")
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        wav = read_header(file, name)
        if wav.subtype:
            return _wav_source(file, name, wav)
    return _libsndfile_source(file, name, head)


def _wav_source(file: BinaryIO, name: str, wav: WavHeader) -> Source:
    def read(start: int, n: int) -> Samples:
        return read_frames(file, wav, start, max(0, min(n, wav.n_there - start)), name)

    return Source(name, wav.sample_rate, wav.n_channels, wav.n_samples, lambda: wav.n_there, read)


def open_pipe(file: BinaryIO, name: str) -> Source:
    """Open what can be read once only: a wav as it comes, anything else when all of it has come."""
    head, size = read_head(file)
    if size is not None:
        header = read_header(io.BytesIO(head), name)
        if header.subtype:
            n_samples = _ENDLESS if size == UNKNOWN else header.n_samples
            return _piped_source(file, name, header, n_samples)
    return open_source(io.BytesIO(head + file.read()), name)


def _piped_source(file: BinaryIO, name: str, wav: WavHeader, n_samples: int) -> Source:
    """A wav whose header has been read, from its first sample on."""
    width = wav.n_channels * wav.width
    some = getattr(file, "read1", file.read)  # what is there by now, and not when all is there that was asked for
    held, there = b"", 0

    def read(start: int, n: int) -> Samples:
        nonlocal held, there
        while len(held) < width:
            more = some(n * width - len(held))
            if not more:
                return np.empty((wav.n_channels, 0), np.float32)
            held += more
        count = len(held) // width
        samples = decoded(held[: count * width], wav)
        held, there = held[count * width :], there + count
        return samples

    return Source(name, wav.sample_rate, wav.n_channels, n_samples, lambda: there, read, is_pipe=True)


class _Stream:
    """A file as libsndfile gets it: without a name, from which soundfile would guess, and without exceptions.

    They cannot pass through C; the first is kept as ``error``.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        file.seek(0)

    def _try(self, work: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return work()
        except ValueError:  # the file is closed: after a failure, libsndfile may still want to finish its header
            return otherwise
        except OSError as error:
            self.error = self.error or error
            return otherwise

    def read(self, n: int) -> bytes:
        return bytes(self._try(lambda: self._file.read(n), b""))

    def write(self, data: bytes) -> int:
        return int(self._try(lambda: self._file.write(data), 0))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._try(lambda: self._file.seek(offset, whence), 0))

    def tell(self) -> int:
        return int(self._try(self._file.tell, 0))


def _decoder(file: BinaryIO) -> Any:
    import soundfile

    class Decoder(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
        """A SoundFile that does not seek to where it is after every read, which fails at the end of some files."""

        def seekable(self) -> bool:
            return False

    return Decoder(_Stream(file))


def _libsndfile_source(file: BinaryIO, name: str, head: bytes) -> Source:
    import soundfile

    try:
        sound = _decoder(file)
    except soundfile.LibsndfileError:
        raise _unreadable(name, head) from None
    n_samples = _promised(file, sound.frames)
    if sound.format == "MP3":
        file.seek(0)
        longer = mp3_with_length(file.read())
        if longer is not None:
            file, n_samples = io.BytesIO(longer), _ENDLESS
    if n_samples >= 2**48:  # unknown, as in a flac that was written into a pipe
        n_samples = _count(file)
    sound.close()
    sound = _decoder(file)
    return Source(name, sound.samplerate, sound.channels, n_samples, lambda: _count(file), _reader(sound), sound.close)


def _reader(sound: Any) -> Callable[[int, int], Samples]:
    import soundfile

    at = 0

    def advance(n: int) -> Samples:
        nonlocal at
        at += n
        block: Samples = sound.read(n, dtype="float32", always_2d=True)
        return block

    def read(start: int, n: int) -> Samples:
        nonlocal at
        try:
            if start != at and (start < at or sound.subtype != "VORBIS"):
                # libsndfile 1.2.2 misses by a hundred samples in the last pages of a vorbis: go there by decoding.
                at = sound.seek(0 if sound.subtype == "VORBIS" else start)
            while start > at:
                advance(min(start - at, 65536))
            return np.ascontiguousarray(advance(n).T)
        except soundfile.LibsndfileError:
            return np.empty((sound.channels, 0), np.float32)

    return read


def _unreadable(name: str, head: bytes) -> ReadError:
    if head[:4] in (b"fLaC", b"OggS", b"FORM", b"caff", b"riff") or head[:3] == b"ID3" or head[:2] == b"\xff\xfb":
        return ReadError(f"{name} is damaged or was cut short: it begins like a sound, but cannot be decoded.")
    if head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3":
        return ReadError(f"{name} is an m4a, mp4 or webm, which are not read: convert it first, with ffmpeg -i.")
    return ReadError(f"{name} is not a sound file: wav, flac, ogg, opus, mp3, aiff, caf and the like can be read.")


def _promised(file: BinaryIO, frames: int) -> int:
    """How many samples the header promises, where libsndfile only says what is there (aiff and w64; about)."""
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(24).ljust(24, b"\0")
    size = 0
    if head[:4] == b"FORM":
        size = struct.unpack(">I", head[4:8])[0] + 8
    elif head[:4] == b"riff":
        size = struct.unpack("<Q", head[16:24])[0]
    if end + 1 < size < 0x7FFFF000:  # the largest sizes stand for 'unknown'
        return max(frames + 1, round(frames * size / end))
    return frames


def _count(file: BinaryIO) -> int:
    """How many samples can be decoded."""
    import soundfile

    n = 0
    with suppress(soundfile.LibsndfileError), _decoder(file) as sound:
        while got := len(sound.read(1024, dtype="float32")):
            n += got
    return n


class _Encoder:
    """libsndfile as a writer with the face of `WavWriter`, in blocks of one size, on which vorbis depends."""

    def __init__(self, file: BinaryIO, sample_rate: int, n_channels: int, form: Format, subtype: str) -> None:
        import soundfile

        self._file, self._form = file, form
        self._stream = _Stream(file)
        self._errors = (soundfile.LibsndfileError, AssertionError)  # the latter where fewer were written
        container = "OGG" if form.name == "opus" else form.name.upper()
        self._sound = soundfile.SoundFile(self._stream, "w", sample_rate, n_channels, subtype, format=container)
        self._bits = SUBTYPES[subtype] if subtype.startswith("PCM") else 0
        self._block = np.empty((4096, n_channels), np.float32)
        self._filled = 0

    def write(self, samples: Samples) -> None:
        taken = 0
        while taken < samples.shape[1]:
            n = min(len(self._block) - self._filled, samples.shape[1] - taken)
            self._block[self._filled : self._filled + n] = samples[:, taken : taken + n].T
            self._filled += n
            taken += n
            if self._filled == len(self._block):
                self._flush()

    def _flush(self) -> None:
        block = self._block[: self._filled]
        self._filled = 0
        # libsndfile takes the high bits of 32, and would scale floats by 2^(b-1) - 1 in some formats.
        self._call(lambda: self._sound.write(quantise(block, self._bits) << (32 - self._bits) if self._bits else block))

    def close(self) -> None:
        if self._filled:
            self._flush()
        self._call(self._sound.close)
        without_chance(self._file, self._form)

    def discard(self) -> None:
        with suppress(*self._errors):
            self._sound.close()

    def _call(self, work: Callable[[], None]) -> None:
        try:
            work()
        except self._errors as error:
            raise self._stream.error or OSError(None, f"the encoder failed ({error})") from None
        if self._stream.error is not None:
            raise self._stream.error


def open_sink(file: BinaryIO, form: Format, subtype: str, *, sample_rate: int, n_channels: int, n_samples: int) -> Sink:
    """What writes the format into an empty file that is open for both ways."""
    if form.name in ("wav", "rf64"):
        return WavWriter(file, sample_rate, n_channels, n_samples, subtype, rf64=form.name == "rf64")
    return _Encoder(file, sample_rate, n_channels, form, subtype)


def libsndfile_version() -> str:
    """Version of the C library that reads and writes what `unweave.wav` does not."""
    import soundfile

    return str(soundfile.__libsndfile_version__)
