"""Soft masks: what share of every time-frequency bin belongs to which component.

    M_k = (w_k h_k)^p / Σ_j (w_j h_j)^p

applied to the complex spectrogram of the mixture. ``power`` p = 1 shares magnitudes, p = 2 is the Wiener filter of a
model of powers; a larger p lets the strongest component take more of a bin, which separates harder and sounds
rougher. In bins where no component has any energy each gets the same share. So the masks sum to one everywhere, and
the components to the mixture.

The power is taken of the factors, not of the products, (w_k h_k)^p = w_k^p h_k^p, so that the sum over all components
is one matrix product for every p. Before that every frame and every bin is divided by its largest factor, which no
mask notices and which keeps large powers from overflowing. Where all products are too small for float32 none the less,
because every component is strong either in the frame or in the bin but never in both, they are compared by their
logarithms.

A component whose basis has taps is a sum of such products, and a power of a sum is none of a product: its values are
made block by block and compared as they are (`ModelMasks`).

Differences. FluCoMa silences bins where the model is silent, so that its parts lose them. `with_phase` is for what
the librosa notebooks do: w_k h_k with the phase of the mixture; such parts do not sum to the mixture.

Reference: A. Liutkus, R. Badeau, Generalized Wiener filtering with fractional power spectrograms, ICASSP 2015,
doi:10.1109/ICASSP.2015.7177973.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from unweave.arrays import Complex, Mask, Matrix
from unweave.errors import InvalidInput
from unweave.factorization import Factorization, Model

__all__ = ["Masks", "ModelMasks", "SoftMasks", "masks_of", "require_power", "with_phase"]

_FAINT = 1e-30
"""Sum of products below which some of them may have lost digits, or themselves, in float32 (1e-38)."""


def require_power(power: float) -> float:
    """Return the exponent of a mask as a float, or say why it cannot be one."""
    if isinstance(power, bool) or not isinstance(power, (int, float, np.integer, np.floating)):
        raise InvalidInput(f"power={power!r} is not a number.")
    if not (math.isfinite(power) and 0 < power <= 20):
        raise InvalidInput(f"power={power} is not above 0 and at most 20: 1 shares magnitudes, 2 is the Wiener filter.")
    return float(power)


class Masks(Protocol):
    """Masks of all components, made block by block."""

    def block(self, frames: slice, components: Sequence[int]) -> Matrix:
        """Masks of some components over some frames, float32 ``(len(components), frames, bins)``.

        Every entry is from 0 to 1; over all components they sum to one.
        """
        ...


def masks_of(factorization: Model, power: float = 1.0) -> Masks:
    """Prepare the masks of any factorisation."""
    if isinstance(factorization, Factorization):  # products: fast, and exact over any range of levels
        return SoftMasks.of(factorization, power)
    return ModelMasks(factorization, require_power(power))


@dataclass(frozen=True, slots=True, eq=False)
class ModelMasks:
    """Masks of components that are known by what they contribute to a block of frames.

    Parameters
    ----------
    factorization : Model
    power : float
        Exponent of the masks.
    """

    factorization: Model
    power: float

    def block(self, frames: slice, components: Sequence[int]) -> Matrix:
        """Masks of some components over some frames, float32 ``(len(components), frames, bins)``.

        Every entry is from 0 to 1; over all components they sum to one.
        """
        count = self.factorization.n_components
        values = [self.factorization.contribution(frames, [k]) for k in range(count)]
        # No mask notices a division of all components by the largest, which keeps every power in range.
        largest = np.max(values, axis=0)
        silent = largest == 0
        largest[silent] = 1
        total = np.zeros(largest.shape, np.float32)
        for k, value in enumerate(values):
            np.divide(value, largest, out=value)
            values[k] = (value if self.power == 1 else value**self.power).astype(np.float32, copy=False)
            total += values[k]
        total[silent] = 1
        out = np.empty((len(components), *total.shape), np.float32)
        for place, k in enumerate(components):
            np.divide(values[k], total, out=out[place])
            out[place][silent] = 1 / count
        return out


@dataclass(frozen=True, slots=True, eq=False)
class SoftMasks:
    """Masks of all components of a plain factorisation, made block by block.

    Parameters
    ----------
    bases : ``(components, bins)``
    activations : ``(frames, components)``
        To the power of the mask, scaled as the module says.
    log_bases, log_activations
        Their natural logarithms, float64.
    """

    bases: Matrix
    activations: Matrix
    log_bases: Matrix
    log_activations: Matrix

    @classmethod
    def of(cls, factorization: Factorization, power: float = 1.0) -> SoftMasks:
        """Prepare the masks of a factorisation."""
        power = require_power(power)
        bases = _scaled(factorization.bases.T, axis=0)
        activations = _scaled(factorization.activations.T, axis=1)
        with np.errstate(divide="ignore"):  # the logarithm of zero is -inf, as it should be
            logs = power * np.log(bases), power * np.log(activations)
        return cls(
            np.ascontiguousarray(bases**power, np.float32),
            np.ascontiguousarray(activations**power, np.float32),
            *logs,
        )

    def block(self, frames: slice, components: Sequence[int]) -> Matrix:
        """Masks of some components over some frames, float32 ``(len(components), frames, bins)``.

        Every entry is from 0 to 1; over all components they sum to one.
        """
        activations = self.activations[frames]
        total = activations @ self.bases
        faint = total < _FAINT
        total[faint] = 1
        shares = self._shares(frames, faint)
        out = np.empty((len(components), *total.shape), np.float32)
        for place, k in enumerate(components):
            mask = np.multiply(activations[:, k, None], self.bases[k], out=out[place])
            np.divide(mask, total, out=mask)
            mask[faint] = shares[k]
        return out

    def _shares(self, frames: slice, faint: Mask) -> Matrix:
        """Masks of all components where ``faint`` (frames, bins) is true, float64 ``(components, n)``."""
        count = self.bases.shape[0]
        shares = np.full((count, int(np.count_nonzero(faint))), 1 / count)
        # Silent frames and silent bins are common, and settled: nothing of them is left to compare.
        alive: Mask = np.logical_and.outer(self.activations[frames].any(axis=1), self.bases.any(axis=0))
        compared = alive[faint]
        frame, bin_ = np.nonzero(faint & alive)
        levels = self.log_activations[frames][frame].T + self.log_bases[:, bin_]
        top = levels.max(axis=0)
        weights = np.exp(levels - np.where(np.isfinite(top), top, 0))
        weights[:, np.isneginf(top)] = 1
        shares[:, compared] = weights / weights.sum(axis=0)
        return shares


def _scaled(factor: Matrix, axis: int) -> Matrix:
    """Divide by the largest entry along the axis of the components, in float64."""
    values = factor.astype(np.float64)
    largest = values.max(axis=axis, keepdims=True)
    scaled: Matrix = values / np.where(largest > 0, largest, 1.0)
    return scaled


def with_phase(magnitude: Matrix, mixture: Complex) -> Complex:
    """Give magnitudes the phase of the mixture.

    Parameters
    ----------
    magnitude : ``(channels, frames, bins)``
    mixture : complex64 ``(channels, frames, bins)``

    Returns
    -------
    complex64 ``(channels, frames, bins)``
        Where the mixture is zero it has no phase; zero is taken for it.
    """
    length = np.abs(mixture)
    silent = length == 0
    phase = np.where(silent, 1, mixture) / np.where(silent, 1, length)
    result: Complex = (magnitude * phase).astype(np.complex64, copy=False)
    return result
