"""What a factorisation pays for besides its divergence: how strong, and for which components.

    D_β(V | W H)  +  Σ penalties,      all of them functions of what is heard and not of how W and H share their level.

A penalty on H alone can be cheated: W grows, H shrinks, the product stays, the penalty is gone. Here every penalty sees
the activation at the level at which it sounds, g_k = ‖w_k‖₂ h_k, or the basis at its level, u_k = ‖h_k‖₂ w_k, which no
exchange between the factors changes. With M bins, N frames and μ the mean of V:

    l1          λ √M μ^(β-1)  Σ_kn g_kn                        few components at a time, short ones
    l2          ½ λ μ^(β-2)   Σ_kn g_kn²                       no component much louder than others
    continuity  ½ λ μ^(β-2)   Σ_kn (g_kn - g_k,n-1)²           activations that move slowly
    group       λ √M μ^(β-1) a  Σ_gn log(1 + Σ_{k∈g} g_kn / a)    few groups of components at a time; a = √M μ / 10
    bases_l1    λ √N μ^(β-1)  Σ_k ‖u_k‖₁                       spectra of few partials

The units make a strength mean the same for every length, level and FFT size: at λ = 1 the penalty weighs about as much
as the divergence itself, 0.01 to 0.3 are useful. Strengths are one number, or one for each component.

`l1` is the sparse NMF of Eggert & Körner and Le Roux et al., `continuity` the temporal continuity of Virtanen without
his division by each component's own power, `group` that of Lefèvre et al.

References: J. Eggert, E. Körner, Sparse coding and NMF, IJCNN 2004, doi:10.1109/IJCNN.2004.1381036. J. Le Roux, F.
Weninger, J. R. Hershey, Sparse NMF – half-baked or well done?, MERL TR2015-023. T. Virtanen, Monaural sound source
separation by nonnegative matrix factorization with temporal continuity and sparseness criteria, IEEE TASLP 15(3), 2007,
doi:10.1109/TASL.2006.885253. A. Lefèvre, F. Bach, C. Févotte, Itakura-Saito nonnegative matrix factorization with group
sparsity, ICASSP 2011, doi:10.1109/ICASSP.2011.5946318. A. Marmin, J. H. de M. Goulart, C. Févotte,
Majorization-minimization for sparse nonnegative matrix factorization with the β-divergence, IEEE TSP 71, 2023,
doi:10.1109/TSP.2023.3266939.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from unweave.errors import Incompatible, InvalidInput

__all__ = ["Penalties", "Strength"]

Strength = float | Sequence[float] | NDArray[np.floating]
"""One number for all components, or one for each."""

_MOST = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Penalties:
    """Strengths of all penalties; 0 is none. The module has their formulas and units.

    One number each, or one for each component: for components that are given, in their order. Of those that are not,
    which come sorted in the end, it says how many are to be such, and the fit finds which.

    Parameters
    ----------
    l1 : float or sequence of float, 0 to 1e6
        Sparse activations: the fewer components at a time and the shorter, the better. Too much silences what is quiet.
    l2 : float or sequence of float
        Even levels: discourages that one component carries everything.
    continuity : float or sequence of float
        Smooth activations, for sustained sounds; leave it 0 for components that are drums.
    group : float
        Few of ``groups`` at a time.
    groups : sequence, one entry a component, optional
        Which components belong together, by any names: ``("piano", "piano", "voice")``. Default: each one alone.
    bases_l1 : float or sequence of float
        Spectra of few partials.

    Raises
    ------
    InvalidInput
        A strength that is negative, not finite or above 1e6.

    Examples
    --------
    >>> import numpy as np
    >>> from unweave import nmf
    >>> V = np.random.default_rng(0).random((20, 30))
    >>> free, sparse = (nmf(V, 4, penalties=Penalties(l1=strength)) for strength in (0.0, 0.2))
    >>> bool((sparse.activations < 1e-6).mean() > (free.activations < 1e-6).mean())
    True
    """

    l1: Strength = 0.0
    l2: Strength = 0.0
    continuity: Strength = 0.0
    group: float = 0.0
    groups: Sequence[Hashable] | None = None
    bases_l1: Strength = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "groups":
                _checked(field.name, getattr(self, field.name), several=field.name != "group")
        if self.groups is not None and self.group == 0:
            raise InvalidInput(
                "groups are given, but group=0: say how strongly few of them are wanted, as in group=0.1."
            )

    @property
    def any(self) -> bool:
        """Whether there is a penalty at all."""
        return any(np.any(getattr(self, field.name)) for field in fields(self) if field.name != "groups")

    def strengths(self, name: str, n_components: int) -> NDArray[np.float64]:
        """The strength of one penalty for each component."""
        value = np.asarray(getattr(self, name), np.float64)
        if value.ndim and value.size != n_components:
            raise Incompatible(
                f"penalties.{name} has {value.size} strengths for {n_components} components: one number, or one for "
                "each, is needed."
            )
        return np.broadcast_to(value, n_components).copy()

    def membership(self, n_components: int) -> NDArray[np.float64]:
        """``(components, groups)``, 1 where a component belongs to a group."""
        names = list(range(n_components)) if self.groups is None else list(self.groups)
        if len(names) != n_components:
            raise Incompatible(f"penalties.groups has {len(names)} entries for {n_components} components.")
        found = {name: place for place, name in enumerate(dict.fromkeys(names))}
        member = np.zeros((n_components, len(found)))
        member[np.arange(n_components), [found[name] for name in names]] = 1
        return member

    def require_fit(self, n_components: int) -> None:
        """Refuse strengths for another number of components."""
        for field in fields(self):
            if field.name not in ("group", "groups"):
                self.strengths(field.name, n_components)
        self.membership(n_components)


def _checked(name: str, value: object, *, several: bool) -> None:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim > several or array.size == 0:
        raise InvalidInput(f"penalties.{name}={value!r} is not a number{', or one for each component' * several}.")
    worst = next((float(one) for one in array.ravel() if not (math.isfinite(one) and 0 <= one <= _MOST)), None)
    if worst is not None:
        raise InvalidInput(f"penalties.{name}={worst:g} is not from 0 to {_MOST:g}; 0.01 to 0.3 are useful.")
