"""The activations of a mosaic: the constraints one by one, and FluCoMa's defects done right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.errors import Incompatible, InvalidInput
from unweave.loop import run
from unweave.mosaic import MAX_CELLS, CrossPlan, CrossProgress, _Search, activation_steps, require_size
from unweave.threads import limit


def activations(W, V, **options):
    return run(activation_steps(W, V, CrossPlan(**options)))


def problem(n_bins=30, n_templates=40, n_frames=300, seed=0):
    """Templates, and a target that is none of them; three blocks of frames."""
    rng = np.random.default_rng(seed)
    return (rng.random((n_bins, size), np.float32) ** 6 for size in (n_templates, n_frames))


def written_down(W, V, factors, *, time_sparsity, polyphony, continuity):
    """The algorithm as the paper and FluCoMa's facts tell it, entry by entry, in double precision."""
    W, V = W.astype(np.float64), V.astype(np.float64)
    units = [2.0 ** round(np.log2(matrix.mean())) for matrix in (W, V)]
    W, V = W / units[0], V / units[1]
    n, frames = W.shape[1], V.shape[1]
    H = np.random.default_rng(0).random((frames, n), np.float32).T.astype(np.float64)
    for factor in factors:
        reach, before = time_sparsity // 2, H.copy()
        for k in range(n):
            for m in range(frames):
                first = max(m - reach, 0)
                if first + np.argmax(before[k, first : m + reach + 1]) != m:
                    H[k, m] *= factor
        for m in range(frames):
            order = np.argsort(-H[:, m] * np.square(W).sum(axis=0))
            H[order[polyphony:], m] *= factor
        reach, limited, H = continuity // 2, H, np.zeros_like(H)
        for d in range(-reach, reach + 1):
            for k in range(max(0, -d), min(n, n - d)):
                for m in range(max(0, -d), min(frames, frames - d)):
                    H[k, m] += limited[k + d, m + d]
        H *= W.T @ (V / (W @ H + 1e-10)) / W.sum(axis=0)[:, None]
    return H * units[1] / units[0]


# -- the algorithm


@pytest.mark.parametrize(
    ("time_sparsity", "polyphony", "continuity"),
    [(3, 5, 3), (7, 11, 7), (1, 4, 5), (5, 100, 1), (9, 1, 1), (1, 100, 1)],
)
def test_it_is_the_algorithm_of_the_paper(time_sparsity, polyphony, continuity):
    W, V = problem(12, 17, 29)
    options = {"time_sparsity": time_sparsity, "polyphony": polyphony, "continuity": continuity}
    ours = activations(W, V, n_iter=6, **options)
    expected = written_down(W, V, [1 - (i + 1) / 6 for i in range(6)], **options)
    assert ours.shape == (17, 29)
    np.testing.assert_allclose(ours, expected, atol=1e-4 * expected.max())


def test_flucomas_integer_division_in_the_ramp_is_an_option_and_no_default():
    """Defect 1: there the factor is 1 in all iterations but the last, where it is 0."""
    W, V = problem(12, 17, 29)
    options = {"time_sparsity": 3, "polyphony": 4, "continuity": 3}
    last = activations(W, V, n_iter=6, ramp="last", **options)
    expected = written_down(W, V, [1, 1, 1, 1, 1, 0], **options)
    np.testing.assert_allclose(last, expected, atol=1e-4 * expected.max())
    assert not np.allclose(activations(W, V, n_iter=6, **options), expected, atol=0.01 * expected.max())
    assert [CrossPlan(n_iter=4).factor(i) for i in range(4)] == [0.75, 0.5, 0.25, 0.0]
    assert [CrossPlan(n_iter=4, ramp="last").factor(i) for i in range(4)] == [1.0, 1.0, 1.0, 0.0]


def test_the_ramp_bites_before_the_end():
    """After three quarters of the iterations few activations are left; at FluCoMa's factors, all of them."""
    W, V = problem(60, 80, 150)
    shares = {}
    for ramp in ("paper", "last"):
        plan = CrossPlan(n_iter=40, ramp=ramp)
        search = _Search(np.ascontiguousarray(W.T), np.ascontiguousarray(V.T), plan)
        for iteration in range(30):
            search.step(np.float32(plan.factor(iteration)))
        shares[ramp] = float(np.mean(search.H / search.H.max(axis=1, keepdims=True) > 1e-3))
    assert shares["paper"] < 0.6 * shares["last"]


# -- the constraints


def test_polyphony_limits_the_templates_of_a_frame():
    W, V = problem()
    for count in (1, 3, 8):
        H = activations(W, V, time_sparsity=1, polyphony=count, continuity=1, n_iter=10)
        assert (H > 0).sum(axis=0).max() == count
    # along the diagonal every one of them may bring its neighbours
    H = activations(W, V, time_sparsity=1, polyphony=2, continuity=5, n_iter=10)
    assert 2 < (H > 0).sum(axis=0).max() <= 10


def test_the_templates_with_the_most_energy_are_kept_not_those_with_the_greatest_activation():
    rng = np.random.default_rng(0)
    W = rng.random((20, 10)) + 0.1
    W[:, :5] *= 1e-3  # quiet ones have large activations
    H = activations(W, W @ rng.random((10, 50)), time_sparsity=1, polyphony=3, continuity=1, n_iter=20)
    assert not H[:5].any()
    assert H[5:].any()


