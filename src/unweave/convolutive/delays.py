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

All ratios of a factor are found before any of it moves, so that steps may be over-relaxed and have momentum as a whole
(`unweave.rules.drift`). Weights stand before every entry of V, in numerators and denominators; penalties see a basis
with all its taps in one row, and the activations as they are (`unweave.rules.pressure`).

What is summed over frames is summed by portion and then over portions in order: the same bits for any number of
threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.convolutive.pacing import Pacing
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, block_divergence, monotone_exponent
from unweave.rules import Problem
from unweave.rules.drift import Drift, Pace
from unweave.rules.pressure import Pressures
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

    def by_component(self) -> Matrix:
        """A copy of the bases ``(components, taps * bins)``: each with all its taps in one row."""
        return _in_rows(self.bases)

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
    """The factors, the problem and the workspaces of one run; `step` moves the factors in place by one iteration.

    Parameters
    ----------
    problem : Problem
        Its penalties see a basis with all its taps as one; its anchor, if there is one, has a row for each row of
        `Delayed.flat`.
    factors : Delayed
    momentum : bool
        Whether steps go on as `unweave.rules.extrapolated` says; without it they are plain ones.
    """

    def __init__(self, problem: Problem, factors: Delayed, *, momentum: bool = False) -> None:
        self.problem, self.factors = problem, factors
        self.pacing = Pacing(problem.beta, momentum=momentum)
        self.drifts = (_drift(factors.bases), _drift(factors.activations)) if momentum else None
        self.gamma, self.epsilon = monotone_exponent(problem.beta), problem.epsilon
        self.vanished, self.iteration = _VANISHED * problem.level, 0
        (n_frames, n_bins), count = problem.frames.shape, problem.n_components
        self.pressures: Pressures | None = None
        if problem.penalties is not None and problem.penalties.any:
            shape = (count, n_bins * factors.n_taps, n_frames)
            self.pressures = Pressures(problem.penalties, shape, problem.beta, problem.level)
        self.portions = _portions(n_frames, factors.n_taps)
        longest = max(block.stop - block.start for portion in self.portions for block in portion)
        width = factors.flat.shape[0]
        self.spaces = [_Workspace(longest + factors.n_taps - 1, problem, width) for _ in range(n_threads())]
        # For β = 1 the denominators are mere sums of the other factor.
        self.sums_only = problem.beta == KULLBACK_LEIBLER and problem.weights is None
        sums = (len(self.portions), *factors.flat.shape) if problem.learn_bases.any() else (0,)
        self.numerators = np.zeros(sums)
        self.denominators = np.zeros(0 if self.sums_only else sums)
        self.ratio = np.empty_like(factors.activations)

    def step(self) -> None:
        """One iteration: all bases, then all activations."""
        pace = self.pacing.following()
        with single_blas():
            if self.problem.learn_bases.any():
                self._move_bases(pace)
            if self.problem.learn_activations.any():
                self._move_activations(pace)
        self.iteration += 1

    def restart(self) -> None:
        """What is lowered has risen: momentum begins anew."""
        self.pacing.restart()

    def divergence(self) -> float:
        """D_β(V | Ŷ), summed block by block in a fixed order."""
        sums: NDArray[np.float64] = np.zeros(len(self.portions))
        weights = self.problem.weights

        def work(portion: int, worker: int) -> None:
            for block in self.portions[portion]:
                model = self._product(block, self.spaces[worker])
                counts = None if weights is None else weights[block]
                sums[portion] += block_divergence(self.problem.frames[block], model, self.problem.beta, counts)

        with single_blas():
            spread(work, len(self.portions))
        return float(sums.sum())

    def objective(self) -> float:
        """The divergence and all penalties: what a run lowers."""
        factors = self.factors
        cost = self.pressures.cost(factors.by_component(), factors.activations) if self.pressures else 0.0
        return self.divergence() + cost

    # -- bases

    def _move_bases(self, pace: Pace) -> None:
        bases, learn = self.factors.bases, self.problem.learn_bases
        if self.drifts:
            self.drifts[0].go_ahead(bases, pace)
        ratio = self._bases_ratio()
        ratio[:, ~learn] = 1
        if self.drifts:
            self.drifts[0].go_on(ratio, pace)
        bases *= ratio
        self._hold()
        bases[(bases < self.vanished) & learn[:, None]] = 0

    def _bases_ratio(self) -> Matrix:
        """The ratios of a plain step, as the bases lie."""
        self.numerators[...] = 0
        self.denominators[...] = 0
        spread(self._bases_portion, len(self.portions))
        bases = self.factors.bases
        numerator = self.numerators.sum(axis=0).reshape(bases.shape)
        if self.sums_only:
            denominator = self.factors.stack.sum(axis=0, dtype=np.float64).reshape(*bases.shape[:2], 1)
        else:
            denominator = self.denominators.sum(axis=0).reshape(bases.shape)
        ratio = np.empty_like(bases)
        if self.pressures is None:
            _divide(numerator, denominator, self.gamma, ratio)
            return ratio
        rows, falls, rises = (_in_rows(each) for each in (bases, numerator, np.broadcast_to(denominator, bases.shape)))
        pressure = self.pressures.on_bases(rows, self.factors.activations)
        pressure.step(falls, rises, rows.astype(np.float64), self.problem.beta)
        ratio[...] = falls.reshape(len(rows), self.factors.n_taps, -1).transpose(1, 0, 2)
        return ratio

    def _bases_portion(self, portion: int, worker: int) -> None:
        space = self.spaces[worker]
        for block in self.portions[portion]:
            target, power = self._shares(block, space)
            stack = space.stack[: block.stop - block.start]
            self.numerators[portion] += np.matmul(stack.T, target, out=space.share)
            if not self.sums_only:
                self.denominators[portion] += np.matmul(stack.T, power, out=space.share)

    def _hold(self) -> None:
        """Pull bases that are let go slowly back to what was given."""
        anchor, flat = self.problem.anchor, self.factors.flat
        if anchor is None or self.iteration >= anchor.end:
            return
        free = self.factors.bases.copy()
        anchor.hold(flat, self.iteration)
        if self.drifts:
            self.drifts[0].add(free, self.factors.bases)

    # -- activations

    def _move_activations(self, pace: Pace) -> None:
        H, learn = self.factors.activations, self.problem.learn_activations
        if self.drifts:
            self.drifts[1].go_ahead(H, pace)
        sums = self._sums_of_taps() if self.sums_only else None
        pressure = self.pressures.on_activations(self.factors.by_component(), H) if self.pressures else None

        def work(portion: int, worker: int) -> None:
            # Blocks read the frames around each other's borders: nothing moves before all ratios are known.
            for block in self.portions[portion]:
                numerator, denominator = self._activation_sums(block, sums, self.spaces[worker])
                if pressure is None:
                    _divide(numerator, denominator, self.gamma, self.ratio[block])
                else:
                    pressure.at(block).step(numerator, denominator, H[block], self.problem.beta)
                    self.ratio[block] = numerator

        spread(work, len(self.portions))
        self.ratio[:, ~learn] = 1
        if self.drifts:
            self.drifts[1].go_on(self.ratio, pace)
        H *= self.ratio
        H[(self.vanished > H) & learn] = 0

    def _activation_sums(self, block: slice, sums: Matrix | None, space: _Workspace) -> tuple[Matrix, Matrix]:
        """Numerators and denominators of the activations of a block."""
        n_frames, size = self.problem.frames.shape[0], block.stop - block.start
        halo = slice(block.start, min(block.stop + self.factors.n_taps - 1, n_frames))
        target, power = self._shares(halo, space)
        numerator = self._diagonals(target, space, space.numerator[:size])
        denominator = space.denominator[:size]
        if sums is None:
            return numerator, self._diagonals(power, space, denominator)
        denominator[...] = sums[block]
        return numerator, denominator

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
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1) over some frames, with their weights; the latter only where somebody needs it."""
        V, weights = self.problem.frames[frames], self.problem.weights
        target, power = self._unweighted(V, self._product(frames, space), space.power[: len(V)])
        if weights is None:
            return target, power
        counts = weights[frames]
        target = np.multiply(target, counts, out=space.target[: len(V)])
        if self.problem.beta == KULLBACK_LEIBLER:
            return target, counts
        power *= counts
        return target, power

    def _unweighted(self, V: Matrix, model: Matrix, power: Matrix) -> tuple[Matrix, Matrix]:
        """The same without weights; ``model`` is lost."""
        beta = self.problem.beta
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


def _drift(factor: Matrix) -> Drift:
    """The drift of a factor that has not moved yet."""
    return Drift(np.zeros_like(factor))


def _in_rows(bases: Matrix) -> Matrix:
    """A copy of ``(taps, components, bins)`` as ``(components, taps * bins)``."""
    return np.array(bases.transpose(1, 0, 2), order="C").reshape(bases.shape[1], -1)


def _divide(numerator: Matrix, denominator: Matrix, gamma: float, out: Matrix) -> None:
    """Put (numerator / denominator)^γ into ``out``.

    Where the denominator is zero nothing is known of the entry: the ratio is 1, and it stays as it is.
    """
    out[...] = 1
    np.divide(numerator, denominator, out=out, where=denominator > 0, casting="same_kind")
    if gamma != 1:
        np.power(out, gamma, out=out)
