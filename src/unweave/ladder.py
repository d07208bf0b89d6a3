"""Fits of a small matrix with one component, two, three and so on, several starts at a time.

The rules of `unweave.rules` are made for spectrograms: a pass over a small matrix costs them more in calls than in
arithmetic. Here all starts are one stack of matrices, moved by plain multiplicative updates together, W ``(runs, bins,
k)`` and H ``(runs, k, columns)``,

    W ← W ⊙ [ (M ⊙ V ⊙ Ŷ^(β-2)) Hᵀ ⊘ (M ⊙ Ŷ^(β-1)) Hᵀ ]^γ(β),   and H likewise,

where M is one for entries that are seen and zero for those held out.

References: C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168. Held-out entries: S. Wold,
Technometrics 20(4), 1978, doi:10.1080/00401706.1978.10489693.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Mask, Matrix
from unweave.divergence import EUCLIDEAN, KULLBACK_LEIBLER, monotone_exponent
from unweave.initialize import random_start
from unweave.threads import single_blas

__all__ = ["TINY", "Small", "divergences", "ladder"]

STARTS, FINALISTS = 8, 2
TRIAL_ITER, FINAL_ITER = 30, 120
TINY = 1e-20


class Small:
    """Multiplicative updates of a batch of factors, W ``(runs, bins, k)`` and H ``(runs, k, columns)``, of a small V.

    With ``seen``, entries of V that are not seen have no say: the sums of both updates leave them out.
    """

    def __init__(self, V: Matrix, beta: float, seen: Mask | None = None) -> None:
        self.V, self.beta, self.seen = V, beta, None if seen is None else seen.astype(V.dtype)
        self.epsilon = V.dtype.type(1e-9 * float(V.mean()))
        self.gamma = monotone_exponent(beta)

    def move(self, W: Matrix, H: Matrix, count: int) -> tuple[Matrix, Matrix]:
        """Factors after ``count`` iterations."""
        for _ in range(count):
            target, power = self.quotients(W, H)
            W = W * self._stretched((target @ _turned(H)) / (power @ _turned(H) + TINY))
            target, power = self.quotients(W, H)
            H = H * self._stretched((_turned(W) @ target) / (_turned(W) @ power + TINY))
        return W, H

    def quotients(self, W: Matrix, H: Matrix) -> tuple[Matrix, Matrix]:
        """V ⊙ Ŷ^(β-2) and Ŷ^(β-1), zero where V is not seen."""
        model = W @ H + self.epsilon
        if self.beta == KULLBACK_LEIBLER:
            target, power = self.V / model, np.ones((1, *self.V.shape), self.V.dtype)
        elif self.beta == EUCLIDEAN:
            target, power = np.broadcast_to(self.V, model.shape), model
        else:
            power = model ** self.V.dtype.type(self.beta - 1)
            target = self.V * power / model
        return (target, power) if self.seen is None else (target * self.seen, power * self.seen)

    def _stretched(self, ratio: Matrix) -> Matrix:
        return ratio if self.gamma == 1 else ratio ** ratio.dtype.type(self.gamma)

    def divergence(self, model: Matrix) -> NDArray[np.float64]:
        """D_β of every run over what is seen."""
        each = divergences(self.V, model + self.epsilon, self.beta)
        total: NDArray[np.float64] = (each if self.seen is None else each * self.seen).sum(axis=(-2, -1))
        return total


def _turned(factor: Matrix) -> Matrix:
    return factor.swapaxes(-1, -2)


def divergences(V: Matrix, model: Matrix, beta: float) -> NDArray[np.float64]:
    """d_β entry by entry, in float64."""
    V, model = V.astype(np.float64), model.astype(np.float64)
    if beta == KULLBACK_LEIBLER:
        return np.asarray(V * np.log(np.maximum(V, TINY) / model) - V + model)
    if beta == 0:
        return np.asarray(V / model - np.log(V / model) - 1)
    terms = V**beta + (beta - 1) * model**beta - beta * V * model ** (beta - 1)
    return np.asarray(terms / (beta * (beta - 1)))


def ladder(small: Small, most: int, rng: np.random.Generator) -> Iterator[Matrix]:
    """The best model found with 1, 2, … ``most`` components.

    Half of the starts are random, half are the best model before with one component more, made from a column that it
    explains badly. Then one more component never explains less.
    """
    W = H = np.zeros((0, 0), small.V.dtype)
    for k in range(1, most + 1):
        starts = [
            random_start(small.V, k, rng) if k == 1 or run % 2 else _grown(small, W, H, rng) for run in range(STARTS)
        ]
        with single_blas():
            batch = small.move(
                np.stack([each[0] for each in starts]), np.stack([each[1] for each in starts]), TRIAL_ITER
            )
            order = np.argsort(small.divergence(batch[0] @ batch[1]), kind="stable")[:FINALISTS]
            batch = small.move(batch[0][order], batch[1][order], FINAL_ITER)
            best = int(np.argmin(small.divergence(batch[0] @ batch[1])))
        W, H = batch[0][best], batch[1][best]
        yield W @ H


def _grown(small: Small, W: Matrix, H: Matrix, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
    """One component more: a column of what is left, drawn by how much is left in it."""
    left = np.maximum(small.V - W @ H, 0) + 1e-3 * small.V.mean()
    if small.seen is not None:
        left = left * small.seen + 1e-3 * small.V.mean()
    weight = left.sum(axis=0, dtype=np.float64)
    basis = left[:, rng.choice(weight.size, p=weight / weight.sum())]
    activation = (basis @ left) / (basis @ basis)
    grown = np.column_stack([W, basis]), np.vstack([H, activation])
    return grown[0].astype(small.V.dtype), grown[1].astype(small.V.dtype)
