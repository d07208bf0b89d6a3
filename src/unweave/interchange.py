"""Dictionaries and decompositions for other programs: safetensors, NumPy's ``.npy``, ``.csv`` for spreadsheets.

A bare matrix knows neither its names (a table has them in its first row) nor its settings: whoever reads one must know
the transform that it belongs to. The house's own file, ``.npz``, keeps both, and so does ``.safetensors``, which has
the same arrays under the same names, and the same settings as its metadata. ``docs/files.md`` describes them all.

Layout. ``.npy``: ``(bins, components)`` of one channel, else ``(channels, bins, components)``, and taps as a last axis:
what `Dictionary` takes. ``.csv``: a column for each base, a row for each bin, the channels one below the other; of
activations a column for each component, a row for each frame, and the seconds first. Nine digits give float32 back to
the bit.

    .npz, .safetensors   all there is to know: a Dictionary, or a Decomposition with its recording
    .npy                 bases
    .csv                 bases, or activations
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.files import write_whole
from unweave.framing import STFT
from unweave.npz import read_npy, read_npz, write_npz
from unweave.parts import Decomposition
from unweave.safetensors import read_safetensors, write_safetensors

__all__ = [
    "EXTENSIONS",
    "activation_table",
    "read_activations",
    "read_arrays",
    "read_decomposition",
    "read_dictionary",
    "require_extension",
    "write_activations",
    "write_decomposition",
    "write_dictionary",
]

EXTENSIONS = (".npz", ".safetensors", ".npy", ".csv")
"""What a dictionary can be written as."""

Value = TypeVar("Value", Dictionary, Decomposition)

_WHOLE = (".npz", ".safetensors")  # with all that there is to know


# ---------------------------------------------------------------- dictionaries


def write_dictionary(path: str | PathLike[str], dictionary: Dictionary) -> None:
    """Write a dictionary as what the extension says.

    ``.npz`` and ``.safetensors`` hold all that it knows, ``.npy`` and ``.csv`` its bases.

    Raises
    ------
    InvalidInput
        Another extension, or bases of several frames in a table.
    WriteError
        The file cannot be written; then nothing is there.
    """
    kind = require_extension(path)
    if kind in _WHOLE:
        _write_whole(path, dictionary)
        return
    if kind == ".csv":
        content = _table(dictionary).encode()
    else:
        file = io.BytesIO()
        np.save(file, dictionary.bases[0] if dictionary.n_channels == 1 else dictionary.bases, allow_pickle=False)
        content = file.getvalue()
    write_whole(path, content)


def require_extension(path: str | PathLike[str], extensions: Sequence[str] = EXTENSIONS) -> str:
    """The extension of a file, in small letters; refused where it is none of those that are possible."""
    kind = Path(path).suffix.lower()
    if kind not in extensions:
        raise InvalidInput(f"{path} ends in none of {', '.join(extensions)}: the extension says what is written.")
    return kind


def _table(dictionary: Dictionary) -> str:
    if dictionary.n_taps > 1:
        raise InvalidInput(f"bases of {dictionary.n_taps} taps do not fit into a table: write .npz or .npy.")
    return _rows(dictionary.labels, dictionary.bases.reshape(-1, dictionary.n_components))


def _rows(titles: Sequence[str], table: NDArray[Any]) -> str:
    digits = 9 if table.dtype == np.float32 else 17
    text = io.StringIO()
    # In quotes, so that a label such as 60 is told from a number.
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(titles)
    csv.writer(text, lineterminator="\n").writerows([f"{value:.{digits}g}" for value in row] for row in table)
    return text.getvalue()


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
        ``.npz``, ``.safetensors``, ``.npy`` or ``.csv``. The first row of a table is taken for labels where it is in
        quotes or no row of numbers. Of a decomposition or of seeds the bases are taken.
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
    if kind in _WHOLE:
        if stft is not None or sample_rate is not None:
            raise InvalidInput("stft and sample_rate are for matrices: a dictionary brings its own.")
        found = _read_whole(path, Dictionary)
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
    array = read_npy(path)
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise ReadError(f"{path} holds no bases: (bins, components) or (channels, bins, components) is needed.")
    return array, ()


def _read_table(path: str | PathLike[str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
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


# ---------------------------------------------------------------- decompositions


def write_decomposition(path: str | PathLike[str], decomposition: Decomposition) -> None:
    """Write a decomposition with its recording, as ``.npz`` (what `Decomposition.save` does) or ``.safetensors``.

    Raises
    ------
    InvalidInput
        Another extension.
    WriteError
        The file cannot be written; then nothing is there.
    """
    require_extension(path, _WHOLE)
    _write_whole(path, decomposition)


def read_decomposition(path: str | PathLike[str]) -> Decomposition:
    """Read what `write_decomposition` or `Decomposition.save` has written.

    Raises
    ------
    ReadError
        The file is missing, damaged, or something else.
    """
    require_extension(path, _WHOLE)
    return _read_whole(path, Decomposition)


def write_activations(path: str | PathLike[str], decomposition: Decomposition) -> None:
    """Write activations as a table: seconds at the middle of a frame, then a column for each component.

    Raises
    ------
    InvalidInput
        The extension is not ``.csv``.
    WriteError
        The file cannot be written; then nothing is there.
    """
    require_extension(path, [".csv"])
    found = decomposition.activations
    table = np.column_stack([decomposition.times.astype(np.float64), found.T])
    digits = found.dtype if found.dtype == np.float32 else np.float64
    write_whole(path, _rows(("seconds", *decomposition.labels), table.astype(digits)).encode())


def read_activations(path: str | PathLike[str]) -> NDArray[np.float64]:
    """Activations ``(components, frames)`` of a table that `write_activations` has written, edited or not.

    Raises
    ------
    ReadError
        The file is missing, or no such table.
    """
    return activation_table(path)[1]


def activation_table(path: str | PathLike[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Labels, and activations as of `read_activations`.

    Raises
    ------
    ReadError
        The file is missing, or no such table.
    """
    require_extension(path, [".csv"])
    table, titles = _read_table(path)
    if titles[:1] != ("seconds",) or table.shape[1] < 2:
        raise ReadError(f"{path} is no table of activations: its first column is not 'seconds', or there is no other.")
    return titles[1:], np.ascontiguousarray(table[:, 1:].T)


