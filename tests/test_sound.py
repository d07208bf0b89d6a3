import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from unweave.errors import InvalidInput
from unweave.sound import Audio, as_audio


def test_one_axis_becomes_one_channel():
    audio = Audio(np.zeros(10), 100)
    assert audio.samples.shape == (1, 10)
    assert audio.samples.dtype == np.float32
    assert (audio.n_channels, audio.n_samples, audio.duration, audio.peak) == (1, 10, 0.1, 0.0)


def test_samples_are_read_only_and_the_callers_array_keeps_its_flags():
    for given in (np.zeros((2, 5), np.float32), np.zeros(5, np.float32)):
        audio = Audio(given, 8000)
        assert np.shares_memory(audio.samples, given)
        assert given.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            audio.samples[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        audio.sample_rate = 1


def test_samples_are_contiguous_whatever_was_given():
    given = np.arange(12, dtype=np.float32).reshape(6, 2) / 12
    audio = Audio(given.T, 8000)
    assert audio.samples.flags.c_contiguous
    np.testing.assert_array_equal(audio.samples, given.T)


def test_float64_is_rounded_and_integers_are_scaled_as_in_files():
    assert Audio([0.1], 1).samples[0, 0] == np.float32(0.1)
    assert Audio(np.array([-32768, 16384], np.int16), 1).samples.tolist() == [[-1, 0.5]]
    assert Audio(np.array([-(2**31), 2**30], np.int32), 1).samples.tolist() == [[-1, 0.5]]
    assert Audio(np.array([0, 128, 192], np.uint8), 1).samples.tolist() == [[-1, 0, 0.5]]


def test_zero_samples_are_a_sound():
    audio = Audio(np.zeros((2, 0)), 44100)
    assert (audio.duration, audio.peak) == (0.0, 0.0)
    assert repr(audio) == "Audio(2 channels, 0.000 s at 44100 Hz, silent)"


def test_the_peak_is_the_greatest_sample_of_either_sign():
    assert Audio([0.25, -0.5], 1).peak == 0.5
    assert Audio([0.75, -0.5], 1).peak == 0.75
    assert Audio([0.75, 0.5], 1).peak == 0.75
    assert Audio([-0.75, -0.5], 1).peak == 0.75


def test_the_repr_is_one_line_in_human_units():
    assert repr(Audio(np.full((2, 192408), 0.7), 44100)) == "Audio(2 channels, 4.363 s at 44100 Hz, peak -3.1 dB)"
    assert repr(Audio([1.0], 0.5)) == "Audio(1 channel, 2.000 s at 0.5 Hz, peak 0.0 dB)"
    assert "peak 0.0 dB" in repr(Audio([0.999], 8000))
    assert "96000000 Hz" in repr(Audio([0.999], 96_000_000))


def test_whole_rates_become_integers_and_others_stay():
    for rate in (44100, 44100.0, np.int64(44100), np.float32(44100)):
        kept = Audio([0.0], rate).sample_rate
        assert (kept, type(kept)) == (44100, int)
    assert Audio([0.0], 44100.5).sample_rate == 44100.5


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, True, np.True_, "44100", None, 1j])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(InvalidInput, match="sample_rate=.*, but it must be a number of Hz above zero"):
        Audio([0.0], rate)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (0.5, r"samples.shape=\(\), but \(channels, samples\)"),
        (np.zeros((1, 2, 3)), r"samples.shape=\(1, 2, 3\), but"),
        (np.zeros((0, 3)), r"samples.shape=\(0, 3\): a sound needs at least one channel"),
        ([1j], "samples.dtype=complex128, but a sound is of real numbers"),
        ([True], "samples.dtype=bool, but"),
        ([None], "samples.dtype=object, but"),
        (["a"], "samples.dtype=<U1, but"),
        ([1, 2], "samples.dtype=int64, but .* or int16, int32 or uint8 as sound files have them"),
        ([[1.0], [1.0, 2.0]], "samples has rows of different lengths"),
        ([0.0, math.nan], "samples contains NaN, first at 0.01 s in channel 0"),
        ([[0.0, 0.0, math.nan], [0.0, -math.inf, 0.0]], "samples contains infinity, first at 0.01 s in channel 1"),
        ([1e300], "samples contains infinity, first at 0 s in channel 0"),
    ],
)
def test_what_is_no_sound_is_refused_in_a_sentence(samples, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        Audio(samples, 100)


def test_as_audio_hands_an_audio_back_and_takes_an_array_with_its_rate():
    audio = Audio([0.5], 8000)
    assert as_audio(audio) is audio
    assert as_audio(audio, 8000) is audio
    assert as_audio([0.5], 8000).sample_rate == 8000
    assert as_audio(np.zeros((8, 1000)), 8000).n_channels == 8
    assert as_audio(np.zeros((999, 2)), 8000).n_channels == 999


@pytest.mark.parametrize(
    ("value", "rate", "sentence"),
    [
        (
            Audio(np.zeros(1, np.float32), 8000),
            44100,
            "sample_rate=44100, but the audio has 8000 Hz: .*unweave.audio.resample",
        ),
        ([0.5], None, "An array does not say its rate"),
        ("a.wav", None, "'a.wav' is the name of a file: read it with unweave.load"),
        (np.zeros((441000, 2)), 44100, r"The array's shape is \(441000, 2\).*pass array.T \(if it really has 441000"),
    ],
)
def test_as_audio_says_what_to_do_with_other_things(value, rate, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        as_audio(value, rate)
