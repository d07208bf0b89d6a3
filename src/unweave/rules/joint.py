"""Joint majorisation-minimisation for 0 ≤ β < 2: both factors from one model (Marmin, Goulart & Févotte).

Multiplicative updates bound the divergence for one factor at a time, and so need the model twice an iteration. Here one
bound holds for both factors together. With W̃, H̃ where the iteration begins and

    Ỹ = W̃ H̃ + ε,   P = V ⊙ Ỹ^(β-2),   Q = Ỹ^(β-1)

the bound is lowered by

    H ← H̃ ⊙ r,   r = [ W̃ᵀP ⊘ W̃ᵀQ ]^γ                          γ = 1/(2-β) for β < 1, else 1
    W ← W̃ ⊙ [ P χ₁ᵀ ⊘ Q χ₂ᵀ ]^γ                                 χ₁ = H̃ ⊙ r^(β-1)
                                                                 χ₂ = H̃ ⊙ r for β < 1, H̃ ⊙ r^β from there on

For Itakura-Saito (β = 0) χ₁ is H̃²/H and γ is ½. A block of frames forms its P and Q once, moves its activations, and
hands in its share of the two sums for W while all of it is in the cache: five matrix products and one division an entry
of V where multiplicative updates take six and two. The bound touches the divergence at (W̃, H̃), so the divergence never
rises; ε is one more term of the model and changes nothing in the proof.

The paper lowers a bound by several sweeps over H and W before it forms the next. A second sweep would need P and Q of
all blocks again, which is V-sized memory or another pass: as dear as an iteration, and worth less than one (see
docs/decisions/0007). For β = 1 it would change nothing at all. So there is one sweep.

Use it when both a guarantee and few products an iteration are wanted: it never rises, as `multiplicative`, and an
iteration costs a tenth to a third less. But more are needed, once to twice as many on recordings, so it is seldom the
faster of the two; `extrapolated` guarantees nothing and is faster than both.

Reference: A. Marmin, J. H. de M. Goulart, C. Févotte, Joint majorization-minimization for nonnegative matrix
factorization with the β-divergence, 2021, doi:10.48550/arXiv.2106.15214.
"""

from __future__ import annotations

from typing import final

import numpy as np

from unweave.arrays import Mask, Matrix, roomy_like, whole_rows
from unweave.divergence import ITAKURA_SAITO, KULLBACK_LEIBLER, monotone_exponent
from unweave.rules.problem import Factors, Motion, Problem
from unweave.threads import n_threads, spread

__all__ = ["Joint"]

_VANISHED = 1e-30
"""Below this share of the mean of V a factor entry is set to zero: nobody could hear it, and subnormals are slow."""


@final
class Joint:
    """Joint majorisation-minimisation; see the module for its equations."""

    name = "joint"
    betas = "0 ≤ beta < 2"
    constraints = False

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: the bound is known for 0 ≤ β < 2."""
        return 0 <= beta < 2

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: wherever the rule applies."""
        return self.supports(beta)

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        return _Motion(problem, factors)


class _Workspace:
    """Arrays of one thread, as large as the largest block."""

    def __init__(self, size: int, problem: Problem) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        self.target = roomy_like(problem.frames, size)  # P
        self.power = roomy_like(problem.frames, size)  # Q
        self.target_rows, self.power_rows = whole_rows(self.target), whole_rows(self.power)
        self.numerator = np.empty((size, count), dtype)
        self.denominator = np.empty((size, count), dtype)
        self.share = np.empty((count, bins), dtype)


