"""Penalties as a multiplicative step feels them.

A majorise-minimise step moves an entry x to r x. Where the divergence alone asks for P r^(β-2) = Q, with P and Q the
numerator and the denominator of the plain rule, penalties change the equation to

    (P + pull) r^(β-2) = Q + linear + quadratic x r

in which every penalty is replaced by an upper bound that touches it where the factors are:

    λ g               is linear in h, with slope λ ‖w‖;                      for W,  ‖w‖ ≤ (‖w‖² + ‖w̃‖²) / 2‖w̃‖
    ½ λ g²            is quadratic in both
    ½ λ (g - g')²     ≤ λ (g - m)² + λ (g' - m)²,  m = (g̃ + g̃') / 2         a quadratic, and a pull towards m
    λ a log(1 + G/a)  ≤ λ G / (1 + G̃/a) + const                              linear, frame by frame

Terms of different powers of r are made one by bounds of the same kind, which gives r = ((P + pull) / (Q + linear +
quadratic x))^γ with γ = 1/(3-β) where there is a quadratic term and β < 2, and the γ(β) of the plain rule elsewhere.
For β = 1 no bound is needed: the equation is quadratic in r. So the sum of divergence and penalties never rises under
plain steps, for every β.

References: C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168. V. Y. F. Tan, C. Févotte,
Automatic relevance determination in nonnegative matrix factorization with the β-divergence, IEEE TPAMI 35(7), 2013,
doi:10.1109/TPAMI.2012.240 (the exponents with quadratic terms). A. R. De Pierro, IEEE Trans. Medical Imaging 14(1),
1995, doi:10.1109/42.370409 (the bound of the difference).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.divergence import KULLBACK_LEIBLER, monotone_exponent
from unweave.rules.penalties import Penalties

__all__ = ["Pressure", "Pressures"]

_LOUD = 0.1
"""a of the group penalty, relative to √M μ: below it a group counts as quiet and is pressed, above it hardly."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pressure:
    """The terms of one step: of activations ``(frames, components)``, or of bases ``(components, bins)``.

    ``linear`` and ``pull`` may be per entry, or as ``quadratic`` one number a component.
    """

    linear: Matrix
    quadratic: Matrix
    pull: Matrix | None = None

    def at(self, frames: slice) -> Pressure:
        """The same for a block of frames."""
        linear = self.linear if self.linear.shape[0] == 1 else self.linear[frames]
        return Pressure(linear, self.quadratic, None if self.pull is None else self.pull[frames])

    def step(self, numerator: Matrix, denominator: Matrix, entries: Matrix, beta: float) -> None:
        """Put the ratios r into ``numerator``; ``denominator`` is lost.

        Where the denominator is zero nothing is known of an entry: the ratio is 1, and it stays as it is.
        """
        if self.pull is not None:
            numerator += self.pull
        denominator += self.linear
        bent = self.quadratic * entries
        if beta == KULLBACK_LEIBLER:
            _solve(numerator, denominator, bent)
            return
        denominator += bent
        known = denominator > 0
        np.divide(numerator, denominator, out=numerator, where=known)
        numerator[~known] = 1
        plain = monotone_exponent(beta)
        exponent = np.where(self.quadratic > 0, 1 / (3 - beta) if beta < 2 else plain, plain)
        if np.any(exponent != 1):
            np.power(numerator, exponent.astype(numerator.dtype), out=numerator)


def _solve(numerator: Matrix, denominator: Matrix, bent: Matrix) -> None:
    """Put the root r ≥ 0 of bent r² + denominator r = numerator into ``numerator``."""
    root = denominator * denominator
    root += 4 * numerator * bent
    np.sqrt(root, out=root)
    root += denominator
    known = root > 0
    numerator *= 2
    np.divide(numerator, root, out=numerator, where=known)
    numerator[~known] = 1


