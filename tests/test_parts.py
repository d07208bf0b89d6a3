import tracemalloc

import numpy as np
import pytest

from unweave.audio import Audio
from unweave.convolutive import ConvolutiveFactorization
from unweave.errors import Incompatible, InvalidInput, ReadError, WriteError
from unweave.factorization import Factorization, Stop
from unweave.framing import STFT
from unweave.npz import read_npz, write_npz
from unweave.parts import Decomposition
from unweave.spectrogram import Spectrogram
from unweave.stft import istft, stft
from unweave.threads import limit

SMALL = STFT(512, 128)
SETTINGS = [
    SMALL,
    STFT(512, 256),
    STFT(512, 100, 300),
    STFT(512, 128, 400, "blackman", zeros_after=True),
    STFT.flucoma(500),
    STFT(64, 64, window="boxcar"),
    STFT(255, 50, 129, "hamming"),
]


def noise(n_channels=1, n_samples=5000, rate=44100, seed=0):
    return Audio(np.random.default_rng(seed).uniform(-1, 1, (n_channels, n_samples)), rate)


def parts_of(audio, n_components=3, settings=SMALL, *, beta=1.0, power=1.0, labels=(), dtype=np.float32):
    """A decomposition with factors from nowhere: what is promised of components holds for any."""
    rng = np.random.default_rng(7)
    bases = rng.random((audio.n_channels * settings.n_bins, n_components)).astype(dtype)
    activations = rng.random((n_components, settings.n_frames(audio.n_samples))).astype(dtype)
    return Decomposition(audio, settings, Factorization(bases, activations, beta=beta), power, labels)


def level_over_error(true, found):
    wrong = np.square(found.astype(np.float64) - true).sum()
    return np.inf if wrong == 0 else 10 * np.log10(np.square(true.astype(np.float64)).sum() / wrong)


def total(sounds):
    return sum(sound.samples.astype(np.float64) for sound in sounds)


# -- they sum to the recording


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("n_channels", [1, 2, 8])
@pytest.mark.parametrize("power", [1, 3])
def test_components_sum_to_the_recording(settings, n_channels, power):
    audio = noise(n_channels, 4567, 22050)
    parts = parts_of(audio, 5, settings, power=power)
    components = list(parts.components())
    assert {(c.samples.shape, c.sample_rate) for c in components} == {((n_channels, 4567), 22050)}
    assert level_over_error(audio.samples, total(components)) > 115


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 511, 5001])
@pytest.mark.parametrize("n_components", [1, 2, 50])
def test_components_sum_to_the_recording_whatever_its_length(n, n_components):
    audio = noise(2, n)
    components = list(parts_of(audio, n_components).components())
    assert len(components) == n_components
    np.testing.assert_allclose(total(components), audio.samples, atol=2e-6)


def test_components_of_silence_are_silent():
    parts = parts_of(Audio(np.zeros((2, 3000)), 8000))
    assert not any(component.samples.any() for component in parts.components())


@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_products_and_residual_sum_to_the_recording(settings, beta):
    audio = noise(2, 4567)
    parts = parts_of(audio, 4, settings, beta=beta)
    whole = total([*parts.products(), parts.residual()])
    np.testing.assert_allclose(whole, audio.samples, atol=1e-4 * np.abs(total(parts.products())).max())
    assert parts.residual().peak > 0.1


# -- what they are


def test_a_component_is_its_mask_on_the_recording():
    audio = noise(2)
    parts = parts_of(audio, power=2)
    models = np.stack([np.multiply(parts.bases[..., k, None], parts.activations[k]) ** 2 for k in range(3)])
    mixture = stft(audio, parts.stft).values
    for k in range(3):
        masked = Spectrogram(mixture * models[k] / models.sum(axis=0), parts.stft, 44100, audio.n_samples)
        assert level_over_error(istft(masked).samples, parts.component(k).samples) > 115


