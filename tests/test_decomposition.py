import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.decomposition import decompose, magnitudes, steps
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import best_permutation, si_sdr
from unweave.factorization import Stop
from unweave.framing import STFT
from unweave.nmf import Progress, run
from unweave.plan import Plan
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

SMALL = STFT(512, 128)
QUICK = {"stft": SMALL, "max_iter": 20, "restarts": 2}


def level_over_error(true, found):
    true, found = np.asarray(true, np.float64), np.asarray(found, np.float64)
    wrong = np.square(found - true).sum()
    return np.inf if wrong == 0 else 10 * np.log10(np.square(true).sum() / wrong)


def total(parts):
    return sum(component.samples.astype(np.float64) for component in parts.components())


def tones(frequencies=(440, 1500), n=8000, rate=8000):
    """Tones that sound one after the other."""
    t = np.arange(n) / rate
    turn = np.arange(n) * len(frequencies) // n
    return [np.sin(2 * np.pi * f * t) * 0.3 * (turn == index) for index, f in enumerate(frequencies)]


def two_tones():
    hiss = np.random.default_rng(3).standard_normal(8000) * 1e-2  # beta = 0 would listen to rounding errors without it
    return Audio(sum(tones()) + hiss, 8000)


def noise(n_channels=1, n=4000, rate=8000):
    return Audio(np.random.default_rng(5).uniform(-1, 1, (n_channels, n)), rate)


def same(first, second):
    """Whether two decompositions are the same to the bit."""
    return all(
        np.array_equal(getattr(first.factorization, name), getattr(second.factorization, name))
        for name in ("bases", "activations", "divergences", "iterations")
    ) and all(np.array_equal(first.component(k).samples, second.component(k).samples) for k in range(2))


# -- what is factorised


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("beta", [1, 0, 2])
def test_magnitudes_of_all_channels_lie_one_below_the_other(n_channels, beta):
    audio = noise(n_channels)
    spectrogram = stft(audio, SMALL)
    expected = (spectrogram.power if beta == 0 else spectrogram.magnitude).reshape(-1, spectrogram.values.shape[2])
    V = magnitudes(audio, SMALL, beta)
    assert (V.dtype, V.shape) == (np.float32, expected.shape)
    np.testing.assert_array_equal(V, expected)


# -- the parts of a sound


def test_the_parts_of_a_drum_loop_are_found():
    loop = drum_loop(2)
    parts = decompose(loop["mix"], 3, restarts=3)
    true = [loop[name] for name in ("kick", "snare", "hihat")]
    places, scores = best_permutation(true, list(parts.components()))
    assert places == [0, 1, 2]  # by centroid, low to high
    assert scores.min() >= 10
    assert level_over_error(loop["mix"].samples, total(parts)) > 115


@pytest.mark.parametrize("beta", [0, 0.5, 1, 2])
def test_tones_that_sound_in_turn_are_told_apart(beta):
    parts = decompose(two_tones(), 2, stft=SMALL, beta=beta, restarts=3)
    for k, tone in enumerate(tones()):
        assert level_over_error(tone, parts.component(k).samples[0]) > 15
        assert abs(parts.frequencies[parts.bases[0, :, k].argmax()] - (440, 1500)[k]) < 16


@pytest.mark.parametrize("settings", [SMALL, STFT(512, 256), STFT(512, 100, 300, zeros_after=True), STFT.flucoma(500)])
@pytest.mark.parametrize("n_channels", [1, 2, 8])
def test_components_sum_to_the_recording(n_channels, settings):
    audio = noise(n_channels, 4001, 22050)
    parts = decompose(audio, 4, stft=settings, max_iter=5, restarts=1)
    assert parts.bases.shape == (n_channels, settings.n_bins, 4)
    assert parts.activations.shape == (4, settings.n_frames(4001))
    assert level_over_error(audio.samples, total(parts)) > 115


@pytest.mark.parametrize("beta", [0, 1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 100, 600])
def test_short_sounds_have_more_components_than_frames_and_that_is_well(n, beta):
    audio = Audio(noise().samples[:, :n], 8000)
    parts = decompose(audio, 9, beta=beta, **QUICK)
    assert parts.n_components == 9
    assert np.isfinite(parts.bases).all()
    assert np.isfinite(parts.activations).all()
    np.testing.assert_allclose(total(parts), audio.samples, atol=1e-6)


