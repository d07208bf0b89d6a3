"""FluCoMa's buffers: samples, spectra and activations alike as float32 ``frames × channels``, with a rate.

The problem: a buffer of Max, SuperCollider or Pd is one table for everything, and its files are sound files for
everything: a basis is a channel of 513 frames at 43 Hz, a magnitude has a channel for each bin. Here is the value, and
its files:

    .wav      float32, any number of channels up to 65535; the rate without what is behind the decimal point
    .csv      text, a line for each channel, a number for each frame; no rate
    others    whatever `unweave.audio` reads and writes, for sounds

Conventions: ``frames`` is ``(n_frames, n_channels)``, as those programs count. The house's own arrays lie the other way
round, ``(channels, samples)``: `Buffer.audio` and `Buffer.of` go between the two.

Differences from FluCoMa. A file that cannot be read is an error, where its programs go on with an empty buffer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.audio import Audio, load, save
from unweave.errors import InvalidInput, ReadError
from unweave.files import write_several, write_whole
from unweave.sound import checked_rate
from unweave.words import counted

__all__ = ["Buffer", "PathLike", "Source", "as_buffer", "read_buffer", "write_buffer", "write_buffers"]

PathLike = str | os.PathLike[str]

USUAL_RATE = 44100
"""Hz where nobody has said."""

_SIDEWAYS = 1000, 8
"""An array with so many channels of so few frames lies on its side."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Buffer:
    """A buffer: float32 ``(n_frames, n_channels)``, read-only, and its rate in Hz.

    Parameters
    ----------
    frames : array ``(n_frames, n_channels)`` or ``(n_frames,)``
        Every number finite. It is never changed.
    sample_rate : number
        Frames in a second. Of bases: bins in a Hz, as FluCoMa has it; nobody reads that.

    Raises
    ------
    InvalidInput
        A number is not finite, or the array is no table of real numbers.

    Examples
    --------
    >>> Buffer(np.zeros((513, 3)), 44100 / 1024)
    Buffer(513 frames, 3 channels, 43.0664 Hz)
    >>> Buffer.of(Audio(np.zeros((2, 100)), 8000)).frames.shape
    (100, 2)
    """

    frames: NDArray[Any]
    sample_rate: int | float = USUAL_RATE

    def __post_init__(self) -> None:
        try:
            given = np.asarray(self.frames)
        except ValueError:
            raise InvalidInput("frames has rows of different lengths: every frame needs as many channels.") from None
        if given.ndim not in (1, 2) or given.dtype.kind not in "fiub":
            raise InvalidInput(
                f"frames is {given.dtype} of shape {given.shape}, but real numbers (frames, channels) are needed."
            )
        if given.ndim == 2 and given.shape[1] == 0:
            raise InvalidInput(f"frames.shape={given.shape}: a buffer needs at least one channel.")
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused
            frames = given.astype(np.float32, copy=False)
        if not np.isfinite(frames).all():
            raise InvalidInput("frames contains NaN or infinity: every entry must be a finite number.")
        frames = frames.reshape(-1, 1) if frames.ndim == 1 else frames.view()
        frames.setflags(write=False)
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "sample_rate", checked_rate(self.sample_rate))

    @classmethod
    def of(cls, audio: Audio) -> Buffer:
        """The buffer that holds a sound."""
        return cls(audio.samples.T, audio.sample_rate)

    @property
    def audio(self) -> Audio:
        """The buffer as a sound."""
        return Audio(self.frames.T, self.sample_rate)

    @property
    def n_frames(self) -> int:
        """How long it is."""
        return int(self.frames.shape[0])

    @property
    def n_channels(self) -> int:
        """How many channels it has."""
        return int(self.frames.shape[1])

    def __repr__(self) -> str:
        frames, channels = counted(self.n_frames, "frame"), counted(self.n_channels, "channel")
        return f"Buffer({frames}, {channels}, {self.sample_rate:.6g} Hz)"


