import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT, window_values
from unweave.polar import PADDINGS, covered_samples, from_polar, n_frames, padding_samples, to_polar
from unweave.stft import stft

SHAPES = [
    STFT(256),
    STFT(256, 128),
    STFT(512, 100, 301, "hamming"),
    STFT(512, 100, 301, zeros_after=True),
    STFT(64, 64, window="boxcar"),
]


def noise(n_channels, n_samples, seed=0):
    return Audio(np.random.default_rng(seed).uniform(-1, 1, (n_channels, n_samples)), 44100)


def over_error(true, found):
    wrong = np.square(np.abs(np.asarray(found, np.complex128) - true)).sum()
    return np.inf if wrong == 0 else 10 * np.log10(np.square(np.abs(true)).sum() / wrong)


def direct(samples, settings, padding):
    """FluCoMa's framing as its documentation has it, in double precision: (bins, frames)."""
    win, hop = settings.win_length, settings.hop_length
    pad = {"none": 0, "half": win // 2, "full": win - hop}[padding]
    length = samples.size + 2 * pad
    if padding == "full":
        length = int(np.ceil(length / hop)) * hop
    count = 1 + int(np.floor((length - win) / hop))
    padded = np.concatenate([np.zeros(pad), samples, np.zeros(pad + hop)]).astype(np.float64)
    columns = []
    for frame in range(count):
        held = np.zeros(settings.n_fft)
        held[settings.lead : settings.lead + win] = padded[frame * hop :][:win] * window_values(settings)
        columns.append(np.fft.rfft(held))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("n", [1999, 2000, 2048])
def test_magnitude_and_phase_are_those_of_the_padded_sound(settings, padding, n):
    sound = noise(1, n)
    magnitude, phase = to_polar(sound, settings, padding=padding)
    true = direct(sound.samples[0], settings, padding)
    assert magnitude.shape == phase.shape == (1, settings.n_bins, n_frames(settings, padding, n)) == (1, *true.shape)
    assert magnitude.dtype == phase.dtype == np.float32
    assert over_error(true, magnitude[0] * np.exp(1j * phase[0])) > 120


def test_flucomas_buffers_are_agreed_with(shared):
    golden = np.load(shared / "golden" / "bufstft.npz")
    sound = load(shared / "audio" / "conga_groove.wav")
    magnitude, phase = to_polar(sound, STFT.flucoma(), padding="half")
    assert over_error(golden["magnitude"], magnitude[0]) > 120
    turned = golden["magnitude"] * np.exp(1j * (golden["phase"].astype(np.float64) - phase[0]))
    assert over_error(golden["magnitude"], turned) > 100
    back = from_polar(
        golden["magnitude"],
        golden["phase"],
        STFT.flucoma(),
        sample_rate=sound.sample_rate,
        n_samples=sound.n_samples,
    )
    assert over_error(sound.samples, back.samples) > 120


def test_half_is_the_librarys_own_framing():
    sound = noise(2, 20000)
    magnitude, phase = to_polar(sound, STFT(1024, zeros_after=True))
    assert over_error(stft(sound, STFT(1024, zeros_after=True)).values, magnitude * np.exp(1j * phase)) > 120


# -- there and back


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 255, 2000, 2003])
def test_with_full_padding_every_sample_comes_back(settings, n):
    sound = noise(2, n)
    polar = to_polar(sound, settings, padding="full")
    back = from_polar(*polar, settings, sample_rate=44100, padding="full", n_samples=n)
    assert (back.samples.shape, back.sample_rate) == ((2, n), 44100)
    assert np.abs(back.samples - sound.samples).max(initial=0) < 1e-5


@pytest.mark.parametrize("settings", [STFT(1024), STFT(512, 100, 400), STFT(256, 32, window="blackman")], ids=str)
@pytest.mark.parametrize("n", [0, 1, 99, 2000, 2047, 2048])
def test_with_half_padding_every_sample_comes_back_from_short_hops(settings, n):
    sound = noise(1, n)
    back = from_polar(*to_polar(sound, settings), settings, sample_rate=44100, n_samples=n)
    assert np.abs(back.samples - sound.samples).max(initial=0) < 1e-5


