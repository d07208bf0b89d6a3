"""Convolutive factorisation (NMFD): every basis is a short spectrogram, not a spectrum.

    V ≈ Σ_τ W_τ H^{→τ},   W_τ ≥ 0, H ≥ 0,   (H^{→τ})[k, n] = H[k, n-τ],

such that the β-divergence is small. A basis has T taps: what it sounds like in the frame where its activation stands,
one frame later, and so on. A drum whose attack is bright and whose decay is dark is then one component, and its
activation is a row of peaks, one a stroke. T = 1 is plain factorisation.

    W_τ ← W_τ ⊙ [ (V ⊙ Ŷ^(β-2)) (H^{→τ})ᵀ ⊘ Ŷ^(β-1) (H^{→τ})ᵀ ]^γ(β)
    H ← H ⊙ [ Σ_τ W_τᵀ (V ⊙ Ŷ^(β-2))^{←τ} ⊘ Σ_τ W_τᵀ (Ŷ^(β-1))^{←τ} ]^γ(β)

Numerators and denominators are summed over the taps before they are divided, under which neither step ever raises the
divergence; `unweave.convolutive.delays` does the work. As in plain factorisation the steps are over-relaxed and have
momentum in logarithms (`unweave.rules.extrapolated`), which starts anew where the divergence has risen.

Constraints. Given and kept bases and activations, zeros that say 'not here', penalties, weights, and bases that are let
go slowly mean what they mean for spectra. A penalty sees a basis with all its taps as one long spectrum of T M numbers:
g_k = ‖W_k‖ h_k is the level of a stroke, and √M becomes √(T M) in `unweave.rules.penalties`. So strengths mean the same
for any number of taps, and divergence and penalties together never rise under plain steps. L1 is the sparse convolutive
factorisation of O'Grady and Pearlmutter, with a penalty that no exchange of level between the factors changes.

The start. The best of several short plain factorisations is found first, and its spectra are spread over the taps, each
tap weaker than the one before, while its activations are sharpened to match (`unweave.convolutive.search`). It ends
lower than random starts do: docs/decisions/0008-convolutive.md has the figures.

Differences. NMFtoolbox and the original paper average the quotients of single taps in the step of H, which may raise
the divergence; FluCoMa, librosa and scikit-learn have no convolutive factorisation.

References: P. Smaragdis, Non-negative matrix factor deconvolution, ICA 2004, doi:10.1007/978-3-540-30110-3_63.
P. Smaragdis, Convolutive speech bases and their application to supervised speech separation, IEEE TASLP 15(1), 2007,
doi:10.1109/TASL.2006.876726. P. D. O'Grady, B. A. Pearlmutter, Discovering speech phones using convolutive non-negative
matrix factorisation with a sparseness constraint, Neurocomputing 72(1-3), 2008, pages 88-101. C. Févotte, J. Idier,
Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.convolutive.delays import Delayed, DelayedPass
from unweave.convolutive.search import ConvolutiveProgress, TapSearch, spread_taps
from unweave.convolutive.tapped import ConvolutiveFactorization, array_with_taps
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Stop
from unweave.initialize import Given
from unweave.loop import make_problem
from unweave.nmf import run, unit_of
from unweave.plan import MAX_COMPONENTS, MAX_ITER, RESTARTS, TOL, Plan, Start, require_count, require_entries
from unweave.rules import Extrapolated, Multiplicative, Penalties, Rule
from unweave.weights import weighted

__all__ = ["MAX_TAPS", "nmfd", "nmfd_steps"]

MAX_TAPS = 1000
"""Most taps: 1000 frames are ten seconds or more."""


def nmfd(
    V: ArrayLike,
    n_components: int,
    n_taps: int,
    *,
    beta: float = KULLBACK_LEIBLER,
    bases: ArrayLike | None = None,
    activations: ArrayLike | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    learn_activations: bool | Sequence[bool] | Mask = True,
    start: Start = "best",
    restarts: int = RESTARTS,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    rng: int | np.random.Generator | None = None,
    rule: Rule | None = None,
    penalties: Penalties | None = None,
    weights: ArrayLike | None = None,
    adapt: int | Sequence[int] = 0,
) -> ConvolutiveFactorization:
    """Factorise a non-negative matrix into bases of several frames and activations.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        For sound: magnitudes (β = 1), or powers (β = 0). float32 stays float32.
    n_components : int
        How many parts.
    n_taps : int, 1 to 1000
        How many frames a basis lasts. For drums about 100 ms; more makes longer notes one event, and strokes that
        follow each other faster are then told apart less well.
    bases : ``(bins, n)`` or ``(bins, n, n_taps)``, n ≤ n_components, optional
        A start for the first n bases. Spectra are repeated over the taps, each `DECAY` times the one before.
    activations : ``(n, frames)``, n ≤ n_components, optional
        A start for the first n activations. Zeros stay zeros: 'does not begin here'.
    beta, learn_bases, learn_activations, max_iter, tol, rng, penalties, weights, adapt
        As in `unweave.nmf`. L1 leaves the strokes and takes away what lies between them.
    rule : Extrapolated or Multiplicative, optional
        Multiplicative goes without momentum, and never raises the divergence. Default: `unweave.rules.Extrapolated`.
    start, restarts
        How the plain factorisation starts that this one goes on from, as in `unweave.nmf`.

    Returns
    -------
    ConvolutiveFactorization
        Components by the centre of gravity of their bases, low to high; in the order given where any were given.

    Raises
    ------
    InvalidInput
        Negative entries, NaN, numbers out of range.
    Incompatible
        Given matrices that do not fit V.

    References
    ----------
    P. Smaragdis, ICA 2004, doi:10.1007/978-3-540-30110-3_63.

    Examples
    --------
    >>> stroke = np.array([[4.0, 2.0, 1.0], [1.0, 0.0, 0.0]])
    >>> V = np.concatenate([stroke, stroke / 2, stroke], axis=1)
    >>> found = nmfd(V, 1, 3, bases=stroke[:, None])
    >>> found.bases.shape, found.activations.round(2).tolist()
    ((2, 1, 3), [[1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0]])
    """
    plan = Plan(
        *(beta, bases, activations, learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng),
        penalties=penalties,
        weights=weights,
        adapt=adapt,
    )
    found = run(nmfd_steps(V, n_components, n_taps, plan))
    return found if bases is not None or activations is not None else found.sort()


def nmfd_steps(
    V: ArrayLike, n_components: int, n_taps: int, plan: Plan | None = None
) -> Generator[ConvolutiveProgress, None, ConvolutiveFactorization]:
    """Do what `nmfd` does, and yield its progress every few iterations; the generator's value is the result.

    Components are left in the order in which they were found.
    """
    plan = plan or Plan()
    V, known = weighted(V, plan.weights)
    require_entries(V)
    require_count("n_components", n_components, 1, MAX_COMPONENTS)
    require_count("n_taps", n_taps, 1, MAX_TAPS)
    if plan.rule is not None and not isinstance(plan.rule, Extrapolated | Multiplicative):
        raise InvalidInput(f"rule={plan.rule.name!r} knows no taps: extrapolated and multiplicative do.")
    given = _given(V, n_components, n_taps, plan)
    if given.all_kept or not V.any():
        return _without_learning(V, given, n_taps, plan, known)
    scale = unit_of(V, plan.beta)
    V = V if scale == 1 else V / V.dtype.type(scale)
    return (yield from TapSearch(plan, given, V, n_taps, scale, weights=known).search())


def _given(V: Matrix, n_components: int, n_taps: int, plan: Plan) -> Given:
    """What a user brings, with bases of ``(bins, n, taps)``."""
    bases: Matrix | None = None
    if plan.bases is not None:
        array = np.asarray(plan.bases)
        rough = array.ndim != 3
        bases = (nonnegative_matrix("bases", array) if rough else array_with_taps("bases", array)).astype(V.dtype)
        bases = spread_taps(bases, n_taps) if rough else bases
        if bases.shape[2] != n_taps:
            raise Incompatible(f"bases.shape={bases.shape} has {bases.shape[2]} taps, but n_taps={n_taps}.")
    checked = Given.check(
        V,
        n_components,
        bases=None if bases is None else bases[:, :, 0],
        activations=plan.activations,
        learn_bases=plan.learn_bases,
        learn_activations=plan.learn_activations,
        adapt=plan.adapt,
    )
    return replace(checked, bases=bases)


def _without_learning(
    V: Matrix, given: Given, n_taps: int, plan: Plan, weights: Matrix | None
) -> ConvolutiveFactorization:
    """The defined result where no iteration is needed: all is kept, or there is only silence."""
    bases = np.full((V.shape[0], given.n_components, n_taps), (V.shape[0] * n_taps) ** -0.5, V.dtype)
    activations = np.zeros((given.n_components, V.shape[1]), V.dtype)
    if given.bases is not None:
        bases[:, : given.bases.shape[1]] = given.bases
    if given.activations is not None:
        n = given.activations.shape[0]
        activations[:n] = np.where(given.learn_activations[:n, None], 0, given.activations)
    problem = make_problem(
        *(V, plan.beta, given.learn_bases, given.learn_activations),
        weights=weights,
        penalties=plan.penalties,
        room=False,
    )
    objective = DelayedPass(problem, Delayed.of(bases, activations)).objective()
    stop = Stop.NOTHING_TO_LEARN if given.all_kept else Stop.SILENT
    return ConvolutiveFactorization(bases, activations, np.array([objective]), stop, plan.beta, plan.seed())
