"""One pass over V: a multiplicative step of all activations, and of all bases, block by block.

The new activations of a block of frames need that block only; and the block's share of what the bases need is taken
while the block is still in the cache. So V is read once an iteration and nothing of its size is ever made. For β = 1
the denominators are mere sums, and for β = 2 the model is never formed: WᵀW and HHᵀ take its place.

Both steps may leave from an extrapolated point instead of from where the factors are,

    H' = H + a max(H - H_before, 0),

which is what `unweave.rules.extrapolated` does; a = 0 is the plain step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Mask, Matrix
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, monotone_exponent
from unweave.rules.problem import Factors, Problem
from unweave.threads import n_threads, spread

__all__ = ["MultiplicativePass"]

_VANISHED = 1e-30
"""Below this share of the mean of V a factor entry is set to zero: nobody could hear it, and subnormals are slow."""


class _Workspace:
    """Arrays of one thread: as large as the largest block, and as the largest portion."""

    def __init__(self, block: int, portion: int, problem: Problem) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        self.target = np.empty((block, bins), dtype)  # V ⊙ Ŷ^(β-2)
        self.power = np.empty((block, bins) if problem.beta != KULLBACK_LEIBLER else 0, dtype)  # Ŷ^(β-1)
        self.ratio = np.empty((block, count), dtype)
        self.denominator = np.empty((block, count), dtype)
        self.growth = np.empty((portion, count), dtype)
        self.share = np.empty((count, bins), dtype)


class MultiplicativePass:
    """The factors, the problem and the workspaces of one run; `step` moves the factors in place by one iteration."""

    def __init__(self, problem: Problem, factors: Factors, *, remember: bool = False) -> None:
        self.problem, self.factors = problem, factors
        self.origin = factors.bases  # where the bases' step leaves from
        # The factors one iteration ago, for rules that extrapolate.
        self.before = factors.copy() if remember else None
        self.weight = 0.0
        self.bases_sum: Matrix = factors.bases[:, 0]
        self.bases_gram: Matrix = factors.bases
        self.fixed: Mask = ~problem.learn_activations
        self.gamma = monotone_exponent(problem.beta)
        self.vanished = _VANISHED * problem.level
        self.portions = problem.portions()
        block = max(block.stop - block.start for portion in self.portions for block in portion)
        portion = max(portion[-1].stop - portion[0].start for portion in self.portions)
        self.workspaces = [_Workspace(block, portion, problem) for _ in range(n_threads())]
        shape = (len(self.portions), *factors.bases.shape)
        self.learns = bool(problem.learn_bases.any())
        self.moves, self.primed = True, False
        # A portion is summed in the dtype of V, which is short work; all portions together in float64.
        self.numerators = np.zeros(shape if self.learns else 0, problem.frames.dtype)
        # For β = 1 the denominator is a sum over frames, one number a component; for β = 2 it is (HᵀH) W.
        narrow = problem.beta in (KULLBACK_LEIBLER, EUCLIDEAN)
        self.denominators = np.zeros(shape if self.learns and not narrow else 0, problem.frames.dtype)

    def step(self, weight: float = 0.0, following: float = 0.0) -> None:
        """One iteration: all bases, then all activations, each extrapolated by ``weight`` first.

        ``following`` is the weight of the next iteration: what it needs of V is taken in this pass.
        """
        factors = self.factors
        if self.learns:
            if not self.primed:
                self._prime()
            self._move_bases()
            self.origin = factors.bases
            if self.before is not None:
                self.origin = ahead(factors.bases, self.before.bases, following)
        self._pass(weight)

    def forget(self) -> None:
        """Begin anew from where the factors are: what was prepared for the next iteration is dropped."""
        self.primed = False

    def _prime(self) -> None:
        """Take what the first step of the bases needs, at the activations as they are."""
        self.origin = self.factors.bases
        self._pass(None)
        self.primed = True

    def _pass(self, weight: float | None) -> None:
        """Go over V once: move the activations (unless ``weight`` is None) and sum up what the bases need."""
        bases = self.factors.bases
        self.moves = weight is not None and bool(self.problem.learn_activations.any())
        self.weight = weight or 0.0
        total = bases.sum(axis=1, dtype=np.float64)
        # Where a basis is zero nothing is known of its activation: it stays as it is.
        self.fixed = ~self.problem.learn_activations | (total <= 0)
        self.bases_sum = (1 / np.where(total > 0, total, 1)).astype(bases.dtype)
        if self.problem.beta == EUCLIDEAN:
            self.bases_gram = bases @ bases.T
        if self.moves or self.learns:
            spread(self._portion, len(self.portions))

    def _portion(self, portion: int, worker: int) -> None:
        space, blocks = self.workspaces[worker], self.portions[portion]
        whole = slice(blocks[0].start, blocks[-1].stop)
        if self.moves and self.before is not None:
            _go_ahead(self.factors.activations[whole], self.before.activations[whole], self.weight, space.growth)
        for block in blocks:
            if self.moves:
                self._move_activations(block, space)
            if self.learns:
                self._sum_up(portion, block, space)
        if self.moves:
            _flush(self.factors.activations[whole], self.vanished, self.problem.learn_activations)

    def _move_activations(self, block: slice, space: _Workspace) -> None:
        """Move the activations of one block of frames."""
        V, H, W = self.problem.frames[block], self.factors.activations[block], self.factors.bases
        size = H.shape[0]
        target, power = self._model(V, H, W, space)
        ratio = np.matmul(target, W.T, out=space.ratio[:size])
        if self.problem.beta == KULLBACK_LEIBLER:
            ratio *= self.bases_sum  # one over the sum: see `_pass`
        else:
            denominator = space.denominator[:size]
            factors = (H, self.bases_gram) if self.problem.beta == EUCLIDEAN else (power, W.T)
            np.matmul(*factors, out=denominator)
            _divide(ratio, denominator, self.gamma)
        if self.fixed.any():
            ratio[:, self.fixed] = 1
        H *= ratio

    def _sum_up(self, portion: int, block: slice, space: _Workspace) -> None:
        """Take the share of one block in what the bases need for their next step."""
        V, H = self.problem.frames[block], self.factors.activations[block]
        first = block == self.portions[portion][0]
        target, power = self._model(V, H, self.origin, space)
        sums = [(self.numerators, target)]
        if self.denominators.size:
            sums.append((self.denominators, power))
        for total, factor in sums:
            if first:
                np.matmul(H.T, factor, out=total[portion])
            else:
                total[portion] += np.matmul(H.T, factor, out=space.share)

    def _model(self, V: Matrix, H: Matrix, W: Matrix, space: _Workspace) -> tuple[Matrix, Matrix]:
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1); the latter is not filled where nobody needs it."""
        beta = self.problem.beta
        target, power = space.target[: V.shape[0]], space.power[: V.shape[0]]
        if beta == EUCLIDEAN:
            return V, power
        model: Matrix = np.matmul(H, W, out=target)
        model += self.problem.epsilon
        if beta == KULLBACK_LEIBLER:
            np.divide(V, model, out=target)
            return target, power
        if beta == ITAKURA_SAITO:
            np.divide(1, model, out=power)
            np.multiply(power, power, out=target)
            np.multiply(V, target, out=target)
            return target, power
        _power(model, beta - 1, power)
        np.divide(power, model, out=target)
        np.multiply(V, target, out=target)
        return target, power

    def _move_bases(self) -> None:
        H, W = self.factors.activations, self.factors.bases
        if self.before is not None:
            self.before.bases[...] = W
            W[...] = self.origin
        ratio = self.numerators.sum(axis=0, dtype=np.float64)
        denominator: NDArray[np.float64]
        if self.problem.beta == KULLBACK_LEIBLER:
            denominator = np.broadcast_to(H.sum(axis=0, dtype=np.float64)[:, None], ratio.shape)
        elif self.problem.beta == EUCLIDEAN:
            denominator = ((H.T @ H) @ W).astype(np.float64)
        else:
            denominator = self.denominators.sum(axis=0, dtype=np.float64)
        _divide(ratio, denominator, self.gamma)
        ratio[~self.problem.learn_bases] = 1
        np.multiply(W, ratio, out=W, casting="same_kind")
        _flush(W.T, self.vanished, self.problem.learn_bases)


