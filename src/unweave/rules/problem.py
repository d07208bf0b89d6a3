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

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import EPSILON, Mask, Matrix
from unweave.divergence import block_divergence
from unweave.threads import n_threads, spread

__all__ = ["Factors", "Motion", "Problem", "Rule"]

_SMALL_PRODUCT = 0.95e6
_SMALLEST_BLOCK, _LARGEST_BLOCK = 32, 256

_PORTIONS = 32
"""Most portions a pass is cut into: enough for the threads to share evenly, few enough for their sums to stay small."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Bases ``(components, bins)`` and activations ``(frames, components)`` that a rule moves in place."""

    bases: Matrix
    activations: Matrix

    def copy(self) -> Factors:
        """Factors of their own, to be moved independently."""
        return Factors(self.bases.copy(), self.activations.copy())


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is explained, by which divergence, and which components may learn.

    Parameters
    ----------
    frames : ``(n_frames, n_bins)``
        V, frame by frame, contiguous; not negative; positive everywhere when β ≤ 0.
    beta : float
        Which β-divergence.
    learn_bases, learn_activations : bool ``(components,)``
        Which of them move.
    """

    frames: Matrix
    beta: float
    learn_bases: Mask
    learn_activations: Mask
    level: float = field(init=False)
    """The mean of V, or 1 where that is zero."""
    epsilon: float = field(init=False)
    """The constant below the model, in the unit of V; larger for β < 0, where its powers would overflow."""

    def __post_init__(self) -> None:
        exponent = min(1.0, 2.0 / (2.0 - self.beta)) if self.beta < 0 else 1.0
        level = float(self.frames.mean(dtype=np.float64)) or 1.0
        object.__setattr__(self, "level", level)
        object.__setattr__(self, "epsilon", level * EPSILON**exponent)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.learn_bases.size)

    @property
    def block_frames(self) -> int:
        """Frames in a block: what the matrix library is fast with, as long as a block stays in the second-level cache.

        OpenBLAS has a kernel of its own for products of up to a million multiplications, which is half as fast again
        where one side is as short as the number of components (docs/decisions/0011). Beyond that, larger is better. The
        choice depends on the problem only: timing it would make results depend on the hour.
        """
        small = int(_SMALL_PRODUCT / (self.frames.shape[1] * self.n_components)) // 8 * 8
        return min(small, _LARGEST_BLOCK) if small >= _SMALLEST_BLOCK else _LARGEST_BLOCK

    def portions(self) -> list[list[slice]]:
        """Blocks of frames of nearly one size, grouped into portions of work."""
        n_frames, size = self.frames.shape[0], self.block_frames
        count = -(-n_frames // size)
        if count < _PORTIONS:  # short recordings: an even number of equal blocks, so that two threads share evenly
            count = max(count + count % 2, min(4, -(-n_frames // _SMALLEST_BLOCK)))
        size = -(-n_frames // count)
        blocks = [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]
        length = -(-len(blocks) // _PORTIONS)
        return [blocks[start : start + length] for start in range(0, len(blocks), length)]

    def divergence(self, factors: Factors) -> float:
        """D_β(V | W H + ε), summed block by block in a fixed order."""
        portions, epsilon = self.portions(), self.epsilon
        largest = max(block.stop - block.start for portion in portions for block in portion)
        model = [np.empty((largest, self.frames.shape[1]), self.frames.dtype) for _ in range(n_threads())]
        sums: NDArray[np.float64] = np.zeros(len(portions))

        def work(portion: int, worker: int) -> None:
            for block in portions[portion]:
                out = model[worker][: block.stop - block.start]
                np.matmul(factors.activations[block], factors.bases, out=out)
                out += epsilon
                sums[portion] += block_divergence(self.frames[block], out, self.beta)

        spread(work, len(portions))
        return float(sums.sum())


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

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises under this rule."""
        ...

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        ...
