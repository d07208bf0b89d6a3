"""How many sounds there are: of synthesised recordings the number is known."""

import time
from pathlib import Path

import numpy as np
import pytest

import unweave as uw
from unweave import plot
from unweave.arrays import Matrix
from unweave.decomposition import count_steps, magnitudes
from unweave.evaluation import best_permutation
from unweave.ladder import Small, divergences, ladder
from unweave.loop import run
from unweave.rank import METHODS, Method, RankChoice, estimate_rank, rank_steps, summed
from unweave.synthesis import drum_loop
from unweave.threads import limit

from .recordings import recording, with_parts


def counted(audio: uw.Audio) -> RankChoice:
    """What ``-k auto`` finds."""
    return run(count_steps(audio, uw.STFT()))


@pytest.fixture(scope="module")
def loop() -> np.ndarray:
    return magnitudes(drum_loop(n_bars=2, sample_rate=22050)["mix"], uw.STFT(1024))


# ---------------------------------------------------------------- what is promised


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_sounds", [2, 4, 7])
def test_the_sounds_of_a_recording_are_counted(n_sounds: int, seed: int) -> None:
    assert counted(recording(n_sounds, seed)).n_components == n_sounds


@pytest.mark.parametrize("n_sounds", [1, 3, 5, 6])
def test_other_numbers_of_sounds_are_counted_too(n_sounds: int) -> None:
    # Nothing in the module was chosen by these seeds.
    assert [counted(recording(n_sounds, seed)).n_components for seed in (100, 101)] == [n_sounds] * 2


@pytest.mark.parametrize("n_sounds", [2, 4, 7])
def test_these_recordings_can_be_taken_apart_into_as_many_parts_as_they_have(n_sounds: int) -> None:
    # Otherwise the number of sounds would be no number of components.
    mix, sounds = with_parts(n_sounds, 0)
    _, scores = best_permutation(sounds, list(uw.decompose(mix, n_sounds).components()))
    assert np.median(scores) > 10


@pytest.mark.parametrize("name", ["drums_1", "drums_2", "drums_3", "drums_4"])
def test_a_drum_loop_of_three_drums_has_three_parts(shared: Path, name: str) -> None:
    assert counted(uw.load(shared / "data" / name / "mix.flac")).n_components == 3


def test_counting_costs_less_than_a_few_runs(shared: Path) -> None:
    audio = uw.load(shared / "data" / "drums_1" / "mix.flac")
    began = time.perf_counter()
    counted(audio)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("stft", [uw.STFT(1024), uw.STFT(2048, 256), uw.STFT(4096)], ids=str)
def test_the_settings_of_the_transform_do_not_change_the_number(stft: uw.STFT) -> None:
    assert run(count_steps(recording(4, 0), stft)).n_components == 4


def test_two_channels_have_as_many_sounds_as_one() -> None:
    assert counted(drum_loop(n_bars=2, stereo=True)["mix"]).n_components == 3


def test_the_front_door_counts_by_itself() -> None:
    mix = drum_loop(n_bars=1, sample_rate=22050)["mix"]
    assert uw.decompose(mix, "auto", restarts=1, max_iter=5).n_components == 3
    bases = np.random.default_rng(0).random((1025, 5))
    assert uw.decompose(mix, "auto", bases=bases, max_iter=5).n_components == 5
    with pytest.raises(uw.InvalidInput, match=r"n_components='many' is neither a whole number nor 'auto'\."):
        uw.decompose(mix, "many")  # type: ignore[arg-type]


# ---------------------------------------------------------------- methods


@pytest.mark.parametrize("method", METHODS)
def test_every_method_counts_three_drums(loop: np.ndarray, method: Method) -> None:
    choice = estimate_rank(loop, method=method)
    assert (choice.n_components, choice.method) == (3, method)
    assert choice.candidates.tolist() == list(range(1, 17))
    assert choice.relevances.shape == choice.scores.shape == (16,)
    assert choice.sentence.startswith("3 parts: ")
    assert repr(choice) == f"RankChoice({method}: {choice.sentence})"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0, 3.0])
def test_every_divergence_gives_a_number(loop: np.ndarray, method: Method, beta: float) -> None:
    choice = estimate_rank(loop, method=method, beta=beta, max_components=5)
    assert 1 <= choice.n_components <= 5
    assert np.isfinite(choice.relevances).all()


@pytest.mark.parametrize("method", METHODS)
def test_an_exact_product_is_counted_column_by_column(rng: np.random.Generator, method: Method) -> None:
    activations = np.where(rng.random((3, 90)) < 0.4, rng.random((3, 90)), 0)
    bases = np.kron(np.eye(3), np.ones((8, 1))) + 0.02
    assert estimate_rank(bases @ activations, method=method, together=1, max_components=8).n_components == 3


def test_held_out_entries_are_not_explained_by_chance(rng: np.random.Generator) -> None:
    V = rng.gamma(1.0, 1.0, (40, 200)).astype(np.float32)
    choice = estimate_rank(V, method="heldout", together=1)
    assert choice.n_components == 1
    assert choice.relevances.max() < 0.05


def test_of_noise_the_careful_method_says_that_it_is_one_sound(rng: np.random.Generator) -> None:
    noise = uw.Audio(0.1 * rng.standard_normal(22050 * 4).astype(np.float32), 22050)
    assert estimate_rank(magnitudes(noise, uw.STFT()), method="heldout").n_components == 1


def test_where_there_is_no_knee_that_is_said(rng: np.random.Generator) -> None:
    V = np.diag(0.8 ** np.arange(30)) + 1e-3
    choice = estimate_rank(V, together=1)
    assert "not clear" in choice.sentence or "More were not tried." in choice.sentence
    assert choice.n_components > 5