@pytest.mark.parametrize("beta", [0, 1, 2])
def test_silence_has_silent_parts(beta):
    parts = decompose(Audio(np.zeros((2, 3000)), 8000), 3, beta=beta, **QUICK)
    assert parts.factorization.stop is Stop.SILENT
    assert not parts.activations.any()
    assert not total(parts).any()


@pytest.mark.parametrize("beta", [0, 1])
def test_a_sound_that_is_silent_in_parts_still_sums(beta):
    samples = noise(1, 6000).samples.copy()
    samples[:, 1500:4500] = 0
    parts = decompose(Audio(samples, 8000), 3, beta=beta, **QUICK)
    np.testing.assert_allclose(total(parts), samples, atol=1e-6)


# -- stereo


def test_a_sound_hard_left_has_no_right_basis_and_sounds_left():
    left, right = tones()
    parts = decompose(Audio(np.stack([left, right]), 8000), 2, stft=SMALL, restarts=3)
    low, high = parts.bases[:, :, 0], parts.bases[:, :, 1]
    assert np.square(low[1]).sum() < 1e-4 * np.square(low[0]).sum()
    assert np.square(high[0]).sum() < 1e-4 * np.square(high[1]).sum()
    assert level_over_error(left, parts.component(0).samples[0]) > 15
    assert np.abs(parts.component(0).samples[1]).max() < 0.03


def test_channels_share_their_activations():
    """A sound in the middle is the same sound left and right: its bases are those of one channel, twice."""
    mono = two_tones()
    parts = decompose(Audio(np.repeat(mono.samples, 2, axis=0), 8000), 2, stft=SMALL, restarts=3)
    assert parts.activations.shape == (2, SMALL.n_frames(8000))
    np.testing.assert_allclose(parts.bases[0], parts.bases[1], atol=1e-5)
    np.testing.assert_allclose(parts.component(0).samples[0], parts.component(0).samples[1], atol=1e-6)


# -- modes


@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_dictionary_that_is_kept_stays_as_it_is_to_the_bit(n_channels):
    known = decompose(two_tones(), 2, stft=SMALL, max_iter=50).dictionary
    kept = Dictionary(known.bases, ("low", "high"), known.stft, 8000)
    third = np.sin(2 * np.pi * 3000 * np.arange(8000) / 8000) * 0.2
    audio = Audio(np.repeat(two_tones().samples + third, n_channels, axis=0), 8000)
    parts = decompose(audio, 3, bases=kept, learn_bases=False, restarts=2, max_iter=60)
    assert parts.stft == SMALL  # the dictionary brings its settings
    assert parts.labels == ("low", "high", "2")
    for channel in range(n_channels):
        np.testing.assert_array_equal(parts.bases[channel, :, :2], kept.bases[0])
        assert abs(parts.frequencies[parts.bases[channel, :, 2].argmax()] - 3000) < 16  # the free one found the rest
    assert level_over_error(tones()[0], parts.component(0).samples[0]) > 15


def test_bases_that_are_a_start_move_and_keep_their_order():
    known = decompose(two_tones(), 2, stft=SMALL, max_iter=50).dictionary.select(["1", "0"])
    parts = decompose(two_tones(), 2, bases=known, max_iter=30)
    assert parts.labels == ("1", "0")
    assert not np.array_equal(parts.bases, known.bases)
    assert parts.frequencies[parts.bases[0, :, 0].argmax()] > 1000


def test_given_activations_say_when_a_part_sounds():
    n_frames = SMALL.n_frames(8000)
    first_half = (np.arange(n_frames) < n_frames / 2).astype(np.float32)
    given = np.stack([1 - first_half, first_half])
    parts = decompose(two_tones(), 2, stft=SMALL, activations=given, learn_activations=False)
    np.testing.assert_array_equal(parts.activations, given)
    assert level_over_error(tones()[1], parts.component(0).samples[0]) > 12  # in the order given


