"""How many components, and a start for them: BufNMFSeed."""

import numpy as np
import pytest

from unweave.audio import Audio, load, save
from unweave.cli.sources import read_activations, read_bases
from unweave.decomposition import decompose, magnitudes
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.framing import STFT
from unweave.seeds import Seeds, seed, seed_steps
from unweave.starts import METHODS
from unweave.synthesis import drum_loop

SMALL = STFT(512)


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=1, sample_rate=22050)["mix"]


def decibels(truth, found):
    wrong = np.square(found.astype(np.float64) - truth).sum()
    return 10 * np.log10(np.square(truth.astype(np.float64)).sum() / wrong)


def test_flucoma_bufnmfseed_is_met_where_it_has_one_right_answer(shared):
    golden = np.load(shared / "golden" / "bufnmfseed_svd.npz")
    sound = load(shared / "audio" / "conga_groove.wav")
    found = seed(sound, stft=STFT.flucoma(1024, 512), method="nmf-svd", coverage=0.5)
    assert found.n_components == 3
    assert seed(sound, stft=STFT.flucoma(1024, 512), coverage=1).n_components == 188
    assert decibels(golden["bases"], found.dictionary.bases[0]) > 120
    assert decibels(golden["activations"], found.activations / found.activations.max()) > 120


@pytest.mark.parametrize("method", METHODS)
def test_bases_have_length_one_and_activations_the_level(loop, method):
    found = seed(loop, stft=SMALL, method=method, min_components=4)
    np.testing.assert_allclose(np.linalg.norm(found.dictionary.bases[0], axis=0), 1, rtol=1e-5)
    V = magnitudes(loop, SMALL)
    assert found.activations.shape == (found.n_components, V.shape[1])
    if method in ("nndsvda", "nndsvdar"):  # what fills the zeros is in the product too
        return
    first = np.outer(found.dictionary.bases[0, :, 0], found.activations[0])
    U, S, Vt = np.linalg.svd(V.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(first, S[0] * np.abs(np.outer(U[:, 0], Vt[0])), atol=1e-4 * V.max())


def test_the_share_is_one_of_values_or_of_energy(loop):
    found = seed(loop, stft=SMALL)
    values = np.linalg.svd(magnitudes(loop, SMALL).astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(found.values[:50], values[:50], rtol=1e-6)
    for share in (0.3, 0.6, 0.9):
        by_value = int(np.searchsorted(np.cumsum(values) / values.sum(), share)) + 1
        by_energy = int(np.searchsorted(np.cumsum(values**2) / np.sum(values**2), share)) + 1
        assert seed(loop, stft=SMALL, coverage=share).n_components == by_value == found.needed(share)
        assert seed(loop, stft=SMALL, coverage=share, count="energy").n_components == by_energy
    assert found.covered() >= 0.5
    assert found.covered("energy") > found.covered()


def test_a_start_from_seeds_ends_as_well_as_the_search_does(loop):
    found = seed(loop, coverage=0.9, count="energy", min_components=3, max_components=3)
    sought = decompose(loop, 3)
    started = decompose(loop, 3, bases=found.dictionary, activations=found.activations)
    assert started.divergences[-1] < 1.05 * sought.divergences[-1]


def test_stereo_channels_lie_one_below_the_other(loop):
    stereo = drum_loop(n_bars=1, sample_rate=22050, stereo=True)["mix"]
    found = seed(stereo, stft=SMALL, min_components=3, max_components=3)
    assert found.dictionary.bases.shape == (2, 257, 3)
    np.testing.assert_allclose(np.square(found.dictionary.bases).sum(axis=(0, 1)), 1, rtol=1e-5)
    twice = seed(Audio(np.tile(loop.samples, (2, 1)), 22050), stft=SMALL)
    once = seed(loop, stft=SMALL)
    np.testing.assert_allclose(twice.dictionary.bases[1], twice.dictionary.bases[0], atol=1e-5)
    np.testing.assert_allclose(twice.values[:20], once.values[:20] * np.sqrt(2), rtol=1e-5)


def test_a_file_in_blocks_gives_the_same_bits(loop, tmp_path):
    save(tmp_path / "loop.wav", loop)
    whole = seed(loop, stft=SMALL)
    blocks = [loop.samples[:, at : at + 509] for at in range(0, loop.n_samples, 509)]
    for found in (
        seed(tmp_path / "loop.wav", stft=SMALL),
        seed(lambda: iter(blocks), sample_rate=22050, stft=SMALL),
        seed(loop.samples, sample_rate=22050, stft=SMALL),
    ):
        np.testing.assert_array_equal(found.values, whole.values)
        np.testing.assert_array_equal(found.dictionary.bases, whole.dictionary.bases)
        np.testing.assert_array_equal(found.activations, whole.activations)


def test_itakura_saito_takes_powers(loop):
    found = seed(loop, stft=SMALL, beta=0)
    values = np.linalg.svd(np.square(magnitudes(loop, SMALL).astype(np.float64)), compute_uv=False)
    np.testing.assert_allclose(found.values[:10], values[:10], rtol=1e-5)


@pytest.mark.parametrize("n_samples", [0, 1, 127, 128, 1000])
@pytest.mark.parametrize("silent", [True, False])
def test_short_and_silent_sounds_have_seeds_too(n_samples, silent, rng):
    samples = np.zeros(n_samples) if silent else rng.uniform(-1, 1, n_samples)
    found = seed(Audio(samples, 8000), stft=SMALL, min_components=2)
    assert found.n_components >= 2
    assert np.isfinite(found.dictionary.bases).all()
    assert np.isfinite(found.activations).all()
    if silent or n_samples == 0:
        assert not found.activations.any()
        assert found.sentence == "2 components: the recording is silent."
        assert found.covered() == 0
    parts = decompose(Audio(samples, 8000), 2, bases=found.dictionary.select([0, 1]), max_iter=3)
    assert np.isfinite(parts.activations).all()


@pytest.mark.parametrize(("level", "tolerance"), [(1e-44, 0.3), (1e-38, 1e-3), (1e30, 1e-3)])
def test_levels_that_nobody_meets_do_no_harm(level, tolerance, rng):
    noise = rng.uniform(-1, 1, 4000)
    usual = seed(Audio(noise, 8000), stft=SMALL, coverage=0.3)
    found = seed(Audio((noise * level).astype(np.float32), 8000), stft=SMALL, coverage=0.3)
    assert found.n_components == usual.n_components
    assert np.linalg.norm(found.dictionary.bases - usual.dictionary.bases) < tolerance  # of 1e-44 two digits are left
    activations = found.activations.astype(np.float64) / level
    assert np.linalg.norm(activations - usual.activations) < tolerance * np.linalg.norm(usual.activations)


def test_more_components_than_frames_are_filled_up_with_small_random_ones():
    found = seed(Audio(np.ones(300), 8000), stft=SMALL, min_components=9)
    assert found.n_components == 9
    assert (found.activations[5:] > 0).all()
    assert found.activations[5:].max() < found.activations[0].max()


def test_a_file_gives_everything_back_and_serves_decompose(loop, tmp_path):
    found = seed(loop, stft=SMALL, method="nndsvd")
    found.save(tmp_path / "seeds.npz")
    back = Seeds.load(tmp_path / "seeds.npz")
    np.testing.assert_array_equal(back.dictionary.bases, found.dictionary.bases)
    np.testing.assert_array_equal(back.activations, found.activations)
    np.testing.assert_array_equal(back.values, found.values)
    assert (back.method, back.sentence) == ("nndsvd", found.sentence)
    given = read_bases(str(tmp_path / "seeds.npz"))
    assert isinstance(given, Dictionary)
    assert (given.stft, given.sample_rate) == (SMALL, 22050)
    np.testing.assert_array_equal(read_activations(str(tmp_path / "seeds.npz")), found.activations)
    given.save(tmp_path / "kit.npz")
    with pytest.raises(ReadError, match=r"kit\.npz is not seeds of unweave: it holds bases"):
        Seeds.load(tmp_path / "kit.npz")


def test_it_says_what_it_is(loop):
    found = seed(loop, stft=SMALL)
    assert found.sentence.startswith(f"{found.n_components} components: 5")
    assert found.sentence.endswith(" % of the energy.")
    assert repr(found) == f"Seeds({found.sentence[:-1]})"
    with pytest.raises(ValueError, match="read-only"):
        found.activations[0, 0] = 1
    with pytest.raises(Incompatible, match=r"activations\.shape=\(1, 3\), but"):
        Seeds(found.dictionary, np.ones((1, 3)), found.values, found.method)


def test_progress_counts_every_frame_twice(loop):
    told = list(seed_steps(loop, stft=SMALL))
    assert told[-1] == 2 * SMALL.n_frames(loop.n_samples)
    assert all(after > 0 for after in told)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coverage": 2}, "coverage=2 is not a share"),
        ({"min_components": 3, "max_components": 2}, "min_components=3 is more than max_components=2"),
        ({"method": "svd"}, "method='svd' is not one of"),
        ({"count": "variance"}, "count='variance' is not one of"),
        ({"rng": -1}, "rng=-1 is not a whole number"),
        ({"beta": "loud"}, "beta"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_computed(options, words):
    with pytest.raises(InvalidInput, match=words):
        seed("absent.wav", **options)
