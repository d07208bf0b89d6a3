import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given
from hypothesis import strategies as st

from unweave.errors import InvalidInput
from unweave.framing import STFT, WINDOWS, summed_squares, window_values


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("length", [2, 3, 8, 101, 2048])
def test_windows_are_those_of_scipy(name, length):
    expected = scipy.signal.get_window(name, length, fftbins=name != "cosine")
    np.testing.assert_allclose(window_values(STFT(2048, 1, length, name)), expected, atol=1e-14)


def test_windows_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        window_values(STFT())[0] = 1


def test_defaults_follow_from_the_size_of_the_transform():
    stft = STFT()
    assert (stft.n_fft, stft.hop_length, stft.win_length, stft.window, stft.center) == (2048, 512, 2048, "hann", True)
    assert (STFT(1000).hop_length, STFT(1000).win_length, STFT(1000).n_bins) == (250, 1000, 501)
    assert (STFT(3, window="boxcar").hop_length, STFT(7).n_bins) == (1, 4)


def test_settings_make_the_same_object_again_and_equal_ones_are_equal():
    stft = STFT(np.int64(1024), np.int32(100), 500, "cosine", zeros_after=True)
    assert STFT(**stft.settings()) == stft
    assert {type(stft.n_fft), type(stft.hop_length)} == {int}
    assert stft != STFT(1024)
    assert hash(STFT(1024)) == hash(STFT(1024, 256))


@pytest.mark.parametrize(
    ("arguments", "fft", "hop", "window"),
    [
        ((), 1024, 512, 1024),
        ((1024, -1, -1), 1024, 512, 1024),
        ((1000, -1, -1), 1024, 500, 1000),
        ((1024, 256, 4096), 4096, 256, 1024),
        ((1024, 0, 512), 1024, 512, 1024),
        ((1024, -1, 3000), 4096, 512, 1024),
        ((4,), 4, 2, 4),
    ],
)
def test_flucoma_settings_mean_what_they_mean_there(arguments, fft, hop, window):
    stft = STFT.flucoma(*arguments)
    assert (stft.n_fft, stft.hop_length, stft.win_length) == (fft, hop, window)
    assert (stft.window, stft.center, stft.zeros_after) == ("hann", True, True)
    assert stft.offset == -(window // 2)  # padding of half a window, not half a transform


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_fft": 1024.0}, r"n_fft=1024.0 is not a whole number of samples"),
        ({"n_fft": True}, "n_fft=True is not a whole number"),
        ({"hop_length": "512"}, "hop_length='512' is not a whole number"),
        ({"win_length": None}, "win_length=None is not a whole number"),
        ({"n_fft": 1}, "n_fft=1 is not between 2 and 1048576"),
        ({"n_fft": 2**21}, "n_fft=2097152 is not between"),
        ({"n_fft": -8}, "n_fft=-8 is not between"),
        ({"window": "kaiser"}, "window='kaiser' is not one of hann, hamming, "),
        ({"win_length": 4096}, "win_length=4096 is not between 2 and n_fft=2048"),
        ({"win_length": 1}, "win_length=1 is not between 2"),
        ({"win_length": -5}, "win_length=-5 is not between 2"),
        ({"hop_length": -2}, "hop_length=-2 is not at least 1 sample"),
        ({"hop_length": 3000}, "hop_length=3000 is longer than win_length=2048: samples between windows would be lost"),
        ({"hop_length": 2048}, "hop_length=2048 leaves samples where the hann window .* use a hop_length of 1024 or"),
        ({"hop_length": 2000, "window": "blackmanharris"}, "leaves samples where the blackmanharris window"),
    ],
)
def test_what_cannot_be_inverted_is_refused_by_name(arguments, words):
    with pytest.raises(InvalidInput, match=words):
        STFT(**arguments)


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_a_flucoma_window_without_samples_is_refused(size):
    with pytest.raises(InvalidInput, match=f"window_size={size} is not at least 2 samples"):
        STFT.flucoma(size)


def test_a_window_without_zeros_may_follow_upon_itself():
    assert STFT(512, 512, window="boxcar").hop_length == 512
    assert STFT(512, 512, window="hamming").hop_length == 512


@given(st.integers(4, 600), st.data(), st.integers(0, 5000), st.sampled_from(sorted(WINDOWS)))
def test_frames_are_counted_as_in_librosa_and_one_more_only_for_hops_of_more_than_a_quarter(n_fft, data, n, window):
    hop = data.draw(st.integers(1, n_fft // 2))
    stft = STFT(n_fft, hop, window=window)
    more = stft.n_frames(n) - (n // hop + 1)
    assert more in (0, 1)
    assert more == 0 or hop > n_fft // 4


def test_one_frame_more_is_made_where_the_end_would_be_lost():
    stft = STFT(1024, 512)
    assert stft.n_frames(512 * 10) == 11
    assert stft.n_frames(512 * 10 + 500) == 11 + 1
    assert STFT(1024, 256).n_frames(512 * 10 + 255) == 20 + 1


@pytest.mark.parametrize(("n", "frames"), [(0, 1), (5, 1), (1024, 1), (1279, 1), (1280, 2), (1536, 3)])
def test_without_centre_only_whole_frames_count(n, frames):
    assert STFT(1024, 256, center=False).n_frames(n) == frames


def test_bins_and_frames_lie_where_they_lie():
    stft = STFT(1024, 256)
    np.testing.assert_allclose(stft.frequencies(44100)[[0, 1, 512]], [0, 44100 / 1024, 22050])
    np.testing.assert_allclose(stft.times(3, 8000), [0, 0.032, 0.064])
    np.testing.assert_allclose(STFT(1024, 256, center=False).times(2, 8000), [0.064, 0.096])


@given(st.integers(2, 300), st.data())
def test_summed_squares_are_the_sum_over_all_frames(n_fft, data):
    length = data.draw(st.integers(2, n_fft))
    hop = data.draw(st.integers(1, length))
    after = data.draw(st.booleans())
    try:
        stft = STFT(n_fft, hop, length, data.draw(st.sampled_from(sorted(WINDOWS))), zeros_after=after)
    except InvalidInput:
        assume(False)
    n = data.draw(st.integers(1, 900))
    n_frames = stft.n_frames(n)
    padded = np.zeros(n + 4 * n_fft)
    for frame in range(n_frames):
        begin = 2 * n_fft + stft.offset + frame * hop
        padded[begin : begin + length] += window_values(stft) ** 2
    expected = padded[2 * n_fft :][:n]
    np.testing.assert_allclose(summed_squares(stft, n_frames, 0, n), expected, atol=1e-12)
    assert expected.min() >= 0.99e-4 * padded.max()  # every sample can be rebuilt
    half = n // 2
    np.testing.assert_allclose(summed_squares(stft, n_frames, half, n - half), expected[half:], atol=1e-12)
