"""The result of a convolutive factorisation: V ≈ Σ_τ W_τ H^{→τ}, bases that last several frames.

The sibling of `unweave.Factorization`, with the same face (`unweave.factorization.Model`), so that masks, sounds and
pictures take either. How it comes about: `unweave.convolutive`.

Names. ``bases`` is W ``(bins, components, taps)``, ``activations`` is H ``(components, frames)``; an activation in
frame n is the beginning of a basis, which sounds in the frames n, n + 1, … n + taps - 1.

Reference: P. Smaragdis, Non-negative matrix factor deconvolution, ICA 2004, doi:10.1007/978-3-540-30110-3_63.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, keep_read_only, nonnegative_matrix
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Order, Stop, checked_history, component_order, require_component
from unweave.shown import html_of
from unweave.words import counted

__all__ = ["ConvolutiveFactorization", "array_with_taps"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ConvolutiveFactorization:
    """Bases with several taps, and activations, with the history of their divergence.

    Parameters
    ----------
    bases : ``(bins, components, taps)``
        A short spectrogram for each component. Learned ones have length one (L2, over bins and taps).
    activations : ``(components, frames)``
        Where each basis begins, and how loud, in the unit of V.
    divergences, stop, beta, seed, iterations
        As in `unweave.Factorization`.
    """

    bases: Matrix
    activations: Matrix
    divergences: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    stop: Stop = Stop.MAX_ITER
    beta: float = KULLBACK_LEIBLER
    seed: int = 0
    iterations: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        bases, activations = array_with_taps("bases", self.bases), nonnegative_matrix("activations", self.activations)
        if bases.shape[1] != activations.shape[0]:
            raise Incompatible(
                f"bases.shape={bases.shape} has {bases.shape[1]} components, but activations.shape={activations.shape} "
                f"has {activations.shape[0]}: bases are (bins, components, taps), activations (components, frames)."
            )
        divergences, iterations = checked_history(self.divergences, self.iterations)
        keep_read_only(self, bases=bases, activations=activations, divergences=divergences, iterations=iterations)

    def __repr__(self) -> str:
        bins, count, taps = self.bases.shape
        history = (
            f", divergence {self.divergences[-1]:.4g} after {counted(self.n_iter, 'iteration')}" if self.n_iter else ""
        )
        return (
            f"ConvolutiveFactorization({counted(count, 'component')} of {counted(taps, 'tap')}, "
            f"{counted(bins, 'bin')}, {counted(self.activations.shape[1], 'frame')}{history})"
        )

    def _repr_html_(self) -> str | None:
        return html_of(self)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.bases.shape[1])

    @property
    def n_taps(self) -> int:
        """How many frames a basis lasts."""
        return int(self.bases.shape[2])

    @property
    def n_iter(self) -> int:
        """How many iterations were run."""
        return int(self.iterations[-1]) if self.iterations.size else 0

    @property
    def spectra(self) -> Matrix:
        """One spectrum for each component, ``(bins, components)``: the sum of its taps."""
        total: Matrix = self.bases.sum(axis=2)
        return total

    def component(self, k: int) -> Matrix:
        """What component ``k`` contributes to the approximation, ``(bins, frames)``."""
        require_component(k, self.n_components)
        return self.contribution(slice(None), [k]).T

    def contribution(self, frames: slice, components: Sequence[int], exponent: float = 1.0) -> Matrix:
        """The sum of what some components contribute to some frames, each to a power, ``(frames, bins)``."""
        begin, stop, _ = frames.indices(self.activations.shape[1])
        total = np.zeros((stop - begin, self.bases.shape[0]), np.result_type(self.bases, self.activations))
        for k in components:
            product = self._delayed(frames, k) @ self.bases[:, k].T
            total += product if exponent == 1 else product**exponent
        return total

    def approximation(self) -> Matrix:
        """The sum of all components, ``(bins, frames)``."""
        return self.contribution(slice(None), range(self.n_components)).T

    def levels(self) -> Matrix:
        """Length (L2) of what every component contributes to every frame, ``(components, frames)``."""
        out = np.empty(self.activations.shape, np.float64)
        for k in range(self.n_components):
            basis = self.bases[:, k].astype(np.float64)
            delayed = self._delayed(slice(None), k).astype(np.float64)
            # |W h|² = hᵀ (WᵀW) h for the few taps of each frame: nothing of the size of a spectrogram is made.
            out[k] = np.sqrt(np.maximum(np.einsum("nt,nt->n", delayed @ (basis.T @ basis), delayed), 0))
        return out.astype(self.activations.dtype)

    def _delayed(self, frames: slice, k: int) -> Matrix:
        """Activation ``k`` as every tap sees it, ``(frames, taps)``."""
        begin, stop, _ = frames.indices(self.activations.shape[1])
        first = begin - self.n_taps + 1
        row = np.concatenate(
            [np.zeros(max(0, -first), self.activations.dtype), self.activations[k, max(0, first) : stop]]
        )
        return np.lib.stride_tricks.sliding_window_view(row, self.n_taps)[: stop - begin, ::-1]

    def select(self, components: Sequence[int] | NDArray[np.intp]) -> ConvolutiveFactorization:
        """The same factorisation with these components only, in this order."""
        index = np.asarray(components, np.intp)
        for k in index:
            require_component(int(k), self.n_components)
        return replace(self, bases=self.bases[:, index], activations=self.activations[index])

    def sort(self, order: Order = "centroid") -> ConvolutiveFactorization:
        """Put the components in a stable order, see `unweave.factorization.component_order`."""
        return self.select(component_order(self, order))

    def normalize(self) -> ConvolutiveFactorization:
        """Give every basis length one (L2, over bins and taps); what it contributes stays the same."""
        length = np.linalg.norm(self.bases.astype(np.float64), axis=(0, 2))
        scale = np.where(length > 0, length, 1.0)
        return replace(
            self,
            bases=(self.bases / scale[:, None]).astype(self.bases.dtype),
            activations=(self.activations * scale[:, None]).astype(self.activations.dtype),
        )


def array_with_taps(name: str, value: ArrayLike) -> Matrix:
    """Bases ``(bins, components, taps)`` as a float array, or what is wrong with them."""
    array = np.asarray(value)
    if array.ndim != 3 or array.shape[2] == 0:
        raise InvalidInput(f"{name}.shape={array.shape}, but (bins, components, taps) is needed.")
    return nonnegative_matrix(name, array.reshape(array.shape[0], -1)).reshape(array.shape)
