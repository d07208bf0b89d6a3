import numpy as np
import pytest

from unweave.decomposition import decompose
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, ReadError, UnweaveError
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.npz import read_npz, write_npz
from unweave.parts import Decomposition
from unweave.sound import Audio

SMALL = STFT(8, 2)


def bases(*shape):
    return np.random.default_rng(1).random(shape).astype(np.float32)


@pytest.fixture
def drums():
    return Dictionary(bases(2, 5, 3), ("kick", "snare", "hihat"), SMALL, 22050)


def test_a_matrix_is_one_channel_and_labels_are_numbers():
    dictionary = Dictionary(bases(1025, 3))
    assert dictionary.bases.shape == (1, 1025, 3)
    assert dictionary.labels == ("0", "1", "2")
    assert (dictionary.n_channels, dictionary.n_components) == (1, 3)
    assert (dictionary.stft, dictionary.sample_rate) == (STFT(), 44100)


def test_the_bases_are_a_copy_that_cannot_be_changed():
    given = bases(5, 3)
    dictionary = Dictionary(given, (), SMALL)
    with pytest.raises(ValueError, match="read-only"):
        dictionary.bases[0, 0, 0] = 1
    before = dictionary.bases.copy()
    given[:] = 0
    np.testing.assert_array_equal(dictionary.bases, before)


@pytest.mark.parametrize("rate", [22050, 22050.0, np.int64(22050), np.float32(22050)])
def test_rates_are_numbers_of_any_kind(rate):
    found = Dictionary(bases(5, 3), (), SMALL, rate).sample_rate
    assert (found, type(found)) == (22050, int)


def test_it_says_what_it_is(drums):
    assert repr(drums) == "Dictionary(3 bases: kick, snare, hihat; n_fft=8 at 22050 Hz)"
    assert "7, …; n_fft" in repr(Dictionary(bases(5, 9), (), SMALL))


def test_bases_are_selected_by_label(drums):
    chosen = drums.select(["hihat", "kick"])
    assert chosen.labels == ("hihat", "kick")
    np.testing.assert_array_equal(chosen.bases, drums.bases[:, :, [2, 0]])
    assert (chosen.stft, chosen.sample_rate) == (drums.stft, drums.sample_rate)
    with pytest.raises(InvalidInput, match="label 'tom' is not among kick, snare, hihat"):
        drums.select(["kick", "tom"])


@pytest.fixture
def kit():
    """Two bases of a snare between a kick and a hi-hat."""
    return Dictionary(bases(5, 4), ("kick", "snare", "snare", "hihat"), SMALL, 8000)


def test_a_label_may_stand_at_several_bases_and_then_means_all_of_them(kit):
    assert kit.select(["snare"]).labels == ("snare", "snare")
    np.testing.assert_array_equal(kit.select(["hihat", "snare"]).bases, kit.bases[:, :, [3, 1, 2]])
    assert kit.drop(["snare"]).labels == ("kick", "hihat")
    np.testing.assert_array_equal(kit.drop([0, "hihat"]).bases, kit.bases[:, :, [1, 2]])


def test_numbers_mean_one_base(kit):
    np.testing.assert_array_equal(kit.select([2, 0]).bases, kit.bases[:, :, [2, 0]])
    assert kit.select([2, 0]).labels == ("snare", "kick")
    assert kit.select([np.int64(3)]).labels == ("hihat",)


def test_an_order_names_what_comes_first(kit):
    ordered = kit.reorder(["hihat", 2])
    assert ordered.labels == ("hihat", "snare", "kick", "snare")
    np.testing.assert_array_equal(ordered.bases, kit.bases[:, :, [3, 2, 0, 1]])


def test_the_order_by_centroid_is_low_to_high_and_zeros_come_last():
    spectra = np.zeros((5, 4))
    spectra[[3, 1, 4], [0, 1, 3]] = 1
    found = Dictionary(spectra, ("c", "a", "silent", "d"), SMALL, 8000)
    np.testing.assert_array_equal(found.centroids, [3000, 1000, np.inf, 4000])
    assert found.reorder("centroid").labels == ("a", "c", "d", "silent")