@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_a_product_has_the_magnitudes_of_the_model(beta):
    """A model of the recording's own magnitudes is the recording; powers are modelled for beta = 0."""
    audio = noise(1, 3000)
    settings = STFT(64, 32)
    magnitude = stft(audio, settings).magnitude[0].astype(np.float64)
    n_frames = magnitude.shape[1]
    exact = Factorization(magnitude ** (1 if beta else 2), np.eye(n_frames), beta=beta)
    parts = Decomposition(audio, settings, exact)
    assert parts.is_power is (beta == 0)
    assert parts.residual().peak < 1e-5
    np.testing.assert_allclose(total(parts.products()), audio.samples, atol=1e-5)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("chosen", [None, [0], [2, 0], range(4)])
def test_blocks_are_the_components_in_pieces(n_channels, chosen):
    parts = parts_of(noise(n_channels, 45_000), 4, STFT(256, 64))
    pieces = list(parts.blocks(chosen))
    assert len(pieces) > 1
    stack = np.concatenate(pieces, axis=-1)
    for place, k in enumerate(range(4) if chosen is None else chosen):
        np.testing.assert_allclose(stack[place], parts.component(k).samples, atol=1e-7)


def test_the_same_call_makes_the_same_bits_with_one_thread_and_with_many():
    parts = parts_of(noise(2, 70_000), settings=STFT(256))
    with limit(1):
        alone = parts.component(1).samples, parts.product(1).samples
    for count in (2, 4):
        with limit(count):
            np.testing.assert_array_equal(parts.component(1).samples, alone[0])
            np.testing.assert_array_equal(parts.product(1).samples, alone[1])


def test_bases_of_channels_lie_one_below_the_other():
    parts = parts_of(noise(2))
    assert (parts.bases.shape, parts.activations.shape) == ((2, 257, 3), (3, 40))
    np.testing.assert_array_equal(parts.bases[1, :, 2], parts.factorization.bases[257:, 2])
    with pytest.raises(ValueError, match="read-only"):
        parts.bases[0, 0, 0] = 1


def test_it_answers_questions_about_itself():
    parts = parts_of(noise(2, 44100), labels=("a", "b", 3))
    assert parts.n_components == 3
    assert parts.labels == ("a", "b", "3")
    assert repr(parts).startswith("Decomposition(3 components of Audio(2 channels, 1.000 s at 44100 Hz")
    assert repr(parts_of(noise(), 1)).startswith("Decomposition(1 component of ")
    assert parts.frequencies[-1] == 22050
    np.testing.assert_allclose(parts.times[:2], [0, 128 / 44100])
    assert parts.divergences is parts.factorization.divergences
    dictionary = parts.dictionary
    np.testing.assert_array_equal(dictionary.bases, parts.bases)
    assert (dictionary.labels, dictionary.stft, dictionary.sample_rate) == (parts.labels, parts.stft, 44100)
    assert parts_of(noise()).labels == ("0", "1", "2")


