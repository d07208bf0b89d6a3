"""Penalties, weights and bases that are let go: the laws, for every rule that knows them and every β."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from unweave import threads
from unweave.arrays import Matrix
from unweave.divergence import beta_divergence, floored
from unweave.errors import Incompatible, InvalidInput
from unweave.initialize import random_start
from unweave.nmf import State, iterate, nmf
from unweave.rules import RULES, Hals, Joint, Multiplicative, Penalties, Rule
from unweave.rules.problem import Problem

from .problems import BETAS, CASES, Case


@dataclass(frozen=True)
class Constraint:
    """Penalties and weights, made for a matrix."""

    name: str
    penalties: Penalties | None = None
    weighs: bool = False

    def given(self, V: Matrix) -> dict[str, object]:
        """The options of `iterate`."""
        weights = np.random.default_rng(8).integers(0, 3, V.shape) if self.weighs and V.size > 1 else None
        return {"penalties": self.penalties, "weights": weights}


CONSTRAINTS = [
    Constraint("l1", Penalties(l1=0.3)),
    Constraint("l2", Penalties(l2=0.3)),
    Constraint("continuity", Penalties(continuity=0.5)),
    Constraint("group", Penalties(group=0.5)),
    Constraint("bases_l1", Penalties(bases_l1=0.2)),
    Constraint("all", Penalties(l1=0.1, l2=0.1, continuity=0.2, group=0.2, bases_l1=0.05)),
    Constraint("weights", weighs=True),
    Constraint("weights and all", Penalties(l1=0.1, l2=0.1, continuity=0.2, group=0.2, bases_l1=0.05), weighs=True),
]
KNOWING = [rule for rule in RULES.values() if rule.constraints]
PAIRS = list(itertools.product(KNOWING, BETAS))
each_rule_and_beta = pytest.mark.parametrize(
    ("rule", "beta"), PAIRS, ids=[f"{rule.name}-{beta}" for rule, beta in PAIRS]
)
each_beta = pytest.mark.parametrize("beta", BETAS)
each_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda constraint: constraint.name)


def _states(
    case: Case, constraint: Constraint, rule: Rule, beta: float, n: int, /, *, dtype: type = np.float64, **keep: object
) -> list[State]:
    V: NDArray[np.float64] = case.V.astype(dtype)
    start = random_start(V, case.n_components, np.random.default_rng(1))
    options = {**constraint.given(V), **keep}
    return list(itertools.islice(iterate(V, *start, rule, beta=beta, **options), n + 1))  # type: ignore[arg-type]


@each_rule_and_beta
@each_constraint
def test_factors_stay_finite_not_negative_and_of_their_type(rule: Rule, beta: float, constraint: Constraint) -> None:
    for case in CASES:
        for dtype in (np.float64,) if "numbers" in case.name else (np.float64, np.float32):
            state = _states(case, constraint, rule, beta, 15, dtype=dtype)[-1]
            for factor in (state.bases, state.activations):
                assert factor.dtype == dtype
                assert np.isfinite(factor).all()
                assert factor.min() >= 0
            assert np.isfinite(state.objective())


@each_beta
@each_constraint
def test_divergence_and_penalties_together_never_rise_under_plain_steps(beta: float, constraint: Constraint) -> None:
    for case in CASES:
        V = case.V
        start = random_start(V, case.n_components, np.random.default_rng(1))
        options = constraint.given(V)
        states = iterate(V, *start, Multiplicative(), beta=beta, **options)  # type: ignore[arg-type]
        history = np.array([state.objective() for state in itertools.islice(states, 40)])
        noise = 1e-9 * max(history[0], beta_divergence(floored(V, beta), np.full_like(V, V.mean()), beta))
        assert (np.diff(history) <= noise).all(), case.name
        assert history[-1] < history[0] or V.size == 1


@each_rule_and_beta
@each_constraint
def test_kept_factors_are_bit_identical(rule: Rule, beta: float, constraint: Constraint) -> None:
    keep = np.array([True, False, True, False])
    start, end = (
        _states(CASES[1], constraint, rule, beta, n, learn_bases=~keep, learn_activations=keep)[-1] for n in (0, 12)
    )
    np.testing.assert_array_equal(end.bases[:, keep], start.bases[:, keep])
    np.testing.assert_array_equal(end.activations[~keep], start.activations[~keep])
    assert not np.array_equal(end.bases[:, ~keep], start.bases[:, ~keep])
    assert not np.array_equal(end.activations[keep], start.activations[keep])


@each_rule_and_beta
@each_constraint
def test_one_thread_equals_many_to_the_bit(rule: Rule, beta: float, constraint: Constraint) -> None:
    found = []
    for count in (1, 2, 5):
        with threads.limit(count):
            found.append(_states(CASES[-1], constraint, rule, beta, 8, dtype=np.float32)[-1])
    for other in found[1:]:
        np.testing.assert_array_equal(other.bases, found[0].bases)
        np.testing.assert_array_equal(other.activations, found[0].activations)


@each_beta
def test_zeros_stay_zeros_under_all_penalties(beta: float) -> None:
    V = CASES[1].V
    bases, activations = random_start(V, 4, np.random.default_rng(2))
    bases[5:9, 1] = 0
    activations[2, 10:20] = 0
    penalties = CONSTRAINTS[5].penalties
    state = next(itertools.islice(iterate(V, bases, activations, beta=beta, penalties=penalties), 20, None))
    assert (state.bases[5:9, 1] == 0).all()
    assert (state.activations[2, 10:20] == 0).all()
    assert (state.activations[1, 10:20] > 0).any()


# ---------------------------------------------------------------- what penalties cost


def _problem(V: Matrix, penalties: Penalties, beta: float) -> Problem:
    learns = np.ones(3, np.bool_)
    return Problem(np.ascontiguousarray(V.T), beta, learns, learns, penalties=penalties)


@each_beta
def test_penalties_are_those_of_the_docstring(beta: float) -> None:
    rng = np.random.default_rng(0)
    V, W, H = rng.random((6, 9)) + 0.1, rng.random((6, 3)), rng.random((3, 9))
    (M, N), mu = V.shape, V.mean()
    g, u = np.linalg.norm(W, axis=0)[:, None] * H, np.linalg.norm(H, axis=1) * W
    a = 0.1 * np.sqrt(M) * mu
    strength = np.array([0.1, 0.5, 2.0])
    together = np.stack([g[0] + g[2], g[1]])
    expected = {
        "l1": np.sqrt(M) * mu ** (beta - 1) * (strength @ g.sum(axis=1)),
        "l2": 0.5 * mu ** (beta - 2) * (strength @ (g**2).sum(axis=1)),
        "continuity": 0.5 * mu ** (beta - 2) * (strength @ (np.diff(g, axis=1) ** 2).sum(axis=1)),
        "bases_l1": np.sqrt(N) * mu ** (beta - 1) * (u.sum(axis=0) @ strength),
    }
    for name, cost in expected.items():
        pressures = _problem(V, Penalties(**{name: strength}), beta).pressures()  # type: ignore[arg-type]
        assert pressures is not None
        assert pressures.cost(W.T, H.T) == pytest.approx(cost)
    grouped = _problem(V, Penalties(group=0.7, groups=["a", "b", "a"]), beta).pressures()
    assert grouped is not None
    assert grouped.cost(W.T, H.T) == pytest.approx(
        0.7 * np.sqrt(M) * mu ** (beta - 1) * a * np.log1p(together / a).sum()
    )


@each_beta
@each_constraint
def test_no_exchange_of_level_between_the_factors_changes_a_penalty(beta: float, constraint: Constraint) -> None:
    if constraint.penalties is None:
        return
    rng = np.random.default_rng(0)
    V, W, H = rng.random((6, 9)) + 0.1, rng.random((3, 6)), rng.random((9, 3))
    factor = np.array([0.01, 1.0, 300.0])
    pressures = _problem(V, constraint.penalties, beta).pressures()
    assert pressures is not None
    assert pressures.cost(W * factor[:, None], H / factor) == pytest.approx(pressures.cost(W, H))


@each_beta
@pytest.mark.parametrize("constraint", CONSTRAINTS[:6], ids=lambda constraint: constraint.name)
def test_strengths_mean_the_same_for_any_level_and_length(beta: float, constraint: Constraint) -> None:
    V = CASES[1].V + (0.01 if beta <= 0 else 0)
    start = random_start(V, 4, np.random.default_rng(3))
    options = {"beta": beta, "penalties": constraint.penalties}

    def after(V: Matrix, W: Matrix, H: Matrix) -> State:
        return next(itertools.islice(iterate(V, W, H, Multiplicative(), **options), 15, None))  # type: ignore[arg-type]

    once = after(V, *start)
    louder = after(64 * V, 8 * start[0], 8 * start[1])
    np.testing.assert_allclose(
        louder.bases @ louder.activations, 64 * once.bases @ once.activations, rtol=1e-6, atol=1e-9
    )
    # There and back again: where the copies meet, neighbours are equal.
    twice = after(np.hstack([V, V[:, ::-1]]), start[0], np.hstack([start[1], start[1][:, ::-1]]))
    np.testing.assert_allclose(
        twice.bases @ twice.activations[:, :57], once.bases @ once.activations, rtol=1e-6, atol=1e-9
    )


# ---------------------------------------------------------------- what penalties do


def _sparseness(H: Matrix) -> float:
    """Hoyer's: 0 for a flat activation, 1 for a single pulse."""
    n = H.shape[1] ** 0.5
    norms = np.linalg.norm(H, axis=1)
    return float(np.mean((n - H.sum(axis=1)[norms > 0] / norms[norms > 0]) / (n - 1)))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_l1_makes_activations_sparse_and_more_of_it_sparser(beta: float) -> None:
    V = np.random.default_rng(0).random((30, 60)) + 0.05
    found = [_sparseness(nmf(V, 5, beta=beta, penalties=Penalties(l1=l1)).activations) for l1 in (0.0, 0.05, 0.3)]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_bases_l1_makes_spectra_sparse(beta: float) -> None:
    V = np.random.default_rng(0).random((30, 60)) + 0.05
    free, sparse = (nmf(V, 5, beta=beta, penalties=Penalties(bases_l1=l1)).bases.T for l1 in (0.0, 0.2))
    assert _sparseness(free) < _sparseness(sparse)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_continuity_makes_activations_smooth_for_the_components_that_have_it(beta: float) -> None:
    V = np.random.default_rng(0).random((30, 80)) + 0.05
    W = random_start(V, 4, np.random.default_rng(1))[0]

    def roughness(continuity: list[float]) -> Matrix:
        found = nmf(V, 4, beta=beta, bases=W, learn_bases=False, penalties=Penalties(continuity=continuity))
        H = found.activations
        rough: Matrix = np.abs(np.diff(H, axis=1)).sum(axis=1) / H.sum(axis=1)
        return rough

    free, half, most = roughness([0, 0, 0, 0]), roughness([0, 0, 0.5, 0.5]), roughness([0, 0, 20, 20])
    assert (half[2:] < 0.7 * free[2:]).all()
    assert (most[2:] < 0.5 * half[2:]).all()
    assert (most[:2] > 0.5 * free[:2]).all()


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_group_leaves_one_of_two_groups_to_explain_what_either_could(beta: float) -> None:
    rng = np.random.default_rng(2)
    notes = rng.gamma(0.3, 1.0, (40, 2)) + 0.01
    other = notes * rng.uniform(0.8, 1.25, notes.shape)  # the same notes on another instrument
    played = np.repeat(np.eye(2), 20, axis=1) + 0.02
    V = np.hstack([notes @ played, other @ played])
    kit, groups = np.hstack([notes, other]), ["one", "one", "other", "other"]

    V = V * rng.gamma(30, 1 / 30, V.shape)

    def weaker(penalties: Penalties | None) -> tuple[float, float]:
        """Share of the group that is the weaker one in its frame, and of the one that did not play."""
        H = nmf(V, 4, beta=beta, bases=kit, learn_bases=False, penalties=penalties).activations
        one, other = H[:2].sum(axis=0), H[2:].sum(axis=0)
        wrong = other[:40].sum() + one[40:].sum()
        return float(np.minimum(one, other).sum() / H.sum()), float(wrong / H.sum())

    free, grouped = weaker(None), weaker(Penalties(group=0.1, groups=groups))
    assert grouped[0] < 0.25 * free[0]
    assert grouped[1] < free[1]