def test_new_names_are_given_to_all_or_to_some(kit):
    assert kit.relabel(["a", "b", "c", "d"]).labels == ("a", "b", "c", "d")
    assert kit.relabel({"snare": "clap", "kick": "boom"}).labels == ("boom", "clap", "clap", "hihat")
    assert kit.relabel({"snare": "clap"}).bases is not kit.bases
    assert kit.labels == ("kick", "snare", "snare", "hihat")


@pytest.mark.parametrize(("level", "order"), [("l2", 2), ("l1", 1), ("max", np.inf)])
def test_levels_are_made_one_over_all_channels_and_taps(level, order):
    for shape in ((2, 5, 3), (2, 5, 3, 4)):
        given = bases(*shape)
        given[:, :, 1] = 0
        made = Dictionary(given, (), SMALL).normalize(level).bases
        sizes = [np.linalg.norm(made[:, :, k].ravel(), order) for k in range(3)]
        np.testing.assert_allclose(sizes, [1, 0, 1], rtol=1e-6)
        np.testing.assert_allclose(made[:, :, 0] / made[0, 0, 0], given[:, :, 0] / given[0, 0, 0], rtol=1e-5)


def test_bases_are_summed_into_one_where_the_first_stood(kit):
    joined = kit.join(["snare", "hihat"], "rest")
    assert joined.labels == ("kick", "rest")
    np.testing.assert_allclose(joined.bases[:, :, 1], kit.bases[:, :, 1:].sum(axis=2), rtol=1e-6)
    np.testing.assert_array_equal(joined.bases[:, :, 0], kit.bases[:, :, 0])
    assert kit.join([3, 1]).labels == ("kick", "hihat", "snare")


def test_a_sum_can_be_weighted(kit):
    joined = kit.join([3, 0], weights=[2, 0.5])
    np.testing.assert_allclose(joined.bases[0, :, 0], 2 * kit.bases[0, :, 3] + 0.5 * kit.bases[0, :, 0], rtol=1e-6)
    with_taps = Dictionary(bases(1, 5, 2, 3), (), SMALL)
    np.testing.assert_allclose(with_taps.join([0, 1]).bases[:, :, 0], with_taps.bases.sum(axis=2), rtol=1e-6)


def test_dictionaries_are_merged_in_order_and_mono_serves_stereo(kit, drums):
    stereo = Dictionary(drums.bases, drums.labels, SMALL, 8000)
    merged = Dictionary.merge(kit, stereo, kit)
    assert merged.labels == kit.labels + stereo.labels + kit.labels
    assert merged.bases.shape == (2, 5, 11)
    np.testing.assert_array_equal(merged.bases[1, :, :4], kit.bases[0])
    np.testing.assert_array_equal(merged.bases[:, :, 4:7], stereo.bases)
    assert Dictionary.merge(kit).labels == kit.labels


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Dictionary(bases(5, 1), (), SMALL, 44100), "their sample_rate is 8000 and 44100"),
        (Dictionary(bases(9, 1), (), STFT(16, 2), 8000), "their n_fft is 8 and 16. Learn both with the same settings"),
        (Dictionary(bases(5, 1), (), STFT(8, 4), 8000), "their hop_length is 2 and 4"),
        (Dictionary(bases(5, 1), (), STFT(8, 2, window="cosine"), 8000), "their window is hann and cosine"),
        (Dictionary(bases(1, 5, 1, 3), (), SMALL, 8000), "their number of taps is 1 and 3"),
    ],
)
def test_dictionaries_that_do_not_fit_together_are_refused(kit, other, words):
    with pytest.raises(Incompatible, match=words):
        Dictionary.merge(kit, other)


