"""Masks from two medians of a spectrogram, one along time and one along frequency: the mathematics of `unweave.hpss`.

With h the median along time and p the one along frequency, both centred,

    classic   harmonic  M = h^α / (h^α + p^α), percussive 1 - M
    coupled   harmonic  M = [h > T_h p],       percussive 1 - M
    advanced  harmonic  M = [h > T_h p],       percussive [p > T_p h],  residual the rest; a bin that is both is shared

References: D. FitzGerald, Harmonic/percussive separation using median filtering, Proc. DAFx 2010. J. Driedger,
M. Müller, S. Disch, Extending harmonic-percussive separation of audio signals, Proc. ISMIR 2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Complex, Matrix, nonnegative_matrix
from unweave.errors import InvalidInput
from unweave.hpss.medians import mirrored, running_median
from unweave.masks import require_power

__all__ = ["MODES", "HPSSModel", "Mode", "Threshold", "hpss_masks"]

Mode = Literal["classic", "coupled", "advanced"]
MODES: tuple[Mode, ...] = ("classic", "coupled", "advanced")
Threshold = float | tuple[float, float, float, float]
"""dB at all frequencies; or (f1, a1, f2, a2): a1 dB up to f1, a2 from f2 on, a line between; f in shares of Nyquist."""

_LONGEST = 2001


@dataclass(frozen=True, slots=True)
class HPSSModel:
    """What is taken for harmonic and what for percussive; the parameters are those of `hpss`."""

    harmonic_size: int = 17
    percussive_size: int = 31
    mode: Mode = "classic"
    power: float = 2.0
    harmonic_threshold: Threshold = (0.0, 1.0, 1.0, 1.0)
    percussive_threshold: Threshold = (0.0, 1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("harmonic_size", "percussive_size"):
            _require_size(name, getattr(self, name))
        if self.mode not in MODES:
            raise InvalidInput(f"mode={self.mode!r} is not one of {', '.join(MODES)}.")
        require_power(self.power)
        for name in ("harmonic_threshold", "percussive_threshold"):
            _require_threshold(name, getattr(self, name))

    @property
    def n_ahead(self) -> int:
        """Frames after a frame that are needed to judge it."""
        return self.harmonic_size // 2

    @property
    def n_masked(self) -> int:
        """Parts that are made by masks; the next one is what they leave."""
        return 2 if self.mode == "advanced" else 1

    def masks(self, magnitudes: Matrix) -> Matrix:
        """Masks ``(n_masked, channels, n, bins)`` from magnitudes ``(channels, n + 2 n_ahead, bins)``."""
        n_bins, half = magnitudes.shape[2], self.percussive_size // 2
        along_time = running_median(magnitudes.transpose(0, 2, 1), self.harmonic_size)
        harmonic = np.ascontiguousarray(along_time.transpose(0, 2, 1))
        inner = magnitudes[:, self.n_ahead : magnitudes.shape[1] - self.n_ahead]
        percussive = running_median(inner[..., mirrored(-half, n_bins + half, n_bins)], self.percussive_size)
        if self.mode == "classic":
            return _share(harmonic, percussive, self.power)[None]
        factor, other = (
            _factors(threshold, n_bins).astype(magnitudes.dtype)
            for threshold in (self.harmonic_threshold, self.percussive_threshold)
        )
        first = harmonic > percussive * factor
        if self.mode == "coupled":
            return first[None].astype(magnitudes.dtype)
        # Thresholds below 0 dB may call a bin both: then it is shared.
        both = np.stack([first, percussive > harmonic * other]).astype(magnitudes.dtype)
        shared: Matrix = both / np.maximum(both.sum(axis=0), 1)
        return shared

    def apply(self, values: Complex) -> Complex:
        """Spectra ``(n_masked, channels, n, bins)`` of the parts, from those of ``n + 2 n_ahead`` frames."""
        magnitudes = np.abs(values)
        if not np.isfinite(magnitudes.max(initial=0)):
            raise InvalidInput("the sound is too loud for numbers of 32 bits: full scale is 1, bring it near to that.")
        inner = values[:, self.n_ahead : values.shape[1] - self.n_ahead]
        return np.asarray(self.masks(magnitudes) * inner, np.complex64)


def _require_size(name: str, size: object) -> None:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
        raise InvalidInput(f"{name}={size!r} is not a whole number.")
    if not 3 <= size <= _LONGEST or size % 2 == 0:
        raise InvalidInput(
            f"{name}={size} is not an odd number from 3 to {_LONGEST}: a median has as many on either side."
        )


def _require_threshold(name: str, threshold: Threshold) -> None:
    numbers = threshold if isinstance(threshold, Sequence) else (0.0, threshold, 1.0, threshold)
    if len(numbers) != 4 or isinstance(numbers, str) or not all(isinstance(each, (int, float)) for each in numbers):
        raise InvalidInput(f"{name}={threshold!r} is neither a number of dB nor four numbers (f1, a1, f2, a2).")
    f1, a1, f2, a2 = numbers
    if not 0 <= f1 <= f2 <= 1:
        raise InvalidInput(
            f"{name}={threshold!r}: the frequencies must rise from 0 to 1, which is half the sample rate, "
            f"but f1={f1:g} and f2={f2:g}."
        )
    if not all(math.isfinite(each) and abs(each) <= 200 for each in (a1, a2)):
        raise InvalidInput(f"{name}={threshold!r}: the levels must lie between -200 and 200 dB.")


def _factors(threshold: Threshold, n_bins: int) -> NDArray[np.float64]:
    """The threshold of every bin, as a factor."""
    f1, a1, f2, a2 = threshold if isinstance(threshold, Sequence) else (0.0, threshold, 1.0, threshold)
    share = np.linspace(0, 1, n_bins)
    slope: NDArray[np.float64] = np.clip((share - f1) / (f2 - f1), 0, 1) if f2 > f1 else (share >= f1).astype(float)
    factors: NDArray[np.float64] = 10 ** ((a1 + (a2 - a1) * slope) / 20)
    return factors


def _share(one: Matrix, other: Matrix, power: float) -> Matrix:
    """one^p / (one^p + other^p), one half where both are zero."""
    largest = np.maximum(one, other)  # dividing by it keeps powers from over- and underflowing
    silent = largest == 0
    largest[silent] = 1
    a, b = one / largest, other / largest
    if power == 2:
        a, b = np.square(a, out=a), np.square(b, out=b)
    elif power != 1:
        a, b = a**power, b**power
    a[silent] = b[silent] = 1
    b += a
    return np.divide(a, b, out=a)


_USUAL = HPSSModel()


def hpss_masks(magnitudes: ArrayLike, model: HPSSModel = _USUAL) -> tuple[Matrix, Matrix, Matrix]:
    """The masks of a whole spectrogram, for those who have one.

    Parameters
    ----------
    magnitudes : non-negative ``(bins, frames)``
    model : HPSSModel

    Returns
    -------
    harmonic, percussive, residual : ``(bins, frames)``
        From 0 to 1; they sum to one everywhere.

    Examples
    --------
    >>> cross = np.zeros((40, 40))
    >>> cross[20, :] = cross[:, 10] = 1
    >>> harmonic, percussive, _ = hpss_masks(cross)
    >>> float(harmonic[20, 30]), float(percussive[5, 10]), float(harmonic[20, 10])
    (1.0, 1.0, 0.5)
    """
    V = nonnegative_matrix("magnitudes", magnitudes)
    if 0 in V.shape:
        raise InvalidInput(f"magnitudes.shape={V.shape}, but at least one bin and one frame are needed.")
    wide = V.T[None, mirrored(-model.n_ahead, V.shape[1] + model.n_ahead, V.shape[1])]
    made = model.masks(wide)[:, 0].transpose(0, 2, 1)
    rest = 1 - made.sum(axis=0)
    return (made[0], rest, np.zeros_like(rest)) if model.n_masked == 1 else (made[0], made[1], rest)
