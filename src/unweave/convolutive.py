"""Convolutive factorisation (NMFD): every basis is a short spectrogram, not a spectrum.

    V ≈ Σ_τ W_τ H^{→τ},   W_τ ≥ 0, H ≥ 0,   (H^{→τ})[k, n] = H[k, n-τ],

such that the β-divergence is small. A basis has T taps: what it sounds like in the frame where its activation stands,
one frame later, and so on. A drum whose attack is bright and whose decay is dark is then one component, and its
activation is a row of peaks, one a stroke. T = 1 is plain factorisation.

    W_τ ← W_τ ⊙ [ (V ⊙ Ŷ^(β-2)) (H^{→τ})ᵀ ⊘ Ŷ^(β-1) (H^{→τ})ᵀ ]^γ(β)
    H ← H ⊙ [ Σ_τ W_τᵀ (V ⊙ Ŷ^(β-2))^{←τ} ⊘ Σ_τ W_τᵀ (Ŷ^(β-1))^{←τ} ]^γ(β)

Numerators and denominators are summed over the taps before they are divided, under which neither step ever raises the
divergence; `unweave.delays` does the work. As in plain factorisation the steps leave from an extrapolated point, and
momentum starts anew where the divergence has risen.

The start. The best of several short plain factorisations is found first, and its spectra are spread over the taps, each
tap weaker than the one before, while its activations are sharpened to match. It ends lower than random starts do:
docs/decisions/0008-convolutive.md has the figures.

Differences. NMFtoolbox and the original paper average the quotients of single taps in the step of H, which may raise
the divergence; FluCoMa, librosa and scikit-learn have no convolutive factorisation.

References: P. Smaragdis, Non-negative matrix factor deconvolution, ICA 2004, doi:10.1007/978-3-540-30110-3_63.
P. Smaragdis, Convolutive speech bases and their application to supervised speech separation, IEEE TASLP 15(1), 2007,
doi:10.1109/TASL.2006.876726. C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.delays import Delayed, DelayedPass
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop
from unweave.initialize import Given
from unweave.loop import Enough, State, finish, make_problem
from unweave.nmf import run, unit_of
from unweave.nmf import steps as plain_steps
from unweave.plan import (
    FINAL_ITER,
    MAX_COMPONENTS,
    MAX_ITER,
    RESTARTS,
    TOL,
    Plan,
    Start,
    require_count,
    require_entries,
)
from unweave.rules import Extrapolated, Multiplicative
from unweave.rules.extrapolated import PLAIN, weight_at
from unweave.tapped import ConvolutiveFactorization, array_with_taps

__all__ = [
    "DECAY",
    "MAX_TAPS",
    "ConvolutiveFactorization",
    "ConvolutiveProgress",
    "ConvolutiveState",
    "nmfd",
    "nmfd_steps",
    "sharpened",
    "spread_taps",
]

MAX_TAPS = 1000
"""Most taps: 1000 frames are ten seconds or more."""

DECAY = 0.9
"""How much weaker than the one before a tap is, where spectra are spread over taps for a start."""

_CHECK_EVERY = 10
_PARTNER_ITER = 10


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutiveState:
    """Bases and activations between two iterations."""

    iteration: int
    factors: Delayed

    @property
    def bases(self) -> Matrix:
        """A copy of the bases ``(bins, components, taps)``."""
        return self.factors.to_user()[0]

    @property
    def activations(self) -> Matrix:
        """A copy of the activations ``(components, frames)``."""
        return self.factors.to_user()[1]


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutiveProgress:
    """How far a run is: iterations done, of at most ``total``, and the state that they led to.

    The iterations of the plain factorisation that it begins with count as well; their states are `State`.
    """

    done: int
    total: int
    divergence: float
    state: State | ConvolutiveState


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
    beta, learn_bases, learn_activations, max_iter, tol, rng
        As in `unweave.nmf`.
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
    plan = Plan(beta, bases, activations, learn_bases, learn_activations, start, restarts, None, max_iter, tol, rng)
    found = run(nmfd_steps(V, n_components, n_taps, plan))
    return found if bases is not None or activations is not None else found.sort()


def nmfd_steps(
    V: ArrayLike, n_components: int, n_taps: int, plan: Plan | None = None
) -> Generator[ConvolutiveProgress, None, ConvolutiveFactorization]:
    """Do what `nmfd` does, and yield its progress every few iterations; the generator's value is the result.

    Components are left in the order in which they were found. Of the plan's rules there are the default and
    `unweave.rules.Multiplicative`, which goes without momentum.
    """
    V, plan = nonnegative_matrix("V", V), plan or Plan()
    require_entries(V)
    require_count("n_components", n_components, 1, MAX_COMPONENTS)
    require_count("n_taps", n_taps, 1, MAX_TAPS)
    if plan.rule is not None and not isinstance(plan.rule, Extrapolated | Multiplicative):
        raise InvalidInput(f"rule={plan.rule.name!r} knows no taps: extrapolated and multiplicative do.")
    if plan.constrained:
        raise InvalidInput("bases with taps know no penalties, weights or adapt: leave them out, or take one tap.")
    given = _given(V, n_components, n_taps, plan)
    if given.all_kept or not V.any():
        return _without_learning(V, given, n_taps, plan)
    scale = unit_of(V, plan.beta)
    V = V if scale == 1 else V / V.dtype.type(scale)
    return (yield from _Search(plan, given, V, n_taps, scale).search())


def spread_taps(bases: Matrix, n_taps: int) -> Matrix:
    """Repeat spectra ``(bins, n)`` over taps ``(bins, n, taps)``, each tap `DECAY` times the one before."""
    spread: Matrix = bases[:, :, None] * (DECAY ** np.arange(n_taps)).astype(bases.dtype)
    return spread


def sharpened(activations: Matrix) -> Matrix:
    """Activations ``(components, frames)`` of plain spectra, for the same spectra spread over taps.

    Taps that decay by d smear an activation g into h[n] = Σ_τ d^τ g[n-τ], so g[n] = h[n] - d h[n-1]. Where h falls
    faster than that, g would be negative: a tenth of h is left there, since a zero would stay one.
    """
    before = np.zeros_like(activations)
    before[:, 1:] = activations[:, :-1]
    decay, rest = activations.dtype.type(DECAY), activations.dtype.type(0.1)
    return np.maximum(activations - decay * before, rest * activations)


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
    )
    return replace(checked, bases=bases)


def _without_learning(V: Matrix, given: Given, n_taps: int, plan: Plan) -> ConvolutiveFactorization:
    """The defined result where no iteration is needed: all is kept, or there is only silence."""
    bases = np.full((V.shape[0], given.n_components, n_taps), (V.shape[0] * n_taps) ** -0.5, V.dtype)
    activations = np.zeros((given.n_components, V.shape[1]), V.dtype)
    if given.bases is not None:
        bases[:, : given.bases.shape[1]] = given.bases
    if given.activations is not None:
        n = given.activations.shape[0]
        activations[:n] = np.where(given.learn_activations[:n, None], 0, given.activations)
    problem = make_problem(V, plan.beta, given.learn_bases, given.learn_activations, room=False)
    divergence = DelayedPass(problem, Delayed.of(bases, activations)).divergence()
    stop = Stop.NOTHING_TO_LEARN if given.all_kept else Stop.SILENT
    return ConvolutiveFactorization(bases, activations, np.array([divergence]), stop, plan.beta, plan.seed())


class _Search:
    """One run, from the best start that is known to its end."""

    def __init__(self, plan: Plan, given: Given, V: Matrix, n_taps: int, scale: float) -> None:
        self.plan, self.given, self.V, self.n_taps, self.scale = plan, given, V, n_taps, scale
        self.seed = plan.seed()
        self.problem = make_problem(V, plan.beta, given.learn_bases, given.learn_activations, room=False)
        self.history: list[tuple[int, float]] = []
        self.before = 0  # iterations of the plain factorisation
        self.enough = False  # whether somebody asked to end

    def search(self) -> Generator[ConvolutiveProgress, None, ConvolutiveFactorization]:
        """Find the start, and go on from there."""
        factors = yield from self._start()
        moves = DelayedPass(self.problem, factors)
        self.history.append((0, moves.divergence()))
        age, momentum, most = -PLAIN, not isinstance(self.plan.rule, Multiplicative), self.plan.max_iter
        iteration = 0
        while iteration < most and not self._settled() and not self.enough:
            for _ in range(min(_CHECK_EVERY, most - iteration)):
                moves.step(weight_at(age) if momentum else 0.0)
                age, iteration = age + 1, iteration + 1
            divergence = moves.divergence()
            age = 0 if divergence > self.history[-1][1] else age
            self.history.append((iteration, divergence))
            state = ConvolutiveState(iteration, factors)
            try:
                yield ConvolutiveProgress(self.before + iteration, self.before + most, divergence, state)
            except Enough:
                self.enough = True
        return self._result(factors)

    def _settled(self) -> bool:
        """Whether the last iterations have changed next to nothing."""
        if len(self.history) < 2 or self.plan.tol == 0:
            return False
        before, now = self.history[-2][1], self.history[-1][1]
        return abs(before - now) < self.plan.tol * before or now == 0

    def _start(self) -> Generator[ConvolutiveProgress, None, Delayed]:
        """Where to begin: at what was given; and for the rest at a plain factorisation, spread over the taps."""
        given = self.given
        n_bases = 0 if given.bases is None else given.bases.shape[1]
        n_activations = 0 if given.activations is None else given.activations.shape[0]
        if given.complete:
            bases = np.ones((self.V.shape[0], given.n_components, self.n_taps), self.V.dtype)
            activations = np.ones((given.n_components, self.V.shape[1]), self.V.dtype)
        else:
            bases, activations = yield from self._plain()
        given.put_into(bases, activations, self.V, self.scale)
        # The partner of what was given is put at a level that knows nothing of taps, which add up.
        activations[n_activations:n_bases] /= self.n_taps
        bases[:, n_bases:n_activations] /= self.n_taps
        factors = Delayed.of(bases, activations)
        partners = np.zeros(given.n_components, np.bool_)
        partners[n_activations:n_bases] = True
        self._fit(factors, partners)
        return factors

    def _plain(self) -> Generator[ConvolutiveProgress, None, tuple[Matrix, Matrix]]:
        """The best of several short plain factorisations, from the spectra of what was given."""
        plan, given = self.plan, self.given
        spectra = None if given.bases is None else given.bases.sum(axis=2)
        short = Plan(
            plan.beta,
            bases=spectra,
            start=plan.start,
            restarts=plan.restarts,
            max_iter=min(FINAL_ITER, plan.max_iter),
            rng=self.seed,
        )
        steps = plain_steps(self.V, given.n_components, short)
        while True:
            try:
                now = next(steps)
            except StopIteration as end:
                found: Factorization = end.value
                break
            self.before = now.total
            try:
                yield ConvolutiveProgress(now.done, now.total + plan.max_iter, now.divergence, now.state)
            except Enough:
                self.enough, found = True, finish(steps)
                break
        return spread_taps(found.bases, self.n_taps), sharpened(found.activations)

    def _fit(self, factors: Delayed, partners: Mask) -> None:
        """Let the activations of given bases find their place before these bases move; see `unweave.search`."""
        if not partners.any() or not self.given.learn_bases.any():
            return
        alone = replace(self.problem, learn_bases=np.zeros_like(partners), learn_activations=partners)
        moves = DelayedPass(alone, factors)
        for _ in range(_PARTNER_ITER):
            moves.step()

    def _result(self, factors: Delayed) -> ConvolutiveFactorization:
        """The factorisation in the user's units."""
        ended = Stop.CONVERGED if self._settled() else Stop.MAX_ITER
        bases, activations = factors.to_user()
        self.given.restore(bases, activations, self.scale)
        iterations, divergences = (np.array(column) for column in zip(*self.history, strict=True))
        found = ConvolutiveFactorization(
            bases,
            activations,
            divergences * self.scale**self.plan.beta,
            Stop.INTERRUPTED if self.enough else ended,
            self.plan.beta,
            self.seed,
            iterations.astype(np.int64),
        )
        return found if self.given.any else found.normalize()
