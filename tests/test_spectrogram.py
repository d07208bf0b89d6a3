import numpy as np
import pytest

from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.spectrogram import Spectrogram

SMALL = STFT(8, 2)


def values(*shape):
    rng = np.random.default_rng(2)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_a_matrix_is_one_channel():
    matrix = values(5, 7)
    spectrogram = Spectrogram(matrix, SMALL, 8000)
    assert spectrogram.values.shape == (1, 5, 7)
    np.testing.assert_array_equal(spectrogram.values[0], matrix)


def test_magnitude_and_power_are_those_of_the_values():
    spectrogram = Spectrogram(values(2, 5, 7), SMALL, 8000)
    assert spectrogram.magnitude.dtype == spectrogram.power.dtype == np.float32
    np.testing.assert_allclose(spectrogram.magnitude, abs(spectrogram.values))
    np.testing.assert_allclose(spectrogram.power, abs(spectrogram.values) ** 2, rtol=1e-6)


def test_axes_are_in_hertz_and_seconds():
    spectrogram = Spectrogram(values(5, 3), SMALL, 8000)
    np.testing.assert_allclose(spectrogram.frequencies, [0, 1000, 2000, 3000, 4000])
    np.testing.assert_allclose(spectrogram.times, [0, 2 / 8000, 4 / 8000])


@pytest.mark.parametrize(("center", "n_samples"), [(True, 12), (False, 12 + 8)])
def test_the_shortest_sound_with_these_frames_is_meant_if_no_length_is_given(center, n_samples):
    assert Spectrogram(values(5, 7), STFT(8, 2, center=center), 8000).n_samples == n_samples
    assert Spectrogram(values(5, 7), STFT(8, 2), 8000, 13).n_samples == 13


def test_the_values_cannot_be_changed_but_the_array_given_can():
    given = values(2, 5, 7)
    spectrogram = Spectrogram(given, SMALL, 8000)
    with pytest.raises(ValueError, match="read-only"):
        spectrogram.values[0, 0, 0] = 1
    assert given.flags.writeable
    with pytest.raises(AttributeError):
        spectrogram.sample_rate = 1


def test_it_says_what_it_is_in_human_units():
    assert (
        repr(Spectrogram(values(5, 7), SMALL, 8000)) == "Spectrogram(1 channel, 5 bins to 4000 Hz, 7 frames, 0.002 s)"
    )
    assert repr(Spectrogram(values(2, 5, 7), SMALL, 8000)).startswith("Spectrogram(2 channels, ")


def test_real_numbers_and_double_precision_are_taken():
    given = np.arange(35.0).reshape(5, 7)
    spectrogram = Spectrogram(given, SMALL, np.float64(8000))
    assert spectrogram.values.dtype == np.complex64
    np.testing.assert_array_equal(spectrogram.values[0], given)
    assert spectrogram.sample_rate == 8000


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((values(5), SMALL, 8000), InvalidInput, r"values\.shape=\(5,\), but \(channels, bins, frames\) is needed"),
        ((values(1, 1, 5, 7), SMALL, 8000), InvalidInput, r"values\.shape=\(1, 1, 5, 7\)"),
        ((values(5, 0), SMALL, 8000), InvalidInput, r"values\.shape=\(1, 5, 0\)"),
        ((values(0, 5, 7), SMALL, 8000), InvalidInput, r"values\.shape=\(0, 5, 7\)"),
        ((values(7, 5), SMALL, 8000), Incompatible, "values has 7 bins, but n_fft=8 makes 5: .*n_fft, or transposed"),
        (
            (values(5, 7), SMALL, 8000, 99),
            Incompatible,
            "values has 7 frames, but 99 samples make 50 with hop_length=2",
        ),
        ((np.full((5, 7), np.nan), SMALL, 8000), InvalidInput, "values contains NaN or infinity"),
        ((np.full((5, 7), 1e300), SMALL, 8000), InvalidInput, "values contains NaN or infinity"),
        ((np.full((5, 7), "a"), SMALL, 8000), InvalidInput, "values.dtype=<U1, but complex numbers are needed"),
        ((values(5, 7), SMALL, 0), InvalidInput, "sample_rate=0, but it must be a number of Hz above zero"),
        ((values(5, 7), SMALL, "8000"), InvalidInput, "sample_rate='8000', but"),
        ((values(5, 7), SMALL, 8000, 12.0), InvalidInput, "n_samples=12.0 is not a whole number"),
        ((values(5, 7), SMALL, 8000, True), InvalidInput, "n_samples=True is not a whole number"),
    ],
)
def test_what_is_no_spectrogram_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        Spectrogram(*arguments)