def _divide(numerator: Matrix, denominator: Matrix, gamma: float) -> None:
    """Put (numerator / denominator)^γ in the place of the numerator.

    Where the denominator is zero nothing is known of an entry: the ratio is 1, and it stays as it is.
    """
    np.divide(numerator, denominator, out=numerator, where=denominator > 0)
    numerator[denominator <= 0] = 1
    if gamma != 1:
        np.power(numerator, gamma, out=numerator)


def _flush(factor: Matrix, vanished: float, learn: Mask) -> None:
    """Set what has vanished to zero, in place, where components learn; ``factor`` is ``(n, components)``."""
    gone = factor < vanished
    gone &= learn
    factor[gone] = 0


def _go_ahead(now: Matrix, before: Matrix, weight: float, growth: Matrix) -> None:
    """Move ``now`` to its extrapolated point and remember where it was, both in place."""
    growth = growth[: now.shape[0]]
    np.subtract(now, before, out=growth)
    np.maximum(growth, 0, out=growth)
    growth *= weight
    before[...] = now
    now += growth


def ahead(now: Matrix, before: Matrix, weight: float) -> Matrix:
    """The extrapolated point; entries that shrank stay where they are, so that it is a step up or none."""
    point: Matrix = np.maximum(now - before, 0) * weight
    point += now
    return point


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