def test_time_sparsity_lets_no_template_return_too_soon():
    W, V = problem()
    for reach in (1, 3, 6):
        H = activations(W, V, time_sparsity=2 * reach + 1, polyphony=1000, continuity=1, n_iter=10)
        played = [np.flatnonzero(row) for row in H]
        gaps = np.concatenate([np.diff(times) for times in played if times.size > 1])
        assert gaps.min() > reach
    assert (
        np.diff(np.flatnonzero(activations(W, V, time_sparsity=1, continuity=1, polyphony=40, n_iter=5)[0])).min() == 1
    )


def test_continuity_favours_templates_that_follow_each_other():
    """A target that holds a run of the source is built from that run."""
    rng = np.random.default_rng(1)
    W = rng.random((40, 60)) ** 4
    V = W[:, 20:45]
    H = activations(W, V, polyphony=3, continuity=7, n_iter=60)
    assert (H.argmax(axis=0) == np.arange(20, 45)).mean() > 0.9


@given(st.integers(0, 8), st.integers(0, 40), st.integers(1, 70), st.integers(0, 5))
def test_limits_of_any_length_and_matrices_of_any_size_leave_finite_numbers(half, other, polyphony, seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 12, 3)
    W, V = rng.random((shape[0], shape[1])), rng.random((shape[0], shape[2]))
    H = activations(W, V, time_sparsity=2 * half + 1, polyphony=polyphony, continuity=2 * other + 1, n_iter=3)
    assert H.shape == (shape[1], shape[2])
    assert np.isfinite(H).all()
    assert (H >= 0).all()


# -- what an update promises


def test_every_frame_has_the_sum_of_the_targets():
    W, V = problem()
    H = activations(W, V, n_iter=12)
    np.testing.assert_allclose((W @ H).sum(axis=0), V.sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize(("source", "target"), [(1e-20, 1.0), (1.0, 1e-15), (1e12, 1e-12), (1e-30, 1e-30)])
def test_levels_change_nothing_but_the_scale(source, target):
    W, V = problem()
    expected = activations(W, V, n_iter=8)
    scaled = activations(W.astype(np.float64) * source, V.astype(np.float64) * target, n_iter=8)
    model, other = W @ expected, W.astype(np.float64) @ scaled.astype(np.float64) * (source / target)
    assert np.linalg.norm(model - other) < 0.02 * np.linalg.norm(model)


def test_a_silent_template_is_not_played_and_a_silent_frame_plays_nothing():
    W, V = (matrix.copy() for matrix in problem())
    W[:, 3], V[:, 7] = 0, 0
    H = activations(W, V, n_iter=5)
    assert not H[3].any()
    assert not H[:, 7].any()
    assert np.isfinite(H).all()


@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0), (0, 0)])
def test_silence_gives_no_activations(source, target):
    W, V = problem()
    H = activations(W * source, V * target)
    assert H.shape == (40, 300)
    assert not H.any()


# -- laws


def test_one_thread_makes_the_same_bits_as_many():
    W, V = problem(n_frames=700)
    found = []
    for count in (1, 2, 5):
        with limit(count):
            found.append(activations(W, V, n_iter=5))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_seed_decides_and_nothing_given_is_changed():
    W, V = problem()
    copies = W.copy(), V.copy()
    first, same, other = (activations(W, V, n_iter=5, rng=rng) for rng in (None, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(W, copies[0])
    np.testing.assert_array_equal(V, copies[1])


def test_the_steps_tell_how_much_is_done():
    steps = activation_steps(*problem(), CrossPlan(n_iter=3))
    found = list(steps)
    assert found == [CrossProgress("frames", done, 3) for done in (1, 2, 3)]
    assert [round(progress.share, 2) for progress in found] == [0.33, 0.67, 1.0]


# -- what is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time_sparsity": 6}, "time_sparsity=6 is even, but it has a middle: take 5 or 7"),
        ({"continuity": 2}, "continuity=2 is even, but it has a middle: take 1 or 3"),
        ({"time_sparsity": 0}, "time_sparsity=0 is not a whole number from 1 to 9999"),
        ({"continuity": 10_001}, "continuity=10001 is not a whole number from 1 to 9999"),
        ({"polyphony": 0}, "polyphony=0 is not a whole number from 1 to 1000000"),
        ({"polyphony": 1.5}, "polyphony=1.5 is not a whole number"),
        ({"n_iter": 0}, "n_iter=0 is not a whole number from 1 to 100000"),
        ({"n_phase_iter": -1}, "n_phase_iter=-1 is not a whole number from 0"),
        ({"ramp": "linear"}, "ramp='linear' is not one of paper, last"),
    ],
)
def test_numbers_out_of_range_are_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        CrossPlan(**options)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(Incompatible, match="templates has 5 bins and V 6: both need the same transform"):
        activations(np.ones((5, 2)), np.ones((6, 3)))
    with pytest.raises(InvalidInput, match="templates contains -1"):
        activations(-np.ones((5, 2)), np.ones((5, 3)))
    with pytest.raises(InvalidInput, match="V contains NaN or infinity"):
        activations(np.ones((5, 2)), np.full((5, 3), np.nan))


def test_more_than_fits_into_memory_is_refused_before_anything_is_computed():
    require_size(2**14, MAX_CELLS // 2**14)
    with pytest.raises(InvalidInput, match="32768 frames of the source by 32768 of the target .* take a part"):
        require_size(2**15, 2**15)
