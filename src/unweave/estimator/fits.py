"""The work of `unweave.NMF`: it is handed on to `unweave.nmf`, or to `unweave.rules.elastic` where there are penalties.

X ``(samples, features)`` is Vᵀ, W ``(samples, components)`` is the activations transposed, H the bases transposed.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, NamedTuple, cast

import numpy as np

from unweave.arrays import Matrix
from unweave.estimator.request import Request
from unweave.factorization import Factorization, Stop
from unweave.initialize import Method, nndsvd, random_start
from unweave.loop import Progress, iterate
from unweave.nmf import steps
from unweave.plan import RESTARTS, Plan, Start
from unweave.rules.elastic import Elastic

__all__ = ["Fit", "explained", "fitted"]

_STRIDE = 10
"""Iterations from one look at the objective to the next."""

_EXPLAIN_TOL, _EXPLAIN_ITER = 1e-12, 500
"""When activations alone are found: a small problem, convex for 1 ≤ β ≤ 2; no sample may depend on others."""


class Fit(NamedTuple):
    """W and H, the iterations that led there, and why it stopped."""

    W: Matrix
    H: Matrix
    n_iter: int
    stop: Stop


def fitted(X: Matrix, request: Request, start: tuple[Matrix, Matrix] | None) -> Fit:
    """W and H for X, from a start that is given or not."""
    return _penalised(X, request, start) if request.penalised else _free(X, request, start)


def explained(X: Matrix, request: Request, H: Matrix) -> Matrix:
    """W for X and for H as it is."""
    if request.penalised:
        level = math.sqrt(float(X.mean(dtype=np.float64)) / len(H))
        start = np.full((len(X), len(H)), level, X.dtype), H
        return _descended(X, request, start, learn=False).W
    plan = Plan(
        *(request.beta, H.T),
        learn_bases=False,
        rule=request.rule,
        tol=_EXPLAIN_TOL,
        max_iter=_EXPLAIN_ITER,
    )
    W: Matrix = _told(steps(X.T, len(H), plan), aloud=False).activations.T
    return W


def _free(X: Matrix, request: Request, start: tuple[Matrix, Matrix] | None) -> Fit:
    """Without penalties: `unweave.nmf`."""
    given: dict[str, Any] = {} if start is None else {"activations": start[0].T, "bases": start[1].T}
    method = "best" if request.init in (None, "custom") else request.init
    plan = Plan(
        request.beta,
        start=cast(Start, method),
        restarts=1 if method == "random" else RESTARTS,
        rule=request.rule,
        max_iter=request.max_iter,
        tol=request.tol,
        rng=request.seed,
        **given,
    )
    count = request.count(X, None if start is None else start[1])
    found = _told(steps(X.T, count, plan), aloud=request.verbose)
    found = found.sort() if start is None else found
    return Fit(found.activations.T.copy(), found.bases.T.copy(), found.n_iter, found.stop)


def _penalised(X: Matrix, request: Request, start: tuple[Matrix, Matrix] | None) -> Fit:
    """With penalties, from scikit-learn's start where none is given: level and balance of the start count here."""
    if start is None:
        count, rng = request.count(X), np.random.default_rng(request.seed)
        method = request.init or ("nndsvda" if count <= min(X.shape) else "random")
        random = method == "random"
        found = random_start(X.T, count, rng) if random else nndsvd(X.T, count, rng, cast(Method, method))
        start = found[1].T, found[0].T
    return _descended(X, request, start, learn=True)


def _descended(X: Matrix, request: Request, start: tuple[Matrix, Matrix], *, learn: bool) -> Fit:
    """Lower the penalised objective until it settles."""
    # For activations alone the minimum is one, and coordinate descent is nearer to it, whoever found the components.
    rule = Elastic(*request.nets(X), multiplicative=learn and request.solver == "mu")
    most, tol = (request.max_iter, request.tol) if learn else (_EXPLAIN_ITER, _EXPLAIN_TOL)
    before, stop = math.inf, Stop.MAX_ITER
    for state in iterate(X.T, start[1].T, start[0].T, rule, beta=request.beta, learn_bases=learn):
        if state.iteration % _STRIDE and state.iteration < most:
            continue
        now = state.divergence() + rule.cost(state.factors)
        if request.verbose and learn:
            print(f"iteration {state.iteration} of {most} at most: objective {now:.6g}")  # noqa: T201 - asked for
        if math.isfinite(before) and tol > 0 and before - now <= tol * before:
            stop = Stop.CONVERGED
        before = now
        if stop is Stop.CONVERGED or state.iteration >= most:
            break
    return Fit(state.activations.T.copy(), state.bases.T.copy(), state.iteration, stop)


def _told(run: Generator[Progress, None, Factorization], *, aloud: bool) -> Factorization:
    """The value of a generator of steps, told about on the way where that is asked for."""
    while True:
        try:
            progress = next(run)
        except StopIteration as end:
            found: Factorization = end.value
            return found
        if aloud:
            print(  # noqa: T201 - as scikit-learn does for verbose=1
                f"iteration {progress.done} of {progress.total} at most: divergence {progress.divergence:.6g}"
            )
