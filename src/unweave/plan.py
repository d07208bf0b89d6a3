"""How a matrix is to be factorised: every option with its default, checked in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix
from unweave.divergence import KULLBACK_LEIBLER, require_beta
from unweave.errors import InvalidInput
from unweave.initialize import METHODS
from unweave.rules import Penalties, Rule, chosen_rule

__all__ = [
    "FINALISTS",
    "FINAL_ITER",
    "MAX_COMPONENTS",
    "MAX_ITER",
    "RESTARTS",
    "STARTS",
    "TOL",
    "TRIAL_ITER",
    "Plan",
    "Start",
    "require_count",
    "require_entries",
]

MAX_ITER = 500
TOL = 1e-6
RESTARTS = 10
TRIAL_ITER = 20
"""Iterations of each start that is tried: enough to tell a poor one from a good one."""
MAX_COMPONENTS = 10_000
FINALISTS = 3
FINAL_ITER = 50
"""How many of them go on for how long: enough to tell the best from the good ones."""

Start = Literal["best", "random", "nmf-svd", "nndsvdar", "nndsvda", "nndsvd"]
STARTS: tuple[Start, ...] = ("best", "random", *METHODS)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a matrix is to be factorised: every option of `nmf`, with its default, checked."""

    beta: float = KULLBACK_LEIBLER
    bases: ArrayLike | None = None
    activations: ArrayLike | None = None
    learn_bases: bool | Sequence[bool] | Mask = True
    learn_activations: bool | Sequence[bool] | Mask = True
    start: Start = "best"
    restarts: int = RESTARTS
    rule: Rule | None = None
    max_iter: int = MAX_ITER
    tol: float = TOL
    rng: int | np.random.Generator | None = None
    penalties: Penalties | None = None
    weights: ArrayLike | None = None
    adapt: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", require_beta(self.beta))
        chosen_rule(self.rule, self.beta, constrained=self.constrained)
        if self.penalties is not None and not isinstance(self.penalties, Penalties):
            raise InvalidInput(f"penalties={self.penalties!r} is no unweave.rules.Penalties, as in Penalties(l1=0.1).")
        if self.start not in STARTS:
            raise InvalidInput(f"start={self.start!r} is not one of {', '.join(STARTS)}.")
        require_count("restarts", self.restarts, 1, 1000)
        require_count("max_iter", self.max_iter, 0, 10**7)
        if isinstance(self.tol, bool) or not isinstance(self.tol, (int, float)) or not 0 <= self.tol < 1:
            raise InvalidInput(f"tol={self.tol!r} is not a number from 0 (run all iterations) to below 1.")

    @property
    def constrained(self) -> bool:
        """Whether there is more than a divergence to heed: penalties, weights, or bases that are let go slowly."""
        penalised = isinstance(self.penalties, Penalties) and self.penalties.any
        return penalised or self.weights is not None or bool(np.any(self.adapt))

    def seed(self) -> int:
        """The seed that this plan's random numbers follow from: 0 unless one is given."""
        if self.rng is None:
            return 0
        if isinstance(self.rng, np.random.Generator):
            return int(self.rng.integers(2**32))
        require_count("rng", self.rng, 0, 2**63)
        return int(self.rng)


def require_entries(V: Matrix) -> None:
    """Refuse a matrix without entries."""
    if V.size == 0:
        raise InvalidInput(f"V.shape={V.shape} has no entries: there is nothing to explain.")


def require_count(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is not a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise InvalidInput(f"{name}={value!r} is not a whole number from {least} to {most}.")