# ---------------------------------------------------------------- weights and missing entries


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_entries_that_are_not_known_are_made_up_from_the_rest(beta: float) -> None:
    rng = np.random.default_rng(0)
    exact = (rng.random((30, 3)) + 0.05) @ (rng.random((3, 60)) + 0.05)
    known = rng.random(exact.shape) > 0.3
    V = np.where(known, exact, np.nan)
    found = nmf(V, 3, beta=beta, weights=known, max_iter=3000, tol=1e-9)
    error = np.abs(found.approximation() - exact)[~known] / exact[~known]
    assert np.median(error) < 0.02


@each_beta
def test_what_v_holds_where_the_weight_is_zero_does_not_matter(beta: float) -> None:
    V, rng = CASES[1].V, np.random.default_rng(4)
    weights = rng.random(V.shape) > 0.2
    results = [nmf(np.where(weights, V, junk), 3, beta=beta, weights=weights, max_iter=20) for junk in (0, 7.5, np.nan)]
    for other in results[1:]:
        np.testing.assert_array_equal(other.approximation(), results[0].approximation())


def test_the_loop_alone_takes_unknown_entries_as_well() -> None:
    V, rng = CASES[1].V, np.random.default_rng(4)
    weights = rng.random(V.shape) > 0.2
    start = random_start(V, 3, np.random.default_rng(3))

    def bases(junk: float) -> Matrix:
        states = iterate(np.where(weights, V, junk), *start, weights=weights, stride=5)
        return next(itertools.islice(states, 1, None)).bases

    np.testing.assert_array_equal(bases(np.nan), bases(0))


