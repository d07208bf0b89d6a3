import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given
from hypothesis import strategies as st

from unweave.audio import Audio, load
from unweave.errors import InvalidInput
from unweave.framing import STFT, WINDOWS, window_values
from unweave.spectrogram import Spectrogram
from unweave.stft import analysis_blocks, block_spans, istft, rebuild, stft
from unweave.threads import limit

SHAPES = [
    STFT(256),
    STFT(256, 128, window="cosine"),
    STFT(255, 40, 101, "hamming"),
    STFT(512, 64, 300, "blackman"),
    STFT(512, 64, 300, "blackman", zeros_after=True),
    STFT(64, 64, window="boxcar"),
    STFT(16, 1),
]


def noise(n_channels, n_samples, seed=0):
    return Audio(np.random.default_rng(seed).uniform(-1, 1, (n_channels, n_samples)), 44100)


def level_over_error(true, found):
    """How far the error lies below what is true, in dB."""
    true, found = np.asarray(true, np.complex128), np.asarray(found, np.complex128)
    wrong = np.square(abs(found - true)).sum()
    return np.inf if wrong == 0 else 10 * np.log10(np.square(abs(true)).sum() / wrong)


def direct(samples, settings):
    """The formula in the module's docstring, in double precision: (bins, frames)."""
    n_fft, hop, length = settings.n_fft, settings.hop_length, settings.win_length
    padded = np.concatenate([np.zeros(2 * n_fft), samples, np.zeros(3 * n_fft)]).astype(np.float64)
    columns = []
    for frame in range(settings.n_frames(samples.size)):
        begin = 2 * n_fft + frame * hop + settings.offset
        held = np.zeros(n_fft)
        held[settings.lead : settings.lead + length] = padded[begin : begin + length] * window_values(settings)
        columns.append(np.fft.rfft(held))
    return np.stack(columns, axis=1)


# -- forward


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("center", [True, False])
def test_the_transform_is_the_formula(settings, center):
    settings = STFT(**{**settings.settings(), "center": center})
    sound = noise(1, 3001)
    spectrogram = stft(sound, settings)
    assert spectrogram.values.dtype == np.complex64
    assert level_over_error(direct(sound.samples[0], settings), spectrogram.values[0]) > 125


@pytest.mark.parametrize("settings", [STFT(256), STFT(512, 100), STFT(256, 128, window="hamming")], ids=str)
def test_the_transform_is_scipys(settings):
    sound = noise(1, 5000)
    window = scipy.signal.get_window(settings.window, settings.win_length)
    theirs = scipy.signal.ShortTimeFFT(window, settings.hop_length, 44100, phase_shift=None).stft(
        sound.samples[0].astype(np.float64), p0=0, p1=settings.n_frames(5000)
    )
    assert level_over_error(theirs, stft(sound, settings).values[0]) > 125


@pytest.mark.parametrize(("n_fft", "hop", "length"), [(2048, 512, 2048), (1024, 256, 600), (512, 100, 333)])
@pytest.mark.parametrize("n", [20000, 20480])
def test_centred_framing_is_librosas(n_fft, hop, length, n):
    sound = noise(1, n)
    window = np.zeros(n_fft)
    begin = (n_fft - length) // 2
    window[begin : begin + length] = scipy.signal.get_window("hann", length)
    padded = np.pad(sound.samples[0].astype(np.float64), n_fft // 2)
    frames = [padded[at : at + n_fft] * window for at in range(0, padded.size - n_fft + 1, hop)]
    ours = stft(sound, STFT(n_fft, hop, length)).values[0]
    assert ours.shape[1] == len(frames) == n // hop + 1
    assert level_over_error(np.fft.rfft(frames).T, ours) > 125


def test_flucomas_transform_is_agreed_with(shared):
    golden = np.load(shared / "golden" / "bufstft.npz")
    sound = load(shared / "audio" / "conga_groove.wav")
    ours = stft(sound, STFT.flucoma(1024, 512, 1024))
    assert ours.magnitude[0].shape == golden["magnitude"].shape
    assert level_over_error(golden["magnitude"], ours.magnitude[0]) > 120
    theirs = golden["magnitude"] * np.exp(1j * golden["phase"].astype(np.float64))
    assert level_over_error(theirs, ours.values[0]) > 120


def test_where_the_zeros_go_changes_phases_only():
    sound = noise(1, 4000)
    around, after = (stft(sound, STFT(512, 100, 300, zeros_after=zeros)) for zeros in (False, True))
    assert level_over_error(around.magnitude, after.magnitude) > 120
    assert level_over_error(around.values, after.values) < 20


def test_a_sine_wave_has_its_level_in_its_bin():
    sound = Audio(np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000), 8000)
    spectrogram = stft(sound, STFT(800, 200))
    middle = spectrogram.magnitude[0, :, 20]
    assert spectrogram.frequencies[middle.argmax()] == 1000
    assert middle.max() == pytest.approx(800 / 4, rel=1e-5)  # half an amplitude, through half a window


@pytest.mark.parametrize("settings", SHAPES, ids=str)
def test_a_channel_alone_is_the_channel_in_the_stack(settings):
    sound = noise(8, 2500)
    spectrogram = stft(sound, settings)
    back = istft(spectrogram)
    for channel in range(8):
        alone = stft(Audio(sound.samples[channel], 44100), settings)
        np.testing.assert_array_equal(alone.values[0], spectrogram.values[channel])
        np.testing.assert_array_equal(istft(alone).samples[0], back.samples[channel])


