"""Non-negative matrix factorisation: the one loop, and its front door.

    V ≈ W H,   W ≥ 0, H ≥ 0,   such that the β-divergence D_β(V | W H) is small.

`iterate` is the loop: a generator that yields a state after every iteration and never ends; who uses it decides when
to stop. `steps` adds what a person wants: a good start, a criterion to stop by, a result; also as a generator, so
that progress, cancelling and live pictures are the caller's. `nmf` runs it to its end.

The start. One random start in a few ends in a poor minimum; the best of several short runs hardly ever does. So by
default there are several, see `unweave.search`. The seed is fixed unless one is given: the same input gives the same
result.

Differences from scikit-learn: the objective is the same and ``max_iter`` and ``tol`` mean the same, but V has frames as
columns, float32 stays float32, and zeros are allowed for β ≤ 0. From FluCoMa: the divergence falls in
every iteration, kept and given matrices keep their scale, exact zeros stay zero, and iterations end when nothing moves.

References: D. D. Lee, H. S. Seung, Learning the parts of objects by non-negative matrix factorization, Nature 401,
1999, doi:10.1038/44565. P. Smaragdis, J. C. Brown, Non-negative matrix factorization for polyphonic music
transcription, WASPAA 2003, doi:10.1109/ASPAA.2003.1285860.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix
from unweave.divergence import KULLBACK_LEIBLER
from unweave.factorization import Factorization, Stop
from unweave.initialize import Given
from unweave.loop import Progress, State, iterate, make_factors, make_problem, run
from unweave.plan import MAX_COMPONENTS, MAX_ITER, RESTARTS, TOL, Plan, Start, require_count, require_entries
from unweave.rules import Penalties, Rule
from unweave.rules.looks import objective
from unweave.search import Search
from unweave.threads import single_blas
from unweave.weights import weighted

__all__ = ["Plan", "Progress", "State", "iterate", "nmf", "run", "steps"]


def nmf(
    V: ArrayLike,
    n_components: int,
    *,
    beta: float = KULLBACK_LEIBLER,
    bases: ArrayLike | None = None,
    activations: ArrayLike | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    learn_activations: bool | Sequence[bool] | Mask = True,
    start: Start = "best",
    restarts: int = RESTARTS,
    rule: Rule | None = None,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    rng: int | np.random.Generator | None = None,
    penalties: Penalties | None = None,
    weights: ArrayLike | None = None,
    adapt: int | Sequence[int] = 0,
) -> Factorization:
    """Factorise a non-negative matrix into bases and activations.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        For sound: magnitudes (β = 1), or powers (β = 0). float32 stays float32.
    n_components : int
        How many parts. Too few: sounds share a part. Too many: a sound falls apart into attack, body and noise.
    beta : float, -10 to 10
        1 is Kullback-Leibler, 2 Euclidean (the loudest sound decides), 0 Itakura-Saito (quiet ones count as much).
    bases : ``(bins, n)``, n ≤ n_components, optional
        A start for the first n bases; further components start at random. Zeros stay zeros.
    activations : ``(n, frames)``, n ≤ n_components, optional
        A start for the first n activations. Zeros stay zeros: 'not here'.
    learn_bases, learn_activations : bool, or one bool for each given component
        False keeps what was given, to the bit and at its scale. Components that are not given always learn.
    start : {"best", "random", "nmf-svd", "nndsvdar", "nndsvda", "nndsvd"}
        How components that are not given start: the best of several short runs, NNDSVD among them; the same at random
        only; or one of the NNDSVD variants alone.
    restarts : int, 1 to 1000
        How many short runs are compared. 1 trusts the first.
    rule : Rule, optional
        How the factors move. Default: the fastest for this β, see `unweave.rules.default_rule`.
    max_iter : int
        Most iterations.
    tol : float, 0 to below 1
        Stop when ten iterations lower the divergence by less than this share of it. 0 runs all iterations.
    rng : int or numpy.random.Generator, optional
        Seed, or source of one. Default: 0, so that the same call gives the same result.
    penalties : Penalties, optional
        Sparse or smooth activations, few groups at a time, spectra of few partials: see `unweave.rules.Penalties`.
    weights : non-negative ``(bins, frames)``, or what NumPy spreads to it, optional
        How much every entry of V counts. 0: it is not known, may be NaN, and is left out.
    adapt : int, or one for each given basis
        Let given bases go over so many iterations: held at first, free in the end. 0 frees them at once.

    Returns
    -------
    Factorization
        Components by the centre of gravity of their bases, low to high; in the order given where any were given.
        Learned bases have length one.

    Raises
    ------
    InvalidInput
        Negative entries, NaN, numbers out of range.
    Incompatible
        Given matrices that do not fit V.

    References
    ----------
    C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.

    Examples
    --------
    >>> V = np.outer([1, 2, 0], [1, 0, 1, 0]) + np.outer([0, 0, 3], [0, 1, 1, 0])
    >>> nmf(V, 2).approximation().round(3).tolist()
    [[1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 2.0, 0.0], [0.0, 3.0, 3.0, 0.0]]
    """
    plan = Plan(
        *(beta, bases, activations, learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng),
        penalties=penalties,
        weights=weights,
        adapt=adapt,
    )
    found = run(steps(V, n_components, plan))
    return found if plan.bases is not None or plan.activations is not None else found.sort()


def steps(V: ArrayLike, n_components: int, plan: Plan | None = None) -> Generator[Progress, None, Factorization]:
    """Do what `nmf` does, and yield its `Progress` every few iterations; the generator's value is the result.

    Components are left in the order in which they were found.
    """
    plan = plan or Plan()
    V, known = weighted(V, plan.weights)
    require_entries(V)
    require_count("n_components", n_components, 1, MAX_COMPONENTS)
    given = Given.check(
        V,
        n_components,
        bases=plan.bases,
        activations=plan.activations,
        learn_bases=plan.learn_bases,
        learn_activations=plan.learn_activations,
        adapt=plan.adapt,
    )
    if given.all_kept or not V.any():
        return _without_learning(V, given, plan, known)
    scale = unit_of(V, plan.beta)
    V = V if scale == 1 else V / V.dtype.type(scale)
    return (yield from Search(plan, given, V, scale, known).search())


def unit_of(V: Matrix, beta: float) -> float:
    """A power of two near the mean of V where its scale would overflow or vanish; 1 where there is no need.

    Powers of two, because dividing and multiplying by them changes no digit.
    """
    mean = float(V.mean(dtype=np.float64))
    usual = 2.0**-20 < mean < 2.0**20 and 0 <= beta <= 2
    return 1.0 if usual else 2.0 ** round(np.log2(mean if beta <= 2 else float(V.max())))


def _without_learning(V: Matrix, given: Given, plan: Plan, weights: Matrix | None) -> Factorization:
    """The defined result where no iteration is needed: all is kept, or there is only silence."""
    bases = np.full((V.shape[0], given.n_components), V.shape[0] ** -0.5, V.dtype)
    activations = np.zeros((given.n_components, V.shape[1]), V.dtype)
    stop = Stop.NOTHING_TO_LEARN if given.all_kept else Stop.SILENT
    if given.bases is not None:
        bases[:, : given.bases.shape[1]] = given.bases
    if given.activations is not None:
        n = given.activations.shape[0]
        activations[:n] = np.where(given.learn_activations[:n, None], 0, given.activations)
    problem = make_problem(
        V, plan.beta, given.learn_bases, given.learn_activations, weights=weights, penalties=plan.penalties
    )
    with single_blas():
        divergence = objective(problem, make_factors(bases, activations, V.dtype))
    return Factorization(bases, activations, np.array([divergence]), stop, plan.beta, plan.seed())