@each_rule_and_beta
def test_equal_weights_change_nothing_and_their_unit_does_not_matter(rule: Rule, beta: float) -> None:
    V, rng = CASES[1].V, np.random.default_rng(4)
    weights = rng.random(V.shape)
    plain, equal = (nmf(V, 3, beta=beta, rule=rule, weights=one, max_iter=20) for one in (None, np.full((1, 57), 3.0)))
    np.testing.assert_array_equal(plain.bases, equal.bases)
    once, louder = (nmf(V, 3, beta=beta, rule=rule, weights=one, max_iter=20) for one in (weights, 8 * weights))
    np.testing.assert_allclose(louder.approximation(), once.approximation(), rtol=1e-9)


@each_beta
def test_a_weight_of_two_is_a_frame_that_comes_twice(beta: float) -> None:
    V = CASES[1].V + 0.01
    W, H = random_start(V, 3, np.random.default_rng(3))
    weights = np.where(np.arange(57) < 20, 2.0, 1.0)[None]
    twice = np.hstack([V[:, :20], V])
    heavy = next(itertools.islice(iterate(V, W, H, Multiplicative(), beta=beta, weights=weights), 12, None))
    doubled = np.hstack([H[:, :20], H])
    copied = next(itertools.islice(iterate(twice, W, doubled, Multiplicative(), beta=beta), 12, None))
    np.testing.assert_allclose(heavy.bases, copied.bases, rtol=1e-4)


