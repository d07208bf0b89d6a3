"""Multiplicative updates for every real β (Lee & Seung; Févotte & Idier).

    W ← W ⊙ [ (V ⊙ Ŷ^(β-2)) Hᵀ ⊘ Ŷ^(β-1) Hᵀ ]^γ(β)        Ŷ = W H + ε
    H ← H ⊙ [ Wᵀ(V ⊙ Ŷ^(β-2)) ⊘ Wᵀ Ŷ^(β-1) ]^γ(β)

with γ = 1/(2-β) for β < 1, 1 for 1 ≤ β ≤ 2 and 1/(β-1) for β > 2, under which neither step ever raises the divergence.
W moves first, H with the new W, as in scikit-learn and FluCoMa.

Use it when a guarantee is wanted: it never rises, it works for every β, and an exact zero stays a zero, which is how a
start says 'not here'. It is never the fastest to a precise solution.

References: D. D. Lee, H. S. Seung, Algorithms for non-negative matrix factorization, NIPS 2000. C. Févotte, J. Idier,
Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.
"""

from __future__ import annotations

from typing import final

from unweave.rules.passes import MultiplicativePass
from unweave.rules.problem import Factors, Motion, Problem

__all__ = ["Multiplicative"]


@final
class Multiplicative:
    """The multiplicative rule; see the module for its equations."""

    name = "multiplicative"
    betas = "every beta"
    constraints = True

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: always."""
        return True

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: always."""
        return True

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        return _Motion(MultiplicativePass(problem, factors))


class _Motion:
    def __init__(self, steps: MultiplicativePass) -> None:
        self.steps = steps

    def step(self) -> None:
        self.steps.step()

    def restart(self) -> None:
        """There is no momentum to drop."""