def test_dictionaries_of_two_and_three_channels_are_refused(kit):
    two, three = (Dictionary(bases(n, 5, 1), (), SMALL, 8000) for n in (2, 3))
    with pytest.raises(Incompatible, match="2 channels"):
        Dictionary.merge(two, three)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda kit: kit.select("kick"), r"'kick' is one label: pass a list of them, \['kick'\]"),
        (lambda kit: kit.select([]), "no base would be left"),
        (lambda kit: kit.drop(["kick", "snare", "hihat"]), "no base would be left"),
        (lambda kit: kit.drop([4]), "base 4: there are 4, numbered from 0"),
        (lambda kit: kit.select([True]), "base True: there are 4"),
        (lambda kit: kit.select(["snare", 1]), r"base 1 \(snare\) is named twice"),
        (lambda kit: kit.reorder("pitch"), "order='pitch' is neither 'centroid' nor a sequence"),
        (lambda kit: kit.relabel({"tom": "x"}), "label 'tom' is not among kick, snare, snare, hihat"),
        (lambda kit: kit.relabel(["a"]), "1 labels for 4 bases"),
        (lambda kit: kit.normalize("rms"), "level='rms' is not one of l2, l1, max"),
        (lambda kit: kit.join([]), "which is empty: name one base at least"),
        (lambda kit: kit.join([0, 1], weights=[1]), "weights must be 2 finite numbers of at least 0"),
        (lambda kit: kit.join([0], weights=[-1]), "weights must be 1 finite"),
        (lambda kit: Dictionary.merge(), "there is nothing to merge"),
    ],
)
def test_edits_that_cannot_be_are_refused(kit, edit, words):
    with pytest.raises((InvalidInput, Incompatible), match=words):
        edit(kit)


def test_the_settings_outlive_every_edit(kit):
    for made in (
        kit.select([0]),
        kit.drop([0]),
        kit.reorder("centroid"),
        kit.relabel(list("abcd")),
        kit.normalize(),
        kit.join([0, 1]),
        Dictionary.merge(kit, kit),
    ):
        assert (made.stft, made.sample_rate) == (SMALL, 8000)


def test_parts_of_one_label_are_parts_of_their_own(kit):
    sound = Audio(np.random.default_rng(0).standard_normal((1, 400)), 8000)
    parts = decompose(sound, 5, bases=kit, learn_bases=False, max_iter=5)
    assert parts.labels == ("kick", "snare", "snare", "hihat", "4")
    assert parts.dictionary.select(["snare"]).n_components == 2


def test_one_channel_serves_any_number_and_two_serve_two(drums):
    one = Dictionary(bases(5, 3), (), SMALL)
    assert one.fit_channels(1) is one.bases
    np.testing.assert_array_equal(one.fit_channels(3), np.stack([one.bases[0]] * 3))
    assert drums.fit_channels(2) is drums.bases
    with pytest.raises(Incompatible, match="the dictionary has 2 channels, but the recording has 1"):
        drums.fit_channels(1)


def test_a_transform_in_which_bases_mean_other_sounds_is_refused(drums):
    drums.require_fit(STFT(8, 4, 6), 22050)
    with pytest.raises(Incompatible, match="made with n_fft=8, but this transform has n_fft=2048: use n_fft=8"):
        drums.require_fit(STFT(), 22050)
    with pytest.raises(Incompatible, match="made at 22050 Hz, but this recording has 44100 Hz: load it with sample_r"):
        drums.require_fit(SMALL, 44100)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((bases(5),), InvalidInput, r"bases\.shape=\(5,\) of float32, but \(channels, bins, components\) is needed"),
        ((bases(5, 0), (), SMALL), InvalidInput, r"bases\.shape=\(1, 5, 0\)"),
        ((bases(5, 3) * 1j, (), SMALL), InvalidInput, "of complex64, but"),
        ((np.full((5, 3), "a"), (), SMALL), InvalidInput, "of <U1, but"),
        ((bases(3, 5), (), SMALL), Incompatible, "bases has 3 bins, but n_fft=8 makes 5: were they made with another"),
        ((-bases(5, 3), (), SMALL), InvalidInput, "bases must be finite and not negative"),
        ((np.full((5, 3), np.nan), (), SMALL), InvalidInput, "bases must be finite"),
        ((np.full((5, 3), 1e300), (), SMALL), InvalidInput, "bases must be finite"),
        ((bases(5, 3), ("a", "b"), SMALL), Incompatible, "2 labels for 3 bases: one for each is needed"),
        ((bases(5, 3), (), SMALL, 0), InvalidInput, "sample_rate=0, but it must be a number of Hz above zero"),
        ((bases(5, 3), (), SMALL, np.inf), InvalidInput, "sample_rate=inf, but"),
    ],
)
def test_what_is_no_dictionary_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        Dictionary(*arguments)


