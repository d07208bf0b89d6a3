"""Sound in and out: load, save, resample.

The problem: tools normalise, clip, mix down, resample or pad without being asked, stamp the time into their
files, or read a file that was cut short without a word. Here a sound that is loaded and saved keeps its rate,
its channels, its exact length and its level, or there is a sentence that says why not.

Conventions: float32 ``(channels, samples)``, full scale 1.0 (`unweave.sound`); times in seconds; the time t
is the sample round(t · sample_rate). Files are read and written in blocks, the latter under another name in
the same folder, which is changed at the end: a failure leaves neither half a file nor a lost one. The same
sound gives the same bytes in every second and for every size of the blocks (`unweave.wav`,
`unweave.formats`).

Wavs are read and written by our own code, the others by libsndfile; resampling is soxr's, at very high
quality. Lengths are kept by every format, mp3, ogg and opus included. An ogg or opus that was cut short is
read as far as it goes, since a stream need not say how long it is.

Differences from librosa: the file's own rate and all of its channels are kept.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self, cast

import numpy as np

from unweave.arrays import Samples
from unweave.codec import Sink, open_sink
from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.files import hidden_path, refuse_unreplaceable
from unweave.formats import FORMATS, choose_format
from unweave.incoming import PathOrFile, SoundStream, blocks_of, open_sound, span_of
from unweave.sound import Audio, as_audio, checked_rate, peak_of, refuse_non_finite
from unweave.wav import MAX_RATE

__all__ = [
    "FORMATS",
    "Audio",
    "AudioWriter",
    "PathOrFile",
    "SoundStream",
    "as_audio",
    "load",
    "open_stream",
    "read_blocks",
    "resample",
    "save",
]

_BLOCK = 65536


def resample(audio: Audio, sample_rate: float) -> Audio:
    """Convert to another rate by soxr's very high quality.

    Parameters
    ----------
    audio : Audio
    sample_rate : number
        Hz. What lies above half of it is lost. Peaks may grow a little, as between any two sets of samples.

    Returns
    -------
    Audio
        Of exactly round(n_samples · new / old) samples.
    """
    rate = _possible(sample_rate)
    if rate == audio.sample_rate:
        return audio
    n = round(audio.n_samples * rate / audio.sample_rate)
    samples = np.zeros((audio.n_channels, n), np.float32)
    if n and audio.n_samples:
        import soxr

        converted = soxr.resample(audio.samples.T, audio.sample_rate, rate, quality="VHQ")[:n]
        samples[:, : len(converted)] = converted.T
    return Audio(samples, rate)


def _possible(sample_rate: float) -> float:
    """A rate that sounds can be converted to."""
    rate = checked_rate(sample_rate)
    if rate > MAX_RATE:
        raise InvalidInput(f"sample_rate={rate:g} is more than {MAX_RATE} Hz, which is the most that a wav can have.")
    return rate


def load(
    path: PathOrFile, *, start: float = 0, duration: float | None = None, sample_rate: float | None = None
) -> Audio:
    """Read a sound file, or a part of it: wav, flac, ogg, opus, mp3, aiff, caf, w64, rf64, and more.

    Parameters
    ----------
    path : path or binary file
        A file need not be seekable: standard input will do.
    start, duration : float
        Which part, in seconds. What reaches beyond the end stops there.
    sample_rate : number, optional
        Convert to this rate in Hz; by default the file's own is kept.

    Returns
    -------
    Audio

    Raises
    ------
    ReadError
        The file is missing, no sound, damaged, cut short, or holds NaN.
    InvalidInput
        The part asked for is not in the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/a.wav", Audio(np.ones(100) / 2, 100))
    ...     load(f"{folder}/a.wav", start=0.25)
    Audio(1 channel, 0.750 s at 100 Hz, peak -6.0 dB)
    """
    if sample_rate is not None:
        _possible(sample_rate)
    with open_sound(path) as source:
        first, stop = span_of(source, start, duration)
        try:
            samples = np.empty((source.n_channels, stop - first), np.float32)
        except MemoryError:
            raise ReadError(
                f"{source.name} has {source.n_channels} channels of {source.seconds(stop - first)} s, which do not "
                "fit into the memory: read a part of it with duration=."
            ) from None
        at = 0
        for block in blocks_of(source, first, stop, _BLOCK):
            samples[:, at : at + block.shape[1]] = block
            at += block.shape[1]
        audio = Audio(samples, source.sample_rate)
    return audio if sample_rate is None else resample(audio, sample_rate)


def read_blocks(
    path: PathOrFile, *, start: float = 0, duration: float | None = None, n_block: int = _BLOCK
) -> Iterator[Samples]:
    """Read like `load`, but yield blocks ``(channels, n)`` of ``n_block`` samples, the last one shorter.

    The memory is that of one block. Errors come with the block that they concern.
    """
    if n_block < 1:
        raise InvalidInput(f"n_block={n_block}, but a block has at least one sample.")
    with open_sound(path) as source:
        yield from blocks_of(source, *span_of(source, start, duration), n_block)


@contextmanager
def open_stream(
    path: PathOrFile,
    *,
    start: float = 0,
    duration: float | None = None,
    sample_rate: float | None = None,
    n_block: int = _BLOCK,
) -> Iterator[SoundStream]:
    """Read what `load` would read, bit for bit, as it comes: a context with a `SoundStream`.

    The memory is that of a block. A wav that comes through a pipe is handed on as it comes, in blocks of any length;
    any other sound from a pipe when all of it has come. Errors come with the block that they concern.

    Parameters
    ----------
    path, start, duration, sample_rate
        As for `load`.
    n_block : int
        Most samples of a block, before a conversion to ``sample_rate``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/a.wav", Audio(np.ones(100) / 2, 100))
    ...     with open_stream(f"{folder}/a.wav", n_block=40) as sound:
    ...         print(sound.sample_rate, sound.n_samples, [block.shape for block in sound.blocks])
    100 100 [(1, 40), (1, 40), (1, 20)]
    """
    rate = None if sample_rate is None else _possible(sample_rate)
    if n_block < 1:
        raise InvalidInput(f"n_block={n_block}, but a block has at least one sample.")
    with open_sound(path, as_it_comes=True) as source:
        first, stop = span_of(source, start, duration)
        blocks = blocks_of(source, first, stop, n_block)
        length = stop - first if source.has_length or duration is not None else None
        if rate is None or rate == source.sample_rate:
            yield SoundStream(source.sample_rate, source.n_channels, length, blocks)
        else:
            longer = None if length is None else round(length * rate / source.sample_rate)
            converted = _converted(blocks, source.sample_rate, rate, source.n_channels)
            yield SoundStream(rate, source.n_channels, longer, converted)


def _converted(blocks: Iterable[Samples], old: float, new: float, n_channels: int) -> Iterator[Samples]:
    """What `resample` makes of the whole, block by block."""
    import soxr

    stream = soxr.ResampleStream(old, new, n_channels, dtype="float32", quality="VHQ")
    taken = given = 0
    for block in blocks:
        taken += block.shape[1]
        piece = stream.resample_chunk(np.ascontiguousarray(block.T)).T
        given += piece.shape[1]
        if piece.shape[1]:
            yield piece
    left = round(taken * new / old) - given
    if left > 0:
        end = np.zeros((n_channels, left), np.float32)
        piece = stream.resample_chunk(np.empty((0, n_channels), np.float32), last=True)[:left].T
        end[:, : piece.shape[1]] = piece
        yield end


class AudioWriter:
    """Writes a sound file block by block; the file appears under its name when the ``with`` block ends well.

    Parameters
    ----------
    path : path
        Its extension is the format, unless ``format`` says another. A file of that name is replaced.
    sample_rate, n_channels, n_samples : int
        Hz; channels; samples per channel in all, which must be known beforehand.
    format : str, optional
        One of `FORMATS`.
    subtype : str, optional
        FLOAT, PCM_16, PCM_24, PCM_32, where the format has them. Default: FLOAT; flac PCM_24.

    Raises
    ------
    InvalidInput
        The format cannot hold the sound; a sample is beyond full scale where the subtype ends there, or not
        finite; more or fewer samples were written than promised.
    WriteError
        The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        n_channels: int,
        n_samples: int,
        *,
        format: str | None = None,  # noqa: A002 - the word that users look for
        subtype: str | None = None,
    ) -> None:
        self._name = os.fspath(path)
        self._form, self._subtype = choose_format(Path(path), format, subtype)
        self._shape = (n_channels, n_samples)
        self._written = 0
        self._rate = rate = checked_rate(sample_rate)
        self._form.refuse(self._name, rate, n_channels, n_samples)
        self._path = Path(os.path.realpath(path))
        self._temporary = hidden_path(self._path)
        self._file: BinaryIO | None = None
        self._sink: Sink | None = None
        with self._or_nothing():
            self._file = self._open()
            self._sink = open_sink(
                self._file, self._form, self._subtype, sample_rate=int(rate), n_channels=n_channels, n_samples=n_samples
            )

    def _open(self) -> BinaryIO:
        refuse_unreplaceable(self._path)
        return cast("BinaryIO", self._temporary.open("x+b"))

    def write(self, block: Samples) -> None:
        """Append float32 ``(channels, n)``."""
        block = np.asarray(block, np.float32)
        if block.ndim != 2 or block.shape[0] != self._shape[0]:
            raise InvalidInput(f"block.shape={block.shape}, but ({self._shape[0]}, n) is needed: (channels, samples).")
        self._refuse_count(self._written + block.shape[1], final=False)
        refuse_non_finite(block, self._rate, self._name, InvalidInput, self._written)
        if self._subtype.startswith("PCM"):
            _refuse_clipping(self._name, peak_of(block), self._subtype)
        with self._or_nothing():
            self._opened()[1].write(block)
        self._written += block.shape[1]

    def close(self) -> None:
        """Finish the file and give it its name; otherwise nothing is left."""
        with self._or_nothing():
            self._refuse_count(self._written, final=True)
            file, sink = self._opened()
            sink.close()
            file.close()
            self._temporary.replace(self._path)

    def discard(self) -> None:
        """Leave nothing; what bore the name before stays."""
        if self._sink is not None:
            self._sink.discard()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _opened(self) -> tuple[BinaryIO, Sink]:
        if self._file is None or self._sink is None or self._file.closed:
            raise InvalidInput(f"{self._name}: the writer is closed already.")
        return self._file, self._sink

    def _refuse_count(self, n: int, final: bool) -> None:
        if n > self._shape[1] or (final and n != self._shape[1]):
            raise InvalidInput(
                f"{self._name}: {n} samples were written, but the writer was opened for {self._shape[1]}."
            )

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError):
                raise WriteError(f"{self._name} cannot be written: {error.strerror or error}.") from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _refuse_clipping(name: str, peak: float, subtype: str, gain: float = 1.0) -> None:
    if peak > 1 + 1e-6:  # a float32 that was scaled to 1.0 may be a rounding above
        fits = abs(gain) / peak
        unit = 10.0 ** (math.ceil(math.log10(fits)) - 3)  # rounded down, to three digits
        raise InvalidInput(
            f"{name}: the sound peaks at {peak:.4g} ({20 * math.log10(peak):+.1f} dB), but {subtype} ends at 1.0 and "
            f"would clip: pass gain={math.floor(fits / unit + 1e-9) * unit:.3g}, or write a float format such as wav."
        )


