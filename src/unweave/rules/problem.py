"""What every update rule works on: the matrix by frames, the factors that move, and the blocks of work.

Inside of the rules everything lies frame by frame, so that a block of frames is one contiguous piece of memory:

    frames       (n_frames, n_bins)          Vᵀ
    activations  (n_frames, n_components)    Hᵀ
    bases        (n_components, n_bins)      Wᵀ

A block passes through several operations while it is in the cache. Blocks are grouped into portions, and what must be
summed over all frames is summed by portion and then over the portions in their order; so the result does not depend on
the number of threads.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from unweave.arrays import EPSILON, Mask, Matrix, roomy_like
from unweave.divergence import EUCLIDEAN, KULLBACK_LEIBLER
from unweave.rules.anchor import Anchor
from unweave.rules.penalties import Penalties
from unweave.rules.pressure import Pressures
from unweave.rules.products import piece_frames

__all__ = ["Factors", "Motion", "Problem", "Rule"]

_ENTRIES = 2**19
"""Entries of V in a block: two megabytes of float32, a thread's share of a cache."""

_ALONE, _STEADY = 6.5e6, 8
"""A second thread is worth its start where entries × (components + `_STEADY`), which is about the work, exceed this."""

_SHORTEST_BLOCK, _LONGEST_BLOCK = 128, 1024

_PORTIONS = 32
"""Most portions a pass is cut into: enough for the threads to share evenly, few enough for their sums to stay small."""

_MANY = 16
"""Blocks from which on it pays to halve the last two, where factors are wide and blocks take long."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Bases ``(components, bins)`` and activations ``(frames, components)`` that a rule moves in place.

    Bases and the frames of a problem may have room behind their rows, see `unweave.arrays.roomy`.
    """

    bases: Matrix
    activations: Matrix

    def copy(self) -> Factors:
        """Factors of their own, to be moved independently."""
        bases = roomy_like(self.bases)
        bases[...] = self.bases
        return Factors(bases, self.activations.copy())


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is explained, by which divergence, and which components may learn.

    Parameters
    ----------
    frames : ``(n_frames, n_bins)``
        V, frame by frame, in contiguous or `roomy` rows; not negative; positive everywhere when β ≤ 0.
    beta : float
        Which β-divergence.
    learn_bases, learn_activations : bool ``(components,)``
        Which of them move.
    weights : ``(n_frames, n_bins)``, optional
        How much every entry of V counts; 0 where it is not known.
    penalties : Penalties, optional
        What is paid for besides the divergence.
    anchor : Anchor, optional
        Bases that are let go slowly.
    shelf : dict
        Workspaces of the rules, for all runs of a problem, which take turns.
    """

    frames: Matrix
    beta: float
    learn_bases: Mask
    learn_activations: Mask
    weights: Matrix | None = None
    penalties: Penalties | None = None
    anchor: Anchor | None = None
    shelf: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    level: float = field(init=False)
    """The mean of V, or 1 where that is zero."""
    epsilon: float = field(init=False)
    """The constant below the model, in the unit of V; larger for β < 0, where its powers would overflow."""

    def __post_init__(self) -> None:
        exponent = min(1.0, 2.0 / (2.0 - self.beta)) if self.beta < 0 else 1.0
        level = _mean(self.frames, self.weights) or 1.0
        object.__setattr__(self, "level", level)
        object.__setattr__(self, "epsilon", level * EPSILON**exponent)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.learn_bases.size)

    @property
    def narrow(self) -> bool:
        """Whether the denominators of a step need no matrix: for β = 1 they are sums, for β = 2 products of factors."""
        return self.beta in (KULLBACK_LEIBLER, EUCLIDEAN) and self.weights is None

    @property
    def constrained(self) -> bool:
        """Whether there is more than a divergence to heed."""
        penalised = self.penalties is not None and self.penalties.any
        return penalised or self.weights is not None or self.anchor is not None

    def pressures(self) -> Pressures | None:
        """The penalties, in the units of V; None where there are none."""
        if self.penalties is None or not self.penalties.any:
            return None
        n_frames, n_bins = self.frames.shape
        return Pressures(self.penalties, (self.n_components, n_bins, n_frames), self.beta, self.level)

    @property
    def block_frames(self) -> int:
        """Frames in a block: as many as stay in the cache, in whole pieces of `unweave.rules.products`.

        The choice depends on the problem only: timing it would make results depend on the hour.
        """
        n_bins = self.frames.shape[1]
        size = int(np.clip(_ENTRIES // n_bins // 8 * 8, _SHORTEST_BLOCK, _LONGEST_BLOCK))
        piece = piece_frames(n_bins, self.n_components)
        return max(1, size // piece) * piece if piece else size

    def portions(self) -> list[list[slice]]:
        """Blocks of frames of nearly one size, grouped into portions of work."""
        (n_frames, n_bins), size = self.frames.shape, self.block_frames
        count = -(-n_frames // size)
        if count < _PORTIONS:  # an even number of equal blocks, so that two threads share evenly
            count = max(2, n_frames * n_bins // _ENTRIES // 2 * 2)
            if n_frames * n_bins * (self.n_components + _STEADY) < _ALONE:
                count = 1
        size = -(-n_frames // count)
        if piece := piece_frames(n_bins, self.n_components):  # equal pieces: what is left over is a call of its own
            count = -(-size // piece)
            size = -(-size // count) * count
        starts = list(range(0, n_frames, size))
        if not piece and _MANY <= len(starts) <= _PORTIONS:
            # Threads are never equally fast: with shorter blocks at the end, who waits for the other waits less.
            starts += [(start + stop) // 2 for start, stop in pairwise([*starts[-2:], n_frames])]
            return [[block] for block in _slices([*sorted(starts), n_frames])]
        blocks = _slices([*starts, n_frames])
        length = -(-len(blocks) // _PORTIONS)
        return [blocks[start : start + length] for start in range(0, len(blocks), length)]


def _slices(bounds: list[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _mean(values: Matrix, weights: Matrix | None) -> float:
    """The mean of all entries, of the weighted ones where there are weights."""
    if weights is None:  # frame by frame in the dtype of V, in pairs, which is several times faster
        return float(values.sum(axis=1).sum(dtype=np.float64) / values.size)
    total = float(weights.sum(dtype=np.float64))
    return float(np.einsum("ij,ij->", values, weights, dtype=np.float64)) / total if total else 0.0


class Motion(Protocol):
    """Factors in motion under a rule."""

    def step(self) -> None:
        """Move the factors in place by one iteration."""
        ...

    def restart(self) -> None:
        """The divergence has risen: drop what was remembered of earlier iterations."""
        ...


class Rule(Protocol):
    """Anything that can move factors towards a smaller divergence."""

    @property
    def name(self) -> str:
        """What the rule is called in files and on the command line."""
        ...

    @property
    def betas(self) -> str:
        """Which β the rule is made for, in words."""
        ...

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β."""
        ...

    @property
    def constraints(self) -> bool:
        """Whether it knows penalties, weights and bases that are let go slowly."""
        ...

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence, with all penalties, provably never rises under this rule."""
        ...

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        ...
