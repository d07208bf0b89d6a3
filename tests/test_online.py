"""Streams and matrices out of memory: what they find is what `nmf` finds."""

from pathlib import Path

import numpy as np
import pytest

import unweave as uw
from tests.problems import CASES
from unweave.decomposition import magnitudes
from unweave.divergence import beta_divergence
from unweave.loop import make_factors, make_problem
from unweave.online import OnlineNMF, learn
from unweave.online.piecewise import PiecewisePenalties, require_piecewise
from unweave.rules import Multiplicative, Penalties
from unweave.rules.looks import objective as rules_objective
from unweave.threads import limit

PENALTIES = [
    Penalties(l1=0.2),
    Penalties(l2=0.3),
    Penalties(group=0.2),
    Penalties(l1=0.1, l2=0.1, group=0.1),
]
NAMES = ["l1", "l2", "group", "all three"]
SOME_BETAS = [-1.0, 0.0, 1.0, 1.5, 2.0]
CUTS = [1, 509, 10**6]


@pytest.fixture
def quick(monkeypatch) -> None:
    """One short start instead of ten, where the start is not what is tested."""

    def one_start(V, n_components, *, max_iter, **options):
        return uw.nmf(V, n_components, start="nndsvda", max_iter=min(max_iter, 20), **options)

    monkeypatch.setattr("unweave.online.learning.nmf", one_start)


def likeness(found, wanted) -> float:
    """The least cosine between bases of the one and the bases of the other that they match."""
    found = uw.Factorization(found, np.zeros((found.shape[1], 1))).match(wanted).bases
    return float(((found * wanted).sum(0) / np.linalg.norm(found, axis=0) / np.linalg.norm(wanted, axis=0)).min())


def blocks_of(V, size):
    return lambda: (V[:, at : at + size] for at in range(0, V.shape[1], size))


def streamed(V, n_components, size=100, **options):
    model = OnlineNMF(n_components, **options)
    for block in blocks_of(V, size)():
        model.partial_fit(block)
    return model


@pytest.fixture(scope="module")
def V():  # noqa: N802 - the matrix
    """Four sounds with noise, float32; some frames are silent."""
    rng = np.random.default_rng(440)
    exact = rng.gamma(0.3, 1, (24, 4)) @ rng.gamma(0.3, 1, (4, 900))
    noisy = (exact * rng.gamma(20, 1 / 20, exact.shape)).astype(np.float32)
    noisy[:, 300:320] = 0
    return noisy


@pytest.fixture(scope="module")
def whole(V) -> uw.Factorization:
    return uw.nmf(V, 4)


# ---------------------------------------------------------------- learn


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_bases_learned_by_blocks_are_those_of_the_whole(V, beta) -> None:
    V = V[:, 320:]  # for β ≤ 0 the whole explains silence too
    assert likeness(learn(blocks_of(V, 300), 4, beta=beta).bases, uw.nmf(V, 4, beta=beta).bases) >= 0.999


def test_where_blocks_end_changes_no_bit(V, quick) -> None:
    whole = learn(V, 4, max_iter=2)
    for size in CUTS:
        found = learn(blocks_of(V, size), 4, max_iter=2)
        assert np.array_equal(found.bases, whole.bases)
        assert np.array_equal(found.activations, whole.activations)
        assert np.array_equal(found.divergences, whole.divergences)


def test_one_thread_and_three_find_the_same_bits(V, quick) -> None:
    with limit(1):
        one = learn(V, 4, max_iter=4)
    with limit(3):
        three = learn(V, 4, max_iter=4)
    assert np.array_equal(one.bases, three.bases)


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_more_iterations_never_end_at_a_greater_divergence(V, quick, beta) -> None:
    ends = [learn(V, 4, beta=beta, max_iter=n, tol=0).divergences[-1] for n in (1, 4)]
    assert ends[1] <= ends[0] * (1 + 1e-5)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_last_divergence_is_that_of_the_result(V, quick, beta) -> None:
    found = learn(V, 4, beta=beta, max_iter=6)
    assert found.divergences[-1] == pytest.approx(beta_divergence(V, found.approximation(), beta), rel=1e-4)
    assert found.iterations[-1] == 6


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_memory_mapped_file_is_read_as_it_lies(V, whole, quick, tmp_path: Path, dtype) -> None:
    frames = np.memmap(tmp_path / "v", dtype, "w+", shape=V.T.shape)
    frames[...] = V.T
    found = learn(frames.T, 4, max_iter=2)
    assert found.bases.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert likeness(found.bases, whole.bases) >= 0.999


