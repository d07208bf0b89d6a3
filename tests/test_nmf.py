"""The front door of the factorisation: starts, kept matrices, stopping, and inputs at the edge."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from unweave import search, threads
from unweave.decomposition import magnitudes
from unweave.divergence import beta_divergence
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop
from unweave.framing import STFT
from unweave.initialize import random_start
from unweave.nmf import Plan, iterate, nmf, run, steps
from unweave.plan import RESTARTS, STARTS
from unweave.rules import RULES, Multiplicative, Rule
from unweave.search import SAMPLE_FRAMES
from unweave.synthesis import drum_loop

from .problems import BETAS, CASES, Case

V: NDArray[np.float64] = CASES[1].V


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_problem_gives_a_finite_result_in_its_dtype(case: Case, beta: float, dtype: type) -> None:
    matrix: NDArray[np.float64] = case.V.astype(dtype)
    found = nmf(matrix, case.n_components, beta=beta, max_iter=30, restarts=2)
    assert found.bases.shape == (matrix.shape[0], case.n_components)
    assert found.activations.shape == (case.n_components, matrix.shape[1])
    for factor in (found.bases, found.activations):
        assert factor.dtype == dtype
        assert np.isfinite(factor).all()
        assert factor.min() >= 0
    assert np.isfinite(found.divergences).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_the_unit_of_the_data_does_not_matter(scale: float, beta: float) -> None:
    matrix: NDArray[np.float64] = V[:, :20] + 1e-3
    usual = nmf(matrix, 3, beta=beta, max_iter=40, tol=0)
    scaled = nmf(matrix * scale, 3, beta=beta, max_iter=40, tol=0)
    np.testing.assert_allclose(scaled.approximation() / scale, usual.approximation(), rtol=1e-4, atol=1e-6)
    small = nmf((matrix * scale).astype(np.float32), 3, beta=beta, max_iter=40, tol=0)
    np.testing.assert_allclose(small.approximation().astype(float) / scale, usual.approximation(), rtol=0.05, atol=0.05)


def test_an_exact_product_is_found_again() -> None:
    rng = np.random.default_rng(3)
    bases = rng.random((30, 3)) ** 4
    activations = rng.random((3, 80)) ** 4
    found = nmf(bases @ activations, 3, max_iter=3000, tol=0).match(bases)
    likeness = (found.bases * bases).sum(axis=0) / np.linalg.norm(found.bases, axis=0) / np.linalg.norm(bases, axis=0)
    assert (likeness > 0.99).all()


def test_the_same_call_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = nmf(V, 3), nmf(V, 3), nmf(V, 3, rng=1)
    np.testing.assert_array_equal(first.bases, again.bases)
    np.testing.assert_array_equal(first.activations, again.activations)
    assert not np.array_equal(first.activations, other.activations)
    np.testing.assert_array_equal(other.activations, nmf(V, 3, rng=1).activations)


def test_the_number_of_threads_changes_no_bit() -> None:
    matrix = np.random.default_rng(0).gamma(0.5, 1, (33, 900)).astype(np.float32)
    with threads.limit(1):
        one = nmf(matrix, 4)
    with threads.limit(3):
        many = nmf(matrix, 4)
    np.testing.assert_array_equal(one.bases, many.bases)
    np.testing.assert_array_equal(one.activations, many.activations)


def test_the_seed_that_was_used_is_in_the_result() -> None:
    assert nmf(V, 2).seed == 0
    assert nmf(V, 2, rng=17).seed == 17
    found = nmf(V, 2, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(nmf(V, 2, rng=found.seed).bases, found.bases)


def test_the_global_random_state_is_left_alone() -> None:
    np.random.seed(1)  # noqa: NPY002 - the very thing that must not be touched
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    nmf(V, 2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("start", STARTS)
def test_every_start_leads_somewhere(start: str) -> None:
    found = nmf(V, 3, start=start, max_iter=60)  # type: ignore[arg-type]
    assert found.divergences[-1] < found.divergences[0]


def test_the_search_is_never_worse_than_its_own_best_start_is_early_on() -> None:
    plan = Plan(restarts=6, max_iter=20, tol=0, start="random")
    early: dict[int, float] = {}
    for progress in steps(V, 4, plan):
        if progress.state.iteration == 20:
            early[len(early)] = progress.divergence
    assert len(early) >= 6
    assert nmf(V, 4, restarts=6, max_iter=20, tol=0, start="random").divergences[-1] == min(early.values())


def test_more_restarts_do_not_end_higher_in_the_mean() -> None:
    single = np.mean([nmf(V, 4, rng=seed, restarts=1, start="random").divergences[-1] for seed in range(6)])
    searched = np.mean([nmf(V, 4, rng=seed).divergences[-1] for seed in range(6)])
    assert searched <= single
    assert RESTARTS > 1


def test_progress_counts_up_to_its_total() -> None:
    done = [(progress.done, progress.total) for progress in steps(V, 3, Plan(max_iter=70, tol=0))]
    assert [count for count, _ in done] == sorted(count for count, _ in done)
    assert done[-1][0] == done[-1][1]
    assert len({total for _, total in done}) == 1


def test_the_history_begins_with_the_start_and_ends_with_the_result() -> None:
    found = nmf(V, 3, max_iter=75, tol=0)
    assert found.iterations.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 75]
    assert found.divergences.shape == found.iterations.shape
    assert found.divergences[-1] == pytest.approx(beta_divergence(V, found.approximation()), rel=1e-9)
    assert found.n_iter == 75
    assert found.stop is Stop.MAX_ITER


def test_tol_stops_a_run_that_no_longer_moves() -> None:
    found = nmf(V, 2, tol=1e-3, max_iter=5000)
    assert found.stop is Stop.CONVERGED
    assert found.n_iter < 5000
    assert nmf(V, 2, tol=0, max_iter=300).stop is Stop.MAX_ITER


def test_no_iterations_hand_the_start_back() -> None:
    bases, activations = random_start(V, 3, np.random.default_rng(1))
    found = nmf(V, 3, bases=bases, activations=activations, max_iter=0)
    np.testing.assert_array_equal(found.bases, bases)
    np.testing.assert_array_equal(found.activations, activations)


# Not for the joint rule: its iterations cost less, and more of them are needed (docs/decisions/0007).
@pytest.mark.parametrize(
    ("beta", "rule"),
    [
        pytest.param(beta, rule, id=f"{beta}-{rule.name}")
        for beta in (0.0, 0.5, 1.0, 1.5, 2.0)
        for rule in RULES.values()
        if rule.supports(beta) and rule.name != "joint"
    ],
)
def test_after_100_iterations_from_the_same_start_the_divergence_is_not_above_scikit_learns(
    beta: float, rule: Rule
) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    loop = drum_loop(n_bars=1, sample_rate=8000)["mix"]
    matrix = magnitudes(loop, STFT(256, 128)).astype(np.float64)
    matrix = np.maximum(matrix, 1e-4 * matrix.max()) if beta <= 0 else matrix
    for seed in range(4):
        rng = np.random.default_rng(seed)
        bases, activations = rng.random((matrix.shape[0], 4)), rng.random((4, matrix.shape[1]))
        peer = decomposition.NMF(4, init="custom", solver="mu", beta_loss=beta, max_iter=100, tol=0)
        theirs = peer.fit_transform(matrix, W=bases.copy(), H=activations.copy()) @ peer.components_
        ours = nmf(matrix, 4, beta=beta, bases=bases, activations=activations, max_iter=100, tol=0, rule=rule)
        limit = beta_divergence(matrix, theirs, beta)
        assert beta_divergence(matrix, ours.approximation(), beta) <= limit * (1 + 1e-6)


class TestKept:
    """Modes 0, 1 and 2 of bases and activations, and their combinations."""

    bases, activations = random_start(V, 4, np.random.default_rng(8))

    def test_kept_bases_are_bit_identical_and_keep_their_scale(self) -> None:
        found = nmf(V, 4, bases=self.bases * 37, learn_bases=False)
        np.testing.assert_array_equal(found.bases, self.bases * 37)

    def test_kept_activations_are_bit_identical_and_keep_their_scale(self) -> None:
        found = nmf(V, 4, activations=self.activations * 0.01, learn_activations=False)
        np.testing.assert_array_equal(found.activations, self.activations * 0.01)
        assert found.divergences[-1] < found.divergences[0]

    @pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
    def test_what_is_kept_survives_any_unit_of_the_data(self, scale: float) -> None:
        keep = np.array([True, False, True, False])
        found = nmf(
            V * scale, 4, bases=self.bases, activations=self.activations, learn_bases=~keep, learn_activations=keep
        )
        np.testing.assert_array_equal(found.bases[:, keep], self.bases[:, keep])
        np.testing.assert_array_equal(found.activations[~keep], self.activations[~keep])
        reference = nmf(
            V, 4, bases=self.bases, activations=self.activations / scale, learn_bases=~keep, learn_activations=keep
        )
        np.testing.assert_allclose(found.approximation() / scale, reference.approximation(), rtol=1e-3, atol=1e-6)

    def test_both_kept_are_only_multiplied(self) -> None:
        found = nmf(V, 4, bases=self.bases, activations=self.activations, learn_bases=False, learn_activations=False)
        np.testing.assert_array_equal(found.bases, self.bases)
        np.testing.assert_array_equal(found.activations, self.activations)
        assert found.stop is Stop.NOTHING_TO_LEARN
        assert found.divergences[-1] == pytest.approx(beta_divergence(V, self.bases @ self.activations), rel=1e-9)

    def test_a_component_can_be_kept_whole_while_others_learn(self) -> None:
        learn = np.array([False, True, True, True])
        found = nmf(V, 4, bases=self.bases, activations=self.activations, learn_bases=learn, learn_activations=learn)
        np.testing.assert_array_equal(found.component(0), np.outer(self.bases[:, 0], self.activations[0]))

    def test_given_bases_may_be_fewer_than_the_components(self) -> None:
        found = nmf(V, 6, bases=self.bases[:, :2], learn_bases=False)
        np.testing.assert_array_equal(found.bases[:, :2], self.bases[:, :2])
        assert found.n_components == 6
        fewer = nmf(V, 2, bases=self.bases[:, :2], learn_bases=False)
        assert found.divergences[-1] < fewer.divergences[-1]

    def test_given_matrices_are_a_start_that_is_gone_on_from(self) -> None:
        first = nmf(V, 4, max_iter=200, tol=0)
        on = nmf(V, 4, bases=first.bases, activations=first.activations, max_iter=50, tol=0)
        assert on.divergences[0] == pytest.approx(first.divergences[-1], rel=1e-9)
        assert on.divergences[-1] <= first.divergences[-1]

    def test_given_bases_are_not_spoilt_before_their_activations_are_found(self) -> None:
        rng = np.random.default_rng(0)
        true = rng.random((40, 3)) ** 6
        matrix = true @ rng.random((3, 100)) ** 6
        found = nmf(matrix, 3, bases=true * 1.0, max_iter=30)
        likeness = (found.bases * true).sum(axis=0) / np.linalg.norm(found.bases, axis=0) / np.linalg.norm(true, axis=0)
        assert (likeness > 0.999).all()

    def test_exact_zeros_stay_zero(self) -> None:
        activations = self.activations.copy()
        activations[1, :20] = 0
        found = nmf(V, 4, activations=activations)
        assert (found.activations[1, :20] == 0).all()
        assert found.activations[1, 20:].max() > 0

    def test_given_components_stay_in_their_order(self) -> None:
        bases = np.zeros((33, 2))
        bases[20:, 0], bases[:10, 1] = 1, 1
        found = nmf(V, 2, bases=bases)
        assert np.argmax(found.bases[:, 0]) >= 20
        assert np.argmax(found.bases[:, 1]) < 10

    def test_kept_bases_lead_to_the_one_minimum_whatever_the_seed(self) -> None:
        ends = [
            nmf(V, 4, bases=self.bases, learn_bases=False, max_iter=3000, tol=0, rng=seed).activations
            for seed in (0, 1)
        ]
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)

    def test_a_basis_of_zeros_is_a_component_that_does_nothing(self) -> None:
        bases = self.bases.copy()
        bases[:, 2] = 0
        found = nmf(V, 4, bases=bases, learn_bases=False)
        assert np.isfinite(found.activations).all()
        assert (found.component(2) == 0).all()


def test_silence_has_silent_activations() -> None:
    for beta in BETAS:
        found = nmf(np.zeros((5, 7), np.float32), 3, beta=beta)
        assert found.stop is Stop.SILENT
        assert (found.activations == 0).all()
        assert np.isfinite(found.bases).all()


def test_learned_bases_have_length_one_and_lie_low_to_high() -> None:
    found = nmf(V, 4)
    np.testing.assert_allclose(np.linalg.norm(found.bases, axis=0), 1, rtol=1e-6)
    power = np.square(found.bases)
    centers = (np.arange(33) @ power) / power.sum(axis=0)
    assert (np.diff(centers) >= 0).all()


def test_any_memory_layout_and_type_of_numbers_is_taken() -> None:
    whole = np.arange(24).reshape(4, 6) % 5
    reference = nmf(whole.astype(float), 2)
    for same in (
        whole,
        np.asfortranarray(whole),
        whole.tolist(),
        whole.astype(np.uint8),
        np.repeat(whole, 2, 1)[:, ::2],
    ):
        np.testing.assert_array_equal(nmf(same, 2).bases, reference.bases)
    assert nmf(whole.astype(np.float16), 2).bases.dtype == np.float32


def test_a_rule_can_be_chosen() -> None:
    history = nmf(V, 3, rule=Multiplicative(), tol=0).divergences
    assert (np.diff(history) <= 0).all()


def test_a_generator_can_be_left_at_any_time() -> None:
    generator = steps(V, 3, Plan(max_iter=10**6, tol=0))
    for _ in range(5):
        state = next(generator).state
    generator.close()
    assert np.isfinite(state.bases).all()
    assert isinstance(run(steps(V, 3, Plan(max_iter=1))), Factorization)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"V": np.ones(3)}, InvalidInput, r"V.shape=\(3,\), but a matrix"),
        ({"V": np.ones((0, 4))}, InvalidInput, "has no entries"),
        ({"V": -V}, InvalidInput, "no entry may be negative"),
        ({"V": V * np.nan}, InvalidInput, "NaN or infinity"),
        ({"V": V + 1j}, InvalidInput, "V is complex"),
        ({"V": [["a"]]}, InvalidInput, "a matrix of real numbers"),
        ({"n_components": 0}, InvalidInput, "n_components=0 is not a whole number from 1"),
        ({"n_components": 2.0}, InvalidInput, "n_components=2.0"),
        ({"n_components": True}, InvalidInput, "n_components=True"),
        ({"n_components": 10**6}, InvalidInput, "from 1 to 10000"),
        ({"beta": "kl"}, InvalidInput, "beta='kl' is not a number"),
        ({"beta": float("nan")}, InvalidInput, "not a finite number"),
        ({"start": "zeros"}, InvalidInput, "start='zeros' is not one of best"),
        ({"restarts": 0}, InvalidInput, "restarts=0"),
        ({"max_iter": -1}, InvalidInput, "max_iter=-1"),
        ({"tol": 1.0}, InvalidInput, "tol=1.0"),
        ({"tol": float("nan")}, InvalidInput, "tol=nan"),
        ({"rng": -1}, InvalidInput, "rng=-1"),
        ({"bases": np.ones((5, 2))}, Incompatible, r"needs \(33, n\) with n from 1 to n_components=2"),
        ({"bases": np.ones((33, 3))}, Incompatible, "another n_fft"),
        ({"activations": np.ones((2, 5))}, Incompatible, r"needs \(n, 57\).*another hop_length"),
        ({"learn_bases": False}, Incompatible, "keeps bases, but none are given: pass bases="),
        ({"bases": np.ones((33, 2)), "learn_bases": [True]}, Incompatible, "has 1 values, but 2 bases"),
        ({"bases": np.ones((33, 2)), "learn_bases": 0.5}, InvalidInput, "neither True, False"),
        ({"bases": np.ones((33, 1)), "learn_bases": [True, False]}, Incompatible, "keeps component 1, but only 1"),
        ({"bases": np.full((33, 2), -1.0)}, InvalidInput, "bases contains -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        nmf(**{"V": V, "n_components": 2, **arguments})  # type: ignore[arg-type]


class TestLong:
    """Recordings so long that their starts are compared on some of their frames."""

    @staticmethod
    def _long() -> NDArray[np.float32]:
        rng = np.random.default_rng(5)
        return (rng.gamma(0.3, 1, (24, 4)) @ rng.gamma(0.2, 1, (4, 2 * SAMPLE_FRAMES))).astype(np.float32)

    def test_a_sampled_start_ends_where_a_search_over_all_frames_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        V = self._long()
        sampled = nmf(V, 4, max_iter=120)
        monkeypatch.setattr(search, "SAMPLE_FRAMES", V.shape[1])
        whole = nmf(V, 4, max_iter=120)
        assert sampled.divergences[-1] < 0.02 * float(V.sum())
        assert sampled.divergences[-1] <= 1.5 * whole.divergences[-1] + 1e-3 * float(V.sum())

    def test_it_is_repeatable_and_keeps_what_is_given(self) -> None:
        V = self._long()
        first, again = nmf(V, 4, max_iter=20), nmf(V, 4, max_iter=20)
        np.testing.assert_array_equal(first.activations, again.activations)
        activations = np.ones((1, V.shape[1]), np.float32)
        activations[0, ::2] = 0
        found = nmf(V, 3, bases=first.bases[:, :1], activations=activations, learn_bases=False, max_iter=20)
        np.testing.assert_array_equal(found.bases[:, 0], first.bases[:, 0])
        assert (found.activations[0, ::2] == 0).all()
        kept = nmf(V, 3, activations=activations, learn_activations=False, max_iter=20)
        np.testing.assert_array_equal(kept.activations[0], activations[0])

    def test_a_long_recording_of_which_hardly_anything_sounds_is_fine(self) -> None:
        V = np.zeros((6, 3 * SAMPLE_FRAMES), np.float32)
        V[2, 77] = 1
        found = nmf(V, 2, max_iter=20)
        assert np.isfinite(found.bases).all()
        assert found.approximation()[2, 77] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("shape", [(257, 1), (257, 2), (257, 31), (257, 33), (1, 40), (16, 3), (17, 300)])
@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_every_shape_goes(shape: tuple[int, int], beta: float) -> None:
    V = np.random.default_rng(0).random(shape).astype(np.float32)
    found = nmf(V, 2, beta=beta, max_iter=15)
    assert np.isfinite(found.approximation()).all()


def test_states_may_be_some_iterations_apart() -> None:
    V = np.random.default_rng(0).random((9, 12))
    start = random_start(V, 2, np.random.default_rng(1))
    every = list(itertools.islice(iterate(V, *start), 0, 13, 4))  # the last state: they move in place
    apart = list(itertools.islice(iterate(V, *start, stride=4), 4))
    assert [state.iteration for state in apart] == [0, 4, 8, 12]
    assert every[-1].iteration == 12
    np.testing.assert_array_equal(apart[-1].bases, every[-1].bases)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(InvalidInput, match="stride="):
            next(iterate(V, *start, stride=wrong))  # type: ignore[arg-type]
