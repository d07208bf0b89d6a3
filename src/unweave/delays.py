"""The engine of convolutive factorisation: multiplicative steps of bases with several taps, block by block.

    Ŷ[:, n] = Σ_τ W_τ H[:, n-τ] + ε

Stacked, this is one matrix product. With a run of zeros before the first frame, row n of the stack is T consecutive
rows of the activations,

    stack  (n_frames, taps * components)    row n: H[n-T+1], …, H[n]
    bases  (taps * components, bins)        the last tap first

so that it is a view of them; a block of it is copied into a workspace, since matrix libraries refuse rows that overlap.
The bases then move as those of a plain factorisation of T times as many components. An activation has a share in the T
frames from its own on: its block is taken with a halo of T - 1 frames, and what comes back for each tap is summed along
the diagonals, numerators and denominators apart, before they are divided. Averaging the quotients of single taps
instead, as some toolboxes do, is not a descent.

What is summed over frames is summed by portion and then over portions in order: the same bits for any number of
threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from unweave.arrays import Mask, Matrix
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, block_divergence, monotone_exponent
from unweave.rules import Problem
from unweave.threads import n_threads, single_blas, spread

__all__ = ["Delayed", "DelayedPass"]

_PORTIONS = 16
"""Most portions of a pass. Each has sums as large as the bases, which have many taps: few of them."""

_BLOCK = 256
"""Least frames in a block of a long recording: the halo is a small share of it, and it stays in the cache."""

_VANISHED = 1e-30
"""As in the plain passes: below this share of the mean of V an entry becomes zero, since subnormals are slow."""


@dataclass(frozen=True, slots=True, eq=False)
class Delayed:
    """Factors with taps that move in place.

    Parameters
    ----------
    bases : ``(taps, components, bins)``
        The last tap first.
    padded : ``(taps - 1 + n_frames, components)``
        Activations behind ``taps - 1`` frames of zeros.
    """

    bases: Matrix
    padded: Matrix

    @classmethod
    def of(cls, bases: Matrix, activations: Matrix) -> Delayed:
        """Copies of bases ``(bins, components, taps)`` and activations ``(components, frames)``."""
        n_taps, (count, n_frames) = bases.shape[2], activations.shape
        padded = np.zeros((n_taps - 1 + n_frames, count), bases.dtype)
        padded[n_taps - 1 :] = activations.T
        return cls(np.ascontiguousarray(bases.transpose(2, 1, 0)[::-1]), padded)

    @property
    def n_taps(self) -> int:
        """How many frames a basis lasts."""
        return int(self.bases.shape[0])

    @property
    def activations(self) -> Matrix:
        """Activations ``(n_frames, components)``, a view."""
        return self.padded[self.n_taps - 1 :]

    @property
    def flat(self) -> Matrix:
        """Bases ``(taps * components, bins)``, a view."""
        return self.bases.reshape(-1, self.bases.shape[2])

    @property
    def stack(self) -> Matrix:
        """The stack of all taps ``(n_frames, taps * components)``, a view whose rows overlap: read only."""
        count, size = self.padded.shape[1], self.padded.itemsize
        shape = (self.activations.shape[0], self.n_taps * count)
        return as_strided(self.padded, shape, (count * size, size), writeable=False)

    def to_user(self) -> tuple[Matrix, Matrix]:
        """Copies as a user sees them: ``(bins, components, taps)`` and ``(components, frames)``."""
        return np.ascontiguousarray(self.bases[::-1].transpose(2, 1, 0)), np.ascontiguousarray(self.activations.T)


class _Workspace:
    """Arrays of one thread, as large as the largest block with its halo."""

    def __init__(self, size: int, problem: Problem, width: int) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        self.stack = np.empty((size, width), dtype)
        self.target = np.empty((size, bins), dtype)  # V ⊙ Ŷ^(β-2)
        self.power = np.empty((size, bins), dtype)  # Ŷ^(β-1)
        self.back = np.empty((size, width), dtype)
        self.numerator = np.empty((size, count), dtype)
        self.denominator = np.empty((size, count), dtype)
        self.share = np.empty((width, bins), dtype)


class DelayedPass:
    """The factors, the problem and the workspaces of one run; `step` moves the factors in place by one iteration."""

    def __init__(self, problem: Problem, factors: Delayed) -> None:
        self.problem, self.factors = problem, factors
        self.before = Delayed(factors.bases.copy(), factors.padded.copy())
        self.gamma, self.epsilon = monotone_exponent(problem.beta), problem.epsilon
        self.vanished = _VANISHED * float(problem.frames.mean(dtype=np.float64) or 1.0)
        self.portions = _portions(problem.frames.shape[0], factors.n_taps)
        longest = max(block.stop - block.start for portion in self.portions for block in portion)
        width = factors.flat.shape[0]
        self.spaces = [_Workspace(longest + factors.n_taps - 1, problem, width) for _ in range(n_threads())]
        # For β = 1 the denominators are mere sums of the other factor.
        self.sums_only = problem.beta == KULLBACK_LEIBLER
        shape = (len(self.portions), *factors.flat.shape) if problem.learn_bases.any() else (0,)
        self.numerators = np.zeros(shape)
        self.denominators = np.zeros(0 if self.sums_only else shape)

    def step(self, weight: float = 0.0) -> None:
        """One iteration: all bases, then all activations, each extrapolated by ``weight`` first."""
        with single_blas():
            if self.problem.learn_bases.any():
                _leap(self.factors.bases, self.before.bases, weight)
                self._move_bases()
            if self.problem.learn_activations.any():
                _leap(self.factors.padded, self.before.padded, weight)
                self._move_activations()

    def divergence(self) -> float:
        """D_β(V | Ŷ), summed block by block in a fixed order."""
        sums: NDArray[np.float64] = np.zeros(len(self.portions))

        def work(portion: int, worker: int) -> None:
            for block in self.portions[portion]:
                model = self._product(block, self.spaces[worker])
                sums[portion] += block_divergence(self.problem.frames[block], model, self.problem.beta)

        with single_blas():
            spread(work, len(self.portions))
        return float(sums.sum())

    # -- bases

    def _move_bases(self) -> None:
        self.numerators[...] = 0
        self.denominators[...] = 0
        spread(self._bases_portion, len(self.portions))
        bases = self.factors.bases
        numerator = self.numerators.sum(axis=0).reshape(bases.shape)
        if self.sums_only:
            denominator = self.factors.stack.sum(axis=0, dtype=np.float64).reshape(*bases.shape[:2], 1)
        else:
            denominator = self.denominators.sum(axis=0).reshape(bases.shape)
        learn = self.problem.learn_bases[:, None]
        _move(bases, numerator, denominator, self.gamma, (learn, self.vanished))

    def _bases_portion(self, portion: int, worker: int) -> None:
        space = self.spaces[worker]
        for block in self.portions[portion]:
            target, power = self._shares(block, space)
            stack = space.stack[: block.stop - block.start]
            self.numerators[portion] += np.matmul(stack.T, target, out=space.share)
            if not self.sums_only:
                self.denominators[portion] += np.matmul(stack.T, power, out=space.share)

    # -- activations

    def _move_activations(self) -> None:
        # Neighbouring blocks read the frames around each other's borders: the new ones are written elsewhere.
        moved = self.factors.activations.copy()
        sums = self._sums_of_taps() if self.sums_only else None

        def work(portion: int, worker: int) -> None:
            for block in self.portions[portion]:
                self._activations_block(block, moved[block], sums, self.spaces[worker])

        spread(work, len(self.portions))
        self.factors.activations[...] = moved

    def _activations_block(self, block: slice, out: Matrix, sums: Matrix | None, space: _Workspace) -> None:
        """Move the activations of a block, read from the factors and written to ``out``."""
        n_frames, size = self.problem.frames.shape[0], block.stop - block.start
        halo = slice(block.start, min(block.stop + self.factors.n_taps - 1, n_frames))
        target, power = self._shares(halo, space)
        numerator = self._diagonals(target, space, space.numerator[:size])
        if sums is not None:
            denominator = sums[block]
        else:
            denominator = self._diagonals(power, space, space.denominator[:size])
        _move(out, numerator, denominator, self.gamma, (self.problem.learn_activations, self.vanished))

    def _diagonals(self, frames: Matrix, space: _Workspace, out: Matrix) -> Matrix:
        """Σ_τ W_τᵀ frames[n+τ] for the first frames, as many as ``out`` has."""
        n_taps, count = self.factors.bases.shape[:2]
        back = np.matmul(frames, self.factors.flat.T, out=space.back[: frames.shape[0]])
        taps = back.reshape(-1, n_taps, count)[:, ::-1]
        out[...] = 0
        for tap in range(min(n_taps, frames.shape[0])):
            part = taps[tap : tap + out.shape[0], tap]
            out[: part.shape[0]] += part
        return out

    def _sums_of_taps(self) -> Matrix:
        """The denominators of activations for β = 1: sums of the taps that still fall into the recording."""
        n_taps, n_frames = self.factors.n_taps, self.problem.frames.shape[0]
        sums = self.factors.bases.sum(axis=2, dtype=np.float64)[::-1].cumsum(axis=0)
        reach = np.minimum(np.arange(n_frames, 0, -1), n_taps)
        result: Matrix = sums[reach - 1].astype(self.factors.bases.dtype)
        return result

    # -- the model

    def _product(self, frames: slice, space: _Workspace) -> Matrix:
        """Ŷ over some frames, in ``space.target``; their stack stays in ``space.stack``."""
        size = frames.stop - frames.start
        np.copyto(space.stack[:size], self.factors.stack[frames])
        model: Matrix = np.matmul(space.stack[:size], self.factors.flat, out=space.target[:size])
        model += self.epsilon
        return model

    def _shares(self, frames: slice, space: _Workspace) -> tuple[Matrix, Matrix]:
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1) over some frames; the latter is not filled where nobody needs it."""
        V, beta = self.problem.frames[frames], self.problem.beta
        model, power = self._product(frames, space), space.power[: frames.stop - frames.start]
        if beta == KULLBACK_LEIBLER:
            np.divide(V, model, out=model)
        elif beta == EUCLIDEAN:
            np.copyto(power, model)
            return V, power
        elif beta == ITAKURA_SAITO:
            np.divide(1, model, out=power)
            np.square(power, out=model)
            model *= V
        else:
            np.log(model, out=power)
            power *= beta - 1
            np.exp(power, out=power)  # several times faster than np.power
            np.divide(power, model, out=model)
            model *= V
        return model, power