def test_both_kept_is_only_multiplied():
    known = decompose(two_tones(), 2, **QUICK)
    parts = decompose(
        two_tones(),
        2,
        bases=known.dictionary,
        activations=known.activations,
        learn_bases=False,
        learn_activations=False,
    )
    assert parts.factorization.stop is Stop.NOTHING_TO_LEARN
    np.testing.assert_array_equal(parts.bases, known.bases)
    np.testing.assert_array_equal(parts.activations, known.activations)
    np.testing.assert_array_equal(parts.component(1).samples, known.component(1).samples)


def test_bases_may_be_an_array_of_one_channel_or_of_all():
    known = decompose(noise(2), 2, **QUICK)
    keep = {"learn_bases": False, **QUICK}
    np.testing.assert_array_equal(decompose(noise(2), 2, bases=known.bases, **keep).bases, known.bases)
    one = decompose(noise(2), 2, bases=known.bases[0].tolist(), **keep)
    np.testing.assert_array_equal(one.bases, np.stack([known.bases[0]] * 2))


def test_flucomas_decomposition_with_given_bases_is_agreed_with(shared):
    golden = np.load(shared / "golden" / "bufnmf_fixed_bases.npz")
    audio = load(shared / "audio" / "conga_groove.wav")
    parts = decompose(audio, 3, stft=STFT.flucoma(1024), bases=golden["bases"], learn_bases=False, max_iter=2000, tol=0)
    scaled = parts.activations / parts.activations.max()
    assert level_over_error(golden["activations"] / golden["activations"].max(), scaled) >= 40
    for k, component in enumerate(parts.components()):
        assert level_over_error(golden["resynth"][k], component.samples[0]) >= 40


# -- order and chance


@pytest.mark.parametrize("order", ["centroid", "energy", "onset"])
def test_components_come_in_the_order_asked_for(order):
    quiet_high, loud_low = tones((1500, 440))  # the high one comes first, the low one is louder
    parts = decompose(Audio(0.1 * quiet_high + loud_low, 8000), 2, stft=SMALL, order=order)
    low_first = parts.bases[0, :, 0].argmax() < parts.bases[0, :, 1].argmax()
    assert low_first is np.bool_({"centroid": True, "energy": True, "onset": False}[order])


def test_the_centroid_of_stereo_components_is_that_of_their_frequencies():
    left_low, right_high = tones()
    for channels in ([left_low, right_high], [right_high, left_low]):
        parts = decompose(Audio(np.stack(channels), 8000), 2, stft=SMALL, max_iter=60, restarts=2)
        pitch = parts.frequencies[parts.bases.sum(axis=0).argmax(axis=0)]
        assert abs(pitch - (440, 1500)).max() < 16


@pytest.mark.parametrize("seed", [None, 0, 17])
def test_the_same_call_gives_the_same_bits(seed):
    first, again = (decompose(noise(2), 3, rng=seed, **QUICK) for _ in range(2))
    assert same(first, again)
    assert first.factorization.seed == (seed or 0)


def test_other_seeds_give_other_results_and_the_seed_of_a_generator_is_recorded():
    options = {"start": "random", **QUICK}
    first = decompose(noise(2), 3, rng=1, **options)
    assert not same(first, decompose(noise(2), 3, rng=2, **options))
    drawn = decompose(noise(2), 3, rng=np.random.default_rng(9), **options)
    assert drawn.factorization.seed > 2
    assert same(drawn, decompose(noise(2), 3, rng=drawn.factorization.seed, **options))


def test_one_thread_gives_the_same_bits_as_two():
    found = []
    for count in (1, 2):
        with limit(count):
            found.append(decompose(noise(2, 40_000), 3, max_iter=10, restarts=2, stft=SMALL))
    assert same(*found)


# -- what it takes


def test_an_array_with_its_rate_is_a_recording():
    audio = noise(2)
    assert same(decompose(audio.samples, 2, sample_rate=8000, **QUICK), decompose(audio, 2, **QUICK))
    assert decompose(audio.samples[0].tolist(), 2, sample_rate=8000, **QUICK).audio.n_channels == 1


def test_a_spectrogram_stands_for_its_sound_and_brings_its_settings():
    audio = noise(2)
    spectrogram = stft(audio, STFT(256, 64))
    parts = decompose(spectrogram, 2, max_iter=10)
    assert (parts.stft, parts.audio.sample_rate) == (STFT(256, 64), 8000)
    assert level_over_error(audio.samples, total(parts)) > 115
    assert decompose(spectrogram, 2, max_iter=1, stft=STFT(256, 64)).stft == STFT(256, 64)


