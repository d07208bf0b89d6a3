"""Sound file formats: what each can hold, and how its bytes come to depend on the sound alone.

libsndfile answers a channel count or a rate that a format cannot hold with a riddle, with a file that it
cannot read again, or by ending the process (vorbis above 255 channels or 200 kHz). The limits below were
found by trying (libsndfile 1.2.2); `Format.refuse` turns each into a sentence beforehand.

By chance differ: the serial number of an Ogg stream, on every page and under its checksum; and the time of
day in the PEAK chunk of a float aiff. `without_chance` sets both to a constant.

An mp3 without a Xing header does not say how long it is; libsndfile guesses, and silently drops what is
beyond (three quarters of a file of variable rate). `mp3_with_length` puts a header before it that promises
more than enough.

References: Xiph.Org, The Ogg container format, RFC 3533; Apple, Audio Interchange File Format AIFF-C, 1991;
ISO 11172-3.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import PurePath
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from unweave.errors import InvalidInput
from unweave.wav import MAX_CHANNELS, MAX_RATE

__all__ = ["ENDINGS", "FORMATS", "Format", "choose_format", "mp3_with_length", "without_chance"]

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


class Format(NamedTuple):
    """A format: its file extension, its default subtype, whether it is lossless, whether it is fixed point.

    'Lossless' means that a decoder gives the coded numbers back; 'fixed point' that these end at 1.0.
    ``subtypes`` are all that may be asked for; ``rates`` the only rates, where there are few;
    ``holds_nothing`` is whether a file without a single sample can be read again.
    """

    extension: str
    subtype: str
    lossless: bool
    fixed_point: bool
    subtypes: tuple[str, ...]
    max_channels: int
    max_rate: int
    rates: tuple[int, ...] = ()
    holds_nothing: bool = True

    @property
    def name(self) -> str:
        """The format's name, as in `FORMATS`."""
        return self.extension[1:]

    def refuse(self, where: str, sample_rate: float, n_channels: int, n_samples: int) -> None:
        """Raise InvalidInput, with what to do, if the format cannot hold such a sound."""
        if not 1 <= n_channels <= self.max_channels:
            raise InvalidInput(
                f"{where}: {self.name} holds 1 to {self.max_channels} channels, but n_channels={n_channels}: "
                "write wav, which holds 65535, or save the channels one by one."
            )
        if sample_rate != int(sample_rate) or not self._holds_rate(int(sample_rate)):
            raise InvalidInput(
                f"{where}: {self.name} holds {self._rates_in_words()}, but sample_rate={sample_rate}: "
                f"resample the sound to sample_rate={self._rate_near(sample_rate)}{self._other_format()}."
            )
        if n_samples == 0 and not self.holds_nothing:
            raise InvalidInput(f"{where}: {self.name} cannot hold a sound of zero samples: write wav.")

    def _holds_rate(self, rate: int) -> bool:
        if self.rates:
            return rate in self.rates
        if self.name == "flac" and rate > 65535 and rate % 10:  # its header counts higher rates in tens
            return False
        return 1 <= rate <= self.max_rate

    def _rates_in_words(self) -> str:
        if self.rates:
            return f"{', '.join(map(str, self.rates[:-1]))} or {self.rates[-1]} Hz"
        tens = ", above 65535 in steps of ten" if self.name == "flac" else ""
        return f"whole rates from 1 to {self.max_rate} Hz{tens}"

    def _rate_near(self, rate: float) -> int:
        higher = [each for each in self.rates if each >= rate]
        if self.rates:
            return higher[0] if higher else self.rates[-1]
        near = max(1, min(round(rate), self.max_rate))
        return near if self._holds_rate(near) else round(near / 10) * 10

    def _other_format(self) -> str:
        return "" if self.name in ("wav", "rf64") else ", or write wav"


_PCM = ("PCM_16", "PCM_24", "PCM_32")
_ALL = ("FLOAT", *_PCM)

FORMATS: MappingProxyType[str, Format] = MappingProxyType(
    {
        "wav": Format(".wav", "FLOAT", True, False, _ALL, MAX_CHANNELS, MAX_RATE),
        "flac": Format(".flac", "PCM_24", True, True, ("PCM_16", "PCM_24"), 8, 655350, (), False),
        "ogg": Format(".ogg", "VORBIS", False, False, ("VORBIS",), 255, 200000),
        "opus": Format(".opus", "OPUS", False, False, ("OPUS",), 255, 48000, _OPUS_RATES, False),
        "mp3": Format(".mp3", "MPEG_LAYER_III", False, False, ("MPEG_LAYER_III",), 2, 48000, _MP3_RATES, False),
        "aiff": Format(".aiff", "FLOAT", True, False, _ALL, 1024, 1_000_000_000),
        "caf": Format(".caf", "FLOAT", True, False, _ALL, 1024, 2**31 - 1),
        "rf64": Format(".rf64", "FLOAT", True, False, _ALL, MAX_CHANNELS, MAX_RATE),
    }
)
"""The formats that can be written, by name."""

