"""The laws of every rule, for every β and every problem."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from unweave import threads
from unweave.arrays import Matrix
from unweave.divergence import KULLBACK_LEIBLER, beta_divergence, block_divergence, floored
from unweave.errors import InvalidInput
from unweave.initialize import random_start
from unweave.nmf import State, iterate, nmf
from unweave.rules import RULES, Extrapolated, Hals, Joint, Multiplicative, Newton, Rule, default_rule, newton
from unweave.rules.extrapolated import AHEAD, MOST, PLAIN, POWER

from .problems import BETAS, CASES, Case

PAIRS = [(rule, beta) for rule in RULES.values() for beta in BETAS if rule.supports(beta)]
each_rule_and_beta = pytest.mark.parametrize(
    ("rule", "beta"), PAIRS, ids=[f"{rule.name}-{beta}" for rule, beta in PAIRS]
)
each_beta = pytest.mark.parametrize("beta", BETAS)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def _states(case: Case, rule: Rule, beta: float, n: int, dtype: type = np.float64, **keep: object) -> list[State]:
    V: NDArray[np.float64] = case.V.astype(dtype)
    bases, activations = random_start(V, case.n_components, np.random.default_rng(1))
    generator = iterate(V, bases, activations, rule, beta=beta, **keep)  # type: ignore[arg-type]
    return list(itertools.islice(generator, n + 1))


def _divergences(case: Case, rule: Rule, beta: float, n: int) -> list[float]:
    V = case.V
    bases, activations = random_start(V, case.n_components, np.random.default_rng(1))
    return [state.divergence() for state in itertools.islice(iterate(V, bases, activations, rule, beta=beta), n + 1)]


@each_rule_and_beta
@each_case
def test_factors_stay_finite_and_not_negative(rule: Rule, beta: float, case: Case) -> None:
    # The bare loop takes V as it is; `nmf` scales what would overflow in float32, see test_nmf.py.
    dtypes = (np.float64,) if "numbers" in case.name else (np.float64, np.float32)
    for dtype in dtypes:
        state = _states(case, rule, beta, 30, dtype)[-1]
        for factor in (state.bases, state.activations):
            assert factor.dtype == dtype
            assert np.isfinite(factor).all()
            assert factor.min() >= 0


@pytest.mark.parametrize("weighted", [False, True])
@each_beta
@each_case
def test_a_look_at_the_divergence_agrees_with_it_entry_by_entry(beta: float, case: Case, weighted: bool) -> None:
    dtypes = (np.float64,) if "numbers" in case.name else (np.float64, np.float32)
    counts = np.random.default_rng(7).integers(0, 3, case.V.shape) if weighted else None
    for dtype in dtypes:
        state = _states(case, Multiplicative(), beta, 3, dtype, weights=counts)[-1]
        V, weights = floored(case.V.astype(dtype), beta), state.problem.weights
        model = state.bases.astype(np.float64) @ state.activations + state.problem.epsilon
        known = None if weights is None else weights.T.astype(np.float64)
        expected = block_divergence(V.astype(np.float64), model.copy(), beta, known)
        # The terms of a divergence are larger than itself, and nearly cancel each other where the model is good.
        unit, terms = (1e-14 if dtype is np.float64 else 1e-7), float((model**beta).sum())
        assert state.divergence() == pytest.approx(expected, rel=20 * unit, abs=unit * terms)


@pytest.mark.parametrize("beta", [-1.0, -0.5, -0.01, 0.0, 0.01, 0.5, 0.99, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0])
def test_a_look_is_exact_where_the_model_is_good(beta: float) -> None:
    rng = np.random.default_rng(0)
    W, H = (rng.random(shape).astype(np.float32) + 0.1 for shape in ((70, 4), (4, 300)))
    noise = np.exp(0.001 * rng.standard_normal((70, 300)))
    V = (W @ H * noise).astype(np.float32)
    state = next(iterate(V, W, H, Multiplicative(), beta=beta))
    model = W.astype(np.float64) @ H + state.problem.epsilon
    assert state.divergence() == pytest.approx(block_divergence(V.astype(np.float64), model, beta), rel=1e-3)


@each_beta
def test_a_look_at_what_is_no_number_gives_none(beta: float) -> None:
    state = _states(CASES[1], Multiplicative(), beta, 1)[-1]
    state.factors.activations[3] = np.nan
    assert np.isnan(state.divergence())


@each_beta
def test_what_lies_between_the_rows_of_v_does_not_count(beta: float) -> None:
    V = CASES[1].V + 0.01
    start = random_start(V, 3, np.random.default_rng(1))
    room = np.full((V.shape[1], -(-V.shape[0] // 16) * 16), np.nan)
    room[:, : V.shape[0]] = V.T
    ends = [list(itertools.islice(iterate(v, *start, beta=beta), 4))[-1] for v in (V, room[:, : V.shape[0]].T)]
    np.testing.assert_array_equal(ends[0].bases, ends[1].bases)
    assert ends[0].divergence() == ends[1].divergence() > 0


@each_rule_and_beta
@each_case
def test_the_divergence_never_rises_where_the_rule_promises_it(rule: Rule, beta: float, case: Case) -> None:
    history = np.array(_divergences(case, rule, beta, 40))
    assert np.isfinite(history).all()
    assert history[-1] <= history[0]
    if rule.never_rises(beta):
        # The sum itself is known to some digits only: it is the difference of numbers as large as the data's.
        noise = 1e-9 * max(
            history[0], beta_divergence(floored(case.V, beta), np.full_like(case.V, case.V.mean()), beta)
        )
        assert (np.diff(history) <= noise).all()


@each_rule_and_beta
def test_kept_factors_are_bit_identical(rule: Rule, beta: float) -> None:
    case = CASES[1]
    keep = np.array([True, False, True, False])
    start, end = (_states(case, rule, beta, n, learn_bases=~keep, learn_activations=keep)[-1] for n in (0, 25))
    np.testing.assert_array_equal(end.bases[:, keep], start.bases[:, keep])
    np.testing.assert_array_equal(end.activations[~keep], start.activations[~keep])
    assert not np.array_equal(end.bases[:, ~keep], start.bases[:, ~keep])
    assert not np.array_equal(end.activations[keep], start.activations[keep])


@each_rule_and_beta
def test_an_exact_zero_stays_zero(rule: Rule, beta: float) -> None:
    V = CASES[1].V
    bases, activations = random_start(V, 4, np.random.default_rng(2))
    bases[5:9, 1] = 0
    activations[2, 10:20] = 0
    state = next(itertools.islice(iterate(V, bases, activations, rule, beta=beta), 20, None))
    assert (state.bases[5:9, 1] == 0).all()
    assert (state.activations[2, 10:20] == 0).all()
    assert (state.activations[1, 10:20] > 0).any()


@each_rule_and_beta
def test_inputs_are_not_modified(rule: Rule, beta: float) -> None:
    V = CASES[2].V.copy()
    bases, activations = random_start(V, 3, np.random.default_rng(2))
    before = [array.copy() for array in (V, bases, activations)]
    next(itertools.islice(iterate(V, bases, activations, rule, beta=beta), 5, None))
    for array, copy in zip((V, bases, activations), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each_rule_and_beta
def test_one_thread_equals_many_to_the_bit(rule: Rule, beta: float) -> None:
    case = CASES[-1]
    results = []
    for count in (1, 2, 5):
        with threads.limit(count):
            results.append(_states(case, rule, beta, 12, np.float32)[-1])
    for other in results[1:]:
        np.testing.assert_array_equal(other.bases, results[0].bases)
        np.testing.assert_array_equal(other.activations, results[0].activations)


@each_beta
def test_the_multiplicative_rule_follows_its_equations(beta: float) -> None:
    V = CASES[1].V + (0.01 if beta <= 0 else 0)
    W, H = random_start(V, 4, np.random.default_rng(3))
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1
    state = next(itertools.islice(iterate(V, W, H, Multiplicative(), beta=beta), 10, None))
    for _ in range(10):
        Y = W @ H
        W = W * (((V * Y ** (beta - 2)) @ H.T) / (Y ** (beta - 1) @ H.T)) ** gamma
        Y = W @ H
        H = H * ((W.T @ (V * Y ** (beta - 2))) / (W.T @ Y ** (beta - 1))) ** gamma
    # ε is 1e-10 of the mean for β ≥ 0 and larger below, where it keeps powers from overflowing
    tolerance = 1e-6 if beta >= 0 else 1e-3
    np.testing.assert_allclose(state.bases, W, rtol=tolerance, atol=1e-9)
    np.testing.assert_allclose(state.activations, H, rtol=tolerance, atol=1e-9)


def test_the_extrapolated_rule_follows_its_equations() -> None:
    V = CASES[1].V
    W, H = random_start(V, 4, np.random.default_rng(3))
    state = next(itertools.islice(iterate(V, W, H, Extrapolated()), 32, None))
    theta, W_before, H_before = 1.0, W, H
    for iteration in range(32):
        moving = iteration >= PLAIN
        following = (1 + np.sqrt(1 + 4 * theta**2)) / 2 if moving else 1.0
        b, theta = min((theta - 1) / following, MOST), following
        a, p = AHEAD * b, POWER if moving else 1.0
        q, W_before = (np.clip(W / W_before, 0.5, 2), W)
        W = W * q**b * (((V / ((W * q**a) @ H)) @ H.T) / H.sum(axis=1)) ** p
        q, H_before = (np.clip(H / H_before, 0.5, 2), H)
        H = H * q**b * ((W.T @ (V / (W @ (H * q**a)))) / W.sum(axis=0)[:, None]) ** p
    np.testing.assert_allclose(state.bases, W, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state.activations, H, rtol=1e-5, atol=1e-7)


def test_the_pace_of_momentum_is_stable_however_the_factors_pull_at_each_other() -> None:
    # The model of rules/extrapolated.py: f = λ (w² + h² + 2 c w h) / 2, w and h in turn.
    a, b, p = AHEAD * MOST, MOST, POWER
    for size, c in itertools.product(np.linspace(0.05, 1, 20), np.linspace(-0.95, 0.95, 39)):
        step = p * size
        own, before = 1 + b - step * (1 + a), step * a - b
        w = np.array([own, before, -step * c, 0])
        h = np.array([0, 0, own, before]) - step * c * w
        radius = np.abs(np.linalg.eigvals(np.array([w, [1, 0, 0, 0], h, [0, 0, 1, 0]]))).max()
        assert radius < 1


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_extrapolation_reaches_in_fewer_iterations_what_plain_updates_reach(beta: float) -> None:
    wins = 0
    for seed in range(5):
        V = np.random.default_rng(seed).gamma(0.5, 1.0, (40, 60)) + (1e-3 if beta == 0 else 0)
        start = random_start(V, 5, np.random.default_rng(seed))
        ours, plain = (
            next(itertools.islice(iterate(V, *start, rule, beta=beta), n, None)).divergence()
            for rule, n in ((Extrapolated(), 70), (Multiplicative(), 200))
        )
        wins += ours <= plain
    assert wins >= 4


def test_hals_follows_its_equations() -> None:
    V = CASES[1].V
    W, H = random_start(V, 4, np.random.default_rng(3))
    state = next(itertools.islice(iterate(V, W, H, Hals(), beta=2), 12, None))
    pairs, swept, weight, ceiling, plain = [(W, H), (W, H)], W, 0.5, 1.0, 3
    least = beta_divergence(V, W @ H, 2)
    for _ in range(12):
        (_, H_before), (W, H) = pairs[-2:]
        b = 0.0 if plain else weight
        H_y = H + b * (H - H_before)
        W_n = _swept(W.T, H_y @ V.T, H_y @ H_y.T).T
        W_y = np.maximum(0, W_n + b * (W_n - swept))
        H_n = _swept(H, W_y.T @ V, W_y.T @ W_y)
        found = beta_divergence(V, W_y @ H_n, 2)
        if plain or found <= least:
            pairs, swept, least = [(W, H), (W_y, H_n)], W_n, found
            weight, ceiling = (weight, ceiling) if plain else (min(ceiling, 1.05 * weight), min(1.0, 1.01 * ceiling))
            plain = max(0, plain - 1)
        else:
            weight, ceiling, plain = weight / 1.5, weight, 1
            pairs = [(W, H), (W, H)]
    np.testing.assert_allclose(state.bases, pairs[-1][0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(state.activations, pairs[-1][1], rtol=1e-6, atol=1e-9)


def _swept(X: Matrix, constant: Matrix, gram: Matrix) -> Matrix:
    """Four sweeps, or fewer when one moves a tenth of the first."""
    moved, X = [], X.copy()
    for _ in range(4):
        before = X.copy()
        for a in range(X.shape[0]):
            X[a] = np.maximum(0, X[a] + (constant[a] - gram[a] @ X) / gram[a, a])
        moved.append(np.linalg.norm(X - before))
        if moved[-1] <= 0.1 * moved[0]:
            break
    return X


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_the_joint_rule_follows_its_equations(beta: float) -> None:
    V = CASES[1].V + (0.01 if beta <= 0 else 0)
    W, H = random_start(V, 4, np.random.default_rng(3))
    gamma = 1 / (2 - beta) if beta < 1 else 1
    state = next(itertools.islice(iterate(V, W, H, Joint(), beta=beta), 10, None))
    for _ in range(10):
        Y = W @ H
        P, Q = V * Y ** (beta - 2), Y ** (beta - 1)
        H_n = H * ((W.T @ P) / (W.T @ Q)) ** gamma
        first = H ** (2 - beta) * H_n ** (beta - 1)
        second = H_n if beta < 1 else H_n**beta * H ** (1 - beta)
        W, H = W * ((P @ first.T) / (Q @ second.T)) ** gamma, H_n
    np.testing.assert_allclose(state.bases, W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(state.activations, H, rtol=1e-6, atol=1e-9)


def test_hals_reaches_in_a_fifth_of_the_iterations_what_multiplicative_updates_reach() -> None:
    wins = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        exact = rng.random((40, 5)) ** 4 @ rng.random((5, 60)) ** 4
        V = (exact + 0.01 * rng.gamma(0.5, 1.0, exact.shape)).astype(np.float32)
        start = random_start(V, 5, np.random.default_rng(seed))
        ours, plain = (
            next(itertools.islice(iterate(V, *start, rule, beta=2), n, None)).divergence()
            for rule, n in ((Hals(), 40), (Multiplicative(), 200))
        )
        wins += ours <= plain
    assert wins >= 4


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_twice_as_many_joint_iterations_reach_what_multiplicative_ones_reach(beta: float) -> None:
    wins = 0
    for seed in range(5):
        V = np.random.default_rng(seed).gamma(0.5, 1.0, (40, 60)) + 1e-3
        start = random_start(V, 5, np.random.default_rng(seed))
        ours, plain = (
            next(itertools.islice(iterate(V, *start, rule, beta=beta), n, None)).divergence()
            for rule, n in ((Joint(), 200), (Multiplicative(), 100))
        )
        wins += ours <= plain
    assert wins >= 4


def test_newton_follows_its_equations() -> None:
    V = CASES[1].V
    W, H = random_start(V, 4, np.random.default_rng(3))
    n = newton.PLAIN + newton.LOOK + 3
    state = next(itertools.islice(iterate(V, W, H, Newton()), n, None))
    for iteration in range(n):
        if iteration < newton.PLAIN:
            W = W * ((V / (W @ H)) @ H.T) / H.sum(axis=1)
            H = H * (W.T @ (V / (W @ H))) / W.sum(axis=0)[:, None]
        else:
            W = _beyond(W.T, H.T, V.T).T
            H = _beyond(H, W, V)
    np.testing.assert_allclose(state.bases, W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(state.activations, H, rtol=1e-6, atol=1e-9)


def _beyond(X: Matrix, W: Matrix, V: Matrix) -> Matrix:
    """A step of activations ``X``, or turned round of bases, beyond the minimum of its quadratic."""
    Y = W @ X
    slope = W.sum(axis=0)[:, None] - W.T @ (V / Y)
    square = np.einsum("ma,mb,mn->abn", W, W, V / Y**2)
    step = np.zeros_like(X)
    for _ in range(newton.SWEEPS):
        for a in range(len(X)):
            rest = slope[a] + np.einsum("bn,bn->n", square[a], step) - square[a, a] * step[a]
            step[a] = np.maximum(-newton.SHRINK * X[a], -rest / square[a, a])
    moved: Matrix = X + np.maximum(newton.BEYOND * step, -newton.MOST * X)
    return moved


def test_newton_reaches_in_an_eighth_of_the_iterations_what_multiplicative_updates_reach() -> None:
    wins = 0
    for seed in range(5):
        V = np.random.default_rng(seed).gamma(0.5, 1.0, (40, 60))
        start = random_start(V, 5, np.random.default_rng(seed))
        ours, plain = (
            next(itertools.islice(iterate(V, *start, rule), n, None)).divergence()
            for rule, n in ((Newton(), 25), (Multiplicative(), 200))
        )
        wins += ours <= plain
    assert wins >= 4


def test_newton_finds_the_activations_of_kept_bases_in_a_few_iterations() -> None:
    rng = np.random.default_rng(0)
    V, W = CASES[1].V, rng.random((33, 4))
    ours, plain = (
        next(itertools.islice(iterate(V, W, rng.random((4, 57)), rule, learn_bases=False), n, None)).divergence()
        for rule, n in ((Newton(), 12), (Multiplicative(), 3000))
    )
    assert ours <= plain * (1 + 1e-6)


def test_what_a_newton_step_made_worse_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "BEYOND", 8.0)  # far too far
    for dtype in (np.float32, np.float64):
        V: Matrix = CASES[1].V.astype(dtype)
        start = random_start(V, 4, np.random.default_rng(0))
        states = itertools.islice(iterate(V, *start, Newton()), 81)
        history = [(state.divergence(), state.iteration) for state in states]
        looked = [divergence for divergence, iteration in history if iteration % newton.LOOK == 0]
        assert (np.diff(looked) <= 1e-6 * looked[0]).all()
        assert max(divergence for divergence, iteration in history[newton.PLAIN :]) > 1.01 * looked[2]
        assert looked[-1] < looked[2]


def test_newton_refuses_more_components_than_it_is_good_for() -> None:
    with pytest.raises(InvalidInput, match="rule newton is for at most 32 components, not for 33"):
        nmf(CASES[1].V, 33, rule=Newton())


def test_the_divergence_hardly_rises_in_float32_either() -> None:
    for rule, beta in ((Hals(), 2.0), (Joint(), 0.0), (Joint(), 1.0), (Newton(), 1.0)):
        V = floored(CASES[-1].V, beta).astype(np.float32)
        start = random_start(V, 5, np.random.default_rng(0))
        history = [state.divergence() for state in itertools.islice(iterate(V, *start, rule, beta=beta), 100)]
        assert (np.diff(history) <= 1e-6 * history[0]).all()


def test_hals_can_bring_an_entry_back_from_zero_unless_it_was_zero_at_the_start() -> None:
    V = np.array([[1.0, 0.0], [0.0, 1.0]])
    start = np.array([[1.0, 0.1], [0.1, 1.0]])
    *_, state = itertools.islice(iterate(V, start, start, Hals(), beta=2), 60)
    np.testing.assert_allclose(state.bases @ state.activations, V, atol=1e-6)
    assert (state.bases == 0).any()  # exact zeros, which multiplicative updates never reach


def test_kept_bases_lead_hals_to_the_exact_least_squares() -> None:
    from scipy.optimize import nnls

    V, rng = CASES[1].V, np.random.default_rng(5)
    W, H = rng.random((33, 4)), rng.random((4, 57))
    state = next(itertools.islice(iterate(V, W, H, Hals(), beta=2, learn_bases=False), 300, None))
    best = np.stack([nnls(W, frame)[0] for frame in V.T], axis=1)
    np.testing.assert_allclose(state.activations, best, atol=1e-6)


def test_a_component_without_energy_is_left_as_it_is() -> None:
    V = CASES[1].V
    W, H = random_start(V, 3, np.random.default_rng(0))
    dtype: type[np.floating[Any]]
    for dtype in (np.float32, np.float64):
        for strength in (0.0, 1e-20):
            bases: Matrix = W.astype(dtype)
            bases[:, 1] = strength
            state = next(itertools.islice(iterate(V.astype(dtype), bases, H.astype(dtype), Hals(), beta=2), 20, None))
            assert np.isfinite(state.bases).all()
            assert np.isfinite(state.activations).all()
            assert state.divergence() <= beta_divergence(V, bases @ H, 2)


@pytest.mark.parametrize(
    ("rule", "beta", "words"),
    [
        (
            Hals(),
            1.0,
            "rule hals is for beta=2, not for beta=1: one of extrapolated, multiplicative, joint, newton is.",
        ),
        (Hals(), 3.0, "rule hals is for beta=2, not for beta=3: one of extrapolated, multiplicative is."),
        (Joint(), 2.0, "rule joint is for 0 ≤ beta < 2, not for beta=2"),
        (Joint(), -0.5, "rule joint is for 0 ≤ beta < 2, not for beta=-0.5"),
        (Newton(), 0.0, "rule newton is for beta=1, not for beta=0"),
    ],
)
def test_a_rule_that_is_not_made_for_a_beta_is_refused_in_a_sentence(rule: Rule, beta: float, words: str) -> None:
    V = CASES[1].V
    for matrix in (V, np.zeros_like(V)):
        with pytest.raises(InvalidInput, match=words):
            nmf(matrix, 2, beta=beta, rule=rule)
    with pytest.raises(InvalidInput, match=words):
        next(iterate(V, np.ones((33, 1)), np.ones((1, 57)), rule, beta=beta))


def test_every_rule_supports_some_beta_and_every_beta_has_a_default_that_supports_it() -> None:
    assert {rule.name for rule, _ in PAIRS} == set(RULES)
    for beta in BETAS:
        assert default_rule(beta).supports(beta)
    assert (default_rule(2.0).name, default_rule(1.0).name, default_rule(0.0).name) == (
        "hals",
        "extrapolated",
        "extrapolated",
    )


def test_a_model_of_silence_is_defined_for_every_beta() -> None:
    for beta in BETAS:
        V = np.zeros((5, 6), np.float32)
        state = next(itertools.islice(iterate(V, np.ones((5, 2)), np.ones((2, 6)), beta=beta), 10, None))
        assert np.isfinite(state.activations).all()
        assert np.isfinite(state.bases).all()


def test_rules_say_in_their_docstring_when_to_use_them() -> None:
    import importlib

    for rule in RULES.values():
        assert "Use it" in str(importlib.import_module(type(rule).__module__).__doc__)


def test_the_divergence_of_a_state_is_that_of_its_factors() -> None:
    for beta in BETAS:
        V = floored(CASES[-1].V, beta)
        bases, activations = random_start(V, 5, np.random.default_rng(0))
        state = next(iterate(V, bases, activations, beta=beta))
        assert state.divergence() == pytest.approx(beta_divergence(V, bases @ activations, beta), rel=1e-7)
    assert KULLBACK_LEIBLER in BETAS