def peak_memory(work):
    """The most that was allocated at a time, in bytes."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_one_component_and_does_not_grow_with_their_number():
    audio = noise(1, 60 * 22050, 22050)
    few, many = (parts_of(audio, n_components, STFT()) for n_components in (2, 20))
    with limit(1):  # with more threads, how many blocks are under way at a time is left to chance
        few.component(1)  # what is made once and kept, such as windows, is no part of the question
        one_of_few, one_of_many = (peak_memory(lambda parts=parts: parts.component(1)) for parts in (few, many))
    with limit(2):
        by_two_threads = peak_memory(lambda: many.component(1))
        all_at_once = peak_memory(lambda: [None for _ in many.blocks()])
    assert one_of_many < 1.2 * one_of_few
    assert max(one_of_many, by_two_threads) < 6 * audio.samples.nbytes
    assert all_at_once < 25 * audio.samples.nbytes  # some blocks of 20 spectrograms: whole ones would be 80 times it


# -- what is refused


@pytest.mark.parametrize("k", [-1, 3, 1.0, True, "1", None])
def test_a_component_that_there_is_not_is_refused(k):
    parts = parts_of(noise())
    words = "component .*: there are 3, numbered from 0 to 2"
    for ask in (parts.component, parts.product, lambda k: parts.blocks([0, k])):
        with pytest.raises(InvalidInput, match=words):
            ask(k)


def test_blocks_of_no_component_are_refused():
    with pytest.raises(InvalidInput, match="components is empty: name one at least"):
        parts_of(noise()).blocks([])


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            {"audio": noise(2)},
            Incompatible,
            r"has 257 bins and 40 frames, but this recording has 514 \(channels x bins",
        ),
        ({"audio": noise(1, 9000)}, Incompatible, "40 frames, but .* and 71: was it made from another recording"),
        ({"stft": STFT(1024, 128)}, Incompatible, "or another STFT"),
        ({"stft": STFT(512, 128, center=False)}, InvalidInput, "center=False leaves the first and the last samples"),
        ({"power": 0}, InvalidInput, "power=0 is not above 0"),
        ({"labels": ("a",)}, Incompatible, "1 labels for 3 components: one for each is needed"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, kind, words):
    parts = parts_of(noise())
    given = {name: getattr(parts, name) for name in ("audio", "stft", "factorization", "power", "labels")}
    with pytest.raises(kind, match=words):
        Decomposition(**{**given, **change})


# -- files


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_a_file_gives_the_same_components_to_the_bit(tmp_path, dtype, beta):
    audio = Audio(noise(2, 20_000).samples, 22050.5)
    made = parts_of(audio, 4, STFT(512, 100, 300, "cosine", zeros_after=True), beta=beta, power=1.7, dtype=dtype)
    found = Factorization(
        made.factorization.bases,
        made.factorization.activations,
        np.array([3.0, 0.1]),
        Stop.CONVERGED,
        beta,
        2**62 + 1,
        np.array([0, 30]),
    )
    parts = Decomposition(audio, made.stft, found, 1.7, ("Große Trommel", "b", "c", "d"))
    path = tmp_path / "parts.npz"
    parts.save(path)
    back = Decomposition.load(path)
    for k in range(4):
        np.testing.assert_array_equal(back.component(k).samples, parts.component(k).samples)
        np.testing.assert_array_equal(back.product(k).samples, parts.product(k).samples)
    assert (back.stft, back.power, back.labels, back.audio.sample_rate) == (made.stft, 1.7, parts.labels, 22050.5)
    for name in ("bases", "activations", "divergences", "iterations"):
        array = getattr(back.factorization, name)
        assert array.dtype == getattr(found, name).dtype
        np.testing.assert_array_equal(array, getattr(found, name))
    assert (back.factorization.stop, back.factorization.beta) == (Stop.CONVERGED, beta)
    assert back.factorization.seed == 2**62 + 1
    first = path.read_bytes()
    back.save(path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("n", [0, 1])
def test_a_decomposition_of_next_to_nothing_is_saved_too(tmp_path, n):
    parts_of(noise(2, n)).save(tmp_path / "parts.npz")
    assert Decomposition.load(tmp_path / "parts.npz").audio.samples.shape == (2, n)


def test_other_files_are_refused_by_what_they_hold(tmp_path):
    path = tmp_path / "parts.npz"
    parts = parts_of(noise())
    parts.dictionary.save(path)
    with pytest.raises(ReadError, match=r"parts\.npz is not a decomposition of unweave: it holds bases\."):
        Decomposition.load(path)
    with pytest.raises(ReadError, match="absent.npz cannot be read: No such file"):
        Decomposition.load(tmp_path / "absent.npz")
    with pytest.raises(WriteError, match="cannot be written: No such file"):
        parts.save(tmp_path / "absent" / "parts.npz")


@pytest.mark.parametrize(
    ("arrays", "settings", "words"),
    [
        ({"samples": None}, {}, "parts.npz lacks 'samples': was it written by another version of unweave?"),
        ({"bases": None}, {}, "parts.npz lacks 'bases'"),
        ({}, {"power": None}, "parts.npz lacks 'power'"),
        ({}, {"stft": None}, "parts.npz lacks 'stft'"),
        ({}, {"stop": "TIRED"}, "parts.npz lacks 'TIRED'"),
        ({}, {"stft": {"n_fft": 9, "x": 1}}, "parts.npz is damaged, or of another version"),
        ({}, {"sample_rate": -1}, "parts.npz is damaged, .*sample_rate=-1"),
        ({}, {"power": 99}, "parts.npz is damaged, .*power=99"),
        ({}, {"labels": 3}, "parts.npz is damaged"),
        ({"bases": np.zeros(())}, {}, "parts.npz is damaged"),
        ({"bases": np.zeros((1, 257, 0))}, {}, "parts.npz is damaged"),
        ({"activations": -np.ones((3, 40))}, {}, "parts.npz is damaged, .*no entry may be negative"),
        ({"activations": np.ones((3, 39))}, {}, "parts.npz is damaged, .*39 frames"),
        ({"samples": np.full((1, 5000), np.nan)}, {}, "parts.npz is damaged, .*NaN"),
        ({"divergences": np.zeros(3)}, {}, "parts.npz is damaged, .*3 divergences"),
        ({"divergences": np.array("a")}, {}, "parts.npz is damaged"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_as_a_file(tmp_path, arrays, settings, words):
    path = tmp_path / "parts.npz"
    parts = parts_of(noise())
    found = Factorization(
        parts.factorization.bases, parts.factorization.activations, np.array([1.0, 0.5]), iterations=np.array([0, 5])
    )
    Decomposition(parts.audio, parts.stft, found).save(path)
    held, named = read_npz(path, "a decomposition")
    changed = [
        {n: v for n, v in {**old, **new}.items() if v is not None} for old, new in ((held, arrays), (named, settings))
    ]
    write_npz(path, *changed)
    with pytest.raises(ReadError, match=words):
        Decomposition.load(path)


# -- bases of several frames


def tapped(audio, n_taps=5, settings=SMALL, *, beta=1.0, power=1.0):
    rng = np.random.default_rng(8)
    bases = rng.random((audio.n_channels * settings.n_bins, 3, n_taps)).astype(np.float32)
    activations = rng.random((3, settings.n_frames(audio.n_samples))).astype(np.float32)
    return Decomposition(audio, settings, ConvolutiveFactorization(bases, activations, beta=beta), power)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("power", [1, 2.5])
@pytest.mark.parametrize("n_samples", [0, 1, 5001])
def test_components_of_taps_sum_to_the_recording(n_channels, power, n_samples):
    audio = noise(n_channels, n_samples)
    parts = tapped(audio, power=power)
    assert parts.bases.shape == (n_channels, 257, 3, 5)
    assert parts.spectra.shape == (n_channels, 257, 3)
    np.testing.assert_allclose(total(parts.components()), audio.samples, atol=2e-6)
    if n_samples > 1:
        assert level_over_error(audio.samples, total(parts.components())) > 115


@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_products_of_taps_and_residual_sum_to_the_recording(beta):
    parts = tapped(noise(2), beta=beta)
    whole = total([*parts.products(), parts.residual()])
    np.testing.assert_allclose(whole, parts.audio.samples, atol=1e-4 * np.abs(total(parts.products())).max())


def test_one_tap_is_the_plain_decomposition():
    audio = noise(2)
    one = tapped(audio, 1)
    found = one.factorization
    plain = Decomposition(audio, SMALL, Factorization(found.bases[:, :, 0], found.activations))
    for k in range(3):
        np.testing.assert_allclose(one.component(k).samples, plain.component(k).samples, atol=1e-6)
        np.testing.assert_allclose(one.product(k).samples, plain.product(k).samples, atol=1e-4)


def test_taps_come_back_from_a_file(tmp_path):
    parts = tapped(noise(2))
    parts.save(tmp_path / "parts.npz")
    back = Decomposition.load(tmp_path / "parts.npz")
    assert isinstance(back.factorization, ConvolutiveFactorization)
    np.testing.assert_array_equal(back.bases, parts.bases)
    np.testing.assert_array_equal(back.component(1).samples, parts.component(1).samples)
    assert back.dictionary.n_taps == 5