@pytest.mark.parametrize("settings", [STFT(1024), STFT(1024, 512)], ids=str)
@pytest.mark.parametrize("n", [5000, 10240])
def test_without_padding_the_edges_fade_and_the_rest_comes_back(settings, n):
    sound = noise(1, n)
    back = from_polar(
        *to_polar(sound, settings, padding="none"), settings, sample_rate=44100, padding="none", n_samples=n
    )
    end = covered_samples(settings, "none", n_frames(settings, "none", n))
    edge = round(0.035 * settings.win_length)
    assert end <= n < end + settings.hop_length
    assert np.abs(back.samples - sound.samples)[:, edge : end - edge].max() < 1e-4
    assert not back.samples[:, end:].any()
    assert np.abs(back.samples).max() < 1.01  # nothing is blown up


@pytest.mark.parametrize("padding", PADDINGS)
def test_without_a_length_the_sound_reaches_as_far_as_its_frames(padding):
    settings = STFT(1024, 256)
    polar = to_polar(noise(1, 5120), settings, padding=padding)
    assert from_polar(*polar, settings, sample_rate=44100, padding=padding).n_samples == 5120


def test_the_zeros_behind_the_sound_can_be_kept_as_flucoma_does():
    """20480 samples for 20000, as its documentation has it."""
    settings = STFT.flucoma()
    sound = noise(1, 20000)
    polar = to_polar(sound, settings)
    n = covered_samples(settings, "half", polar[0].shape[2])
    assert n == 20480
    back = from_polar(*polar, settings, sample_rate=44100, n_samples=n)
    assert np.abs(back.samples[:, 20000:]).max() < 1e-3


def test_a_channel_alone_is_the_channel_in_the_stack():
    sound = noise(3, 3000)
    magnitude, phase = to_polar(sound, STFT(256))
    for channel in range(3):
        alone = to_polar(Audio(sound.samples[channel], 44100), STFT(256))
        np.testing.assert_array_equal(alone[0][0], magnitude[channel])
        np.testing.assert_array_equal(alone[1][0], phase[channel])


def test_a_matrix_is_one_channel_and_nothing_given_is_changed():
    magnitude, phase = (each[0].copy() for each in to_polar(noise(1, 3000), STFT(256)))
    before = magnitude.copy(), phase.copy()
    back = from_polar(magnitude, phase, STFT(256), sample_rate=8000, n_samples=3000)
    assert back.samples.shape == (1, 3000)
    np.testing.assert_array_equal((magnitude, phase), before)


def test_paddings_by_name():
    assert [padding_samples(STFT(1024, 256), padding) for padding in PADDINGS] == [0, 512, 768]
    with pytest.raises(InvalidInput, match="padding='most' is not one of none, half, full"):
        to_polar(noise(1, 10), padding="most")


def test_silence_and_nothing_have_a_phase_of_zero():
    magnitude, phase = to_polar(Audio(np.zeros((2, 0)), 44100), padding="none")
    assert magnitude.shape == (2, 1025, 1)
    assert not magnitude.any()
    assert not phase.any()


def test_what_does_not_belong_together_is_refused():
    magnitude, phase = to_polar(noise(1, 3000), STFT(256))
    with pytest.raises(Incompatible, match="magnitude has 129 bins, but n_fft=512 makes 257"):
        from_polar(magnitude, phase, STFT(512), sample_rate=8000)
    with pytest.raises(Incompatible, match="were they made from the same recording"):
        from_polar(magnitude, phase[:, :, 1:], STFT(256), sample_rate=8000)
    with pytest.raises(Incompatible, match="n_samples=99999, but the 47 frames end at sample 3072"):
        from_polar(magnitude, phase, STFT(256), sample_rate=8000, n_samples=99999)
    with pytest.raises(InvalidInput, match="n_samples=-1 is not a whole number"):
        from_polar(magnitude, phase, STFT(256), sample_rate=8000, n_samples=-1)
    with pytest.raises(InvalidInput, match="phase contains NaN or infinity"):
        from_polar(magnitude, phase * np.nan, STFT(256), sample_rate=8000)
    with pytest.raises(InvalidInput, match="real numbers .channels, bins, frames. are needed"):
        from_polar(magnitude[0, 0], phase, STFT(256), sample_rate=8000)
