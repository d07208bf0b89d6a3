"""Bases as bare matrices for other programs: NumPy's ``.npy``, and ``.csv`` for spreadsheets.

A matrix knows neither its names (a table has them in its first row) nor its settings: whoever reads one must know the
transform that it belongs to. The dictionary's own file, ``.npz``, keeps both.

Layout. ``.npy``: ``(bins, components)`` of one channel, else ``(channels, bins, components)``, and taps as a last axis:
what `Dictionary` takes. ``.csv``: a column for each base, a row for each bin, the channels one below the other. Nine
digits give float32 back to the bit.
"""

from __future__ import annotations

import csv
import io
import secrets
from os import PathLike
from pathlib import Path

import numpy as np

from unweave.arrays import Matrix
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, ReadError, WriteError
from unweave.framing import STFT

__all__ = ["EXTENSIONS", "read_dictionary", "write_dictionary"]

EXTENSIONS = (".npz", ".npy", ".csv")
"""What a dictionary can be written as."""


def write_dictionary(path: str | PathLike[str], dictionary: Dictionary) -> None:
    """Write a dictionary as what the extension says: ``.npz`` with all that it knows, ``.npy`` or ``.csv`` its bases.

    Raises
    ------
    InvalidInput
        Another extension, or bases of several frames in a table.
    WriteError
        The file cannot be written; then nothing is there.
    """
    kind = require_extension(path)
    if kind == ".npz":
        dictionary.save(path)
        return
    if kind == ".csv":
        content = _table(dictionary).encode()
    else:
        file = io.BytesIO()
        np.save(file, dictionary.bases[0] if dictionary.n_channels == 1 else dictionary.bases, allow_pickle=False)
        content = file.getvalue()
    _write(Path(path), content)


def require_extension(path: str | PathLike[str]) -> str:
    """The extension of a file for a dictionary, in small letters; refused where it is none of `EXTENSIONS`."""
    kind = Path(path).suffix.lower()
    if kind not in EXTENSIONS:
        raise InvalidInput(f"{path} ends in none of {', '.join(EXTENSIONS)}: the extension says what is written.")
    return kind


def _table(dictionary: Dictionary) -> str:
    if dictionary.n_taps > 1:
        raise InvalidInput(f"bases of {dictionary.n_taps} taps do not fit into a table: write .npz or .npy.")
    text = io.StringIO()
    # In quotes, so that a label such as 60 is told from a number.
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(dictionary.labels)
    rows = dictionary.bases.reshape(-1, dictionary.n_components)
    csv.writer(text, lineterminator="\n").writerows([f"{value:.9g}" for value in row] for row in rows)
    return text.getvalue()


def _write(target: Path, content: bytes) -> None:
    """Put a file into its place whole, or not at all."""
    temporary = target.parent / f".unweave-{secrets.token_hex(8)}.part"
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror or error}.") from None


def read_dictionary(
    path: str | PathLike[str],
    *,
    labels: tuple[str, ...] = (),
    stft: STFT | None = None,
    sample_rate: float | None = None,
) -> Dictionary:
    """Read what `write_dictionary` has written, or bases of another program in the same layout.

    Parameters
    ----------
    path : path
        ``.npz``, ``.npy`` or ``.csv``. The first row of a table is taken for labels where it is in quotes or
        no row of numbers.
    labels : tuple of str, optional
        Names, where the file has none or others are wanted.
    stft : STFT, optional
        For matrices: the transform that they belong to. Default: of as many bins as there are rows, one channel.
    sample_rate : float
        Hz. For matrices, and needed there.

    Raises
    ------
    ReadError
        The file is missing, damaged, or something else.
    InvalidInput, Incompatible
        What is said of the matrix does not fit it, or is missing.

    Examples
    --------
    >>> import tempfile
    >>> kit = Dictionary(np.ones((5, 2)), ("kick", "snare"), STFT(8), 8000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_dictionary(f"{folder}/kit.csv", kit)
    ...     read_dictionary(f"{folder}/kit.csv", sample_rate=8000)
    Dictionary(2 bases: kick, snare; n_fft=8 at 8000 Hz)
    """
    kind = require_extension(path)
    if kind == ".npz":
        if stft is not None or sample_rate is not None:
            raise InvalidInput("stft and sample_rate are for matrices: a dictionary brings its own.")
        found = Dictionary.load(path)
        return found.relabel(labels) if labels else found
    if sample_rate is None:
        raise InvalidInput(f"{path} does not say its rate: pass sample_rate= in Hz.")
    bases, names = _read_npy(path) if kind == ".npy" else _read_table(path)
    stft = stft or STFT(2 * (bases.shape[0 if bases.ndim == 2 else 1] - 1))
    if bases.ndim == 2 and bases.shape[0] != stft.n_bins:
        if bases.shape[0] % stft.n_bins:
            raise Incompatible(f"{path} has {bases.shape[0]} rows, but n_fft={stft.n_fft} makes {stft.n_bins} bins.")
        bases = bases.reshape(-1, stft.n_bins, bases.shape[1])
    return Dictionary(bases, labels or names, stft, sample_rate)


def _read_npy(path: str | PathLike[str]) -> tuple[Matrix, tuple[str, ...]]:
    try:
        array: Matrix = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ReadError(f"{path} is not a matrix that NumPy can read: {str(error).partition('. ')[0]}.") from None
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3, 4) or array.size == 0:
        raise ReadError(f"{path} holds no bases: (bins, components) or (channels, bins, components) is needed.")
    return array, ()


def _read_table(path: str | PathLike[str]) -> tuple[Matrix, tuple[str, ...]]:
    try:
        text = Path(path).read_text("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, csv.Error) as error:
        raise ReadError(f"{path} is not a table: {error}.") from None
    names: tuple[str, ...] = ()
    if rows and (text.lstrip().startswith('"') or not all(_is_number(cell) for cell in rows[0])):
        names = tuple(rows.pop(0))
    try:
        table = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError:
        raise ReadError(f"{path} is not a table of numbers with as many in each row.") from None
    if table.ndim != 2 or table.size == 0:
        raise ReadError(f"{path} is not a table of numbers with as many in each row.")
    return table, names


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
