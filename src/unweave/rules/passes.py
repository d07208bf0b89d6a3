"""One pass over V: a multiplicative step of all activations, and of all bases, block by block.

The new activations of a block of frames need that block only; and the block's share of what the bases need is taken
while the block is still in the cache. So V is read once an iteration and nothing of its size is ever made. For β = 1
the denominators are mere sums, and for β = 2 the model is never formed: WᵀW and HHᵀ take its place.

Both steps may leave from another point than where the factors are, and go another way than the ratio r of a plain step
says (`Pace`, which is what `unweave.rules.extrapolated` does): see `unweave.rules.drift`.

Where entries of V have weights, both numerator and denominator have them: an entry of weight zero says nothing.
Penalties add their terms to both (`unweave.rules.pressure`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Mask, Matrix, roomy_like, whole_rows
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, monotone_exponent
from unweave.rules.drift import STILL, Drift, Pace
from unweave.rules.pressure import Pressure
from unweave.rules.problem import Factors, Problem
from unweave.rules.products import Products, floored
from unweave.rules.sums import PortionSums
from unweave.threads import n_threads, spread

__all__ = ["MultiplicativePass"]

_SUMMED = 512
"""Frames whose activations are summed in the dtype of V."""

_VANISHED = 1e-30
"""Below this share of the mean of V a factor entry is set to zero: nobody could hear it, and subnormals are slow."""


class _Workspace:
    """Arrays of one thread: as large as the largest block."""

    def __init__(self, block: int, problem: Problem) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        room = whole_rows(problem.frames).shape[1]
        self.target = np.zeros((block, room), dtype)  # V ⊙ Ŷ^(β-2)
        self.power = np.zeros((block, room) if problem.beta != KULLBACK_LEIBLER else (0, 0), dtype)  # Ŷ^(β-1)
        self.ratio = np.empty((block, count), dtype)
        self.denominator = np.empty((block, count), dtype)
        self.products = Products(bins, count, dtype, block)


def _workspaces(problem: Problem, block: int) -> list[_Workspace]:
    """A workspace for every thread, from the shelf of the problem if they are there."""
    key = ("multiplicative", problem.beta, block, n_threads())
    if key not in problem.shelf:
        problem.shelf[key] = [_Workspace(block, problem) for _ in range(n_threads())]
    found: list[_Workspace] = problem.shelf[key]
    return found


class MultiplicativePass:
    """The factors, the problem and the workspaces of one run; `step` moves the factors in place by one iteration."""

    def __init__(self, problem: Problem, factors: Factors, *, remember: bool = False) -> None:
        self.problem, self.factors = problem, factors
        self.rows = whole_rows(problem.frames)
        self.weight_rows = None if problem.weights is None else whole_rows(problem.weights)
        # Where a step of the bases leaves from, and bases with the ε below them: of that point, and as they are.
        self.point = roomy_like(factors.bases)
        self.floored_point, self.floored_bases = (
            whole_rows(roomy_like(factors.bases, len(factors.bases) + 1)) for _ in range(2)
        )
        self.floored_origin = self.floored_bases
        self.bases_drift = Drift(roomy_like(factors.bases)) if remember else None
        self.activations_drift = Drift(np.zeros_like(factors.activations)) if remember else None
        self.pace = self.bases_pace = STILL
        self.bases_total: Matrix = factors.bases[:, 0]
        self.bases_gram: Matrix = factors.bases
        self.bases_back: Matrix = factors.bases.T
        self.pressures = problem.pressures()
        # Whether the denominators of the activations are the sums of the bases, and nothing besides.
        self.sums_only = problem.beta == KULLBACK_LEIBLER and problem.narrow and self.pressures is None
        self.scaled = roomy_like(factors.bases) if self.sums_only else factors.bases
        self.pressure: Pressure | None = None
        self.iteration = 0
        self.fixed: Mask = ~problem.learn_activations
        self.any_fixed = False
        self.gamma = monotone_exponent(problem.beta)
        self.vanished = _VANISHED * problem.level
        self.portions = problem.portions()
        block = max(block.stop - block.start for portion in self.portions for block in portion)
        self.workspaces = _workspaces(problem, block)
        self.learns = bool(problem.learn_bases.any())
        self.moves, self.primed = True, False
        # What the bases need: numerators; and denominators, but these are sums of H for β = 1, and (HᵀH) W for β = 2.
        matrices = (1 if problem.narrow else 2) if self.learns else 0
        self.sums = [PortionSums(len(self.portions), factors.bases) for _ in range(matrices)]
        self.totals = np.zeros(problem.n_components)

    def step(self, pace: Pace = STILL, following: Pace = STILL) -> None:
        """One iteration: all bases, then all activations, at this ``pace``.

        ``following`` is the pace of the next iteration: what it needs of V is taken in this pass.
        """
        if self.learns:
            if not self.primed:
                self._prime()
            self._move_bases()
            self._aim(following)
        self._pass(pace)
        self.iteration += 1

    def forget(self) -> None:
        """Begin anew from where the factors are: what was prepared for the next iteration is dropped."""
        self.primed = False

    def _prime(self) -> None:
        """Take what the first step of the bases needs, at the activations as they are."""
        self._aim(STILL)
        self._pass(None)
        self.primed = True

    def _aim(self, pace: Pace) -> None:
        """Find the point that the next step of the bases leaves from."""
        self.bases_pace, self.floored_origin = pace, self.floored_bases
        if self.bases_drift is None or pace is STILL:
            return
        self.point[...] = self.factors.bases
        self.bases_drift.go_ahead(self.point, pace)
        self.floored_origin = floored(self.point, self.problem.epsilon, self.floored_point)

    def _pass(self, pace: Pace | None) -> None:
        """Go over V once: move the activations (unless ``pace`` is None) and sum up what the bases need."""
        self.moves = pace is not None and bool(self.problem.learn_activations.any())
        self.pace = pace or STILL
        self._take_bases()
        if self.moves:
            self._press()
        for sums in self.sums:
            sums.begin()
        if self.moves or self.learns:
            spread(self._portion, len(self.portions))
        # By one thread: to hand small arrays over takes each of several threads longer than their numbers do.
        if self.moves:
            _flush(self.factors.activations, self.vanished, self.problem.learn_activations)
        if self.learns and self.problem.beta == KULLBACK_LEIBLER:
            self.totals = _totals(self.factors.activations)

    def _take_bases(self) -> None:
        """Find out what all blocks need of the bases."""
        bases = self.factors.bases
        floored(bases, self.problem.epsilon, self.floored_bases)
        total = bases.sum(axis=1, dtype=np.float64)
        # Where a basis is zero nothing is known of its activation: it stays as it is.
        self.fixed = ~self.problem.learn_activations | (total <= 0)
        self.any_fixed = bool(self.fixed.any())
        self.bases_total = total.astype(bases.dtype)
        if self.problem.beta == EUCLIDEAN:
            self.bases_gram = bases @ bases.T
        back = bases
        if self.sums_only:
            shares = (1 / np.where(total > 0, total, 1)).astype(bases.dtype)
            back = np.multiply(bases, shares[:, None], out=self.scaled)
        # The usual kernel is a little faster on a contiguous factor, the one for small products is not.
        self.bases_back = back.T if self.workspaces[0].products.piece else np.ascontiguousarray(back.T)

    def _press(self) -> None:
        """Find out what the activations will feel. Frames know their neighbours there: all are moved ahead first."""
        if self.pressures is None:
            return
        if self.activations_drift is not None and self.pace is not STILL:
            spread(self._go_ahead, len(self.portions))
        self.pressure = self.pressures.on_activations(self.factors.bases, self.factors.activations)

    def _go_ahead(self, portion: int, worker: int) -> None:
        """Move the activations of a portion to their extrapolated point."""
        for block in self.portions[portion]:
            self._block_ahead(block, self.workspaces[worker])

    def _block_ahead(self, block: slice, space: _Workspace) -> None:
        if self.activations_drift is not None:
            room = space.denominator[: block.stop - block.start]
            self.activations_drift.part(block).go_ahead(self.factors.activations[block], self.pace, room)

    def _portion(self, portion: int, worker: int) -> None:
        space, blocks = self.workspaces[worker], self.portions[portion]
        for block in blocks:
            if self.moves:
                if self.pressures is None:
                    self._block_ahead(block, space)
                self._move_activations(block, space)
            if self.learns:
                self._sum_up(portion, block, space)
        for sums in self.sums:
            sums.bring(portion)

    def _move_activations(self, block: slice, space: _Workspace) -> None:
        """Move the activations of one block of frames."""
        H = self.factors.activations[block]
        size = H.shape[0]
        target, power = self._model(block, self.floored_bases, space)
        ratio = space.products.compress(target, self.bases_back, space.ratio[:size])
        if not self.sums_only:  # otherwise the bases have been divided by their sums: see `_take_bases`
            denominator = self._denominator(H, power, space)
            if self.pressure is None:
                _divide(ratio, denominator, self.gamma)
            else:
                self.pressure.at(block).step(ratio, denominator, H, self.problem.beta)
        if self.any_fixed:
            ratio[:, self.fixed] = 1
        if self.activations_drift is not None:
            self.activations_drift.part(block).go_on(ratio, self.pace, space.denominator[:size])
        H *= ratio

    def _denominator(self, H: Matrix, power: Matrix, space: _Workspace) -> Matrix:
        """Ŷ^(β-1) Wᵀ of one block."""
        out: Matrix = space.denominator[: len(H)]
        if not self.problem.narrow:
            return space.products.compress(power, self.bases_back, out)
        if self.problem.beta == EUCLIDEAN:
            return np.matmul(H, self.bases_gram, out=out)
        out[...] = self.bases_total
        return out

    def _sum_up(self, portion: int, block: slice, space: _Workspace) -> None:
        """Take the share of one block in what the bases need for their next step."""
        H = self.factors.activations[block]
        first = block == self.portions[portion][0]
        target, power = self._model(block, self.floored_origin, space)
        for sums, rows in zip(self.sums, (target, power), strict=False):
            space.products.gather(H, rows, sums.parts[portion], first=first)

    def _model(self, block: slice, W: Matrix, space: _Workspace) -> tuple[Matrix, Matrix]:
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1), both with weights, in whole rows; the latter not where nobody needs it."""
        size, beta = block.stop - block.start, self.problem.beta
        target, power = space.target[:size], space.power[:size]
        if self.weight_rows is None and beta == EUCLIDEAN:
            return self.rows[block], power
        space.products.expand(self.factors.activations[block], W, target)
        if beta != KULLBACK_LEIBLER:  # in the room behind the rows a model of 0 would overflow
            target[:, self.factors.bases.shape[1] :] = self.problem.level
        self._shares(self.rows[block], target, power)
        if self.weight_rows is None:
            return target, power
        weights = self.weight_rows[block]
        target *= weights
        if beta == KULLBACK_LEIBLER:
            return target, weights
        power *= weights
        return target, power

    def _shares(self, V: Matrix, model: Matrix, power: Matrix) -> None:
        """Put V ⊙ Ŷ^(β-2) in the place of the model Ŷ, and Ŷ^(β-1) into ``power`` where it is not 1."""
        beta = self.problem.beta
        if beta == EUCLIDEAN:
            power[...] = model
            model[...] = V
            return
        if beta == KULLBACK_LEIBLER:
            np.divide(V, model, out=model)
            return
        if beta == ITAKURA_SAITO:
            np.divide(1, model, out=power)
            np.multiply(power, power, out=model)
        else:
            _power(model, beta - 1, power)
            np.divide(power, model, out=model)
        model *= V

    def _move_bases(self) -> None:
        H, W = self.factors.activations, self.factors.bases
        if self.bases_pace is not STILL:
            W[...] = self.point
        ratio: Matrix = self.sums[0].total()
        denominator: NDArray[np.float64]
        if not self.problem.narrow:
            denominator = self.sums[1].total()
        elif self.problem.beta == EUCLIDEAN:
            denominator = ((H.T @ H) @ W).astype(np.float64)
        else:
            denominator = self.totals[:, None]
        if self.pressures is None:
            _divide(ratio, denominator, self.gamma)
        else:
            denominator = np.broadcast_to(denominator, ratio.shape).copy()
            self.pressures.on_bases(W, H).step(ratio, denominator, W.astype(np.float64), self.problem.beta)
        ratio[~self.problem.learn_bases] = 1
        ratio = ratio.astype(W.dtype)
        if self.bases_drift is not None:
            self.bases_drift.go_on(ratio, self.bases_pace)
        W *= ratio
        if self.problem.anchor is not None:
            self._hold()
        _flush(W, self.vanished, self.problem.learn_bases[:, None])

    def _hold(self) -> None:
        """Pull bases that are let go slowly back to what was given; what they were pulled is a part of their drift."""
        anchor, W = self.problem.anchor, self.factors.bases
        if anchor is None:
            return
        free = W.copy()
        anchor.hold(W, self.iteration)
        if self.bases_drift is not None:
            self.bases_drift.add(free, W)