def test_a_long_recording_takes_its_weights_along_when_starts_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unweave.search.SAMPLE_FRAMES", 100)
    rng = np.random.default_rng(0)
    exact = (rng.random((12, 2)) + 0.05) @ (rng.random((2, 400)) + 0.05)
    known = rng.random(exact.shape) > 0.3
    found = nmf(np.where(known, exact, np.nan), 2, weights=known, max_iter=2000, tol=1e-9)
    assert np.median(np.abs(found.approximation() - exact)[~known] / exact[~known]) < 0.02


# ---------------------------------------------------------------- bases that are let go


@each_rule_and_beta
def test_bases_are_held_at_first_and_free_in_the_end(rule: Rule, beta: float) -> None:
    V = CASES[1].V + 0.01
    W, H = random_start(V, 3, np.random.default_rng(3))
    states = iterate(V, W, H, rule, beta=beta, adapt=[20, 0, 20])
    seen = [state.bases.copy() for state in itertools.islice(states, 41)]
    moved = [np.abs(bases - W).max(axis=0) for bases in seen]
    np.testing.assert_array_equal(seen[1][:, [0, 2]], W[:, [0, 2]])
    assert moved[1][1] > 0
    assert (moved[10][[0, 2]] < moved[20][[0, 2]]).all()
    free = next(itertools.islice(iterate(V, seen[21], H, rule, beta=beta), 1, None))
    assert free.bases.shape == seen[21].shape
    assert not np.array_equal(seen[40], seen[21])