# -- files


def test_a_file_gives_everything_back(drums, tmp_path):
    named = Dictionary(drums.bases, ("Große Trommel", "a, b", ""), STFT(8, 1, 6, "cosine", zeros_after=True), 8000.5)
    named.save(tmp_path / "drums.npz")
    back = Dictionary.load(tmp_path / "drums.npz")
    np.testing.assert_array_equal(back.bases, named.bases)
    assert (back.labels, back.stft, back.sample_rate) == (named.labels, named.stft, named.sample_rate)
    first = (tmp_path / "drums.npz").read_bytes()
    back.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == first


def test_the_bases_of_a_decomposition_are_a_dictionary(tmp_path):
    found = Factorization(bases(10, 3), bases(3, 6))
    parts = Decomposition(Audio(np.zeros((2, 10)), 8000), SMALL, found, labels=("a", "b", "c"))
    parts.save(tmp_path / "parts.npz")
    loaded = Dictionary.load(tmp_path / "parts.npz")
    np.testing.assert_array_equal(loaded.bases, parts.dictionary.bases)
    assert (loaded.labels, loaded.stft, loaded.sample_rate) == (("a", "b", "c"), SMALL, 8000)


def test_other_files_are_refused_by_what_they_hold(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, W=np.ones(3), H=np.ones(3))
    with pytest.raises(ReadError, match=r"other\.npz is not a dictionary of unweave: it holds H, W\."):
        Dictionary.load(path)
    np.savez(path)
    with pytest.raises(ReadError, match=r"it holds nothing\."):
        Dictionary.load(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(ReadError, match="other.npz is not a dictionary of unweave"):
        Dictionary.load(path)
    with pytest.raises(ReadError, match="absent.npz cannot be read: No such file"):
        Dictionary.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stft": None}, "drums.npz lacks 'stft': was it written by another version of unweave?"),
        ({"sample_rate": None}, "drums.npz lacks 'sample_rate'"),
        ({"labels": None}, "drums.npz lacks 'labels'"),
        ({"labels": ["one"]}, "drums.npz is damaged, .*: 1 labels for 3 bases"),
        ({"labels": 3}, "drums.npz is damaged"),
        ({"stft": {"n_fft": 8, "more": 1}}, "drums.npz is damaged"),
        ({"stft": {"n_fft": 16}}, "drums.npz is damaged, .*: bases has 5 bins"),
        ({"stft": "hann"}, "drums.npz is damaged"),
        ({"sample_rate": "fast"}, "drums.npz is damaged"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_as_a_file(drums, tmp_path, change, words):
    path = tmp_path / "drums.npz"
    drums.save(path)
    arrays, settings = read_npz(path, "a dictionary")
    settings = {name: value for name, value in {**settings, **change}.items() if value is not None}
    write_npz(path, arrays, settings)
    with pytest.raises(ReadError, match=words) as caught:
        Dictionary.load(path)
    assert isinstance(caught.value, UnweaveError)


def test_bases_of_several_frames_are_kept_as_they_are(tmp_path):
    bases = np.random.default_rng(0).random((1, 5, 2, 3)).astype(np.float32)
    found = Dictionary(bases, ("a", "b"), STFT(8), 8000)
    assert (found.n_taps, found.n_components, found.n_channels) == (3, 2, 1)
    assert repr(found) == "Dictionary(2 bases of 3 taps: a, b; n_fft=8 at 8000 Hz)"
    found.save(tmp_path / "taps.npz")
    np.testing.assert_array_equal(Dictionary.load(tmp_path / "taps.npz").bases, bases)
    np.testing.assert_array_equal(found.select(["b"]).bases, bases[:, :, [1]])
    assert found.fit_channels(2).shape == (2, 5, 2, 3)
    assert Dictionary(np.ones((5, 2)), (), STFT(8)).n_taps == 1