def test_nothing_given_is_changed():
    samples = noise(2).samples.copy()
    bases = np.random.default_rng(0).random((257, 2)).astype(np.float32)
    activations = np.random.default_rng(1).random((2, SMALL.n_frames(4000))).astype(np.float32)
    before = samples.copy(), bases.copy(), activations.copy()
    decompose(samples, 2, sample_rate=8000, bases=bases, activations=activations, **QUICK)
    for now, then in zip((samples, bases, activations), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_steps_tell_how_far_they_are_and_end_in_the_result():
    seen = []
    generator = steps(noise(), 2, Plan(max_iter=30, restarts=3), stft=SMALL)
    while True:
        try:
            seen.append(next(generator))
        except StopIteration as end:
            parts = end.value
            break
    assert all(isinstance(progress, Progress) for progress in seen)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] <= seen[-1].total
    assert same(parts, decompose(noise(), 2, stft=SMALL, max_iter=30, restarts=3))
    assert same(parts, run(steps(noise(), 2, Plan(max_iter=30, restarts=3), stft=SMALL)))


DICTIONARY = Dictionary(np.ones((257, 2)), (), SMALL, 8000)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"n_components": 0}, InvalidInput, "n_components=0 is not a whole number from 1"),
        ({"n_components": 2.0}, InvalidInput, "n_components=2.0 is not a whole number"),
        ({"order": "loudness"}, InvalidInput, "order='loudness' is not one of centroid, energy, onset, none"),
        ({"order": "loudness", "bases": DICTIONARY}, InvalidInput, "order='loudness' is not one of"),
        ({"power": 0}, InvalidInput, "power=0 is not above 0 and at most 20"),
        ({"power": "2"}, InvalidInput, "power='2' is not a number"),
        ({"stft": STFT(512, center=False)}, InvalidInput, "center=False leaves the first and the last samples"),
        ({"sample_rate": 44100}, InvalidInput, "sample_rate=44100, but the audio has 8000 Hz"),
        ({"audio": np.zeros(4000)}, InvalidInput, "An array does not say its rate"),
        ({"audio": "loop.wav"}, InvalidInput, "'loop.wav' is the name of a file: read it with unweave.load first"),
        ({"audio": noise(3), "bases": np.ones((2, 1025, 2))}, Incompatible, "has 2 channels, but the recording has 3"),
        ({"bases": np.ones((513, 2))}, Incompatible, r"bases\.shape=\(513, 2\), but \(channels, 1025, n\) or"),
        ({"bases": np.ones(1025)}, Incompatible, r"bases\.shape=\(1025,\), but"),
        ({"bases": -np.ones((1025, 2))}, InvalidInput, "bases must be finite and not negative"),
        ({"bases": np.ones((1025, 4))}, Incompatible, r"bases\.shape=\(1025, 4\), .* with n from 1 to n_components=3"),
        ({"bases": DICTIONARY, "stft": STFT()}, Incompatible, "the dictionary was made with n_fft=512"),
        ({"bases": DICTIONARY, "audio": noise(1, 4000, 16000)}, Incompatible, "made at 8000 Hz, but this recording"),
        ({"activations": np.ones((2, 5))}, Incompatible, r"activations\.shape=\(2, 5\), .*another hop_length"),
        ({"learn_bases": False}, Incompatible, "learn_bases=False keeps bases, but none are given"),
        ({"learn_activations": False}, Incompatible, "learn_activations=False keeps activations, but none are given"),
        ({"beta": "kl"}, InvalidInput, "beta"),
        ({"rng": -1}, InvalidInput, "rng=-1 is not a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options, kind, words):
    given = {"audio": noise(), "n_components": 3, **options}
    with pytest.raises(kind, match=words):
        decompose(given.pop("audio"), given.pop("n_components"), **given)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"stft": STFT()}, Incompatible, "the spectrogram brings its own settings: leave stft out"),
        ({"sample_rate": 16000}, InvalidInput, "sample_rate=16000, but the audio has 8000 Hz"),
        ({"bases": Dictionary(np.ones((129, 2)), (), STFT(256), 16000)}, Incompatible, "made at 16000 Hz"),
        ({"bases": DICTIONARY}, Incompatible, "made with n_fft=512, but this transform has n_fft=256"),
    ],
)
def test_what_does_not_fit_a_spectrogram_is_refused_too(options, kind, words):
    with pytest.raises(kind, match=words):
        decompose(stft(noise(), STFT(256)), 3, **options)


