"""Multiplicative updates that leave from an extrapolated point (MUe; Hien, Leplat & Gillis).

    H' = H + a_t max(H - H_before, 0),   then a multiplicative step from H';   the same for W

with Nesterov's weights a_t = (θ_t - 1) / θ_{t+1}, θ_{t+1} = (1 + √(1 + 4 θ_t²)) / 2. Only growth is extrapolated:
what shrinks is left to the multiplicative step, so nothing becomes negative and zeros stay zeros.

Use it for nearly everything: it is the default. An iteration costs what a plain one costs, and about half as many reach
the same divergence. For 1 ≤ β ≤ 2 the authors prove convergence; single iterations may still raise the divergence a
little. The loop looks at the divergence every few iterations, and where it has risen the momentum starts anew.

Reference: L. T. K. Hien, V. Leplat, N. Gillis, Block majorization minimization with extrapolation and application to
β-NMF, SIAM Journal on Mathematics of Data Science, 2025, arXiv:2401.06646.
"""

from __future__ import annotations

import math
from typing import final

from unweave.rules.passes import MultiplicativePass
from unweave.rules.problem import Factors, Motion, Problem

__all__ = ["Extrapolated"]


@final
class Extrapolated:
    """The multiplicative rule with extrapolation; see the module for its equations."""

    name = "extrapolated"

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: momentum gives that up for speed."""
        return False

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        return _Motion(MultiplicativePass(problem, factors))


class _Motion:
    def __init__(self, steps: MultiplicativePass) -> None:
        self.steps = steps
        self.theta = 1.0

    def step(self) -> None:
        theta = (1 + math.sqrt(1 + 4 * self.theta**2)) / 2
        self.steps.step((self.theta - 1) / theta)
        self.theta = theta

    def restart(self) -> None:
        self.theta = 1.0
