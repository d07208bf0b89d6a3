"""What a few sums know about some frames of V: enough to move the bases without them.

At the point (W̃, h) the β-divergence of some frames lies under a majoriser that touches it there and knows the frames by
two sums only (Févotte & Idier 2011; ŷ = W̃ h + ε, p = v ŷ^(β-2), q = ŷ^(β-1)),

    N = W̃^(2-β) ⊙ Σ p hᵀ,   D = W̃^(1-β) ⊙ Σ q hᵀ      (W̃^(1-β) left out for β < 1, W̃^(2-β) for β > 2)
    W = (N ⊘ D)^γ(β),   γ = 1/(2-β) for β < 1, 1 for 1 ≤ β ≤ 2, 1/(β-1) for β > 2.

The minimiser for many groups of frames is that of their summed N and D, each taken where W̃ was at the time. For β = 1 D
is one number a component, Σ h. For β = 2 the sums are Σ v hᵀ and Σ h hᵀ, which are exact wherever W̃ was, and W moves
under them by multiplicative steps.

Penalties add two more numbers a component (`unweave.online.piecewise`); the bases then move from where they are, by
steps that never raise the sum of majorisers and penalties.

Conventions: everything lies frame by frame, V ``(n, bins)``, H ``(n, components)``, W ``(components, bins)``; sums are
float64; parts of a piece are computed over the threads and summed in the order of the frames.

References: C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168. A. Lefèvre, F. Bach, C.
Févotte, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import EPSILON, LINE, Mask, Matrix
from unweave.divergence import (
    EUCLIDEAN,
    ITAKURA_SAITO,
    KULLBACK_LEIBLER,
    ZERO_FLOOR,
    block_divergence,
    monotone_exponent,
)
from unweave.online.piecewise import PiecewisePenalties
from unweave.rules.products import Products, floored
from unweave.threads import n_threads, single_blas, spread

__all__ = ["Kernel", "Scale", "Sums", "added", "flat"]

PART = 256
"""Frames that are worked on at a time: they stay in the cache."""

_BASES_STEPS = 4

VANISHED = 1e-30
"""Below this share of the greatest an entry is set to zero: nobody could hear it, and subnormals are slow."""


class Sums(NamedTuple):
    """What is known of some frames, all of it in float64.

    Parameters
    ----------
    numerator : ``(components, bins)``
        N.
    denominator : ``(components, bins)``
        D; ``(components, 1)`` for β = 1, ``(components, components)`` for β = 2.
    amounts : ``(components, 2)``
        What penalties need, see `unweave.online.piecewise`; zeros where there are none.
    """

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    amounts: NDArray[np.float64]

    def faded(self, share: float) -> Sums:
        """What is left of it where so much is forgotten."""
        return Sums(*(share * each for each in self))


def added(sums: Sequence[Sums]) -> Sums:
    """The sums of several groups of frames, in their order."""
    first, *others = sums
    total = Sums(*(each.copy() for each in first))
    for other in others:
        for whole, part in zip(total, other, strict=True):
            whole += part
    return total


class _Space:
    """Arrays of one thread, for so many frames, which all visits share."""

    def __init__(self, n_frames: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        count, n_bins = shape
        self.target, self.power = np.empty((2, n_frames, n_bins), dtype)
        self.numerator, self.denominator = np.empty((2, n_frames, count), dtype)
        self.total = np.zeros((count, -(-n_bins // LINE) * LINE), dtype)
        self.products = Products(n_bins, count, dtype, n_frames)

    def summed(self, H: Matrix, rows: Matrix) -> NDArray[np.float64]:
        """Σ h of all frames, each times its row."""
        self.products.gather(H, rows, self.total, first=True)
        return self.total[:, : rows.shape[1]].astype(np.float64)


class _Bases:
    """The bases W, with ε below them (`floored`), and divided by their sums (``shares``)."""

    def __init__(self, W: Matrix, epsilon: float) -> None:
        self.W, self.sums = W, W.sum(axis=1)
        self.floored = floored(W, epsilon, np.empty((len(W) + 1, W.shape[1]), W.dtype))
        self.silent = self.sums <= 0
        self.shares = W / np.where(self.silent, W.dtype.type(1), self.sums)[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The arithmetic on one piece of frames; see the module for its equations."""

    beta: float
    epsilon: float
    penalties: PiecewisePenalties | None = None
    shelf: dict[Hashable, list[_Space]] = field(default_factory=dict, repr=False)

    def visit(
        self, V: Matrix, H: Matrix, W: Matrix, steps: int, *, sums: bool = True, measure: bool = False
    ) -> tuple[Sums | None, float]:
        """Move the activations in place; return what the bases need, and the objective, where they are asked for."""
        parts = [slice(at, at + PART) for at in range(0, len(V), PART)]
        shares: list[Sums] = [Sums(np.zeros(0), np.zeros(0), np.zeros(0))] * len(parts)
        objectives = np.zeros(len(parts))
        bases, spaces = _Bases(W, self.epsilon), self._spaces(W)

        def work(part: int, worker: int) -> None:
            v, h, space = V[parts[part]], H[parts[part]], spaces[worker]
            self._move(v, h, bases, steps, space)
            if sums:
                shares[part] = self._share(v, h, bases, space)
            if measure:
                objectives[part] = self._objective(v, h, bases, space)

        with single_blas():
            spread(work, len(parts))
        if not sums:
            return None, float(objectives.sum())
        # In the order of the frames, whichever thread was first.
        return self._statistics(added(shares), W), float(objectives.sum())

    def _spaces(self, W: Matrix) -> list[_Space]:
        """Workspaces of all threads, from the shelf if they are there."""
        key = (W.shape, W.dtype, n_threads())
        if key not in self.shelf:
            self.shelf[key] = [_Space(PART, W.shape, W.dtype) for _ in range(n_threads())]
        return self.shelf[key]

    def _objective(self, V: Matrix, H: Matrix, bases: _Bases, space: _Space) -> float:
        """Divergence and penalties of a few frames; silent ones do not count."""
        sounding = V.any(axis=1)
        V, H = (V, H) if sounding.all() else (V[sounding], H[sounding])
        cost = self.penalties.cost(bases.W, H) if self.penalties else 0.0
        model = space.target[: len(V)]
        space.products.expand(H, bases.floored, model)
        return block_divergence(V, model, self.beta) + cost

    def _move(self, V: Matrix, H: Matrix, bases: _Bases, steps: int, space: _Space) -> None:
        """Multiplicative steps of the activations."""
        gamma, vanished = monotone_exponent(self.beta), VANISHED * float(H.max(initial=0))
        W, products, ratio = bases.W, space.products, space.numerator[: len(V)]
        if self.beta == EUCLIDEAN:
            cross, gram = V @ W.T, W @ W.T
        denominator: Matrix
        for _ in range(steps):
            if self.beta == KULLBACK_LEIBLER and not self.penalties:
                target, _ = self._model(V, H, bases, space)
                products.compress(target, bases.shares.T, ratio)
                if bases.silent.any():
                    ratio[:, bases.silent] = 1
                H *= ratio
                H[vanished > H] = 0
                continue
            if self.beta == EUCLIDEAN:
                ratio[...], denominator = cross, H @ gram
            else:
                target, power = self._model(V, H, bases, space)
                products.compress(target, W.T, ratio)
                denominator = bases.sums
                if power is not None:
                    denominator = products.compress(power, W.T, space.denominator[: len(V)])
            if self.penalties:
                self.penalties.step(ratio, np.broadcast_to(denominator, H.shape).copy(), W, H)
                H *= ratio
            else:
                plain = _quotient(ratio, denominator)
                H *= plain if gamma == 1 else plain**gamma
            H[vanished > H] = 0

    def _model(self, V: Matrix, H: Matrix, bases: _Bases, space: _Space) -> tuple[Matrix, Matrix | None]:
        """The p = v ŷ^(β-2) and the q = ŷ^(β-1) of the module; None for q = 1."""
        model, power = space.target[: len(V)], space.power[: len(V)]
        space.products.expand(H, bases.floored, model)
        if self.beta == KULLBACK_LEIBLER:
            return np.divide(V, model, out=model), None
        if self.beta == ITAKURA_SAITO:
            np.reciprocal(model, out=power)
        else:
            np.power(model, self.beta - 1, out=power)
        np.divide(power, model, out=model)
        model *= V
        return model, power

    def _share(self, V: Matrix, H: Matrix, bases: _Bases, space: _Space) -> Sums:
        """Σ h pᵀ and Σ h qᵀ of a few frames, and what penalties need."""
        amounts = self.penalties.amounts(bases.W, H) if self.penalties else np.zeros((len(bases.W), 2))
        if self.beta == EUCLIDEAN:
            return Sums(space.summed(H, V), (H.T @ H).astype(np.float64), amounts)
        target, power = self._model(V, H, bases, space)
        numerator = space.summed(H, target)
        denominator = H.sum(axis=0, dtype=np.float64)[:, None] if power is None else space.summed(H, power)
        return Sums(numerator, denominator, amounts)

    def _statistics(self, sums: Sums, W: Matrix) -> Sums:
        """N and D at the bases W̃ = W."""
        numerator, denominator, amounts = sums
        if self.beta != EUCLIDEAN and self.beta <= 2:
            numerator = numerator * _power(W, 2 - self.beta)
        if self.beta not in (KULLBACK_LEIBLER, EUCLIDEAN) and self.beta > 1:
            denominator = denominator * _power(W, 1 - self.beta)
        return Sums(numerator, denominator, amounts)

    def solve(self, sums: Sums, W: Matrix, learns: Mask) -> Matrix:
        """The bases that minimise the summed majorisers; where nothing is known, and where kept, as they are."""
        numerator, denominator, amounts = sums
        found = W.astype(np.float64)
        if self.penalties and amounts.any():
            self._press(found, sums, learns)
        elif self.beta == EUCLIDEAN:
            for _ in range(_BASES_STEPS):
                found *= np.where(learns[:, None], _quotient(numerator, denominator @ found), 1)
        else:
            known = np.broadcast_to(denominator, found.shape) > 0
            np.divide(numerator, denominator, out=found, where=known)
            np.power(found, monotone_exponent(self.beta), out=found, where=known)
        found[found < VANISHED * float(found.max(initial=0))] = 0
        return np.where(learns[:, None], found.astype(W.dtype), W)

    def _press(self, W: NDArray[np.float64], sums: Sums, learns: Mask) -> None:
        """Steps of the bases, in place, under the majorisers and penalties."""
        if self.penalties is None:
            return
        for _ in range(_BASES_STEPS):
            ratio, denominator = self._slopes(sums, W)
            self.penalties.on_bases(W, sums.amounts).step(ratio, denominator, W, self.beta)
            W *= np.where(learns[:, None], ratio, 1)

    def _slopes(self, sums: Sums, W: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Numerator and denominator of a multiplicative step from ``W``: the two parts of the majorisers' slope."""
        numerator, denominator = sums.numerator.copy(), sums.denominator
        if self.beta == EUCLIDEAN:
            return numerator, denominator @ W
        if self.beta <= 2:
            numerator *= _power(W, self.beta - 2)
        denominator = np.broadcast_to(denominator, W.shape).copy()
        if self.beta > 1:
            denominator *= _power(W, self.beta - 1)
        return numerator, denominator

    def rescaled(self, sums: Sums, scale: NDArray[np.float64]) -> Sums:
        """N and D for bases divided, and activations multiplied, by ``scale`` ``(components, 1)``."""
        numerator, denominator, amounts = sums
        amounts = amounts * scale ** np.array([1, 2])
        if self.beta == EUCLIDEAN:
            return Sums(numerator * scale, denominator * scale * scale.T, amounts)
        numerator, denominator = (
            numerator * scale ** min(self.beta - 1, 1.0),
            denominator * scale ** max(self.beta, 1.0),
        )
        return Sums(numerator, denominator, amounts)


def _quotient(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Their quotient, and 1 where the denominator is zero: nothing is known there."""
    ratio = np.ones(np.broadcast_shapes(numerator.shape, denominator.shape), numerator.dtype)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)


def _power(W: Matrix, exponent: float) -> NDArray[np.float64]:
    """W ** exponent, and 0 where W is."""
    out = np.zeros(W.shape)
    return np.power(W.astype(np.float64), exponent, out=out, where=W > 0)


def flat(V: Matrix, W: Matrix) -> Matrix:
    """Activations to begin with: the same of every component, so much that a frame has its sum."""
    level = V.sum(axis=1, dtype=np.float64) / max(float(W.sum(dtype=np.float64)), np.finfo(np.float64).tiny)
    return np.repeat(level.astype(W.dtype)[:, None], W.shape[0], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What must be known of all of V before any of it is explained: its unit, ε in that unit, the floor for β ≤ 0."""

    unit: float
    epsilon: float
    floor: float
    level: float = 1.0  # the mean of V

    @classmethod
    def of(cls, mean: float, highest: float, beta: float) -> Scale:
        """From the mean and the greatest entry of V."""
        # A power of two where the scale of V would overflow or vanish; it changes no digit. As in `unweave.nmf`.
        unit = 1.0 if 2.0**-20 < mean < 2.0**20 else 2.0 ** round(np.log2(mean))
        epsilon = EPSILON ** min(1.0, 2.0 / (2.0 - beta)) if beta < 0 else EPSILON
        level = mean / unit
        return cls(unit, epsilon * level, ZERO_FLOOR * highest / unit if beta <= 0 else 0.0, level or 1.0)

    def apply(self, V: Matrix) -> Matrix:
        """V in this unit, silent frames as they are."""
        V = V if self.unit == 1 else V / V.dtype.type(self.unit)
        if self.floor == 0:
            return V
        out: Matrix = np.maximum(V, V.dtype.type(self.floor))
        out[~V.any(axis=1)] = 0
        return out