def save(
    path: str | os.PathLike[str],
    audio: Audio,
    *,
    format: str | None = None,  # noqa: A002 - the word that users look for
    subtype: str | None = None,
    gain: float = 1.0,
) -> None:
    """Write a sound file: wav, flac, ogg, opus, mp3, aiff, caf or rf64.

    Nothing is normalised and nothing is clipped.

    Parameters
    ----------
    path : path
        Its extension is the format, unless ``format`` says another. A file of that name is replaced.
    audio : Audio
    format : str, optional
        One of `FORMATS`.
    subtype : str, optional
        FLOAT, PCM_16, PCM_24, PCM_32, where the format has them. Default: FLOAT; flac PCM_24.
    gain : float
        Every sample is multiplied by it; give all parts of a sound the same one.

    Raises
    ------
    InvalidInput
        The format cannot hold the sound: its rate, its channels, or its peak where the subtype ends at 1.0.
    WriteError
        The file cannot be written.
    """
    if not isinstance(audio, Audio):
        raise InvalidInput(f"audio is of type {type(audio).__name__}: pass an Audio(samples, sample_rate).")
    if isinstance(gain, bool) or not isinstance(gain, numbers.Real) or not math.isfinite(gain):
        raise InvalidInput(f"gain={gain!r}, but it must be a finite number.")
    coding = choose_format(Path(path), format, subtype)[1]
    if coding.startswith("PCM"):
        # Here, so that the sentence names the peak of the whole, and not that of the first block that is too
        # loud.
        _refuse_clipping(os.fspath(path), audio.peak * abs(gain), coding, gain)
    size = (audio.n_channels, audio.n_samples)
    with AudioWriter(path, audio.sample_rate, *size, format=format, subtype=subtype) as writer:
        for begin in range(0, audio.n_samples, _BLOCK):
            block = audio.samples[:, begin : begin + _BLOCK]
            with np.errstate(over="ignore"):  # the writer refuses what is not finite
                writer.write(block if gain == 1 else block * np.float32(gain))
