"""Starting points made from the spectrogram itself: at random at its level, or from its singular values.

The divergence of NMF has many local minima, and the start decides in which of them a run ends. Random starts differ
from each other; NNDSVD (Boutsidis & Gallopoulos 2008) starts from the singular value decomposition V ≈ U S Qᵀ: the
first component is |u₁| √s₁ and |q₁| √s₁, and every further one is the positive or the negative part of its pair,
whichever is larger,

    w_j = √(s_j |x| |y|) · x / |x|,   h_j = √(s_j |x| |y|) · y / |y|,   (x, y) = (u⁺, q⁺) or (u⁻, q⁻).

Its zeros would stay zeros under multiplicative updates; variants fill them, with one number ('nndsvda') or with small
random ones ('nndsvdar'). The paper fills with the mean of V, which depends on the unit of V; here it is 0.3 √mean(V),
the unit of the factors, which is the better start too. 'nmf-svd' takes |u_j| √s_j and |q_j| √s_j throughout.

How many components a recording needs is read from its singular values: the fewest that make up a given share of their
sum, or of the sum of their squares, which is the energy.

Differences from FluCoMa's BufNMFSeed: the norm of q⁻ is used where its code takes that of u⁻, so that the result does
not depend on the arbitrary signs of the decomposition; bases and activations share √s_j evenly, as in the paper. Its
documentation calls a share of the singular values 'variance', which is a share of their squares.

References: C. Boutsidis, E. Gallopoulos, SVD based initialization: a head start for nonnegative matrix factorization,
Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010. N. Halko, P.-G. Martinsson, J. Tropp, Finding
structure with randomness, SIAM Review 53(2), 2011, doi:10.1137/090771806.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix
from unweave.errors import InvalidInput

__all__ = [
    "COUNTS",
    "METHODS",
    "Count",
    "Method",
    "count_by_coverage",
    "coverage_curve",
    "from_svd",
    "nndsvd",
    "random_start",
    "truncated_svd",
]

Method = Literal["nmf-svd", "nndsvdar", "nndsvda", "nndsvd"]
METHODS: tuple[Method, ...] = ("nmf-svd", "nndsvdar", "nndsvda", "nndsvd")
"""In the order of BufNMFSeed's numbers, 0 to 3."""

Count = Literal["values", "energy"]
COUNTS: tuple[Count, ...] = ("values", "energy")
"""What a coverage is a share of: the sum of the singular values, or the sum of their squares."""

Values = NDArray[np.float64]

_OVERSAMPLING = 10
_POWER_ITERATIONS = 4
_SMALL = 128
_FILL = 0.3
_ROUNDING = 1e-9
"""Two parts of a pair whose weights differ by less are as large as each other."""
_ALIKE = 1e-6
"""Entries of a vector that differ by less, relative to the greatest, are as great as each other."""


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
    return _random(V.shape, float(V.mean(dtype=np.float64)), n_components, rng, V.dtype)


def _random(
    shape: tuple[int, ...], mean: float, n_components: int, rng: np.random.Generator, dtype: np.dtype[Any]
) -> tuple[Matrix, Matrix]:
    # Drawn as float64 whatever the dtype: a seed then means the same start in both precisions. Never zero: a zero
    # would stay one.
    bases = 1.0 - rng.random((shape[0], n_components))
    activations = 1.0 - rng.random((n_components, shape[1]))
    level = np.sqrt((mean or 1.0) / (n_components * 0.25))  # two uniform numbers have a product of 1/4 in the mean
    return (bases * level).astype(dtype), (activations * level).astype(dtype)


