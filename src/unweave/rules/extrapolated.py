"""Multiplicative updates that go further, and go on: over-relaxation with momentum in logarithms.

    H ← H q^b r^p,     q = H / H_before,     r the ratio of a plain step, taken at H q^a;     the same for W

So log H moves by momentum b and by p times the plain step, which is looked for a little ahead. Nesterov's weights
w = (θ_t - 1) / θ_{t+1}, θ_{t+1} = (1 + √(1 + 4 θ_t²)) / 2, let it set in: b is w up to `MOST`, a is `AHEAD` times b,
and p is `POWER`. Nothing becomes negative and zeros stay zeros; what shrinks has momentum as has what grows, and in NMF
most entries shrink. q is kept between ½ and 2. The first `PLAIN` iterations (`PLAIN_LOW` for β < 1) are plain ones.

Use it for every β but 2, where `hals` is faster: it is the default there. An iteration costs what a plain one costs,
and about a quarter as many reach the same divergence. Nothing is proven, and single iterations may raise the divergence
a little. Whoever looks at the divergence and finds that it has risen restarts the rule: momentum begins anew, after
`SETTLING` plain iterations.

Why these numbers. Near a minimum logarithms of W and H move as under f(w, h) = λ (w² + h² + 2 c w h) / 2 with 0 ≤ λ ≤ 1
(a plain step is a majorant's) and |c| ≤ 1, w and h in turn. This is stable for all λ and c while a is above about half
of b, however W and H pull at each other; and p (1 + 2 a) < 2 (1 + b). Recordings behave as this model does, see
docs/decisions/0001.

References: L. T. K. Hien, V. Leplat, N. Gillis, Block majorization minimization with extrapolation and application to
β-NMF, SIAM Journal on Mathematics of Data Science, 2025, arXiv:2401.06646 (extrapolation of what grows, p = 1). B. T.
Polyak, Some methods of speeding up the convergence of iteration methods, 1964, doi:10.1016/0041-5553(64)90137-5.
R. Salakhutdinov, S. Roweis, Adaptive overrelaxed bound optimization methods, ICML 2003 (powers of the ratio).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import final

from unweave.rules.drift import STILL, Pace
from unweave.rules.passes import MultiplicativePass
from unweave.rules.problem import Factors, Motion, Problem

__all__ = ["PLAIN", "PLAIN_LOW", "SETTLING", "Extrapolated", "pace_at"]

PLAIN = 10
"""Iterations before momentum begins. The first ones decide in which basin a run ends: momentum would now and then carry
it over into a worse one (in 3 of 210 runs on recordings and noise, against none), and it gains nothing that early."""

PLAIN_LOW = 20
"""The same for β below 1, where there are more basins: with 10 iterations two tones that sound in turn fell into one
component from six starts of eight under Itakura-Saito, with 20 and with plain updates from none."""

SETTLING = 2
"""Plain iterations after a restart."""

POWER, AHEAD, MOST = 1.75, 0.55, 0.85
"""p, a / b, and the most that b becomes."""

_SETTLED = 1000


@final
class Extrapolated:
    """The multiplicative rule with momentum; see the module for its equations."""

    name = "extrapolated"
    betas = "every beta"
    constraints = True

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: always."""
        return True

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: momentum gives that up for speed."""
        return False

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        plain = PLAIN if problem.beta >= 1 else PLAIN_LOW
        return _Motion(MultiplicativePass(problem, factors, remember=True), plain)


class _Motion:
    def __init__(self, steps: MultiplicativePass, plain: int) -> None:
        self.steps = steps
        self.age = -plain  # iterations since momentum began to build up

    def step(self) -> None:
        self.steps.step(pace_at(self.age), pace_at(self.age + 1))
        self.age += 1

    def restart(self) -> None:
        self.age = -SETTLING
        self.steps.forget()


def pace_at(age: int) -> Pace:
    """How an iteration goes so many iterations after momentum began to build up."""
    if age < 0:
        return STILL
    carry = min(weight_at(age), MOST)
    return Pace(AHEAD * carry, carry, POWER)


def weight_at(age: int) -> float:
    """Nesterov's weight a_t after so many iterations of momentum; 0 before and at its start."""
    if age <= 0:
        return 0.0
    theta = theta_at(age)
    return (theta - 1) / theta_at(age + 1)


def theta_at(age: int) -> float:
    """θ after so many iterations, θ_0 = 1; it grows by a half an iteration."""
    return _thetas()[min(age, _SETTLED)] + 0.5 * max(age - _SETTLED, 0)


@lru_cache(maxsize=1)
def _thetas() -> tuple[float, ...]:
    """θ after 0, 1, … iterations, up to where it only grows."""
    thetas = [1.0]
    for _ in range(_SETTLED):
        thetas.append((1 + math.sqrt(1 + 4 * thetas[-1] ** 2)) / 2)
    return tuple(thetas)
