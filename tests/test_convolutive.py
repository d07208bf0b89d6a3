"""Convolutive factorisation: its laws, its value, and that bases of several frames are worth their cost."""

import numpy as np
import pytest

from tests.problems import BETAS, CASES
from unweave.convolutive import (
    DECAY,
    MAX_TAPS,
    ConvolutiveFactorization,
    ConvolutiveState,
    nmfd,
    nmfd_steps,
    spread_taps,
)
from unweave.convolutive.delays import Delayed, DelayedPass
from unweave.divergence import beta_divergence, monotone_exponent
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop
from unweave.loop import make_factors, make_problem, run
from unweave.nmf import nmf
from unweave.plan import Plan
from unweave.rules import Extrapolated, Multiplicative
from unweave.rules.looks import divergence
from unweave.threads import limit

QUICK = {"restarts": 2, "max_iter": 15}


def convolved(bases, activations):
    """The model as it is written: Σ_τ W_τ H^{→τ}."""
    out = np.zeros((bases.shape[0], activations.shape[1]))
    for tap in range(min(bases.shape[2], activations.shape[1])):
        out[:, tap:] += bases[:, :, tap] @ activations[:, : activations.shape[1] - tap]
    return out


def start(V, n_components, n_taps, beta=1.0):
    """A problem whose entries are about one, and random factors of it."""
    rng = np.random.default_rng(7)
    learns = np.ones(n_components, np.bool_)
    problem = make_problem(V / V.mean(), beta, learns, learns)
    bases = (0.1 + rng.random((V.shape[0], n_components, n_taps))).astype(V.dtype)
    activations = (0.1 + rng.random((n_components, V.shape[1]))).astype(V.dtype)
    return problem, bases, activations


def strokes(n_frames=60, seed=3):
    """Two sounds that change while they last, each struck a few times, with known factors."""
    rng = np.random.default_rng(seed)
    bases = np.zeros((12, 2, 4))
    bases[:6, 0] = rng.random((6, 4)) + 0.2
    bases[5:, 1] = rng.random((7, 4)) + 0.2
    activations = np.zeros((2, n_frames))
    activations[0, ::9] = 1 + rng.random(activations[0, ::9].size)
    activations[1, 4::13] = 1 + rng.random(activations[1, 4::13].size)
    return convolved(bases, activations), bases, activations


# -- the steps


@pytest.mark.parametrize("beta", BETAS)
def test_one_tap_is_plain_factorisation(beta):
    V = np.random.default_rng(0).gamma(0.4, 1.0, (33, 300))
    problem, bases, activations = start(V, 4, 1, beta)
    plain = make_factors(bases[:, :, 0], activations, V.dtype)
    motion, factors = Multiplicative().start(problem, plain), Delayed.of(bases, activations)
    moves = DelayedPass(problem, factors)
    for _ in range(15):
        motion.step()
        moves.step()
    found = factors.to_user()
    np.testing.assert_allclose(found[0][:, :, 0], plain.bases.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found[1], plain.activations.T, rtol=1e-6, atol=1e-9)
    assert moves.divergence() == pytest.approx(divergence(problem, plain), rel=1e-9)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize(("n_frames", "n_taps"), [(700, 5), (20, 3), (6, 9), (1, 4)])
