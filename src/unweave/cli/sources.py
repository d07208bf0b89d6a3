"""What a command reads: the recording, from a file or from standard input, and matrices that a user brings."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import numpy as np

from unweave import interchange
from unweave.arrays import Matrix
from unweave.audio import Audio, SoundStream, load, open_stream
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, ReadError, UnweaveError
from unweave.npz import read_npy
from unweave.parts import Decomposition

__all__ = [
    "STDIN",
    "Recording",
    "file_digest",
    "load_decomposition",
    "load_dictionary",
    "open_recording",
    "read_activations",
    "read_bases",
    "read_recording",
    "read_weights",
    "refuse_stdin",
]

STDIN = "-"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording, its name without folders, and the SHA-256 of the bytes that it was read from."""

    audio: Audio
    name: str
    sha256: str


class _NamedBytes(io.BytesIO):
    """Bytes that an error can call by a name."""

    name = "stdin"


def read_recording(name: str, start: float, duration: float | None, sample_rate: float | None) -> Recording:
    """Read a file, or standard input for '-'."""
    _refuse_nothing(duration)
    path = Path(name)
    if name != STDIN and (not path.exists() or path.is_file() or path.is_dir()):
        audio = load(path, start=start, duration=duration, sample_rate=sample_rate)
        return Recording(audio, path.name, file_digest(path))
    # A stream can be read once only.
    _refuse_closed(name)
    content = _NamedBytes(sys.stdin.buffer.read() if name == STDIN else path.read_bytes())
    content.name = "stdin" if name == STDIN else name
    digest = hashlib.sha256(content.getbuffer()).hexdigest()
    audio = load(content, start=start, duration=duration, sample_rate=sample_rate)
    return Recording(audio, PurePath(content.name).name, digest)


@contextmanager
def open_recording(
    name: str, start: float, duration: float | None, sample_rate: float | None, n_block: int
) -> Iterator[SoundStream]:
    """A context with a file, or standard input for '-', that is read as it comes."""
    _refuse_nothing(duration)
    _refuse_closed(name)
    source = cast("BinaryIO", _Stdin(sys.stdin.buffer)) if name == STDIN else Path(name)
    with open_stream(source, start=start, duration=duration, sample_rate=sample_rate, n_block=n_block) as sound:
        yield sound


class _Stdin:
    """Standard input as a file with a name that errors can call it by."""

    name = "stdin"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _refuse_nothing(duration: float | None) -> None:
    if duration == 0:
        raise InvalidInput("duration=0 takes nothing of the recording: leave it out, or give more than 0 seconds.")


def _refuse_closed(name: str) -> None:
    if name == STDIN and sys.stdin is None:
        raise ReadError("stdin is closed: pipe a sound file into it.")


def refuse_stdin(name: str) -> None:
    """Refuse '-', where a file is read more than once."""
    if name == STDIN:
        raise InvalidInput("- is standard input, which can be read once only: name a file, or say ./- for that name.")


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bases(path: str) -> Dictionary | Matrix:
    """A dictionary, the dictionary of a decomposition, or a matrix ``(bins, n)`` or ``(channels, bins, n)``."""
    if _is_matrix(path, "a dictionary"):
        return _checked(path, "bases", read_npy(path))
    try:
        return load_dictionary(path)
    except ReadError:
        raise
    except (UnweaveError, KeyError) as error:
        raise ReadError(f"{path} is not a dictionary that can be used: {error}") from None


def load_dictionary(path: str | Path) -> Dictionary:
    """A dictionary, or that of a decomposition or of seeds: ``.safetensors`` by its name, else the house's own."""
    return interchange.read_dictionary(path) if _is_safetensors(path) else Dictionary.load(path)


def load_decomposition(path: str | Path) -> Decomposition:
    """A decomposition: ``.safetensors`` by its name, else the house's own."""
    return interchange.read_decomposition(path) if _is_safetensors(path) else Decomposition.load(path)


def _is_safetensors(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".safetensors"


def read_activations(path: str) -> Matrix:
    """The activations ``(n, frames)`` of a decomposition, a table, or a matrix."""
    if Path(path).suffix.lower() == ".csv":
        return _checked(path, "activations", interchange.read_activations(path))
    if _is_matrix(path, "a decomposition"):
        return _checked(path, "activations", read_npy(path))
    arrays, _ = interchange.read_arrays(path, "a decomposition")
    if "activations" not in arrays:
        raise ReadError(f"{path} holds no activations: it holds {', '.join(sorted(arrays)) or 'nothing'}.")
    return _checked(path, "activations", arrays["activations"])


def read_weights(path: str) -> Matrix:
    """Weights of a spectrogram, ``(bins, frames)`` or ``(channels, bins, frames)``."""
    if not _is_matrix(path, "a collection"):
        raise ReadError(f"{path} is not one matrix (.npy): weights are (bins, frames) or (channels, bins, frames).")
    return _checked(path, "weights", read_npy(path))


def _is_matrix(path: str, what: str) -> bool:
    """Whether a file is one matrix (True) or a collection of them (False), by its first bytes."""
    if _is_safetensors(path):
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(6)
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if head != b"\x93NUMPY" and head[:4] != b"PK\x03\x04":
        raise ReadError(f"{path} is neither {what} (.npz, .safetensors) nor a matrix (.npy).")
    return head == b"\x93NUMPY"


def _checked(path: str, what: str, array: Matrix) -> Matrix:
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or array.size == 0:
        raise ReadError(f"{path} holds {array.dtype} of shape {array.shape}, but {what} are a matrix of real numbers.")
    if not np.isfinite(array).all():
        raise ReadError(f"{path} contains NaN or infinity: {what} must be finite.")
    if array.min() < 0:
        raise ReadError(f"{path} contains {array.min():.4g}: {what} must not be negative (are they in decibels?).")
    return array