def test_more_frames_than_the_sample_and_than_a_piece_for_each_group(monkeypatch, V, whole, quick) -> None:
    monkeypatch.setattr("unweave.online.learning.SAMPLE_FRAMES", 200)
    monkeypatch.setattr("unweave.online.incremental.PIECE", 16)
    assert likeness(learn(V, 4, max_iter=20).bases, whole.bases) >= 0.999


@pytest.mark.parametrize("beta", SOME_BETAS)
def test_every_problem_has_a_defined_result(quick, beta) -> None:
    for case in CASES:
        before = case.V.copy()
        found = learn(blocks_of(case.V, 5), case.n_components, beta=beta, max_iter=2)
        assert np.isfinite(found.approximation()).all(), case.name
        assert np.isfinite(found.divergences).all(), case.name
        assert found.activations.shape == (case.n_components, case.V.shape[1]), case.name
        assert np.array_equal(before, case.V), case.name


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_kept_bases_are_kept_to_the_bit_while_others_learn(V, quick, beta, rng) -> None:
    given = rng.random((24, 2)).astype(np.float32) * 3
    kept = learn(V, 4, beta=beta, bases=given, learn_bases=[False, True], max_iter=3).bases
    assert np.array_equal(kept[:, 0], given[:, 0])
    assert not np.array_equal(kept[:, 1], given[:, 1])


def test_activations_of_kept_bases_are_those_of_nmf(V, whole) -> None:
    found = learn(V, 4, bases=whole.bases, learn_bases=False)
    assert np.array_equal(found.bases, whole.bases)
    assert found.divergences[-1] == pytest.approx(whole.divergences[-1], rel=1e-3)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_zeros_in_given_bases_stay_zeros(V, quick, beta, rng) -> None:
    given = rng.random((24, 4)) * (rng.random((24, 4)) < 0.7)
    assert not learn(V, 4, beta=beta, bases=given, max_iter=3).bases[given == 0].any()


def test_silence_has_no_activations() -> None:
    found = learn(lambda: [np.zeros((5, 7))] * 2, 3)
    assert found.activations.shape == (3, 14)
    assert not found.activations.any()
    assert found.stop is uw.Stop.SILENT


def test_blocks_that_come_only_once_are_refused(V) -> None:
    once = iter([V])
    with pytest.raises(uw.Incompatible, match="asked for again: pass a function that makes a new iterable"):
        learn(lambda: once, 2)


def test_what_cannot_be_explained_is_refused_in_a_sentence(V) -> None:
    with pytest.raises(uw.Incompatible, match="a block of V has 5 bins, but the first one has 24"):
        learn(lambda: [V, np.ones((5, 3))], 2)
    with pytest.raises(uw.InvalidInput, match="no entry may be negative"):
        learn(-V, 2)
    with pytest.raises(uw.InvalidInput, match="V has no entries"):
        learn(list, 2)
    with pytest.raises(uw.InvalidInput, match="matrix with two axes"):
        learn(V[0], 2)
    with pytest.raises(uw.InvalidInput, match="n_components=0"):
        learn(V, 0)


# ---------------------------------------------------------------- penalties


def objective(V, found, beta, penalties) -> float:
    """Divergence and penalties of a factorisation, as `unweave.nmf` reckons them."""
    learns = np.ones(found.n_components, np.bool_)
    problem = make_problem(V, beta, learns, learns, penalties=penalties)
    return rules_objective(problem, make_factors(found.bases, found.activations, V.dtype))