# -- bases of several frames


def test_taps_are_worth_their_cost_on_a_drum_loop():
    loop = drum_loop(2)
    true = [loop[name] for name in ("kick", "snare", "hihat")]

    def score(**options):
        return best_permutation(true, list(decompose(loop["mix"], 3, restarts=3, max_iter=100, **options).components()))

    plain, tapped = score(), score(taps=8)
    assert tapped[0] == [0, 1, 2]  # by centroid, low to high
    assert tapped[1].mean() > plain[1].mean() + 1


def test_rough_spectra_name_the_parts_and_taps_tell_them_apart():
    loop = drum_loop(2)
    hertz = STFT().frequencies(loop["mix"].sample_rate)
    edges = ((30, 200), (200, 6000), (6000, 22050))
    rough = np.stack([((hertz >= low) & (hertz < high)) + 1e-3 for low, high in edges], axis=1)
    scores = {}
    for taps in (1, 8):
        parts = decompose(loop["mix"], 3, bases=rough, taps=taps, max_iter=150)
        pairs = zip(("kick", "snare", "hihat"), parts.components(), strict=True)
        scores[taps] = np.mean([si_sdr(loop[name], part) for name, part in pairs])
    assert scores[8] > scores[1] + 1


@pytest.mark.parametrize("n_channels", [1, 2])
def test_components_of_taps_sum_to_the_recording(n_channels):
    audio = noise(n_channels)
    parts = decompose(audio, 3, taps=4, **QUICK)
    assert parts.bases.shape == (n_channels, 257, 3, 4)
    assert level_over_error(audio.samples, total(parts)) > 115


def test_one_tap_is_what_comes_without_taps():
    assert same(decompose(noise(), 2, taps=1, **QUICK), decompose(noise(), 2, **QUICK))


def test_the_number_of_threads_changes_no_bit_of_taps():
    found = []
    for count in (1, 3):
        with limit(count):
            found.append(decompose(noise(2), 2, taps=4, beta=0, **QUICK))
    assert same(*found)


def test_a_dictionary_of_taps_is_looked_for_elsewhere():
    parts = decompose(noise(), 3, taps=4, **QUICK)
    drums = Dictionary(parts.bases, ("a", "b", "c"), SMALL, 8000)
    again = decompose(noise(2), 4, bases=drums, learn_bases=False, max_iter=10)
    assert again.labels == ("a", "b", "c", "3")
    np.testing.assert_array_equal(again.bases[1, :, :3], parts.bases[0])
    given = decompose(noise(), 3, bases=parts.bases, **QUICK)
    assert given.bases.shape == (1, 257, 3, 4)
    rough = decompose(noise(), 3, bases=parts.spectra[0], taps=2, **QUICK)
    assert rough.bases.shape == (1, 257, 3, 2)
    one = decompose(noise(), 3, bases=parts.bases[..., :1], **QUICK)
    assert one.bases.shape == (1, 257, 3)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"taps": 0}, InvalidInput, "taps=0 is not a whole number from 1 to 1000"),
        ({"taps": 2.5}, InvalidInput, "taps=2.5"),
        ({"taps": 3, "bases": np.ones((1, 257, 2, 4))}, Incompatible, "taps=3, but the bases have 4: leave taps out"),
        ({"bases": np.ones((1, 2, 257, 4))}, Incompatible, "another n_fft"),
    ],
)
def test_taps_that_do_not_fit_are_refused(options, kind, words):
    with pytest.raises(kind, match=words):
        decompose(noise(), 3, stft=SMALL, **options)


def test_progress_with_taps_has_a_start_and_a_run():
    seen = list(steps(noise(), 2, Plan(restarts=2, max_iter=20, tol=0), stft=SMALL, taps=3))
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == seen[-1].total