_ALIASES = {"aif": "aiff", "aifc": "aiff", "wave": "wav", "oga": "ogg"}

ENDINGS = frozenset(f".{name}" for name in (*FORMATS, *_ALIASES, "au", "bwf", "snd", "w64"))
"""The endings by which a sound file is told among others in a folder."""


def choose_format(path: PurePath, name: str | None, subtype: str | None) -> tuple[Format, str]:
    """The format, from its name or else the path's extension, and the subtype, checked."""
    known = ", ".join(FORMATS)
    key = (path.suffix[1:] if name is None else name).lower()
    chosen = FORMATS.get(_ALIASES.get(key, key))
    if chosen is None and name is not None:
        raise InvalidInput(f"format={name!r} is not one that can be written: choose one of {known}.")
    if chosen is None:
        what = f"ends in {path.suffix}, which names no sound format" if path.suffix else "has no extension"
        raise InvalidInput(f"{path} {what}: end it in one of {known}, or give format=.")
    subtype = chosen.subtype if subtype is None else subtype.upper()
    if subtype not in chosen.subtypes:
        raise InvalidInput(f"subtype={subtype!r}, but {chosen.name} is written as {' or '.join(chosen.subtypes)}.")
    return chosen, subtype


def without_chance(file: BinaryIO, form: Format) -> None:
    """Set to a constant what libsndfile drew by chance or from the clock, in a finished file."""
    if form.name in ("ogg", "opus"):
        _fix_ogg_serial(file)
    elif form.name == "aiff":
        _fix_aiff_time(file)


_OGG_SERIAL = b"unwv"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _fix_ogg_serial(file: BinaryIO) -> None:
    place = 0
    file.seek(0)
    while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
        sizes = file.read(head[26])
        body = sizes + file.read(sum(sizes))
        head = head[:14] + _OGG_SERIAL + head[18:22] + bytes(4) + head[26:]
        file.seek(place + 14)
        file.write(head[14:22] + _ogg_checksum(head + body))
        place = file.seek(place + 27 + len(body))


def _ogg_checksum(page: bytes) -> bytes:
    # Ogg's CRC is zlib's with the bits in the other order, from 0 and not inverted: so the bits are turned
    # around before and after, and zlib's inversions at both ends are undone.
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return struct.pack("<I", int(f"{crc:032b}"[::-1], 2))


def _fix_aiff_time(file: BinaryIO) -> None:
    place = file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(">4sI", head)
        if name == b"PEAK":
            file.seek(place + 12)  # behind the chunk's head and its version
            file.write(bytes(4))
            return
        place = file.seek(place + 8 + size + size % 2)


def mp3_with_length(data: bytes) -> bytes | None:
    """The mp3 with a Xing header that promises 2^24 frames before it, or None if it has a header of its own.

    Its length is then what can be decoded.
    """
    start = 0
    while data[start : start + 3] == b"ID3":
        a, b, c, d = data[start + 6 : start + 10]
        start += 10 + (a << 21 | b << 14 | c << 7 | d)
    first = data[start : start + 2048]
    if len(first) < 4 or first[0] != 0xFF or any(tag in first for tag in (b"Xing", b"Info", b"VBRI")):
        return None
    (word,) = struct.unpack(">I", first[:4])
    version, rate_code, mono = word >> 19 & 3, word >> 10 & 3, word >> 6 & 3 == 3
    if rate_code == 3 or version == 1 or word >> 17 & 3 != 1:
        return None
    full = version == 3  # MPEG-1; else MPEG-2 or 2.5, of half and of a quarter of the rate
    rate = (44100, 48000, 32000)[rate_code] >> {3: 0, 2: 1, 0: 2}[version]
    # The same header, but 64 kbit/s, unpadded and without a checksum: its length is known, and the Xing
    # header fits in.
    word = word & ~0xF200 | 0x10000 | (0x5000 if full else 0x8000)
    side = (17 if mono else 32) if full else (9 if mono else 17)
    frame = struct.pack(">I", word) + bytes(side) + b"Xing" + struct.pack(">II", 1, 1 << 24)
    return frame.ljust((144 if full else 72) * 64000 // rate, b"\0") + data[start:]
