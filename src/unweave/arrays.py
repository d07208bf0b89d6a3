"""Array types by name, and the checks that every door to the mathematics shares.

Shapes, in this order everywhere: ``(channels, samples)`` for sound, ``(channels, bins, frames)`` for
spectrograms, ``(bins, components)`` for bases, ``(components, frames)`` for activations.

All the mathematics keeps the dtype that it is given: float32 for sound, float64 where a user brings it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.errors import Incompatible, InvalidInput

__all__ = [
    "EPSILON",
    "LINE",
    "Complex",
    "Mask",
    "Matrix",
    "Samples",
    "keep_read_only",
    "nonnegative_matrix",
    "require_shape",
    "roomy",
    "roomy_like",
    "whole_rows",
]

Samples = NDArray[np.float32]
"""Sound: float32 ``(channels, samples)``."""

Complex = NDArray[np.complex64]
"""Spectra: complex64 ``(channels, bins, frames)``."""

Matrix = NDArray[np.floating[Any]]
"""A real matrix of float32 or float64."""

Mask = NDArray[np.bool_]
"""Truth values, one a component."""

EPSILON = 1e-10
"""The floor below a model value, relative to the mean of what is modelled: 200 dB down. It keeps quotients
finite where a model is silent and is far below what float32 resolves anywhere else."""


LINE = 16
"""Rows with room are a multiple of so many numbers long: a cache line of float32."""


def roomy(n_rows: int, n_columns: int, dtype: np.dtype[Any] | type[np.floating[Any]]) -> Matrix:
    """Zeros ``(n_rows, n_columns)`` in rows that are a little longer, so that each begins at a whole cache line.

    A spectrum has one bin more than a power of two. Products with rows of 1025 numbers end in a column of its own,
    and most rows begin in the middle of a vector: the matrix library is up to a quarter faster on rows of 1040.
    """
    room = -(-n_columns // LINE) * LINE
    return np.zeros((n_rows, room), dtype)[:, :n_columns]


def whole_rows(matrix: Matrix) -> Matrix:
    """The rows of a `roomy` matrix with the room behind them, contiguous; any other matrix as it is.

    What is done entry by entry is several times faster on them. What the room holds means nothing.
    """
    base = matrix.base
    if not isinstance(base, np.ndarray) or base.ndim != 2 or not base.flags.c_contiguous:
        return matrix
    room = -(-matrix.shape[1] // LINE) * LINE
    start = matrix.__array_interface__["data"][0] == base.__array_interface__["data"][0]
    same = base.shape == (matrix.shape[0], room) and base.dtype == matrix.dtype
    spaced = matrix.strides == base.strides or len(matrix) == 1  # one row lies like any other
    return base if start and same and spaced else matrix


def roomy_like(matrix: Matrix, n_rows: int | None = None) -> Matrix:
    """Zeros with the columns of ``matrix``, in rows as long as its."""
    rows, columns = matrix.shape[0] if n_rows is None else n_rows, matrix.shape[1]
    return np.zeros((rows, whole_rows(matrix).shape[1]), matrix.dtype)[:, :columns]


def nonnegative_matrix(name: str, value: ArrayLike) -> Matrix:
    """Return ``value`` as a float matrix with two axes, or say what is wrong with it.

    float32 and float64 stay what they are; float16 becomes float32; integers and booleans become float64.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidInput(f"{name} has rows of different lengths: a matrix is needed.") from None
    if array.ndim != 2:
        raise InvalidInput(f"{name}.shape={array.shape}, but a matrix with two axes is needed.")
    if np.iscomplexobj(array):
        raise InvalidInput(f"{name} is complex: pass its magnitude, abs({name}).")
    if array.dtype.kind not in "fiub":
        raise InvalidInput(f"{name}.dtype={array.dtype}, but a matrix of real numbers is needed.")
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    _refuse_negative_or_infinite(name, array)
    return array


def _refuse_negative_or_infinite(name: str, array: Matrix) -> None:
    if array.size == 0:
        return
    # min and max meet every NaN and every infinity, and need no temporary array.
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InvalidInput(f"{name} contains NaN or infinity: every entry must be a finite number.")
    if low < 0:
        raise InvalidInput(
            f"{name} contains {low:.4g}, but no entry may be negative (is it a spectrum in decibels, or a waveform?)."
        )


def keep_read_only(value: object, **arrays: NDArray[Any]) -> None:
    """Set fields of a frozen value to read-only views: the caller's arrays keep their flags."""
    for name, array in arrays.items():
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(value, name, view)


def require_shape(name: str, shape: Sequence[int], needed: Sequence[int], meaning: str) -> None:
    """Refuse a shape that differs from the one needed; ``meaning`` says in words what is needed and why."""
    if tuple(shape) != tuple(needed):
        raise Incompatible(f"{name}.shape={tuple(shape)}, but {tuple(needed)} is needed: {meaning}")
