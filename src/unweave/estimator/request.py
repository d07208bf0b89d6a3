"""What scikit-learn's parameters ask for, in our words: checked once, before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave.arrays import Matrix
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER, require_beta
from unweave.errors import InvalidInput
from unweave.initialize import METHODS
from unweave.plan import MAX_COMPONENTS, Plan, require_count
from unweave.rules import RULES, Rule
from unweave.rules.elastic import Net

__all__ = ["Request", "checked_start"]

_WORDS = {"frobenius": EUCLIDEAN, "kullback-leibler": KULLBACK_LEIBLER, "itakura-saito": ITAKURA_SAITO}
_SOLVERS = {"auto": None, "cd": "hals", "mu": "multiplicative"}
_STARTS = (None, "random", *METHODS, "custom")


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of `unweave.NMF`, checked."""

    n_components: int | None
    """None: as many as there are features."""
    inferred: bool
    """Whether a given H may say how many instead."""
    init: str | None
    solver: str
    beta: float
    tol: float
    max_iter: int
    seed: int
    alpha_W: float  # noqa: N815 - scikit-learn's names
    alpha_H: float  # noqa: N815
    l1_ratio: float
    verbose: bool

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Request:
        """Read the parameters by their names; a sentence where one is none."""
        count, init, solver = asked["n_components"], asked["init"], asked["solver"]
        if isinstance(count, str) and count != "auto":
            raise InvalidInput(f"n_components={count!r} is neither a whole number nor 'auto'.")
        if count is not None and not isinstance(count, str):
            require_count("n_components", count, 1, MAX_COMPONENTS)
        _require_one_of("init", init, _STARTS)
        _require_one_of("solver", solver, tuple(_SOLVERS))
        beta = _beta(asked["beta_loss"])
        if solver == "cd" and beta != EUCLIDEAN:
            raise InvalidInput(
                f"Invalid beta_loss parameter: solver 'cd' does not handle beta_loss = {asked['beta_loss']!r}"
            )
        alpha = asked["alpha_H"]
        alphas = (asked["alpha_W"], asked["alpha_W"] if isinstance(alpha, str) and alpha == "same" else alpha)
        for name, value in zip(("alpha_W", "alpha_H"), alphas, strict=True):
            _require_share(name, value, math.inf)
        _require_share("l1_ratio", asked["l1_ratio"], 1)
        plan = Plan(beta, max_iter=asked["max_iter"], tol=asked["tol"], rng=_rng(asked["random_state"]))
        fixed = None if count is None or isinstance(count, str) else int(count)
        limits = (float(plan.tol), int(plan.max_iter), plan.seed())
        return cls(
            *(fixed, isinstance(count, str), init, solver, beta, *limits),
            *(float(alphas[0]), float(alphas[1]), float(asked["l1_ratio"]), bool(asked["verbose"])),
        )

    @property
    def rule(self) -> Rule | None:
        """How the factors move without penalties; None: the fastest."""
        name = _SOLVERS[self.solver]
        return None if name is None else RULES[name]

    @property
    def penalised(self) -> bool:
        """Whether there are penalties."""
        return bool(self.alpha_W or self.alpha_H)

    def nets(self, X: Matrix) -> tuple[Net, Net]:
        """The penalties of H and of W in scikit-learn's units: each by the length of the other axis."""
        n_samples, n_features = X.shape
        strengths = n_samples * self.alpha_H, n_features * self.alpha_W
        of_H, of_W = (Net(strength * self.l1_ratio, strength * (1 - self.l1_ratio)) for strength in strengths)
        return of_H, of_W

    def count(self, X: Matrix, H: Matrix | None = None) -> int:
        """How many components there are to be."""
        if self.n_components is not None:
            return self.n_components
        return X.shape[1] if H is None or not self.inferred else len(H)


def checked_start(request: Request, X: Matrix, W: Matrix | None, H: Matrix | None) -> tuple[Matrix, Matrix] | None:
    """W and H to begin with for ``init="custom"``, else None; refuses what cannot be in scikit-learn's words."""
    if request.init in METHODS and request.count(X) > min(X.shape):
        raise InvalidInput(f"init = '{request.init}' can only be used when n_components <= min(n_samples, n_features)")
    if request.init != "custom":
        return None
    if W is None or H is None:
        raise InvalidInput("init='custom' needs a start: pass both W and H to fit_transform.")
    count = request.count(X, H)
    for name, array, shape in (("H", H, (count, X.shape[1])), ("W", W, (len(X), count))):
        for axis, word in enumerate(("first", "second")):
            if array.shape[axis] != shape[axis]:
                raise InvalidInput(
                    f"Array with wrong {word} dimension passed to NMF (input {name}). Expected {shape[axis]}, but got "
                    f"{array.shape[axis]}."
                )
        if array.min() < 0:
            raise InvalidInput(f"Negative values in data passed to NMF (input {name})")
        if not array.any():
            raise InvalidInput(f"Array passed to NMF (input {name}) is full of zeros.")
    if H.dtype != X.dtype or W.dtype != X.dtype:
        raise TypeError(f"H and W should have the same dtype as X. Got H.dtype = {H.dtype} and W.dtype = {W.dtype}.")
    return W, H


def _beta(asked: object) -> float:
    if isinstance(asked, str):
        _require_one_of("beta_loss", asked, tuple(_WORDS))
        return _WORDS[asked]
    return require_beta(asked)  # type: ignore[arg-type]  # it refuses what is no number


def _rng(state: Any) -> int | np.random.Generator | None:
    """scikit-learn's sources of chance as ours."""
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**31))
    rng: int | np.random.Generator | None = state
    return rng


def _require_one_of(name: str, value: object, words: tuple[str | None, ...]) -> None:
    if not (value is None or isinstance(value, str)) or value not in words:
        raise InvalidInput(f"{name}={value!r} is not one of {', '.join(map(str, words))}.")


def _require_share(name: str, value: Any, most: float) -> None:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= most:
        raise InvalidInput(f"{name}={value!r} is not a finite number from 0{' to 1' if most == 1 else ''}.")
