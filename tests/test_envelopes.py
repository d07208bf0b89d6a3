import numpy as np
import pytest

from unweave.audio import Audio
from unweave.convolutive import ConvolutiveFactorization
from unweave.decomposition import decompose
from unweave.envelopes import envelope, enveloped, vocoded
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.parts import Decomposition

RATE = 8000
SETTINGS = STFT(256, 64)
SHAPERS = [enveloped, vocoded]


def bursts():
    """A high tone from 0.1 to 0.25 s, a low one from 0.5 to 0.9 s, without clicks, and a little hiss."""
    t = np.arange(RATE) / RATE
    sound = np.random.default_rng(3).standard_normal(RATE) * 1e-4
    for level, pitch, begin, end in ((0.2, 2500, 0.1, 0.25), (0.5, 400, 0.5, 0.9)):
        sound += level * np.sin(2 * np.pi * pitch * t) * np.clip(np.minimum(t - begin, end - t) * 50 + 0.5, 0, 1)
    return Audio(sound, RATE)


@pytest.fixture(scope="module", params=[1.0, 0.0], ids=["magnitudes", "powers"])
def parts(request):
    """Found as magnitudes; as powers, the same model squared."""
    found = decompose(bursts(), 2, stft=SETTINGS)
    root = 1 if request.param else 2
    squared = Factorization(found.bases[0] ** root, found.activations**root, beta=request.param)
    return Decomposition(found.audio, SETTINGS, squared)


def stereo(beta=1.0, power=1.0):
    """Three components of noise in two channels; the second is silent."""
    rng = np.random.default_rng(0)
    audio = Audio(rng.uniform(-1, 1, (2, 3001)), RATE)
    activations = rng.random((3, SETTINGS.n_frames(3001)))
    activations[1] = 0
    return Decomposition(audio, SETTINGS, Factorization(rng.random((2 * 129, 3)), activations, beta=beta), power)


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def spectrum(samples):
    return abs(np.fft.rfft(samples)), np.fft.rfftfreq(samples.size, 1 / RATE)


# -- envelopes


def test_an_envelope_is_from_0_to_1_and_as_long_as_the_recording(parts):
    curves = [envelope(parts, k) for k in range(2)]
    assert {(curve.samples.shape, curve.sample_rate) for curve in curves} == {((1, RATE), RATE)}
    assert min(curve.samples.min() for curve in curves) >= 0
    largest = max(curve.samples.max() for curve in curves)
    assert largest == pytest.approx(1, abs=0.01)  # of all components and frames; the last lies behind the last sample
    assert curves[1].samples.max() < 0.9  # and so they compare


def test_an_envelope_follows_the_sound(parts):
    near = SETTINGS.n_fft // 2
    for curve, begin, end in zip(
        (envelope(parts, k).samples[0] for k in range(2)), (0.5, 0.1), (0.9, 0.25), strict=True
    ):
        heard = np.flatnonzero(curve > 0.5 * curve.max())
        assert abs(heard[0] - begin * RATE) <= near
        assert abs(heard[-1] - end * RATE) <= near
        inside = slice(int(begin * RATE) + 2 * near, int(end * RATE) - 2 * near)
        assert curve[inside].min() > 0.7 * curve.max()
        elsewhere = np.r_[0 : int(begin * RATE) - 2 * near, int(end * RATE) + 2 * near : RATE]
        assert curve[elsewhere].max() < 0.1 * curve.max()


def test_an_envelope_runs_from_frame_to_frame_in_straight_lines():
    parts = stereo()
    curve = envelope(parts, 2).samples[0]
    expected = parts.activations[2] / parts.activations.max()
    np.testing.assert_allclose(curve[::64], expected[: curve[::64].size], rtol=1e-6)
    np.testing.assert_allclose(curve[32::64][:40], (expected[:40] + expected[1:41]) / 2, rtol=1e-6)


def test_a_model_of_powers_is_heard_by_its_amplitudes():
    parts = stereo(power=2)
    found = parts.factorization
    squared = Factorization(found.bases**2, found.activations**2, beta=0)
    powers = Decomposition(parts.audio, SETTINGS, squared)
    for ask in (envelope, *SHAPERS):
        np.testing.assert_allclose(ask(powers, 2).samples, ask(parts, 2).samples, atol=1e-5)


@pytest.mark.parametrize("n", [0, 1])
def test_envelopes_of_next_to_nothing_are_as_short(n):
    parts = decompose(Audio(np.full((2, n), 0.5), RATE), 2, stft=SETTINGS, max_iter=5)
    for k in range(2):
        assert envelope(parts, k).samples.shape == (1, n)
        for shaper in SHAPERS:
            assert shaper(parts, k).samples.shape == (2, n)