def test_defaults_are_those_of_the_settings_and_the_rate_and_length_are_kept():
    sound = Audio(noise(2, 12345).samples, 22050.5)
    spectrogram = stft(sound)
    assert (spectrogram.stft, spectrogram.sample_rate, spectrogram.n_samples) == (STFT(), 22050.5, 12345)
    back = istft(spectrogram)
    assert (back.sample_rate, back.n_samples) == (22050.5, 12345)


# -- there and back


@st.composite
def cases(draw):
    n_fft = draw(st.integers(2, 600))
    length = draw(st.integers(2, n_fft))
    hop = draw(st.integers(1, length))
    window = draw(st.sampled_from(sorted(WINDOWS)))
    try:
        settings = STFT(n_fft, hop, length, window, zeros_after=draw(st.booleans()))
    except InvalidInput:
        assume(False)
    near = [0, 1, hop - 1, hop, hop + 1, length // 2, n_fft - 1, n_fft, n_fft + 1]
    return settings, draw(st.sampled_from(near) | st.integers(0, 4000))


@given(cases())
def test_there_and_back_is_the_sound(case):
    settings, n = case
    sound = noise(2, n)
    back = istft(stft(sound, settings))
    assert (back.samples.shape, back.samples.dtype) == (sound.samples.shape, np.float32)
    if n > 200:  # the level of a few samples is no measure
        assert level_over_error(sound.samples, back.samples) >= 120
    # a sample at the verge of the last window is known from few digits
    assert np.abs(back.samples - sound.samples).max(initial=0) < 2e-4


@pytest.mark.parametrize("n_fft", [256, 1024, 2048, 8192])
@pytest.mark.parametrize("share", [2, 4, 8])
def test_there_and_back_is_the_sound_at_120_db_for_a_long_one(n_fft, share):
    sound = noise(1, 100_003)
    assert level_over_error(sound.samples, istft(stft(sound, STFT(n_fft, n_fft // share))).samples) > 125


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 63, 2500])
def test_rebuilding_in_blocks_changes_no_digit_whatever_their_size(settings, n):
    sound = noise(2, min(n, 100 * settings.hop_length))
    whole = istft(stft(sound, settings)).samples
    for n_block in (1, 2, 7, 64, 10_000):
        parts = list(rebuild(sound, settings, lambda block: block.values, n_block))
        np.testing.assert_array_equal(np.concatenate(parts, axis=-1), whole)
        blocks = [block.values for block in analysis_blocks(sound, settings, n_block)]
        np.testing.assert_array_equal(np.concatenate(blocks, 1).transpose(0, 2, 1), stft(sound, settings).values)


def test_several_sounds_are_rebuilt_at_once():
    sound = noise(2, 3000)
    settings = STFT(256)
    pieces = rebuild(sound, settings, lambda block: np.stack([block.values, -0.5 * block.values]), 5)
    stack = np.concatenate(list(pieces), axis=-1)
    assert stack.shape == (2, 2, 3000)
    np.testing.assert_array_equal(stack[1], -0.5 * stack[0])
    assert level_over_error(sound.samples, stack[0]) > 120


def test_a_changed_spectrogram_gives_the_nearest_sound():
    """The least-squares inverse is a projection: a second trip there and back changes nothing."""
    rng = np.random.default_rng(3)
    settings = STFT(128, 32)
    values = rng.standard_normal((1, 65, 40)) + 1j * rng.standard_normal((1, 65, 40))
    once = istft(Spectrogram(values, settings, 8000, 39 * 32))
    near = stft(once, settings)
    assert level_over_error(once.samples, istft(near).samples) > 115
    distance = np.square(abs(near.values - values)).sum()
    for _ in range(5):
        other = Audio(once.samples + 0.1 * rng.standard_normal(once.samples.shape), 8000)
        assert np.square(abs(stft(other, settings).values - values)).sum() > distance


@pytest.mark.parametrize("settings", SHAPES, ids=str)
def test_one_thread_makes_the_same_bits_as_many(settings):
    sound = noise(2, 700 * settings.hop_length)  # three blocks
    found = []
    for count in (1, 2, 5):
        with limit(count):
            spectrogram = stft(sound, settings)
            found.append((spectrogram.values, istft(spectrogram).samples))
    for values, samples in found[1:]:
        np.testing.assert_array_equal(values, found[0][0])
        np.testing.assert_array_equal(samples, found[0][1])


def test_nothing_given_is_changed():
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 3000)).astype(np.float32)
    before = samples.copy()
    spectrogram = stft(Audio(samples, 44100), STFT(256))
    values = spectrogram.values.copy()
    istft(spectrogram)
    np.testing.assert_array_equal(samples, before)
    np.testing.assert_array_equal(spectrogram.values, values)


def test_a_sound_without_samples_has_one_frame_of_zeros():
    spectrogram = stft(Audio(np.zeros((2, 0)), 44100))
    assert spectrogram.values.shape == (2, 1025, 1)
    assert not spectrogram.values.any()
    assert istft(spectrogram).samples.shape == (2, 0)


def test_frames_that_do_not_cover_the_ends_are_not_inverted():
    settings = STFT(256, center=False)
    with pytest.raises(InvalidInput, match="center=False leaves the first and the last samples without a window"):
        istft(stft(noise(1, 3000), settings))
    with pytest.raises(InvalidInput, match="use center=True"):
        next(rebuild(noise(1, 3000), settings, lambda block: block.values))


def test_blocks_cover_every_frame_once():
    assert block_spans(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert block_spans(1) == [(0, 1)]