def test_a_number_at_the_bound_says_that_more_were_not_tried() -> None:
    assert estimate_rank(np.eye(12), together=1, max_components=4).sentence.endswith("More were not tried.")


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "V",
    [
        np.zeros((5, 7)),
        np.ones((1, 1)),
        np.ones((6, 9)),
        np.ones((9, 1)),
        np.ones((1, 40)),
        np.eye(3),
        np.eye(2) * 1e-30,
    ],
    ids=["silence", "one entry", "a constant", "one frame", "one bin", "identity", "next to silence"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_and_empty_matrices_have_a_number(V: np.ndarray, method: Method, dtype: type) -> None:
    choice = estimate_rank(V.astype(dtype), method=method)
    assert 1 <= choice.n_components <= max(1, min(V.shape))
    assert np.isfinite(choice.relevances).all()
    assert np.isfinite(choice.scores).all()


def test_the_same_question_has_the_same_answer_on_any_number_of_threads(loop: np.ndarray) -> None:
    before = loop.copy()
    with limit(1):
        first = estimate_rank(loop, rng=3)
    with limit(3):
        second = estimate_rank(loop, rng=3)
    assert np.array_equal(first.relevances, second.relevances)
    assert np.array_equal(loop, before)
    with pytest.raises(ValueError, match="read-only"):
        first.scores[0] = 1


@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_the_unit_of_the_matrix_does_not_matter(loop: np.ndarray, scale: float) -> None:
    assert estimate_rank(loop * np.float32(scale)).n_components == 3


@pytest.mark.parametrize("method", METHODS)
def test_progress_grows_from_nothing_to_all(loop: np.ndarray, method: Method) -> None:
    shares = list(rank_steps(loop, method=method, max_components=4))
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_what_is_asked_is_small_however_long_the_recording_is() -> None:
    X = summed(np.ones((200, 13_000), np.float32))
    assert X.shape[0] <= 96
    assert X.shape[1] == 1000
    assert X.dtype == np.float32
    assert X.mean() == pytest.approx(1, abs=1e-3)


def test_sums_lose_nothing_but_the_edges(rng: np.random.Generator) -> None:
    V = rng.random((20, 400))
    X = summed(V, 8)
    assert X.shape == (20, 99)
    assert np.allclose(X[:, 0] / X[:, 1], V[:, :8].sum(axis=1) / V[:, 4:12].sum(axis=1))


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(uw.InvalidInput, match=r"method='best' is not one of knee, heldout, ard, ard-l2\."):
        estimate_rank(np.eye(3), method="best")  # type: ignore[arg-type]
    with pytest.raises(uw.InvalidInput, match=r"max_components=0 is not a whole number from 1 to 100\."):
        estimate_rank(np.eye(3), max_components=0)
    with pytest.raises(uw.InvalidInput, match=r"together=0"):
        estimate_rank(np.eye(3), together=0)
    with pytest.raises(uw.InvalidInput, match="there is nothing to explain"):
        estimate_rank(np.zeros((3, 0)))
    with pytest.raises(uw.InvalidInput, match="contains -1"):
        estimate_rank(-np.eye(3))


# ---------------------------------------------------------------- small fits


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
def test_no_iteration_of_a_small_fit_raises_the_divergence(rng: np.random.Generator, beta: float) -> None:
    V = rng.gamma(0.5, 1.0, (12, 30)) + 1e-3
    for seen in (None, rng.random(V.shape) > 0.3):
        small = Small(V, beta, seen)
        W: Matrix = 1 - rng.random((2, 12, 3))
        H: Matrix = 1 - rng.random((2, 3, 30))
        history = [small.divergence(W @ H)]
        for _ in range(20):
            W, H = small.move(W, H, 1)
            history.append(small.divergence(W @ H))
        assert np.all(np.diff(history, axis=0) <= 1e-9 * np.array(history[:-1]))


def test_what_is_not_seen_has_no_say(rng: np.random.Generator) -> None:
    V, seen = rng.random((8, 9)), rng.random((8, 9)) > 0.3
    other = np.where(seen, V, 7.0)
    factors = 1 - rng.random((1, 8, 2)), 1 - rng.random((1, 2, 9))
    one, two = Small(V, 1.0, seen), Small(other, 1.0, seen)
    two.epsilon = one.epsilon
    assert all(np.allclose(a, b) for a, b in zip(one.move(*factors, 5), two.move(*factors, 5), strict=True))


def test_one_component_more_never_explains_less(loop: np.ndarray) -> None:
    small = Small(summed(loop), 1.0)
    curve = [float(small.divergence(model)) for model in ladder(small, 8, np.random.default_rng(0))]
    assert np.all(np.diff(curve) <= 0)


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_divergences_by_entry_sum_to_the_divergence(rng: np.random.Generator, beta: float) -> None:
    V, model = rng.random((5, 6)) + 0.1, rng.random((5, 6)) + 0.1
    assert divergences(V, model, beta).sum() == pytest.approx(uw.divergence.beta_divergence(V, model, beta), rel=1e-6)


# ---------------------------------------------------------------- the picture


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_marks_the_choice(loop: np.ndarray, method: Method) -> None:
    choice = estimate_rank(loop, method=method)
    ax = plot.rank(choice)
    assert ax.get_xlabel() == "component (count)"
    assert ax.get_ylabel().startswith("relevance" if method.startswith("ard") else "explained (% of the divergence")
    shades = [bar.get_facecolor() for bar in ax.patches]
    assert len(shades) == 16
    assert len(set(shades[:3])) == len(set(shades[3:])) == 1
    assert shades[2] != shades[3]
    assert np.asarray(ax.lines[0].get_xdata())[0] == 3.5
    assert plot.rank(estimate_rank(np.zeros((2, 2))), ax=ax) is ax