class _Motion:
    def __init__(self, problem: Problem, factors: Factors) -> None:
        self.problem, self.factors = problem, factors
        self.rows = whole_rows(problem.frames)
        self.gamma = monotone_exponent(problem.beta)
        self.epsilon = problem.epsilon
        self.vanished = _VANISHED * problem.level
        self.moves, self.learns = bool(problem.learn_activations.any()), bool(problem.learn_bases.any())
        self.portions = problem.portions()
        size = max(block.stop - block.start for portion in self.portions for block in portion)
        self.workspaces = [_Workspace(size, problem) for _ in range(n_threads())]
        shape = (len(self.portions), *factors.bases.shape)
        self.numerators = np.zeros(shape if self.learns else 0)
        # For β = 1 the denominators are mere sums: Q is 1.
        self.narrow = problem.beta == KULLBACK_LEIBLER
        self.denominators = np.zeros(shape if self.learns and not self.narrow else 0)
        self.bases_sum: Matrix = factors.bases[:, 0]

    def step(self) -> None:
        W = self.factors.bases
        self.bases_sum = W.sum(axis=1, dtype=np.float64).astype(W.dtype)
        spread(self._portion, len(self.portions))
        if self.learns:
            self._move_bases()

    def restart(self) -> None:
        """There is no momentum to drop."""

    def _portion(self, portion: int, worker: int) -> None:
        if self.learns:
            self.numerators[portion] = 0
            if not self.narrow:
                self.denominators[portion] = 0
        for block in self.portions[portion]:
            self._block(portion, block, self.workspaces[worker])

    def _block(self, portion: int, block: slice, space: _Workspace) -> None:
        """Form P and Q of one block, move its activations, and take its share of what the bases need."""
        beta, size = self.problem.beta, block.stop - block.start
        H, W = self.factors.activations[block], self.factors.bases
        P, Q = space.target[:size], space.power[:size]
        np.matmul(H, W, out=P)
        rows = space.target_rows[:size]
        rows[:, P.shape[1] :] = self.problem.level  # in the room a model of 0 would overflow
        self._model(self.rows[block], rows, space.power_rows[:size])
        first: Matrix = H  # χ₁
        second: Matrix = H  # χ₂
        if self.moves:
            numerator, denominator = np.matmul(P, W.T, out=space.numerator[:size]), self.bases_sum
            if not self.narrow:
                denominator = np.matmul(Q, W.T, out=space.denominator[:size])
            ratio = _ratio(numerator, denominator, self.gamma)
            first = H * _raised(ratio, beta - 1)
            if beta > 1:
                second = H * _raised(ratio, beta)
            _multiply(H, ratio, self.problem.learn_activations, self.vanished)
            kept = ~self.problem.learn_activations
            first[:, kept] = H[:, kept]
            if beta > 1:
                second[:, kept] = H[:, kept]
        if self.learns:
            self.numerators[portion] += np.matmul(first.T, P, out=space.share)
            if not self.narrow:
                self.denominators[portion] += np.matmul(second.T, Q, out=space.share)

    def _model(self, V: Matrix, P: Matrix, Q: Matrix) -> None:
        """Put P = V ⊙ Ỹ^(β-2) in the place of Ỹ, and fill Q = Ỹ^(β-1); for β = 1 nobody needs Q."""
        beta = self.problem.beta
        P += self.epsilon
        if self.narrow:
            np.divide(V, P, out=P)
        elif beta == ITAKURA_SAITO:
            np.divide(1, P, out=Q)
            np.multiply(Q, Q, out=P)
            np.multiply(P, V, out=P)
        else:
            np.log(P, out=Q)
            Q *= beta - 1
            np.exp(Q, out=Q)
            np.divide(Q, P, out=P)
            np.multiply(P, V, out=P)

    def _move_bases(self) -> None:
        W, numerator = self.factors.bases.T, self.numerators.sum(axis=0).T
        if self.narrow:
            denominator = self.factors.activations.sum(axis=0, dtype=np.float64)
        else:
            denominator = self.denominators.sum(axis=0).T
        ratio = _ratio(numerator, denominator, self.gamma)
        _multiply(W, ratio.astype(W.dtype), self.problem.learn_bases, self.vanished)


def _ratio(numerator: Matrix, denominator: Matrix, gamma: float) -> Matrix:
    """(numerator / denominator)^γ; where the denominator is zero nothing is known, and it is 1."""
    ratio = np.ones_like(numerator)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    if gamma == 0.5:
        np.sqrt(ratio, out=ratio)
    elif gamma != 1:
        np.power(ratio, gamma, out=ratio)
    return ratio


def _raised(ratio: Matrix, exponent: float) -> Matrix:
    """ratio^exponent, and 0 where the ratio is 0: P is zero wherever such an entry would count."""
    if exponent == 0:
        return np.ones_like(ratio)
    raised = np.zeros_like(ratio)
    if exponent == -1:
        np.divide(1, ratio, out=raised, where=ratio > 0)
    else:
        np.power(ratio, exponent, out=raised, where=ratio > 0)
    return raised


def _multiply(factor: Matrix, ratio: Matrix, learn: Mask, vanished: float) -> None:
    """Multiply ``factor`` ``(n, components)`` in place where its component learns."""
    if learn.all():
        np.multiply(factor, ratio, out=factor)
        factor[factor < vanished] = 0
    else:
        moved = factor[:, learn] * ratio[:, learn]
        moved[moved < vanished] = 0
        factor[:, learn] = moved