def truncated_svd(V: Matrix, n_components: int, rng: np.random.Generator) -> tuple[Values, Values, Values]:
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
    method : {"nmf-svd", "nndsvdar", "nndsvda", "nndsvd"}
        The singular vectors without their signs; or the larger parts of them, with their zeros filled with random
        numbers up to 0.003 √mean(V), filled with 0.3 √mean(V), or as they are.

    Returns
    -------
    bases ``(bins, components)``, activations ``(components, frames)``

    References
    ----------
    C. Boutsidis, E. Gallopoulos, Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.

    Examples
    --------
    >>> V = np.outer([1.0, 2, 0], [1, 0, 1, 0]) + np.outer([0.0, 0, 3], [0, 1, 1, 0])
    >>> values = np.linalg.svd(V, compute_uv=False)
    >>> n_components = count_by_coverage(values, 0.99, count="energy")
    >>> bases, activations = nndsvd(V, n_components, np.random.default_rng(0))
    >>> bases.shape, activations.shape
    ((3, 2), (2, 4))
    """
    require_method(method)
    triplets = truncated_svd(V, n_components, rng)
    mean = float(V.mean(dtype=np.float64))
    return from_svd(*triplets, n_components, mean=mean, rng=rng, method=method, dtype=V.dtype)


def from_svd(
    left: Matrix,
    values: Values,
    right: Matrix,
    n_components: int,
    *,
    mean: float,
    rng: np.random.Generator,
    method: Method = "nndsvda",
    dtype: np.dtype[Any],
) -> tuple[Matrix, Matrix]:
    """Make non-negative factors of singular triplets, whatever the signs of the pairs.

    Parameters
    ----------
    left ``(bins, k)``, values ``(k,)``, right ``(k, frames)``
        The triplets, largest first.
    n_components : int
        Components beyond k start at random.
    mean : float
        Of V: the fill is measured by it.
    rng, method
        As in `nndsvd`.
    dtype
        Of the factors.

    Returns
    -------
    bases ``(bins, components)``, activations ``(components, frames)``
    """
    require_method(method)
    bases, activations = _random((left.shape[0], right.shape[1]), mean, n_components, rng, dtype)
    bases *= dtype.type(0.01)
    activations *= dtype.type(0.01)
    for j, strength in enumerate(values[:n_components]):
        u, q = np.asarray(left[:, j], np.float64), np.asarray(right[j], np.float64)
        if j == 0 or method == "nmf-svd":
            x, y = np.abs(u), np.abs(q)
        else:
            x, y = _stronger_part(u, q)
        bases[:, j], activations[j] = np.sqrt(strength) * x, np.sqrt(strength) * y
    # A product of two such entries is a tenth of the mean of V.
    level = _FILL * np.sqrt(mean)
    _fill(bases, method, level, rng)
    _fill(activations, method, level, rng)
    return bases, activations


def _stronger_part(u: Values, q: Values) -> tuple[Values, Values]:
    """The positive or the negative parts of a singular pair, whichever have the larger product of norms."""
    # Where both weigh the same, the one that has the greatest entry of u is taken: the sign of the pair means nothing.
    size = np.abs(u)
    first = int(np.argmax(size >= (1 - _ALIKE) * size.max(initial=0)))
    sign = -1.0 if u[first] < 0 else 1.0
    parts = [(np.maximum(s * u, 0), np.maximum(s * q, 0)) for s in (sign, -sign)]
    weights = [float(np.linalg.norm(x)) * float(np.linalg.norm(y)) for x, y in parts]
    stronger = int(weights[1] > weights[0] * (1 + _ROUNDING))
    (x, y), weight = parts[stronger], weights[stronger]
    if weight == 0:
        return np.zeros_like(u), np.zeros_like(q)
    share = np.sqrt(weight)
    return share * x / np.linalg.norm(x), share * y / np.linalg.norm(y)


def _fill(factor: Matrix, method: Method, level: float, rng: np.random.Generator) -> None:
    """Lift the zeros of a factor, in place, so that multiplicative updates can move them."""
    info = np.finfo(factor.dtype)
    zeros = factor <= float(info.eps) * float(factor.max(initial=0)) + float(info.tiny)
    if method in ("nmf-svd", "nndsvd"):
        factor[zeros] = 0
    elif method == "nndsvda":
        factor[zeros] = level
    else:
        factor[zeros] = level * 0.01 * (1.0 - rng.random(int(zeros.sum())))


def require_method(method: object) -> None:
    """Refuse what is none of `METHODS`."""
    if method not in METHODS:
        raise InvalidInput(f"method={method!r} is not one of {', '.join(METHODS)}.")


def coverage_curve(values: ArrayLike, count: Count = "values") -> Values:
    """The share that the first, the first two, the first three … singular values make up.

    Parameters
    ----------
    values : ``(n,)``
        Singular values, the largest first.
    count : {"values", "energy"}
        Shares of their sum, or of the sum of their squares.

    Returns
    -------
    float64 ``(n,)``
        Rising to 1; zeros where all values are zero.

    Examples
    --------
    >>> [round(float(share), 4) for share in coverage_curve([3, 2, 1])]
    [0.5, 0.8333, 1.0]
    >>> [round(float(share), 4) for share in coverage_curve([3, 2, 1], "energy")]
    [0.6429, 0.9286, 1.0]
    """
    if count not in COUNTS:
        raise InvalidInput(f"count={count!r} is not one of {', '.join(COUNTS)}.")
    strengths = np.asarray(values, np.float64)
    if strengths.ndim != 1 or not np.isfinite(strengths).all() or (strengths < 0).any():
        raise InvalidInput("values are no singular values: finite numbers of at least zero in one axis are needed.")
    largest = float(strengths.max(initial=0))
    if largest == 0:
        return np.zeros(strengths.size)
    sums = np.cumsum(np.square(strengths / largest) if count == "energy" else strengths / largest)
    return np.asarray(sums / sums[-1])


def count_by_coverage(
    values: ArrayLike,
    coverage: float = 0.5,
    *,
    count: Count = "values",
    min_components: int = 1,
    max_components: int = 200,
) -> int:
    """How many of the largest singular values make up a share of them all.

    Parameters
    ----------
    values : ``(n,)``
        Singular values, the largest first.
    coverage : float, 0 to 1
        The share. Larger ones ask for more components; 0 for ``min_components``, 1 for all that are not zero.
    count : {"values", "energy"}
        A share of their sum, as BufNMFSeed counts, or of the sum of their squares: the energy of the spectrogram. The
        same share needs fewer components of energy: 0.9 of it is a point to begin from.
    min_components, max_components : int
        Bounds of the number.

    Returns
    -------
    int
        From ``min_components`` to ``max_components``; ``min_components`` for silence.

    Examples
    --------
    >>> count_by_coverage([3, 2, 1], 0.5), count_by_coverage([3, 2, 1], 0.9, count="energy")
    (1, 2)
    """
    for name, value in (("min_components", min_components), ("max_components", max_components)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InvalidInput(f"{name}={value!r} is not a whole number of at least 1.")
    if min_components > max_components:
        raise InvalidInput(f"min_components={min_components} is more than max_components={max_components}.")
    if isinstance(coverage, bool) or not isinstance(coverage, int | float | np.floating) or not 0 <= coverage <= 1:
        raise InvalidInput(f"coverage={coverage!r} is not a share from 0 to 1.")
    shares = coverage_curve(values, count)
    if coverage == 0 or shares.size == 0 or shares[-1] == 0:
        return min_components
    # Cumulated shares are off by some roundings: 1 - 1e-12 is all.
    needed = int(np.searchsorted(shares, coverage * (1 - 1e-12))) + 1
    return min(max(needed, min_components), max_components)