Source = Buffer | Audio | PathLike | ArrayLike
"""What may stand for a buffer: one, a sound, the name of a file, or an array ``(frames, channels)``."""


def as_buffer(name: str, value: Source) -> Buffer:
    """Return what stands for a buffer as one; ``name`` begins the sentences about it.

    An array without a rate has that of Max's and SuperCollider's buffers, 44100 Hz.
    """
    if isinstance(value, Buffer):
        return value
    if isinstance(value, Audio):
        return Buffer.of(value)
    if isinstance(value, str | os.PathLike):
        return read_buffer(value)
    frames = np.asarray(value)
    if frames.ndim == 2 and frames.shape[1] >= _SIDEWAYS[0] and frames.shape[0] <= _SIDEWAYS[1]:
        raise InvalidInput(
            f"{name}.shape={frames.shape}, but a buffer is (frames, channels): pass array.T (if it really has "
            f"{frames.shape[1]} channels, pass Buffer(array))."
        )
    return Buffer(frames)


def read_buffer(path: PathLike, *, sample_rate: float | None = None) -> Buffer:
    """Read a file as a buffer.

    Parameters
    ----------
    path : path
        A ``.csv`` with a line for each channel, or a sound file of any kind, rate and number of channels.
    sample_rate : number, optional
        The true rate, where the file says a rounded one or none. Nothing is converted. Default: the file's; of a
        ``.csv`` 44100.

    Raises
    ------
    ReadError
        The file is missing, damaged, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_buffer(f"{folder}/bases.wav", Buffer(np.ones((513, 3)), 44100 / 1024))
    ...     read_buffer(f"{folder}/bases.wav")
    Buffer(513 frames, 3 channels, 43 Hz)
    """
    if _is_table(path):
        return Buffer(_read_table(Path(path)), sample_rate or USUAL_RATE)
    audio = load(path)
    return Buffer(audio.samples.T, sample_rate or audio.sample_rate)


def _is_table(path: PathLike) -> bool:
    return Path(path).suffix.lower() == ".csv"


def _read_table(path: Path) -> NDArray[np.float64]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}.") from None
    # FluCoMa writes commas with or without spaces behind them, and sometimes one at the end of a line.
    rows = [re.split(r"[,;\s]+", line.strip(" ,;\t")) for line in text.splitlines() if line.strip(" ,;\t")]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ReadError(f"{path} is no buffer: every line is a channel, and needs as many numbers as the others.")
    try:
        table = np.array(rows, np.float64)
    except ValueError as error:
        raise ReadError(f"{path} is no table of numbers: {error}.") from None
    if not np.isfinite(table).all():
        raise ReadError(f"{path} contains NaN or infinity: every number must be finite.")
    return table.T


def write_buffer(path: PathLike, buffer: Buffer) -> None:
    """Write a buffer as ``.wav`` or ``.csv``, or a sound as any format; a file of that name is replaced.

    Parameters
    ----------
    path : path
        Its extension is the format.
    buffer : Buffer
        In a file of sound its rate loses what is behind the decimal point, as in FluCoMa's files: 43 Hz for bases.

    Raises
    ------
    InvalidInput
        The format cannot hold it.
    WriteError
        The file cannot be written; then nothing is there.
    """
    write_buffers({os.fspath(path): buffer})


def write_buffers(buffers: Mapping[str, Buffer]) -> None:
    """Write several buffers: all of them or, where one cannot be written, none."""
    write_several((name, partial(_write, buffer)) for name, buffer in buffers.items())


def _write(buffer: Buffer, path: Path) -> None:
    if _is_table(path):
        write_whole(path, _table(buffer).encode())
    else:
        save(path, Audio(buffer.frames.T, max(1, int(buffer.sample_rate))))


def _table(buffer: Buffer) -> str:
    """A line for each channel, with the nine digits that give float32 back."""
    lines = (",".join(f"{number:.9g}" for number in channel) for channel in buffer.frames.T.tolist())
    return "".join(f"{line}\n" for line in lines)
