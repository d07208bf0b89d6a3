import numpy as np
import pytest

from unweave.audio import Audio
from unweave.framing import STFT
from unweave.sines.peaks import Lobes, Peaks, find_peaks
from unweave.stft import stft

RATE = 44100
SHAPES = [
    STFT(1024, 512),
    STFT(2048, 512, 1500, "blackman"),
    STFT(1024, 256, 700, "hamming", zeros_after=True),
    STFT(1000, 250),
]


def spectrum(frequency, amplitude, settings):
    """Magnitudes (bins,) of a steady sine wave."""
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(RATE // 2) / RATE + 0.7)
    return stft(Audio(wave, RATE), settings).magnitude[0, :, 20]


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("frequency", [1234.5, 4410.0, 9000.1])
@pytest.mark.parametrize("amplitude", [1.0, 0.01])
def test_a_sine_wave_is_found_at_its_frequency_and_its_level(settings, frequency, amplitude):
    (found,) = find_peaks(spectrum(frequency, amplitude, settings)[None], settings, -60)
    loudest = found.levels.argmax()
    assert found.positions[loudest] * RATE / settings.n_fft == pytest.approx(frequency, abs=0.1)
    assert found.levels[loudest] == pytest.approx(20 * np.log10(amplitude), abs=0.02)


def test_a_peak_is_greater_than_both_its_neighbours_and_lies_inside():
    magnitude = np.array([[9, 1, 2, 2, 1, 5, 1, 1.0], [0, 0, 0, 0, 0, 0, 0, 0], [1, 3, 1, 3, 1, 3, 1, 3]])
    flat, silent, comb = find_peaks(magnitude, STFT(14, 7), -300)
    np.testing.assert_array_equal(flat.positions, [2.5, 5])  # two equal bins are one peak between them
    assert silent.positions.size == silent.levels.size == 0
    np.testing.assert_array_equal(comb.positions, [1, 3, 5])


def test_the_error_of_the_parabola_is_taken_away():
    """Without that, a wave half between two bins is found 0.15 dB too loud."""
    settings = STFT(1024, 512)
    for frequency in np.linspace(100, 101, 9) * RATE / 1024:
        (found,) = find_peaks(spectrum(frequency, 1, settings)[None], settings, -1)
        assert found.positions[0] * RATE / 1024 == pytest.approx(frequency, abs=0.002)
        assert found.levels[0] == pytest.approx(0, abs=0.001)


def test_peaks_below_the_threshold_are_left_out():
    magnitude = spectrum(1000, 0.1, STFT(1024, 512))[None]
    assert find_peaks(magnitude, STFT(1024, 512), -19)[0].levels.size == 0
    assert find_peaks(magnitude, STFT(1024, 512), -21)[0].levels.size == 1


def test_frames_do_not_depend_on_each_other():
    magnitude = np.random.default_rng(0).uniform(0, 1, (7, 129))
    settings = STFT(256)
    together = find_peaks(magnitude, settings, -20)
    assert len(together) == 7
    for frame, found in enumerate(together):
        (alone,) = find_peaks(magnitude[frame : frame + 1], settings, -20)
        np.testing.assert_array_equal(found.positions, alone.positions)
        np.testing.assert_array_equal(found.levels, alone.levels)


def test_of_no_frames_and_of_two_bins_there_are_no_peaks():
    assert find_peaks(np.zeros((0, 129)), STFT(256), -20) == []
    (found,) = find_peaks(np.ones((1, 2)), STFT(2, 1, window="boxcar"), -20)
    assert isinstance(found, Peaks)
    assert found.positions.size == 0


# -- drawing


@pytest.mark.parametrize("settings", SHAPES, ids=str)
@pytest.mark.parametrize("frequency", [1000.0, 3210.9, 15000.0])
def test_a_drawn_sine_wave_is_the_spectrum_of_one(settings, frequency):
    position = np.array([frequency * settings.n_fft / RATE])
    drawn = Lobes(settings, 76).draw(position, np.array([-6.0206]), np.array([0]), 1)[0]
    true = spectrum(frequency, 0.5, settings)
    near = np.abs(np.arange(settings.n_bins) - position) < 38
    assert np.abs(drawn - true)[near].max() < 2e-3 * true.max()
    assert not drawn[~near].any()


def test_what_is_found_and_drawn_is_what_was_there():
    settings = STFT(2048, 512)
    magnitude = spectrum(440, 0.5, settings) + spectrum(3000, 0.05, settings)
    (found,) = find_peaks(magnitude[None], settings, -40)
    drawn = Lobes(settings, 76).draw(found.positions, found.levels, np.zeros(found.levels.size, np.int64), 1)[0]
    assert np.abs(drawn - magnitude).max() < 1e-3 * magnitude.max()


@pytest.mark.parametrize(("bandwidth", "bins"), [(1, [50]), (2, [49, 50, 51]), (3, [49, 50, 51]), (4, range(48, 53))])
def test_a_sine_wave_is_drawn_no_wider_than_the_bandwidth(bandwidth, bins):
    drawn = Lobes(STFT(512, 128, 300), bandwidth).draw(np.array([50.0]), np.zeros(1), np.array([0]), 1)[0]
    np.testing.assert_array_equal(np.flatnonzero(drawn), bins)


def test_a_bandwidth_wider_than_the_spectrum_draws_all_of_it():
    settings = STFT(64, 16)
    drawn = Lobes(settings, 5000).draw(np.array([1.2, 30.7]), np.zeros(2), np.array([0, 1]), 2)
    assert drawn.shape == (2, 33)
    assert np.isfinite(drawn).all()


def test_waves_add_in_their_own_frames():
    lobes = Lobes(STFT(256), 9)
    first, second = (np.array([20.3]), np.array([-6.0])), (np.array([23.9]), np.array([-10.0]))
    one, two = (lobes.draw(*each, np.array([0]), 1)[0] for each in (first, second))
    both = lobes.draw(*(np.tile(np.concatenate(pair), 2) for pair in zip(first, second, strict=True)),
                      np.array([0, 0, 2, 2]), 3)  # fmt: skip
    np.testing.assert_allclose(both, [one + two, np.zeros(129), one + two])
