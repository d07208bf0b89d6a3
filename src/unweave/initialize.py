"""What a user brings to a factorisation: bases, activations, and which of them are kept.

A given basis or activation is a start, or with ``learn_bases=False`` / ``learn_activations=False`` it stays as it is,
at its own scale; the partner of what is given starts flat, at the level at which the components share V evenly. What
is not given starts at random or from the singular values of V: `unweave.starts`, whose names can be had here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.starts import METHODS, Method, count_by_coverage, nndsvd, random_start, truncated_svd
from unweave.words import counted

__all__ = [
    "METHODS",
    "Given",
    "Method",
    "adapt_iterations",
    "count_by_coverage",
    "learn_mask",
    "nndsvd",
    "random_start",
    "truncated_svd",
]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a user brings to a factorisation: a start for the first components, and which of it is kept.

    Parameters
    ----------
    bases : ``(bins, n)`` or None
    activations : ``(n, frames)`` or None
    learn_bases, learn_activations : bool ``(components,)``
        False where what was given is kept.
    adapt : int ``(components,)``
        Over how many iterations a given basis is let go; 0: free at once.
    """

    bases: Matrix | None
    activations: Matrix | None
    learn_bases: Mask
    learn_activations: Mask
    adapt: NDArray[np.int64]

    @classmethod
    def check(
        cls,
        V: Matrix,
        n_components: int,
        *,
        bases: ArrayLike | None,
        activations: ArrayLike | None,
        learn_bases: bool | Sequence[bool] | Mask,
        learn_activations: bool | Sequence[bool] | Mask,
        adapt: int | Sequence[int] = 0,
    ) -> Given:
        """Take what was given, in the dtype of ``V``, or say why it does not fit."""
        W = None if bases is None else nonnegative_matrix("bases", bases).astype(V.dtype)
        H = None if activations is None else nonnegative_matrix("activations", activations).astype(V.dtype)
        n_bins, n_frames = V.shape
        if W is not None and (W.shape[0] != n_bins or not 1 <= W.shape[1] <= n_components):
            raise Incompatible(
                f"bases.shape={W.shape}, but this spectrogram needs ({n_bins}, n) with n from 1 to "
                f"n_components={n_components}. Were they made with another n_fft or number of channels?"
            )
        if H is not None and (H.shape[1] != n_frames or not 1 <= H.shape[0] <= n_components):
            raise Incompatible(
                f"activations.shape={H.shape}, but this spectrogram needs (n, {n_frames}) with n from 1 to "
                f"n_components={n_components}. Were they made with another hop_length?"
            )
        masks = (
            learn_mask("bases", learn_bases, 0 if W is None else W.shape[1], n_components),
            learn_mask("activations", learn_activations, 0 if H is None else H.shape[0], n_components),
        )
        return cls(W, H, *masks, adapt_iterations(adapt, 0 if W is None else W.shape[1], n_components))

    @property
    def n_components(self) -> int:
        """How many components there are, given or not."""
        return int(self.learn_bases.size)

    @property
    def any(self) -> bool:
        """Whether anything was given."""
        return self.bases is not None or self.activations is not None

    @property
    def complete(self) -> bool:
        """Whether every component has a basis or an activation, so that nothing starts at random."""
        sizes = [0 if self.bases is None else self.bases.shape[1]]
        sizes += [0 if self.activations is None else self.activations.shape[0]]
        return max(sizes) == self.n_components

    @property
    def all_kept(self) -> bool:
        """Whether there is nothing to learn."""
        return not (self.learn_bases.any() or self.learn_activations.any())

    @property
    def level_in_bases(self) -> Mask:
        """Components whose basis must take up a change of level, because their activation is kept and it is not."""
        return ~self.learn_activations & self.learn_bases

    def at(self, frames: NDArray[np.intp]) -> Given:
        """The same for some frames only."""
        activations = None if self.activations is None else self.activations[:, frames]
        return replace(self, activations=activations)

    def put_into(self, bases: Matrix, activations: Matrix, V: Matrix, scale: float = 1.0) -> None:
        """Write what was given over a start, in place; ``V`` and the start are in units of ``scale``.

        The partner of a given basis or activation starts flat, at the level at which the components share V evenly.
        """
        share = (float(V.mean(dtype=np.float64)) or 1.0) / self.n_components
        in_bases = self.level_in_bases
        n_bases = 0 if self.bases is None else self.bases.shape[1]
        n_activations = 0 if self.activations is None else self.activations.shape[0]
        for k in range(max(n_bases, n_activations)):
            if self.bases is not None and k < n_bases:
                bases[:, k] = self.bases[:, k] / (scale if in_bases[k] else 1.0)
            if self.activations is not None and k < n_activations:
                activations[k] = self.activations[k] / (1.0 if in_bases[k] else scale)
            if k >= n_activations:
                activations[k] = share / (float(bases[:, k].mean(dtype=np.float64)) or 1.0)
            if k >= n_bases:
                bases[:, k] = share / (float(activations[k].mean(dtype=np.float64)) or 1.0)

    def restore(self, bases: Matrix, activations: Matrix, scale: float) -> None:
        """Go back from units of ``scale``, in place; what was kept is put back to the bit."""
        in_bases = self.level_in_bases
        bases[:, in_bases] *= scale
        activations[~in_bases] *= scale
        if self.bases is not None:
            kept = ~self.learn_bases[: self.bases.shape[1]]
            bases[:, : kept.size][:, kept] = self.bases[:, kept]
        if self.activations is not None:
            kept = ~self.learn_activations[: self.activations.shape[0]]
            activations[: kept.size][kept] = self.activations[kept]


def adapt_iterations(adapt: int | Sequence[int], n_given: int, n_components: int) -> NDArray[np.int64]:
    """Over how many iterations each basis is let go; those that are not given are free."""
    values = np.asarray(adapt)
    if values.dtype.kind not in "iu" or values.ndim > 1 or values.min(initial=0) < 0:
        raise InvalidInput(f"adapt={adapt!r} is not a number of iterations from 0, or one for each given basis.")
    if values.ndim and values.size != n_given:
        raise Incompatible(f"adapt has {values.size} numbers for {n_given} given bases.")
    if values.any() and n_given == 0:
        raise Incompatible(f"adapt={adapt!r} lets given bases go slowly, but none are given: pass bases=….")
    iterations = np.zeros(n_components, np.int64)
    iterations[:n_given] = values
    return iterations


def learn_mask(name: str, learn: bool | Sequence[bool] | Mask, n_given: int, n_components: int) -> Mask:
    """One truth value a component: what is not given always learns.

    ``learn`` is one value for all that was given, or one for each given component, or one for every component.
    """
    values = np.asarray(learn)
    if values.dtype != np.bool_ or values.ndim > 1:
        raise InvalidInput(f"learn_{name}={learn!r} is neither True, False, nor one of them for each component.")
    if values.ndim == 1 and values.size not in (n_given, n_components):
        raise Incompatible(
            f"learn_{name} has {values.size} values, but {n_given} {name} are given for "
            f"{counted(n_components, 'component')}."
        )
    if not values.all() and n_given == 0:
        raise Incompatible(f"learn_{name}={learn!r} keeps {name}, but none are given: pass {name}=…")
    mask = np.ones(n_components, np.bool_)
    if values.ndim == 0:
        mask[:n_given] = values
    else:
        mask[: values.size] = values
    if not mask[n_given:].all():
        raise Incompatible(f"learn_{name} keeps component {int(np.argmin(mask))}, but only {n_given} {name} are given.")
    return mask
