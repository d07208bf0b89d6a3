"""An elastic net on the factors themselves: the objective of scikit-learn's NMF.

    D_β(V | W H)  +  a_W Σ W + ½ b_W Σ W²  +  a_H Σ H + ½ b_H Σ H²

Unlike `Penalties`, which see what is heard, these see the numbers in the factors: they also weigh how W and H share
their level, and one of them alone can be cheated (W grows, H shrinks). They are here so that a model that was made with
scikit-learn can be made with unweave; for sound `Penalties` are the better choice.

For β = 2 a step is one sweep of coordinate descent over the activations, block by block, and one over the bases,

    h_k ← max(0, (c_k - Σ_{j≠k} G_kj h_j - a) / (G_kk + b)),      G = WᵀW, c = WᵀV,

which never raises the objective. For any other β, or where ``multiplicative`` is asked for, the penalties join the
denominator of the multiplicative step, h ← h ⊙ (∇⁻ / (∇⁺ + a + b h))^γ(β).

Differences from scikit-learn: V is read in blocks, activations and bases in one pass; exact zeros stay zero in
multiplicative steps only.

References: A. Cichocki, A.-H. Phan, Fast local algorithms for large scale nonnegative matrix and tensor factorizations,
IEICE Transactions E92-A(3), 2009, doi:10.1587/transfun.E92.A.708. C. Févotte, J. Idier, Neural Computation 23(9), 2011,
doi:10.1162/NECO_a_00168.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from unweave.arrays import Mask, Matrix
from unweave.divergence import EUCLIDEAN, KULLBACK_LEIBLER, monotone_exponent
from unweave.rules.problem import Factors, Motion, Problem

__all__ = ["Elastic", "Net"]


@dataclass(frozen=True, slots=True)
class Net:
    """The strengths of one factor: ``l1`` Σ x + ½ ``l2`` Σ x², both at least 0."""

    l1: float = 0.0
    l2: float = 0.0

    def cost(self, factor: Matrix) -> float:
        """What a factor pays."""
        values = factor.astype(np.float64)
        return self.l1 * float(values.sum()) + 0.5 * self.l2 * float(np.square(values).sum())


@final
@dataclass(frozen=True, slots=True)
class Elastic:
    """The rule with an elastic net on bases and activations; see the module for its equations.

    Parameters
    ----------
    bases, activations : Net
        What each of the factors pays.
    multiplicative : bool
        Take multiplicative steps for β = 2, too.
    """

    bases: Net
    activations: Net
    multiplicative: bool = False

    name = "elastic"
    betas = "every beta"
    constraints = False

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: always."""
        return True

    def never_rises(self, beta: float) -> bool:
        """Whether the objective provably never rises: for coordinate descent only."""
        return beta == EUCLIDEAN and not self.multiplicative

    def cost(self, factors: Factors) -> float:
        """What both factors pay besides the divergence."""
        return self.bases.cost(factors.bases) + self.activations.cost(factors.activations)

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        return _Motion(self, problem, factors)


class _Motion:
    def __init__(self, rule: Elastic, problem: Problem, factors: Factors) -> None:
        self.rule, self.problem, self.factors = rule, problem, factors
        self.blocks = [block for portion in problem.portions() for block in portion]
        self.descends = problem.beta == EUCLIDEAN and not rule.multiplicative

    def step(self) -> None:
        if self.descends:
            self._descend()
        else:
            self._multiply()

    def restart(self) -> None:
        """There is no momentum to drop."""

    def _descend(self) -> None:
        W, V, problem = self.factors.bases, self.problem.frames, self.problem
        gram = W @ W.T
        product, gram_of_activations = np.zeros(W.shape), np.zeros(gram.shape)
        for block in self.blocks:
            H = self.factors.activations[block]
            _sweep(H.T, (V[block] @ W.T).T, gram, self.rule.activations, problem.learn_activations)
            product += H.T @ V[block]
            gram_of_activations += H.T @ H
        _sweep(W, product.astype(W.dtype), gram_of_activations.astype(W.dtype), self.rule.bases, problem.learn_bases)

    def _multiply(self) -> None:
        W, problem = self.factors.bases, self.problem
        falls, rises = np.zeros(W.shape), np.zeros(W.shape)
        for block in self.blocks:
            V, H = problem.frames[block], self.factors.activations[block]
            wanted, had = self._slopes(V, H, W)
            self._scale(H, wanted @ W.T, had @ W.T, self.rule.activations, problem.learn_activations)
            wanted, had = self._slopes(V, H, W)
            falls += H.T @ wanted
            rises += H.T @ had
        mask = problem.learn_bases[:, None]
        self._scale(W, falls.astype(W.dtype), rises.astype(W.dtype), self.rule.bases, mask)

    def _slopes(self, V: Matrix, H: Matrix, W: Matrix) -> tuple[Matrix, Matrix]:
        """The two parts of the slope of the divergence by the model: what lets it fall, and what lets it rise."""
        beta = self.problem.beta
        model = H @ W + V.dtype.type(self.problem.epsilon)
        if beta == EUCLIDEAN:
            return V, model
        if beta == KULLBACK_LEIBLER:
            return V / model, np.ones_like(model)
        return V * model ** (beta - 2), model ** (beta - 1)

    def _scale(self, factor: Matrix, falls: Matrix, rises: Matrix, net: Net, learn: Mask) -> None:
        """A multiplicative step in place; where there is no slope nothing moves."""
        rises = rises + factor.dtype.type(net.l1) + factor.dtype.type(net.l2) * factor
        ratio = np.divide(falls, rises, out=np.ones_like(factor), where=rises > 0)
        factor *= np.where(learn, ratio ** monotone_exponent(self.problem.beta), 1).astype(factor.dtype)


def _sweep(rows: Matrix, product: Matrix, gram: Matrix, net: Net, learn: Mask) -> None:
    """One sweep of coordinate descent over the rows of a factor ``(components, n)``, in place."""
    for k in np.flatnonzero(learn):
        curvature = gram[k, k] + net.l2
        if curvature > 0:
            slope = product[k] - gram[k] @ rows + gram[k, k] * rows[k] - net.l1
            rows[k] = np.maximum(0, slope / curvature)
        elif net.l1 > 0:
            rows[k] = 0  # its partner is silent: it only costs
