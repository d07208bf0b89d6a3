"""Penalties where V comes in pieces: what single frames pay, and all that the bases need to know of it.

Of `unweave.rules.penalties` l1, l2 and group are sums over frames. A group of frames that was explained tells the bases
two numbers a component,

    P_k = Σ_n s_kn h_kn,   Q_k = Σ_n h_kn²,        s_kn the slope of l1 and group in g_kn = ‖w_k‖ h_kn,

because under them, as the bases move, all three stay below Σ_k P_k ‖w_k‖ + ½ λ_k Q_k ‖w_k‖², which touches them where
the frames were explained. So the sum of majorisers and penalties never rises, in whatever order groups are visited.
Continuity looks at neighbours, which may be in another piece, and an L1 of bases at the length of whole activations:
they are refused.

Reference: docs/decisions/0012-penalties.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.errors import InvalidInput
from unweave.rules import Penalties
from unweave.rules.pressure import Pressure, Pressures

__all__ = ["PiecewisePenalties", "require_piecewise"]

_REFUSED = {"continuity": "neighbouring frames", "bases_l1": "whole activations"}


def require_piecewise(penalties: Penalties | None, n_components: int) -> Penalties | None:
    """The penalties, or None where there are none; refuse those that look beyond a piece."""
    if penalties is None or not penalties.any:
        return None
    penalties.require_fit(n_components)
    for name, what in _REFUSED.items():
        if np.any(getattr(penalties, name)):
            raise InvalidInput(
                f"penalties.{name} looks at {what}, but these frames come in pieces and are forgotten: "
                "l1, l2 and group can be had here, and all penalties in unweave.nmf."
            )
    return penalties


class PiecewisePenalties:
    """The penalties of one problem, as a piece of frames feels them, and as the bases do.

    Parameters
    ----------
    penalties : Penalties
        As `require_piecewise` lets them through.
    n_components, n_bins : int
    beta : float
    level : float
        The mean of V.
    """

    def __init__(self, penalties: Penalties, n_components: int, n_bins: int, *, beta: float, level: float) -> None:
        self.beta = beta
        self.pressures = Pressures(penalties, (n_components, n_bins, 1), beta, level)

    def cost(self, bases: Matrix, activations: Matrix) -> float:
        """What some frames pay: bases ``(components, bins)``, activations ``(frames, components)``."""
        return self.pressures.cost(bases, activations)

    def step(self, numerator: Matrix, denominator: Matrix, bases: Matrix, activations: Matrix) -> None:
        """Put the ratios of a step of the activations into ``numerator``; ``denominator`` is lost."""
        self.pressures.on_activations(bases, activations).step(numerator, denominator, activations, self.beta)

    def amounts(self, bases: Matrix, activations: Matrix) -> NDArray[np.float64]:
        """P and Q of some frames, ``(components, 2)``."""
        H, norms = activations.astype(np.float64), _norms(bases)
        pressed = (self.pressures.on_activations(bases, activations).linear * H).sum(axis=0)  # slopes times norms
        pressed = np.divide(pressed, norms, out=np.zeros_like(norms), where=norms > 0)
        return np.stack([pressed, np.square(H).sum(axis=0)], axis=1)

    def on_bases(self, bases: Matrix, amounts: NDArray[np.float64]) -> Pressure:
        """What a step of the bases feels; the bound of the norm touches it at ``bases``."""
        (pressed, squares), norms = amounts.T, _norms(bases)
        shares = np.divide(pressed, norms, out=np.zeros_like(norms), where=norms > 0)
        return Pressure(np.zeros((1, 1)), (self.pressures.l2 * squares + shares)[:, None])


def _norms(bases: Matrix) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.linalg.norm(bases.astype(np.float64), axis=1)
    return norms
