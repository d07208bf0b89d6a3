"""Starting points: bases and activations before the first iteration.

The divergence of NMF has many local minima, and the start decides in which of them a run ends. Random starts differ
from each other; NNDSVD (Boutsidis & Gallopoulos 2008) starts from the singular value decomposition V ≈ U S Qᵀ: the
first component is |u₁| √s₁ and |q₁| √s₁, and every further one is the positive or the negative part of its pair,
whichever is larger,

    w_j = √(s_j |x| |y|) · x / |x|,   h_j = √(s_j |x| |y|) · y / |y|,   (x, y) = (u⁺, q⁺) or (u⁻, q⁻).

Its zeros would stay zeros under multiplicative updates; variants fill them, with one number ('nndsvda') or with small
random ones ('nndsvdar'). The paper fills with the mean of V, which depends on the unit of V; here it is 0.3 √mean(V),
the unit of the factors, which is the better start too.

Differences from FluCoMa's BufNMFSeed: the norm of q⁻ is used where its code takes that of u⁻, so that the result does
not depend on the arbitrary signs of the decomposition; bases and activations share √s_j evenly, as in the paper.

Reference: C. Boutsidis, E. Gallopoulos, SVD based initialization: a head start for nonnegative matrix factorization,
Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput

__all__ = ["METHODS", "Given", "Method", "learn_mask", "nndsvd", "random_start", "truncated_svd"]

Method = Literal["nndsvd", "nndsvda", "nndsvdar"]
METHODS: tuple[Method, ...] = ("nndsvd", "nndsvda", "nndsvdar")

_OVERSAMPLING = 10
_POWER_ITERATIONS = 4
_SMALL = 128
_FILL = 0.3


def random_start(V: Matrix, n_components: int, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Uniform random bases and activations whose product has the mean of ``V``.

    Parameters
    ----------
    V : ``(bins, frames)``
    n_components : int
    rng : numpy.random.Generator

    Returns
    -------
    bases ``(bins, components)``, activations ``(components, frames)``
        Positive everywhere, in the dtype of ``V``.
    """
    # Drawn as float64 whatever the dtype: a seed then means the same start in both precisions. Never zero: a zero
    # would stay one.
    bases = 1.0 - rng.random((V.shape[0], n_components))
    activations = 1.0 - rng.random((n_components, V.shape[1]))
    mean = float(V.mean(dtype=np.float64)) or 1.0
    level = np.sqrt(mean / (n_components * 0.25))  # two uniform numbers have a product of 1/4 in the mean
    return (bases * level).astype(V.dtype), (activations * level).astype(V.dtype)


def truncated_svd(
    V: Matrix, n_components: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The ``n_components`` largest singular triplets of ``V``, by randomised subspace iteration.

    Returns ``(bins, k)``, ``(k,)`` and ``(k, frames)`` with k the smaller of ``n_components`` and what V has.

    Reference: N. Halko, P.-G. Martinsson, J. Tropp, Finding structure with randomness, SIAM Review 53(2), 2011,
    doi:10.1137/090771806.
    """
    count = min(n_components, *V.shape)
    if min(V.shape) <= _SMALL:  # the whole decomposition is as fast, and exact
        left, values, right = np.linalg.svd(V.astype(np.float64), full_matrices=False)
        return left[:, :count], values[:count], right[:count]
    width = min(count + _OVERSAMPLING, *V.shape)
    basis = V @ rng.standard_normal((V.shape[1], width)).astype(V.dtype)
    for _ in range(_POWER_ITERATIONS):
        basis = V @ (V.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis.astype(np.float64))[0]
    left, values, right = np.linalg.svd(basis.T.astype(V.dtype) @ V, full_matrices=False)
    return (basis @ left)[:, :count], values[:count].astype(np.float64), right[:count].astype(np.float64)


def nndsvd(V: Matrix, n_components: int, rng: np.random.Generator, method: Method = "nndsvda") -> tuple[Matrix, Matrix]:
    """Non-negative double singular value decomposition.

    Parameters
    ----------
    V : ``(bins, frames)``
    n_components : int
        May exceed what V has singular values for: further components start at random, quietly.
    rng : numpy.random.Generator
        For the fill of 'nndsvdar' and for the subspace that the decomposition is sought in.
    method : {"nndsvd", "nndsvda", "nndsvdar"}
        Zeros as they are, filled with 0.3 √mean(V), or with random numbers up to a hundredth of it.

    Returns
    -------
    bases ``(bins, components)``, activations ``(components, frames)``

    References
    ----------
    C. Boutsidis, E. Gallopoulos, Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.
    """
    if method not in METHODS:
        raise InvalidInput(f"method={method!r} is not one of {', '.join(METHODS)}.")
    left, values, right = truncated_svd(V, n_components, rng)
    bases, activations = random_start(V, n_components, rng)
    bases, activations = bases * 0.01, activations * 0.01
    for j, strength in enumerate(values):
        basis, activation = _stronger_part(left[:, j], right[j]) if j else (np.abs(left[:, 0]), np.abs(right[0]))
        bases[:, j], activations[j] = np.sqrt(strength) * basis, np.sqrt(strength) * activation
    # A product of two such entries is a tenth of the mean of V.
    level = _FILL * np.sqrt(float(V.mean(dtype=np.float64)))
    _fill(bases, method, level, rng)
    _fill(activations, method, level, rng)
    return bases, activations


def _stronger_part(u: NDArray[np.float64], q: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The positive or the negative parts of a singular pair, whichever have the larger product of norms."""
    parts = [(np.maximum(sign * u, 0), np.maximum(sign * q, 0)) for sign in (1, -1)]
    weights = [float(np.linalg.norm(x)) * float(np.linalg.norm(y)) for x, y in parts]
    stronger = int(np.argmax(weights))
    (x, y), weight = parts[stronger], weights[stronger]
    if weight == 0:
        return np.zeros_like(u), np.zeros_like(q)
    share = np.sqrt(weight)
    return share * x / np.linalg.norm(x), share * y / np.linalg.norm(y)


def _fill(factor: Matrix, method: Method, level: float, rng: np.random.Generator) -> None:
    """Lift the zeros of a factor, in place, so that multiplicative updates can move them."""
    info = np.finfo(factor.dtype)
    zeros = factor <= float(info.eps) * float(factor.max(initial=0)) + float(info.tiny)
    if method == "nndsvd":
        factor[zeros] = 0
    elif method == "nndsvda":
        factor[zeros] = level
    else:
        factor[zeros] = level * 0.01 * (1.0 - rng.random(int(zeros.sum())))


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a user brings to a factorisation: a start for the first components, and which of it is kept.

    Parameters
    ----------
    bases : ``(bins, n)`` or None
    activations : ``(n, frames)`` or None
    learn_bases, learn_activations : bool ``(components,)``
        False where what was given is kept.
    """

    bases: Matrix | None
    activations: Matrix | None
    learn_bases: Mask
    learn_activations: Mask

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
        return cls(W, H, *masks)

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


def learn_mask(name: str, learn: bool | Sequence[bool] | Mask, n_given: int, n_components: int) -> Mask:
    """One truth value a component: what is not given always learns.

    ``learn`` is one value for all that was given, or one for each given component, or one for every component.
    """
    values = np.asarray(learn)
    if values.dtype != np.bool_ or values.ndim > 1:
        raise InvalidInput(f"learn_{name}={learn!r} is neither True, False, nor one of them for each component.")
    if values.ndim == 1 and values.size not in (n_given, n_components):
        raise Incompatible(
            f"learn_{name} has {values.size} values, but {n_given} {name} are given for {n_components} components."
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