def _portions(n_frames: int, n_taps: int) -> list[list[slice]]:
    """Blocks of frames, grouped into portions of work; they depend on nothing but the sizes."""
    size = max(_BLOCK, 8 * n_taps)
    if n_frames < 4 * size:  # short recordings: smaller blocks, so that two threads have work
        size = max(32, n_taps, -(-n_frames // 4))
    blocks = [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]
    length = -(-len(blocks) // _PORTIONS)
    return [blocks[start : start + length] for start in range(0, len(blocks), length)]


def _leap(factor: Matrix, before: Matrix, weight: float) -> None:
    """Go on, in place, by a share of what grew since ``before``, which then holds where the factor was."""
    if weight == 0:
        before[...] = factor
        return
    grown = np.subtract(factor, before)
    np.maximum(grown, 0, out=grown)
    grown *= weight
    before[...] = factor
    factor += grown


def _move(factor: Matrix, numerator: Matrix, denominator: Matrix, gamma: float, rest: tuple[Mask, float]) -> None:
    """Multiply in place by (numerator / denominator)^γ where a component learns.

    Where the denominator is zero nothing is known of the entry, and it stays as it is.
    """
    learn, vanished = rest
    ratio = np.ones(factor.shape, factor.dtype)
    known = np.logical_and(denominator > 0, learn)
    np.divide(numerator, denominator, out=ratio, where=known, casting="same_kind")
    if gamma != 1:
        np.power(ratio, gamma, out=ratio)
    factor *= ratio
    factor[np.logical_and(factor < vanished, learn)] = 0