def test_held_bases_stay_with_what_they_stand_for() -> None:
    rng = np.random.default_rng(1)
    sounds = rng.gamma(0.2, 1.0, (60, 3)) + 1e-3
    played = np.where(rng.random((3, 150)) < 0.3, rng.random((3, 150)), 1e-3)
    V = sounds @ played
    rough = sounds * rng.gamma(2.0, 0.5, sounds.shape)
    found = nmf(V, 3, bases=rough, adapt=100)
    for k in range(3):
        assert np.corrcoef(found.activations[k], played[k])[0, 1] > 0.98
        assert np.corrcoef(found.bases[:, k], sounds[:, k])[0, 1] > np.corrcoef(rough[:, k], sounds[:, k])[0, 1]


def test_a_run_does_not_end_while_bases_are_held() -> None:
    V = CASES[0].V
    W = random_start(V, 3, np.random.default_rng(3))[0]
    assert nmf(V, 3, bases=W, adapt=60, tol=0.5).iterations[-1] >= 60


# ---------------------------------------------------------------- refusals

V = CASES[1].V


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"penalties": 0.1}, InvalidInput, "penalties=0.1 is no unweave.rules.Penalties, as in Penalties"),
        ({"penalties": Penalties(l1=[0.1, 0.2])}, Incompatible, "penalties.l1 has 2 strengths for 3 components"),
        (
            {"penalties": Penalties(group=1, groups=["a"])},
            Incompatible,
            "penalties.groups has 1 entries for 3 components.",
        ),
        ({"weights": np.zeros((33, 57))}, InvalidInput, "all weights are 0: nothing of V would count."),
        ({"weights": np.ones((57, 33))}, Incompatible, "weights.shape="),
        ({"weights": -np.ones((33, 57))}, InvalidInput, "weights contains -1"),
        ({"adapt": 5}, Incompatible, "adapt=5 lets given bases go slowly, but none are given: pass bases="),
        ({"adapt": -5, "bases": np.ones((33, 1))}, InvalidInput, "adapt=-5 is not a number of iterations from 0"),
        ({"adapt": [5, 5], "bases": np.ones((33, 1))}, Incompatible, "adapt has 2 numbers for 1 given bases."),
        (
            {"rule": Hals(), "beta": 2, "weights": np.eye(33, 57)},
            InvalidInput,
            "rule hals knows no penalties, weights or adapt: one of extrapolated, multiplicative does.",
        ),
        ({"rule": Joint(), "penalties": Penalties(l2=1)}, InvalidInput, "rule joint knows no penalties"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        nmf(V, 3, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, 1e7, "much", None, [], [[0.1]]])
def test_strengths_that_cannot_be_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="penalties.l1="):
        Penalties(l1=value)  # type: ignore[arg-type]


def test_groups_without_a_strength_are_refused() -> None:
    with pytest.raises(InvalidInput, match="groups are given, but group=0"):
        Penalties(groups=["a", "b"])


def test_penalties_of_zero_are_none() -> None:
    np.testing.assert_array_equal(nmf(V, 2, penalties=Penalties()).bases, nmf(V, 2).bases)
    np.testing.assert_array_equal(nmf(V, 2, beta=2, penalties=Penalties()).bases, nmf(V, 2, beta=2).bases)


def test_silence_has_a_defined_result_under_every_constraint() -> None:
    for constraint in CONSTRAINTS:
        for beta in BETAS:
            silent = np.zeros((6, 7))
            found = nmf(silent, 2, beta=beta, **constraint.given(silent))  # type: ignore[arg-type]
            assert np.isfinite(found.bases).all()
            assert (found.activations == 0).all()