def test_a_step_is_the_formula(beta, n_frames, n_taps):
    """Also over several blocks with their halos, and where taps reach beyond the recording."""
    V = np.random.default_rng(1).gamma(0.5, 1.0, (9, n_frames)) + 1e-3
    problem, W, H = start(V, 3, n_taps, beta)
    factors = Delayed.of(W, H)
    DelayedPass(problem, factors).step()
    V, gamma = problem.frames.T, monotone_exponent(beta)

    def moved(factor, up, down):
        ratio = np.divide(up, down, out=np.ones_like(factor), where=down > 0)
        return factor * ratio**gamma

    def shares():
        model = convolved(W, H) + problem.epsilon
        return V * model ** (beta - 2), model ** (beta - 1)

    def delayed(tap):
        return np.concatenate([np.zeros((3, min(tap, n_frames))), H[:, : max(0, n_frames - tap)]], axis=1)

    def advanced(matrix, tap):
        left = matrix[:, tap:]
        return np.concatenate([left, np.zeros((matrix.shape[0], n_frames - left.shape[1]))], axis=1)

    up, down = shares()
    W = np.stack([moved(W[:, :, t], up @ delayed(t).T, down @ delayed(t).T) for t in range(n_taps)], axis=2)
    up, down = shares()
    H = moved(
        H,
        sum(W[:, :, t].T @ advanced(up, t) for t in range(n_taps)),
        sum(W[:, :, t].T @ advanced(down, t) for t in range(n_taps)),
    )
    found = factors.to_user()
    np.testing.assert_allclose(found[0], W, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found[1], H, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("n_taps", [2, 7])
def test_the_divergence_never_rises_without_momentum(case, beta, n_taps):
    problem, bases, activations = start(case.V, case.n_components, n_taps, beta)
    moves = DelayedPass(problem, Delayed.of(bases, activations))
    history = [moves.divergence()]
    for _ in range(10):
        moves.step()
        history.append(moves.divergence())
    assert np.isfinite(history).all()
    assert max(np.diff(history)) <= 1e-9 * history[0]


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_the_divergence_of_a_run_is_that_of_its_model(beta):
    V, _, _ = strokes()
    problem, bases, activations = start(V, 2, 4, beta)
    moves = DelayedPass(problem, Delayed.of(bases, activations))
    expected = beta_divergence(V / V.mean(), convolved(bases, activations), beta)
    assert moves.divergence() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("n_frames", [40, 3000])
@pytest.mark.parametrize("beta", [0.0, 1.0, 1.5, 2.0])
def test_the_number_of_threads_changes_no_bit(beta, n_frames):
    V = np.random.default_rng(4).gamma(0.5, 1.0, (40, n_frames)).astype(np.float32)
    found = []
    for count in (1, 2, 5):
        with limit(count):
            found.append(nmfd(V, 3, 6, beta=beta, **QUICK))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].bases, other.bases)
        np.testing.assert_array_equal(found[0].activations, other.activations)
        np.testing.assert_array_equal(found[0].divergences, other.divergences)


# -- the front door


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_matrix_gets_a_defined_result(case, beta):
    before = case.V.copy()
    found = nmfd(case.V, case.n_components, 5, beta=beta, **QUICK)
    assert found.bases.shape == (case.V.shape[0], case.n_components, 5)
    assert found.activations.shape == (case.n_components, case.V.shape[1])
    for array in (found.bases, found.activations, found.divergences):
        assert np.isfinite(array).all()
        assert (array >= 0).all() or array is found.divergences
    np.testing.assert_array_equal(case.V, before)


def test_strokes_are_found_with_what_they_sound_like():
    V, bases, activations = strokes()
    found = nmfd(V, 2, 4, tol=0, max_iter=800)
    np.testing.assert_allclose(found.approximation(), V, atol=0.02 * V.max())
    plain = nmf(V, 2)
    assert found.divergences[-1] < 0.02 * plain.divergences[-1]
    rough = nmfd(V, 2, 4, bases=bases.mean(axis=2), tol=0, max_iter=800).normalize()
    level = np.linalg.norm(bases, axis=(0, 2))
    np.testing.assert_allclose(rough.activations, activations * level[:, None], atol=0.1 * rough.activations.max())