# ---------------------------------------------------------------- safetensors


def read_arrays(path: str | PathLike[str], what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """All arrays of a ``.npz`` or ``.safetensors`` file by name, and its settings, as they are.

    Parameters
    ----------
    path : path
    what : str
        What it should have been, for the error: 'a dictionary'.

    Raises
    ------
    ReadError
        The file is missing, damaged, or something else.
    """
    if Path(path).suffix.lower() != ".safetensors":
        return read_npz(path, what)
    arrays, metadata = read_safetensors(path)
    try:
        settings = json.loads(metadata.get("settings", "{}"))
    except (ValueError, RecursionError):
        raise ReadError(f"{path} has settings that are no JSON text.") from None
    return arrays, settings if isinstance(settings, dict) else {}


def _write_whole(path: str | PathLike[str], value: Dictionary | Decomposition) -> None:
    if Path(path).suffix.lower() == ".npz":
        value.save(path)
        return
    with tempfile.TemporaryDirectory() as folder:  # by way of the file itself, so that the two cannot differ
        value.save(f"{folder}/value.npz")
        arrays, settings = read_npz(f"{folder}/value.npz", "a file")
    write_safetensors(path, arrays, {"settings": json.dumps(settings, sort_keys=True, ensure_ascii=False)})


def _read_whole(path: str | PathLike[str], kind: type[Value]) -> Value:
    if Path(path).suffix.lower() == ".npz":
        return kind.load(path)
    arrays, settings = read_arrays(path, "a file")
    with tempfile.TemporaryDirectory() as folder:
        inner = f"{folder}/value.npz"
        write_npz(inner, arrays, settings)
        try:
            return kind.load(inner)
        except ReadError as error:
            raise ReadError(str(error).replace(inner, str(path))) from None