class Pressures:
    """The penalties of one problem: what they cost, and what they add to a step.

    Parameters
    ----------
    penalties : Penalties
    shape : n_components, n_bins, n_frames
    beta : float
    level : float
        The mean of V, μ.
    """

    def __init__(self, penalties: Penalties, shape: tuple[int, int, int], beta: float, level: float) -> None:
        n_components, n_bins, n_frames = shape
        linear, square = level ** (beta - 1), level ** (beta - 2)
        self.l1 = penalties.strengths("l1", n_components) * n_bins**0.5 * linear
        self.l2 = penalties.strengths("l2", n_components) * square
        self.continuity = penalties.strengths("continuity", n_components) * square
        self.bases_l1 = penalties.strengths("bases_l1", n_components) * n_frames**0.5 * linear
        self.group = float(penalties.group) * n_bins**0.5 * linear
        self.quiet = _LOUD * n_bins**0.5 * level
        self.member = penalties.membership(n_components)

    def cost(self, bases: Matrix, activations: Matrix) -> float:
        """All penalties together, at bases ``(components, bins)`` and activations ``(frames, components)``."""
        H = activations.astype(np.float64)
        norms = _norms(bases)
        total = float(self.l1 @ (norms * H.sum(axis=0)))
        total += 0.5 * float(self.l2 @ (norms**2 * _squares(H)))
        total += 0.5 * float(self.continuity @ (norms**2 * _squares(np.diff(H, axis=0))))
        total += float(self.bases_l1 @ (np.sqrt(_squares(H)) * bases.sum(axis=1, dtype=np.float64)))
        if self.group:
            total += self.group * self.quiet * float(np.log1p((H * norms) @ self.member / self.quiet).sum())
        return total

    def on_activations(self, bases: Matrix, activations: Matrix) -> Pressure:
        """What a step of the activations feels."""
        dtype, norms = activations.dtype, _norms(bases)
        linear: Matrix = (self.l1 * norms)[None]
        if self.group:
            linear = linear + self._slopes(norms, activations) * norms
        quadratic = (self.l2 + 4 * self.continuity) * norms**2
        quadratic += _share(self.bases_l1 * bases.sum(axis=1, dtype=np.float64), _lengths(activations))
        pull = None
        if self.continuity.any():
            before = np.concatenate([activations[:1], activations[:-1]])  # beyond the ends nothing changes
            after = np.concatenate([activations[1:], activations[-1:]])
            pull = (2 * activations + before + after) * (self.continuity * norms**2).astype(dtype)
        return Pressure(linear.astype(dtype), quadratic.astype(dtype)[None], pull)

    def on_bases(self, bases: Matrix, activations: Matrix) -> Pressure:
        """What a step of the bases feels."""
        norms, H = _norms(bases), activations.astype(np.float64)
        pressed = self.l1 * H.sum(axis=0)
        if self.group:
            pressed += (self._slopes(norms, activations) * H).sum(axis=0)
        quadratic = self.l2 * _squares(H) + self.continuity * _squares(np.diff(H, axis=0)) + _share(pressed, norms)
        return Pressure((self.bases_l1 * _lengths(H))[:, None], quadratic[:, None])

    def _slopes(self, norms: Vector, activations: Matrix) -> Vector:
        """Slope of the group penalty in g, for every frame and component."""
        together = (activations * norms) @ self.member
        slopes: Vector = (self.group / (1 + together / self.quiet)) @ self.member.T
        return slopes


def _norms(bases: Matrix) -> Vector:
    """Length of every basis."""
    norms: Vector = np.sqrt(np.square(bases, dtype=np.float64).sum(axis=1))
    return norms


def _squares(columns: Matrix) -> Vector:
    """Sum of squares of every column."""
    squares: Vector = np.square(columns, dtype=np.float64).sum(axis=0)
    return squares


def _lengths(columns: Matrix) -> Vector:
    lengths: Vector = np.sqrt(_squares(columns))
    return lengths


def _share(amount: Vector, parts: Vector) -> Vector:
    """The amount over the parts, and 0 where there are no parts."""
    return np.divide(amount, parts, out=np.zeros_like(amount), where=parts > 0)