def _divide(numerator: Matrix, denominator: Matrix, gamma: float) -> None:
    """Put (numerator / denominator)^γ in the place of the numerator; the denominator may be one number a row.

    Where the denominator is zero nothing is known of an entry: the ratio is 1, and it stays as it is.
    """
    if denominator.min() > 0:
        np.divide(numerator, denominator, out=numerator)
    else:  # ten times as long, and rare
        known = denominator > 0
        np.divide(numerator, denominator, out=numerator, where=known)
        np.copyto(numerator, 1, where=~known)
    if gamma != 1:
        np.power(numerator, gamma, out=numerator)


def _totals(activations: Matrix) -> NDArray[np.float64]:
    """The sums of all activations: of so many frames at a time in their dtype, and then in float64."""
    n_frames, count = activations.shape
    whole = n_frames - n_frames % _SUMMED
    ones = np.ones((1, _SUMMED), activations.dtype)  # a product with ones takes a tenth of the time of a sum
    sums = np.matmul(ones, activations[:whole].reshape(-1, _SUMMED, count)).sum(axis=(0, 1), dtype=np.float64)
    total: NDArray[np.float64] = sums + ones[0, : n_frames - whole] @ activations[whole:]
    return total


def _flush(factor: Matrix, vanished: float, learn: Mask) -> None:
    """Set what has vanished to zero, in place, where components learn; ``learn`` spreads to ``factor``."""
    if factor.size and factor.min() >= vanished:
        return
    stays = factor >= vanished
    if not learn.all():
        stays |= ~learn
    factor *= stays


def _power(model: Matrix, exponent: float, out: Matrix) -> None:
    """Put model ** exponent into ``out``; several times faster than ``np.power``, and square roots where they do."""
    if abs(exponent) == 0.5:
        np.sqrt(model, out=out)
        if exponent < 0:
            np.divide(1, out, out=out)
        return
    np.log(model, out=out)
    out *= exponent
    np.exp(out, out=out)
