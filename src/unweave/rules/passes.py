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
    """Arrays of one thread, as large as the largest block."""

    def __init__(self, size: int, problem: Problem) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        self.target = np.empty((size, bins), dtype)  # V ⊙ Ŷ^(β-2)
        self.power = np.empty((size, bins), dtype)  # Ŷ^(β-1)
        self.numerator = np.empty((size, count), dtype)
        self.denominator = np.empty((size, count), dtype)
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
        self.gamma = monotone_exponent(problem.beta)
        self.epsilon = problem.epsilon
        self.vanished = _VANISHED * float(problem.frames.mean(dtype=np.float64) or 1.0)
        self.portions = problem.portions()
        size = max(block.stop - block.start for portion in self.portions for block in portion)
        self.workspaces = [_Workspace(size, problem) for _ in range(n_threads())]
        shape = (len(self.portions), *factors.bases.shape)
        self.learns = bool(problem.learn_bases.any())
        self.moves, self.primed = True, False
        self.numerators = np.zeros(shape if self.learns else 0)
        # For β = 1 the denominator is a sum over frames, one number a component; for β = 2 it is (HᵀH) W.
        narrow = problem.beta in (KULLBACK_LEIBLER, EUCLIDEAN)
        self.denominators = np.zeros(shape if self.learns and not narrow else 0)

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
        self.bases_sum = bases.sum(axis=1, dtype=np.float64).astype(bases.dtype)
        if self.problem.beta == EUCLIDEAN:
            self.bases_gram = bases @ bases.T
        if self.moves or self.learns:
            spread(self._portion, len(self.portions))

    def _portion(self, portion: int, worker: int) -> None:
        space = self.workspaces[worker]
        if self.numerators.size:
            self.numerators[portion] = 0
        if self.denominators.size:
            self.denominators[portion] = 0
        for block in self.portions[portion]:
            self._block(portion, block, space)

    def _block(self, portion: int, block: slice, space: _Workspace) -> None:
        """Move the activations of one block of frames, and take its share of what the bases need."""
        V, H = self.problem.frames[block], self.factors.activations[block]
        W, size = self.factors.bases, block.stop - block.start
        target, power = space.target[:size], space.power[:size]
        if self.moves:
            if self.before is not None:
                before = self.before.activations[block]
                point = ahead(H, before, self.weight)
                before[...] = H
                H[...] = point
            target_now, power_now = self._model(V, H, W, target, power)
            numerator = np.matmul(target_now, W.T, out=space.numerator[:size])
            denominator = self._activation_denominator(power_now, H, space.denominator[:size])
            _move(H, numerator, denominator, self.gamma, (self.problem.learn_activations, self.vanished))
        if self.numerators.size:
            target_now, power_now = self._model(V, H, self.origin, target, power)
            self.numerators[portion] += np.matmul(H.T, target_now, out=space.share)
            if self.denominators.size:
                self.denominators[portion] += np.matmul(H.T, power_now, out=space.share)

    def _model(self, V: Matrix, H: Matrix, W: Matrix, target: Matrix, power: Matrix) -> tuple[Matrix, Matrix]:
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1); ``power`` is not filled where nobody needs it."""
        beta = self.problem.beta
        if beta == EUCLIDEAN:
            return V, power
        model: Matrix = np.matmul(H, W, out=target)
        model += self.epsilon
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

    def _activation_denominator(self, power: Matrix, H: Matrix, out: Matrix) -> Matrix:
        if self.problem.beta == KULLBACK_LEIBLER:
            return self.bases_sum
        if self.problem.beta == EUCLIDEAN:
            np.matmul(H, self.bases_gram, out=out)
        else:
            np.matmul(power, self.factors.bases.T, out=out)
        return out

    def _move_bases(self) -> None:
        H, W = self.factors.activations, self.factors.bases
        if self.before is not None:
            self.before.bases[...] = W
            W[...] = self.origin
        numerator = self.numerators.sum(axis=0)
        denominator: NDArray[np.float64]
        if self.problem.beta == KULLBACK_LEIBLER:
            denominator = H.sum(axis=0, dtype=np.float64)[:, None]
        elif self.problem.beta == EUCLIDEAN:
            denominator = ((H.T @ H) @ W).astype(np.float64)
        else:
            denominator = self.denominators.sum(axis=0)
        _move(W.T, numerator.T, denominator.T, self.gamma, (self.problem.learn_bases, self.vanished))


def _move(factor: Matrix, numerator: Matrix, denominator: Matrix, gamma: float, rest: tuple[Mask, float]) -> None:
    """Multiply ``factor`` ``(n, components)`` in place by (numerator / denominator)^γ where its component learns.

    Where the denominator is zero nothing is known of the entry, and it stays as it is.
    """
    learn, vanished = rest
    ratio = np.ones(factor.shape, factor.dtype)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0, casting="same_kind")
    if gamma != 1:
        np.power(ratio, gamma, out=ratio)
    if learn.all():
        np.multiply(factor, ratio, out=factor)
        factor[factor < vanished] = 0
    else:
        moved = factor[:, learn] * ratio[:, learn]
        moved[moved < vanished] = 0
        factor[:, learn] = moved


def ahead(now: Matrix, before: Matrix, weight: float) -> Matrix:
    """The extrapolated point; entries that shrank stay where they are, so that it is a step up or none."""
    point: Matrix = np.subtract(now, before)
    np.maximum(point, 0, out=point)
    point *= weight
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