def test_zeros_stay_zeros():
    V, bases, activations = strokes()
    rng = np.random.default_rng(5)
    W = np.where(bases > 0, rng.random(bases.shape) + 0.1, 0)
    H = np.where(activations > 0, 1.0, 0)
    found = nmfd(V, 2, 4, bases=W, activations=H, max_iter=60)
    assert not found.bases[W == 0].any()
    assert not found.activations[H == 0].any()
    np.testing.assert_allclose(found.approximation(), V, atol=0.05 * V.max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_what_is_kept_is_kept_to_the_bit(beta, dtype):
    V, bases, activations = strokes()
    V, bases, activations = V.astype(dtype) * 1000, bases.astype(dtype) * 3, activations.astype(dtype)
    found = nmfd(V, 3, 4, beta=beta, bases=bases, learn_bases=[False, True], **QUICK)
    np.testing.assert_array_equal(found.bases[:, 0], bases[:, 0])
    assert not np.array_equal(found.bases[:, 1], bases[:, 1])
    found = nmfd(V, 2, 4, beta=beta, activations=activations, learn_activations=False, **QUICK)
    np.testing.assert_array_equal(found.activations, activations)
    assert found.bases.dtype == found.activations.dtype == dtype
    found = nmfd(V, 2, 4, beta=beta, bases=bases[:, :, 0], learn_bases=False, **QUICK)
    np.testing.assert_array_equal(found.bases, spread_taps(bases[:, :, 0], 4))


def test_kept_bases_find_their_strokes():
    V, bases, activations = strokes()
    found = nmfd(V, 2, 4, bases=bases, learn_bases=False, tol=0)
    np.testing.assert_allclose(found.activations, activations, atol=1e-2)


def test_spectra_are_spread_over_taps():
    spread = spread_taps(np.ones((3, 2), np.float32), 4)
    assert (spread.shape, spread.dtype) == ((3, 2, 4), np.float32)
    np.testing.assert_allclose(spread[0, 0], DECAY ** np.arange(4), rtol=1e-6)


def test_silence_and_nothing_to_learn_are_said():
    silent = nmfd(np.zeros((5, 7)), 2, 3)
    assert silent.stop is Stop.SILENT
    assert not silent.activations.any()
    V, bases, activations = strokes()
    kept = nmfd(V, 2, 4, bases=bases, activations=activations, learn_bases=False, learn_activations=False)
    assert kept.stop is Stop.NOTHING_TO_LEARN
    np.testing.assert_allclose(kept.approximation(), V, atol=1e-12)
    assert kept.divergences[-1] < 1e-6


def test_the_seed_is_in_the_result_and_repeats_it():
    V, _, _ = strokes()
    first, again = (nmfd(V, 2, 3, rng=np.random.default_rng(9), **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.bases, again.bases)
    np.testing.assert_array_equal(first.bases, nmfd(V, 2, 3, rng=first.seed, **QUICK).bases)


def test_a_run_can_be_watched_and_its_progress_only_grows():
    V, _, _ = strokes()
    seen = list(nmfd_steps(V, 2, 3, Plan(restarts=2, max_iter=25, tol=0)))
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert {step.total for step in seen[-3:]} == {seen[-1].done}
    last = seen[-1].state
    assert isinstance(last, ConvolutiveState)
    assert (last.iteration, last.bases.shape, last.activations.shape) == (25, (12, 2, 3), (2, 60))


def test_without_momentum_the_history_never_rises():
    V = np.random.default_rng(2).gamma(0.4, 1.0, (20, 90))
    found = run(nmfd_steps(V, 3, 4, Plan(rule=Multiplicative(), max_iter=80, tol=0)))
    assert (np.diff(found.divergences) <= 0).all()
    faster = run(nmfd_steps(V, 3, 4, Plan(rule=Extrapolated(), max_iter=80, tol=0)))
    assert faster.divergences[-1] < found.divergences[-1]


def test_no_iterations_are_a_result_too():
    V, _, _ = strokes()
    found = nmfd(V, 2, 3, max_iter=0)
    assert (found.n_iter, found.stop) == (0, Stop.MAX_ITER)
    assert np.isfinite(found.approximation()).all()


class _Strange:
    name = "strange"
    betas = "every beta"
    constraints = True

    def supports(self, beta):
        return True

    def never_rises(self, beta):
        return False

    def start(self, problem, factors):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda V: nmfd(V, 2, 0), InvalidInput, "n_taps=0"),
        (lambda V: nmfd(V, 2, MAX_TAPS + 1), InvalidInput, "n_taps=1001"),
        (lambda V: nmfd(V, 0, 2), InvalidInput, "n_components=0"),
        (lambda V: nmfd(-V, 2, 2), InvalidInput, "negative"),
        (lambda V: nmfd(V[:, :0], 2, 2), InvalidInput, "no entries"),
        (lambda V: nmfd(V, 2, 2, bases=np.ones((12, 2, 3))), Incompatible, "has 3 taps, but n_taps=2"),
        (lambda V: nmfd(V, 2, 2, bases=np.ones((11, 2, 2))), Incompatible, r"needs \(12, n\)"),
        (lambda V: nmfd(V, 2, 2, bases=np.ones((12, 3))), Incompatible, "n_components=2"),
        (lambda V: nmfd(V, 2, 2, bases=-np.ones((12, 2, 2))), InvalidInput, "negative"),
        (lambda V: nmfd(V, 2, 2, activations=np.ones((2, 5))), Incompatible, "hop_length"),
        (lambda V: run(nmfd_steps(V, 2, 2, Plan(rule=_Strange()))), InvalidInput, "rule='strange' knows no taps"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call(strokes()[0])


# -- the value


def value(dtype=np.float64, n_frames=20):
    rng = np.random.default_rng(6)
    return ConvolutiveFactorization(
        rng.random((7, 3, 4)).astype(dtype),
        rng.random((3, n_frames)).astype(dtype),
        np.array([3.0, 1.0]),
        Stop.CONVERGED,
        iterations=np.array([0, 10]),
    )


@pytest.mark.parametrize("n_frames", [20, 2, 1])
def test_components_are_the_model_and_sum_to_the_approximation(n_frames):
    found = value(n_frames=n_frames)
    for k in range(3):
        alone = convolved(found.bases[:, [k]], found.activations[[k]])
        np.testing.assert_allclose(found.component(k), alone)
        np.testing.assert_allclose(found.levels()[k], np.linalg.norm(alone, axis=0))
    np.testing.assert_allclose(found.approximation(), convolved(found.bases, found.activations))


@pytest.mark.parametrize("make", [value, lambda: Factorization(np.eye(5)[:, :3] + 0.1, np.ones((3, 20)))])
def test_a_contribution_is_a_part_of_the_component_to_a_power(make):
    found = make()
    expected = np.sqrt(found.component(2)) + np.sqrt(found.component(0))
    np.testing.assert_allclose(found.contribution(slice(3, 9), [2, 0], 0.5), expected[:, 3:9].T)
    np.testing.assert_allclose(found.contribution(slice(15, 99), [1]), found.component(1)[:, 15:].T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalising_moves_the_level_into_the_activations(dtype):
    found = value(dtype).normalize()
    np.testing.assert_allclose(np.linalg.norm(found.bases, axis=(0, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(found.approximation(), value(dtype).approximation(), rtol=1e-5)
    assert found.bases.dtype == found.levels().dtype == found.approximation().dtype == dtype


def test_components_are_chosen_and_sorted():
    found = value().select([2, 0])
    np.testing.assert_array_equal(found.bases, value().bases[:, [2, 0]])
    np.testing.assert_array_equal(found.activations, value().activations[[2, 0]])
    low = np.zeros((7, 2, 2))
    low[6, 0], low[1, 1] = 1, 1
    sorted_ = ConvolutiveFactorization(low, np.ones((2, 3))).sort()
    np.testing.assert_array_equal(sorted_.bases, low[:, ::-1])
    np.testing.assert_array_equal(sorted_.spectra, 2 * np.eye(7)[:, [1, 6]])


def test_it_speaks_in_one_line_and_is_read_only():
    assert repr(value()) == (
        "ConvolutiveFactorization(3 components of 4 taps, 7 bins, 20 frames, divergence 1 after 10 iterations)"
    )
    assert (value().n_components, value().n_taps, value().n_iter) == (3, 4, 10)
    with pytest.raises(ValueError, match="read-only"):
        value().bases[0, 0, 0] = 1


def test_factors_that_do_not_fit_are_refused():
    with pytest.raises(Incompatible, match="has 2 components"):
        ConvolutiveFactorization(np.ones((4, 2, 3)), np.ones((3, 9)))
    with pytest.raises(InvalidInput, match="taps"):
        ConvolutiveFactorization(np.ones((4, 2)), np.ones((2, 9)))
    with pytest.raises(InvalidInput, match="component 3"):
        value().component(3)
    with pytest.raises(InvalidInput, match="component 3"):
        value().select([3])