@pytest.mark.parametrize("penalties", PENALTIES, ids=NAMES)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_with_penalties_the_objective_never_rises_and_is_that_of_the_result(V, quick, beta, penalties) -> None:
    V = V[:, 320:].astype(np.float64)
    found = [learn(V, 4, beta=beta, max_iter=n, tol=0, penalties=penalties) for n in (0, 1, 2, 5)]
    ends = [objective(V, each, beta, penalties) for each in found]
    assert (np.diff(ends) <= 1e-9 * ends[0]).all()
    assert found[-1].divergences[-1] == pytest.approx(ends[-1], rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_penalties_by_blocks_are_those_of_the_whole(V, beta) -> None:
    V, penalties = V[:, 320:], Penalties(l1=0.1, l2=0.05)
    learned, whole = (find(V, 4, beta=beta, penalties=penalties) for find in (learn, uw.nmf))
    assert likeness(learned.bases, whole.bases) >= 0.999
    ends = [objective(V, each, beta, penalties) for each in (learned, whole)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_activations_of_kept_bases_under_penalties_are_those_of_nmf(V, whole, beta) -> None:
    V, penalties = V[:, 320:], Penalties(l1=0.2, l2=0.1)
    options = {"beta": beta, "bases": whole.bases, "learn_bases": False, "penalties": penalties}
    ends = [objective(V, find(V, 4, **options), beta, penalties) for find in (learn, uw.nmf)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)


def test_a_group_of_frames_tells_the_bases_all_that_penalties_need() -> None:
    rng = np.random.default_rng(0)
    W, H = rng.random((3, 6)), rng.random((9, 3))
    for penalties in (Penalties(l1=[0.1, 0, 2.0]), Penalties(l2=0.7), Penalties(group=0.7, groups=["a", "b", "a"])):
        local = PiecewisePenalties(penalties, 3, 6, beta=1.0, level=0.5)
        (pressed, squares), strength = local.amounts(W, H).T, local.pressures.l2

        def bound(norms, pressed=pressed, squares=squares, strength=strength):
            return pressed @ norms + 0.5 * (strength * squares) @ norms**2

        norms = np.linalg.norm(W, axis=1)
        below = local.cost(W, H) - bound(norms)
        for factor in rng.uniform(0.2, 5, (20, 3)):
            assert local.cost(W * factor[:, None], H) <= bound(norms * factor) + below + 1e-9


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_l1_makes_the_activations_of_long_matrices_and_streams_sparse(rng, beta) -> None:
    V, bases = rng.random((24, 400)) + 0.05, rng.random((24, 5))
    share = []
    for strength in (0.0, 1.0):
        options = {"beta": beta, "bases": bases, "learn_bases": False, "penalties": Penalties(l1=strength)}
        both = learn(V, 5, **options).activations, streamed(V, 5, **options).transform(V)
        share.append([np.mean(0.01 * H.mean() > H) for H in both])
    assert share[1][0] > share[0][0]
    assert share[1][1] > share[0][1]


@pytest.mark.parametrize("penalties", PENALTIES, ids=NAMES)
def test_with_penalties_where_blocks_end_and_who_works_changes_no_bit(V, quick, penalties) -> None:
    found, streams = [], []
    for size, threads in ((1000, 1), (97, 3)):
        with limit(threads):
            found.append(learn(blocks_of(V, size), 4, max_iter=2, penalties=penalties))
            streams.append(streamed(V, 4, size, start_frames=100, penalties=penalties).bases)
    assert np.array_equal(found[0].bases, found[1].bases)
    assert np.array_equal(found[0].activations, found[1].activations)
    assert np.array_equal(streams[0], streams[1])


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_kept_bases_and_zeros_are_kept_under_penalties(V, quick, beta, rng) -> None:
    given = rng.random((24, 2)).astype(np.float32) * (rng.random((24, 2)) < 0.7) * 3
    options = {"beta": beta, "bases": given, "learn_bases": [False, True], "penalties": PENALTIES[-1]}
    stream = streamed(V, 4, start_frames=100, **options)
    for found in (learn(V, 4, max_iter=3, **options).bases, stream.bases):
        assert np.array_equal(found[:, 0], given[:, 0])
        assert not found[:, 1][given[:, 1] == 0].any()
        assert np.isfinite(found).all()


@pytest.mark.parametrize("beta", SOME_BETAS)
def test_every_problem_has_a_defined_result_under_penalties(quick, beta) -> None:
    for case in CASES:
        penalties = Penalties(l1=0.1, l2=0.1, group=0.1)
        found = learn(blocks_of(case.V, 5), case.n_components, beta=beta, max_iter=2, penalties=penalties)
        model = OnlineNMF(case.n_components, beta=beta, batch_frames=16, start_frames=8, penalties=penalties)
        heard = np.hstack([model.partial_fit(block) for block in blocks_of(case.V, 19)()])
        for array in (found.approximation(), found.divergences, heard, model.bases):
            assert np.isfinite(array).all(), case.name
    assert not learn(np.zeros((5, 7)), 3, penalties=penalties).activations.any()


def test_a_strength_means_the_same_however_loud_a_stream_is(V, quick) -> None:
    given = uw.nmf(V, 4, restarts=1).bases
    loud, soft = (
        streamed(level * V, 4, bases=given, learn_bases=False, penalties=Penalties(l1=0.3)).transform(level * V) / level
        for level in (64, 1)
    )
    np.testing.assert_allclose(loud, soft, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("penalties", "error", "words"),
    [
        (Penalties(continuity=0.1), uw.InvalidInput, "penalties.continuity looks at neighbouring frames"),
        (Penalties(bases_l1=0.1), uw.InvalidInput, "penalties.bases_l1 looks at whole activations"),
        (Penalties(l1=[0.1, 0.2]), uw.Incompatible, "penalties.l1 has 2 strengths for 4 components"),
        (0.1, uw.InvalidInput, "penalties=0.1 is no unweave.rules.Penalties"),
    ],
)
def test_penalties_that_look_beyond_a_piece_are_refused(V, penalties, error, words) -> None:
    for call in (learn, lambda _, count, **options: OnlineNMF(count, **options)):
        with pytest.raises(error, match=words):
            call(V, 4, penalties=penalties)


def test_penalties_of_zero_are_none(V, quick) -> None:
    assert require_piecewise(Penalties(), 3) is None
    assert np.array_equal(learn(V, 4, max_iter=2, penalties=Penalties()).bases, learn(V, 4, max_iter=2).bases)


# ---------------------------------------------------------------- OnlineNMF


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_a_stream_learns_the_bases_of_the_whole(V, beta) -> None:
    model = streamed(V, 4, beta=beta)
    assert likeness(model.bases, uw.nmf(V[:, 320:], 4, beta=beta).bases) >= 0.98
    assert np.allclose(np.linalg.norm(model.bases, axis=0), 1, atol=1e-5)


def test_what_is_learned_does_not_depend_on_the_size_of_the_blocks(V, quick) -> None:
    bases = [streamed(V, 4, size, start_frames=100).bases for size in CUTS]
    assert all(np.array_equal(one, bases[-1]) for one in bases)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_bases_times_activations_are_the_block(V, beta) -> None:
    model = streamed(V, 4, beta=beta)
    block = V[:, -200:]
    best = uw.nmf(block, 4, beta=beta, bases=model.bases, learn_bases=False).divergences[-1]
    for H in (model.transform(block), model.partial_fit(block)):
        assert beta_divergence(block, model.bases @ H, beta) < 1.3 * best


def test_to_transform_is_not_to_learn(V, quick) -> None:
    model = streamed(V[:, :600], 4)
    before = model.bases
    model.transform(V[:, 600:])
    assert np.array_equal(before, model.bases)


def test_after_a_reset_the_same_stream_teaches_the_same(V, quick) -> None:
    model = streamed(V, 4)
    before = model.bases
    model.reset()
    for block in blocks_of(V, 333)():
        model.partial_fit(block)
    assert np.array_equal(before, model.bases)


def test_who_forgets_follows_a_stream_that_changes(quick, rng) -> None:
    old, new = (rng.random((24, 2)) @ rng.gamma(0.3, 1, (2, 900)) for _ in range(2))
    forgets, remembers = (streamed(np.hstack([old, new]), 2, forgetting=share) for share in (0.7, 1.0))
    left = [beta_divergence(new, model.bases @ model.transform(new)) for model in (forgets, remembers)]
    assert left[0] < 0.5 * left[1]


@pytest.mark.parametrize("beta", SOME_BETAS)
def test_a_stream_of_anything_has_finite_bases_and_activations(quick, beta) -> None:
    for case in CASES:
        model = OnlineNMF(case.n_components, beta=beta, batch_frames=16, start_frames=8)
        for block in blocks_of(case.V, 19)():
            found = model.partial_fit(block)
            assert found.shape == (case.n_components, block.shape[1]), case.name
            assert np.isfinite(found).all(), case.name
        bases = model.bases
        assert np.isfinite(bases).all(), case.name
        assert (bases >= 0).all(), case.name


def test_silence_is_zero_and_teaches_nothing(V, quick) -> None:
    model = OnlineNMF(3)
    assert not model.partial_fit(np.zeros((24, 600), np.float32)).any()
    assert np.isfinite(model.bases).all()
    first = streamed(V, 3)
    assert not first.partial_fit(np.zeros((24, 900))).any()
    assert np.array_equal(first.bases, streamed(V, 3).bases)


@pytest.mark.parametrize("learns", [False, [False, True, False, True], True])
def test_given_bases_are_used_from_the_first_frame(V, whole, learns) -> None:
    given = whole.bases
    model = OnlineNMF(4, bases=given * 2, learn_bases=learns)
    first = model.partial_fit(V[:, :50])
    assert (
        beta_divergence(V[:, :50], given * 2 @ first)
        < 1.1 * uw.nmf(V[:, :50], 4, bases=given, learn_bases=False).divergences[-1]
    )
    model.partial_fit(V[:, 50:])
    kept = ~np.broadcast_to(learns, 4)
    assert np.array_equal(model.bases[:, kept], given[:, kept] * 2)
    assert likeness(model.bases, given) >= 0.98


def test_a_stream_that_ends_early_has_bases_all_the_same(V) -> None:
    model = streamed(V[:, :90], 4, 7)
    assert np.array_equal(model.bases, uw.nmf(V[:, :90], 4, max_iter=100).bases)


def test_what_does_not_fit_a_stream_is_refused_in_a_sentence(V) -> None:
    with pytest.raises(uw.InvalidInput, match="no bases before the first block"):
        OnlineNMF(2).bases
    with pytest.raises(uw.InvalidInput, match="forgetting=0 is not a number above 0"):
        OnlineNMF(2, forgetting=0)
    with pytest.raises(uw.Incompatible, match="3 bases are given"):
        OnlineNMF(2, bases=np.ones((5, 3)))
    model = OnlineNMF(2)
    model.partial_fit(V)
    with pytest.raises(uw.Incompatible, match="V_block has 5 bins, but 24 are needed"):
        model.partial_fit(np.ones((5, 2)))


# ---------------------------------------------------------------- recordings


def test_on_drums_both_find_what_the_batch_finds(shared: Path) -> None:
    drums = magnitudes(uw.load(shared / "data" / "drums_3" / "mix.flac"), uw.STFT())
    # The valley is flat: the default rule goes on along it, where plain updates stop at the level that is learned here.
    plain, deep = (uw.nmf(drums, 3, restarts=4, rule=rule) for rule in (Multiplicative(), None))
    learned = learn(blocks_of(drums, 100), 3, max_iter=30)
    assert likeness(learned.bases, plain.bases) >= 0.99
    assert likeness(streamed(drums, 3).bases, plain.bases) >= 0.98
    assert learned.divergences[-1] <= 1.0002 * deep.divergences[-1]
