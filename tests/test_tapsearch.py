"""Bases of several frames under constraints and with momentum: the laws of plain factorisation hold for them, too."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import unweave as uw
from tests.problems import CASES
from tests.test_constraints import CONSTRAINTS, Constraint
from tests.test_convolutive import convolved, strokes
from unweave.arrays import Matrix
from unweave.convolutive import ConvolutiveState, nmfd, nmfd_steps
from unweave.convolutive.delays import Delayed, DelayedPass
from unweave.convolutive.search import lifted
from unweave.divergence import beta_divergence, floored
from unweave.errors import Incompatible, InvalidInput
from unweave.loop import make_factors, make_problem, run
from unweave.plan import Plan
from unweave.rules import Hals, Multiplicative, Penalties, Problem
from unweave.rules.looks import objective
from unweave.synthesis import drum_loop
from unweave.threads import limit
from unweave.weights import weighted

QUICK = {"restarts": 2, "max_iter": 15}
ALL = CONSTRAINTS[5].penalties
SOME_BETAS = (0.0, 0.5, 1.0, 2.0)
some_betas = pytest.mark.parametrize("beta", SOME_BETAS)
each_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda constraint: constraint.name)


def problem_of(V: Matrix, count: int, beta: float, constraint: Constraint | None = None) -> Problem:
    """V under a constraint, with everything free."""
    options = {"penalties": None, "weights": None} if constraint is None else constraint.given(V)
    V, weights = weighted(V, options["weights"])  # type: ignore[arg-type]
    learns = np.ones(count, np.bool_)
    return make_problem(V, beta, learns, learns, weights=weights, penalties=options["penalties"])  # type: ignore[arg-type]


def start(V: Matrix, count: int, n_taps: int, seed: int = 1) -> tuple[Matrix, Matrix]:
    """Random factors, whose product is about as loud as V."""
    rng = np.random.default_rng(seed)
    level = float(V.mean()) or 1.0
    return 0.1 + rng.random((V.shape[0], count, n_taps)), level / n_taps * (0.1 + rng.random((count, V.shape[1])))


def went(moves: DelayedPass, n: int) -> list[float]:
    """The objective at the start and after each of some steps."""
    history = [moves.objective()]
    for _ in range(n):
        moves.step()
        history.append(moves.objective())
    return history


# -- the steps


@pytest.mark.parametrize("beta", [-1.0, *SOME_BETAS, 3.0])
@each_constraint
def test_divergence_and_penalties_together_never_rise_under_plain_steps(beta: float, constraint: Constraint) -> None:
    for case, n_taps in zip(CASES, itertools.cycle((2, 5)), strict=False):
        V = case.V
        problem = problem_of(V, case.n_components, beta, constraint)
        history = went(DelayedPass(problem, Delayed.of(*start(V, case.n_components, n_taps))), 6)
        noise = 1e-9 * max(history[0], beta_divergence(floored(V, beta), np.full_like(V, V.mean()), beta))
        assert np.isfinite(history).all(), case.name
        assert max(np.diff(history)) <= noise, case.name


@some_betas
@each_constraint
def test_one_tap_is_plain_factorisation_under_every_constraint(beta: float, constraint: Constraint) -> None:
    V = np.random.default_rng(0).gamma(0.4, 1.0, (33, 300))
    problem, (W, H) = problem_of(V, 4, beta, constraint), start(V, 4, 1)
    plain, factors = make_factors(W[:, :, 0], H, V.dtype), Delayed.of(W, H)
    motion, moves = Multiplicative().start(problem, plain), DelayedPass(problem, factors)
    for _ in range(6):
        motion.step()
        moves.step()
    found = factors.to_user()
    np.testing.assert_allclose(found[0][:, :, 0], plain.bases.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found[1], plain.activations.T, rtol=1e-6, atol=1e-9)
    assert moves.objective() == pytest.approx(objective(problem, plain), rel=1e-9)


@some_betas
@pytest.mark.parametrize("n_taps", [2, 6])
def test_with_momentum_no_run_ends_above_plain_steps_after_100_iterations(beta: float, n_taps: int) -> None:
    matrices = [CASES[1].V, strokes()[0], np.random.default_rng(5).random((20, 60))]
    for V, seed in itertools.product(matrices, range(2)):
        V = np.maximum(V, 1e-4 * V.max()) if beta <= 0 else V
        ends = []
        for momentum in (True, False):
            moves = DelayedPass(problem_of(V, 3, beta), Delayed.of(*start(V, 3, n_taps, seed)), momentum=momentum)
            objective = moves.objective()
            for _ in range(10):
                before = objective
                for _ in range(10):
                    moves.step()
                objective = moves.objective()
                if objective > before:
                    moves.restart()
            ends.append(objective)
        assert ends[0] <= ends[1] * (1 + 1e-9), (V.shape, seed)


@some_betas
def test_after_a_restart_steps_are_plain_for_a_while(beta: float) -> None:
    V, (W, H) = CASES[1].V + 0.01, start(CASES[1].V, 3, 4)
    factors = Delayed.of(W, H)
    moves = DelayedPass(problem_of(V, 3, beta), factors, momentum=True)
    for _ in range(40):
        moves.step()
    moves.restart()
    other = Delayed.of(*factors.to_user())
    moves.step()
    DelayedPass(problem_of(V, 3, beta), other).step()
    np.testing.assert_array_equal(factors.bases, other.bases)
    np.testing.assert_array_equal(factors.padded, other.padded)


# -- the start


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_start_has_no_zeros_which_would_stay(dtype: type) -> None:
    columns: Matrix = np.array([[0, 4, 0], [2, 0, 0]], dtype)
    found = lifted(columns)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [[0.01, 4, 0.01], [2, 0.02, 0.01]], rtol=1e-6)
    assert not lifted(np.zeros((3, 2))).any()


def test_a_euclidean_run_starts_without_the_zeros_of_its_plain_factorisation() -> None:
    V = np.random.default_rng(0).gamma(0.2, 1.0, (40, 60))
    first = next(
        step.state for step in nmfd_steps(V, 4, 3, Plan(2.0, max_iter=1)) if isinstance(step.state, ConvolutiveState)
    )
    assert (first.bases > 0).all()
    assert (first.activations > 0).all()


# -- what penalties cost


@some_betas
def test_a_penalty_sees_a_basis_with_all_its_taps_as_one_long_spectrum(beta: float) -> None:
    rng = np.random.default_rng(0)
    V, W, H = rng.random((6, 9)) + 0.1, rng.random((6, 3, 4)), rng.random((3, 9))
    (M, N), mu = V.shape, V.mean()
    g = np.linalg.norm(W, axis=(0, 2))[:, None] * H
    u = np.linalg.norm(H, axis=1)[:, None] * W
    a = 0.1 * np.sqrt(4 * M) * mu
    strength = np.array([0.1, 0.5, 2.0])
    expected = {
        "l1": np.sqrt(4 * M) * mu ** (beta - 1) * (strength @ g.sum(axis=1)),
        "l2": 0.5 * mu ** (beta - 2) * (strength @ (g**2).sum(axis=1)),
        "continuity": 0.5 * mu ** (beta - 2) * (strength @ (np.diff(g, axis=1) ** 2).sum(axis=1)),
        "bases_l1": np.sqrt(N) * mu ** (beta - 1) * (u.sum(axis=(0, 2)) @ strength),
        "group": 0.7 * np.sqrt(4 * M) * mu ** (beta - 1) * a * np.log1p(g / a).sum(),
    }
    for name, cost in expected.items():
        penalties = Penalties(**{name: 0.7 if name == "group" else strength})  # type: ignore[arg-type]
        moves, free = (
            DelayedPass(problem_of(V, 3, beta, Constraint(name, each)), Delayed.of(W, H)) for each in (penalties, None)
        )
        assert moves.objective() - free.divergence() == pytest.approx(cost)
        louder = Delayed.of(W * np.array([0.01, 1, 300])[:, None], H / np.array([[0.01], [1], [300]]))
        moved = DelayedPass(problem_of(V, 3, beta, Constraint(name, penalties)), louder)
        assert moved.objective() == pytest.approx(moves.objective())


# -- the front door


@some_betas
@each_constraint
def test_every_matrix_gets_a_defined_result_under_every_constraint(beta: float, constraint: Constraint) -> None:
    for case in CASES[::2]:
        before = case.V.copy()
        options = constraint.given(case.V)
        found = nmfd(case.V, case.n_components, 3, beta=beta, restarts=1, max_iter=20, **options)  # type: ignore[arg-type]
        for array in (found.bases, found.activations, found.divergences):
            assert np.isfinite(array).all(), case.name
        np.testing.assert_array_equal(case.V, before)
    silent = np.zeros((6, 7))
    assert not nmfd(silent, 2, 3, beta=beta, **constraint.given(silent)).activations.any()  # type: ignore[arg-type]


@some_betas
@each_constraint
def test_what_is_kept_is_kept_to_the_bit_under_every_constraint(beta: float, constraint: Constraint) -> None:
    V, bases, activations = (each.astype(np.float32) for each in strokes())
    options = {**QUICK, **constraint.given(V), "beta": beta}
    found = nmfd(V, 3, 4, bases=bases, learn_bases=[False, True], **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.bases[:, 0], bases[:, 0])
    assert not np.array_equal(found.bases[:, 1], bases[:, 1])
    found = nmfd(V, 2, 4, activations=activations, learn_activations=False, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.activations, activations)
    assert found.bases.dtype == np.float32


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
@each_constraint
def test_the_number_of_threads_changes_no_bit_under_constraints(beta: float, constraint: Constraint) -> None:
    V = np.random.default_rng(4).gamma(0.5, 1.0, (20, 1500)).astype(np.float32)
    found = []
    for count in (1, 2, 5):
        with limit(count):
            found.append(nmfd(V, 3, 6, beta=beta, restarts=1, max_iter=12, **constraint.given(V)))  # type: ignore[arg-type]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].bases, other.bases)
        np.testing.assert_array_equal(found[0].activations, other.activations)


@some_betas
def test_zeros_stay_zeros_under_all_penalties(beta: float) -> None:
    V, bases, activations = strokes()
    rng = np.random.default_rng(5)
    score = np.where(activations > 0, 1.0, 0)
    W = np.where(bases > 0, rng.random(bases.shape) + 0.1, 0)
    found = nmfd(V, 2, 4, beta=beta, bases=W, activations=score, penalties=ALL, max_iter=40)
    assert not found.bases[W == 0].any()
    assert not found.activations[score == 0].any()


def test_a_score_tells_what_sounds_in_turn_from_nothing_else() -> None:
    V, bases, activations = strokes()
    found = nmfd(V, 2, 4, activations=np.where(activations > 0, 1.0, 0), tol=0, max_iter=600).normalize()
    np.testing.assert_allclose(found.bases, bases / np.linalg.norm(bases, axis=(0, 2))[:, None], atol=0.02)


def _sparseness(H: Matrix) -> float:
    """Share of what sounds that the loudest tenth of the frames has."""
    rows = np.sort(H, axis=1)[:, ::-1]
    return float((rows[:, : rows.shape[1] // 10].sum(axis=1) / rows.sum(axis=1)).mean())


@some_betas
def test_l1_leaves_the_strokes_and_more_of_it_fewer(beta: float) -> None:
    V = np.random.default_rng(0).random((30, 80)) + 0.05
    found = [
        _sparseness(nmfd(V, 3, 4, beta=beta, penalties=Penalties(l1=l1), max_iter=80).activations)
        for l1 in (0.0, 0.1, 0.5)
    ]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_continuity_is_for_the_components_that_have_it(beta: float) -> None:
    V = np.random.default_rng(0).random((30, 80)) + 0.05
    W = start(V, 3, 4)[0]

    def roughness(strength: float) -> Matrix:
        penalties = Penalties(continuity=[0, 0, strength])
        H = nmfd(V, 3, 4, beta=beta, bases=W, learn_bases=False, penalties=penalties).activations
        rough: Matrix = np.abs(np.diff(H, axis=1)).sum(axis=1) / H.sum(axis=1)
        return rough

    free, smooth = roughness(0.0), roughness(5.0)
    assert smooth[2] < 0.5 * free[2]
    assert (smooth[:2] > 0.5 * free[:2]).all()


@some_betas
def test_a_strength_means_the_same_for_every_level_of_the_sound(beta: float) -> None:
    V = strokes()[0] + 0.01
    once, louder = (
        nmfd(level * V, 2, 4, beta=beta, penalties=Penalties(l1=0.1, l2=0.1), **QUICK)  # type: ignore[arg-type]
        for level in (1, 64)
    )
    np.testing.assert_allclose(louder.approximation(), 64 * once.approximation(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_entries_that_are_not_known_are_made_up_from_the_rest(beta: float) -> None:
    exact, bases, _ = strokes()
    known = np.random.default_rng(3).random(exact.shape) > 0.2
    found = nmfd(
        np.where(known, exact, np.nan),
        2,
        4,
        beta=beta,
        bases=bases.mean(axis=2),
        weights=known,
        max_iter=2000,
        tol=1e-9,
    )
    there = ~known & (exact > 0.1 * exact.max())
    assert np.median(np.abs(found.approximation() - exact)[there] / exact[there]) < 0.05


@some_betas
def test_what_v_holds_where_the_weight_is_zero_does_not_matter(beta: float) -> None:
    V, weights = strokes()[0] + 0.01, np.random.default_rng(4).random((12, 60)) > 0.2
    first, *others = (
        nmfd(np.where(weights, V, junk), 2, 3, beta=beta, weights=weights, **QUICK)  # type: ignore[arg-type]
        for junk in (0, 7.5, np.nan)
    )
    for other in others:
        np.testing.assert_array_equal(other.approximation(), first.approximation())


@some_betas
def test_equal_weights_change_nothing(beta: float) -> None:
    V = strokes()[0]
    plain, equal = (nmfd(V, 2, 3, beta=beta, weights=each, **QUICK) for each in (None, np.full((1, 60), 3.0)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain.bases, equal.bases)


@pytest.mark.parametrize("rule", [None, Multiplicative()], ids=["momentum", "plain"])
@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_bases_are_held_at_first_and_free_in_the_end(rule: Multiplicative | None, beta: float) -> None:
    V, bases, _ = strokes()
    rough = bases * np.random.default_rng(1).uniform(0.5, 2, bases.shape)
    plan = Plan(beta, rough, rule=rule, adapt=[30, 0], max_iter=60, tol=0)
    seen = [step.state.bases for step in nmfd_steps(V + 0.01, 2, 4, plan) if step.state.iteration]
    moved = [np.abs(each - rough).max(axis=(0, 2)) / rough.max(axis=(0, 2)) for each in seen]
    assert moved[0][0] < moved[1][0] < moved[-1][0]
    first = next(
        iter(nmfd_steps(V + 0.01, 2, 4, replace(plan, adapt=[1000, 0], max_iter=1)))
    ).state.bases  # held wholly in the first iteration
    np.testing.assert_allclose(first[:, 0], rough[:, 0])
    assert np.abs(first[:, 1] - rough[:, 1]).max() > 1e-3


def test_a_run_does_not_end_while_bases_are_held() -> None:
    V, bases, _ = strokes()
    assert nmfd(V, 2, 4, bases=bases, adapt=60, tol=0.5).n_iter >= 60


def test_penalties_of_zero_are_none() -> None:
    V = strokes()[0]
    np.testing.assert_array_equal(nmfd(V, 2, 3, penalties=Penalties()).bases, nmfd(V, 2, 3).bases)


def test_the_history_is_that_of_divergence_and_penalties() -> None:
    V = strokes()[0]
    found = nmfd(V, 2, 4, penalties=Penalties(l1=0.1), max_iter=30, tol=0)
    g = np.linalg.norm(found.bases, axis=(0, 2))[:, None] * found.activations
    expected = beta_divergence(V, convolved(found.bases, found.activations)) + 0.1 * np.sqrt(12 * 4) * g.sum()
    assert found.divergences[-1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"penalties": 0.1}, InvalidInput, "penalties=0.1 is no unweave.rules.Penalties"),
        ({"penalties": Penalties(l1=[0.1, 0.2, 0.3])}, Incompatible, "penalties.l1 has 3 strengths for 2 components"),
        ({"weights": np.zeros((12, 60))}, InvalidInput, "all weights are 0"),
        ({"weights": np.ones((60, 12))}, Incompatible, "weights.shape="),
        ({"adapt": 5}, Incompatible, "adapt=5 lets given bases go slowly, but none are given"),
        ({"rule": Hals(), "beta": 2}, InvalidInput, "rule='hals' knows no taps: extrapolated and multiplicative do."),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        nmfd(strokes()[0], 2, 4, **options)  # type: ignore[arg-type]


# -- the whole chain


def test_a_recording_is_taken_apart_by_sparse_bases_of_several_frames() -> None:
    mix = drum_loop(n_bars=1)["mix"]
    free, sparse = (
        uw.decompose(mix, 3, taps=4, penalties=penalties, max_iter=60, restarts=2)
        for penalties in (None, Penalties(l1=0.3))
    )
    assert _sparseness(sparse.activations) > _sparseness(free.activations)
    total = sum(part.samples for part in sparse.components())
    np.testing.assert_allclose(total, mix.samples, atol=1e-5)


def test_a_band_that_is_left_out_is_made_up_from_the_taps() -> None:
    mix = drum_loop(n_bars=1)["mix"]
    weights = np.ones((1025, 1))
    weights[300:320] = 0
    parts = uw.decompose(mix, 2, taps=4, weights=weights, max_iter=20, restarts=2)
    assert np.isfinite(parts.factorization.approximation()).all()


def test_plain_steps_lower_the_objective_of_a_whole_run() -> None:
    plan = Plan(rule=Multiplicative(), penalties=ALL, max_iter=60, tol=0)
    found = run(nmfd_steps(strokes()[0], 2, 4, plan))
    assert (np.diff(found.divergences) <= 1e-12 * found.divergences[0]).all()