def test_silence_has_an_envelope_of_zeros():
    parts = decompose(Audio(np.zeros((1, 1000)), RATE), 2, stft=SETTINGS)
    assert not envelope(parts, 0).samples.any()
    for shaper in SHAPERS:
        assert not shaper(parts, 1).samples.any()


# -- shaped carriers


@pytest.mark.parametrize("shaper", SHAPERS)
@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_a_shaped_carrier_has_the_shape_and_the_level_of_its_component(shaper, beta):
    parts = stereo(beta)
    for k in (0, 2):
        sound = shaper(parts, k)
        assert (sound.samples.shape, sound.sample_rate) == ((2, 3001), RATE)
        assert abs(level(sound.samples) - level(parts.component(k).samples)) < 0.1
    assert not shaper(parts, 1).samples.any()


@pytest.mark.parametrize("shaper", SHAPERS)
def test_a_shaped_carrier_sounds_when_its_component_does(parts, shaper):
    low, high = (np.square(shaper(parts, k).samples[0]) for k in range(2))
    assert low[: RATE // 2 - 256].sum() < 0.03 * low.sum()
    assert high[RATE // 4 + 256 :].sum() < 0.03 * high.sum()


def test_a_vocoded_carrier_has_the_spectrum_of_the_basis_and_an_enveloped_one_does_not(parts):
    for k, pitch in enumerate((400, 2500)):
        magnitude, frequency = spectrum(vocoded(parts, k).samples[0])
        near = abs(frequency - pitch) < 100
        assert np.square(magnitude[near]).sum() > 0.8 * np.square(magnitude).sum()
        magnitude, frequency = spectrum(enveloped(parts, k).samples[0])
        assert np.square(magnitude[near]).sum() < 0.5 * np.square(magnitude).sum()


@pytest.mark.parametrize("shaper", SHAPERS)
def test_the_noise_follows_from_its_seed(parts, shaper):
    first, again, other = (shaper(parts, 0, seed=seed).samples for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, shaper(parts, 0).samples)
    assert not np.array_equal(first, other)


def test_a_carrier_of_ones_is_the_envelope_at_the_level_of_the_component(parts):
    ones = Audio(np.ones(RATE + 5000), RATE)  # longer than the recording: its beginning counts
    sound, curve = enveloped(parts, 0, ones).samples, envelope(parts, 0).samples
    np.testing.assert_allclose(sound / sound.max(), curve / curve.max(), atol=1e-6)


@pytest.mark.parametrize("shaper", SHAPERS)
def test_a_carrier_may_have_one_channel_or_as_many(shaper):
    parts = stereo()
    one = Audio(np.random.default_rng(1).uniform(-1, 1, 3001), RATE)
    two = Audio(np.repeat(one.samples, 2, axis=0), RATE)
    np.testing.assert_array_equal(shaper(parts, 0, one).samples, shaper(parts, 0, two).samples)
    left_only = Audio(one.samples * np.array([[1], [0]], np.float32), RATE)
    assert not shaper(parts, 0, left_only).samples[1].any()


@pytest.mark.parametrize("shaper", SHAPERS)
@pytest.mark.parametrize(
    ("shape", "rate", "words"),
    [
        ((3001,), 44100, "cannot carry .*: it must have the same rate and be as long"),
        ((3000,), RATE, "cannot carry .*: it must have the same rate and be as long"),
        ((3, 3001), RATE, "cannot carry .*: it must have one channel or as many"),
    ],
)
def test_a_carrier_that_does_not_fit_is_refused(shaper, shape, rate, words):
    with pytest.raises(Incompatible, match=words):
        shaper(stereo(), 0, Audio(np.zeros(shape), rate))


@pytest.mark.parametrize("ask", [envelope, *SHAPERS])
@pytest.mark.parametrize("k", [3, -1, 0.0, True])
def test_a_component_that_there_is_not_is_refused(ask, k):
    with pytest.raises(InvalidInput, match="component .*: there are 3, numbered from 0 to 2"):
        ask(stereo(), k)


def test_the_envelope_of_a_basis_with_taps_lasts_as_long_as_it_sounds():
    audio = Audio(np.random.default_rng(0).uniform(-1, 1, (1, 6400)), RATE)
    bases = np.ones((129, 1, 4), np.float32) * 0.5 ** np.arange(4)
    activations = np.zeros((1, SETTINGS.n_frames(6400)))
    activations[0, 20] = 1
    parts = Decomposition(audio, SETTINGS, ConvolutiveFactorization(bases, activations))
    curve = envelope(parts, 0).samples[0]
    np.testing.assert_allclose(curve[64 * np.arange(19, 25)], [0, 1, 0.5, 0.25, 0.125, 0], atol=1e-6)
    for shaper in SHAPERS:
        sound = shaper(parts, 0).samples[0]
        assert np.isfinite(sound).all()
        assert np.abs(sound[64 * 20 : 64 * 23]).max() > 0.01
