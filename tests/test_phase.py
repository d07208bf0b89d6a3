"""Griffin-Lim: what it finds, what it promises, and what it refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.loop import run
from unweave.phase import griffin_lim, griffin_lim_steps
from unweave.spectrogram import Spectrogram
from unweave.stft import istft, stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

SETTINGS = STFT(512, 128)


def chirp(n_samples=8000, n_channels=1):
    t = np.arange(n_samples) / 8000
    rows = [np.sin(2 * np.pi * (200 + 300 * k + 400 * t) * t) * np.exp(-t) for k in range(n_channels)]
    return Audio(np.stack(rows), 8000)


def distance(samples, magnitude, settings):
    """How far the magnitudes of a sound are from those that are wanted, relative to them."""
    found = stft(Audio(samples, 8000), settings).magnitude
    return float(np.linalg.norm(found - magnitude) / np.linalg.norm(magnitude))


# -- what it finds


def test_a_sound_with_the_magnitudes_is_found():
    sound = chirp()
    wanted = stft(sound, SETTINGS).magnitude
    assert distance(griffin_lim(wanted, SETTINGS, 8000, n_iter=0), wanted, SETTINGS) > 0.4
    assert distance(griffin_lim(wanted, SETTINGS, 8000), wanted, SETTINGS) < 0.08


def test_momentum_gets_nearer_in_the_same_time():
    wanted = stft(drum_loop(n_bars=1, sample_rate=22050)["mix"], SETTINGS).magnitude
    n_samples = 50884
    plain, fast = (
        distance(griffin_lim(wanted, SETTINGS, n_samples, momentum=value), wanted, SETTINGS) for value in (0, 0.95)
    )
    assert fast < 0.75 * plain


def test_without_momentum_the_distance_never_grows():
    wanted = stft(chirp(3000), SETTINGS).magnitude
    distances = [
        distance(griffin_lim(wanted, SETTINGS, 3000, momentum=0, n_iter=n), wanted, SETTINGS) for n in range(12)
    ]
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in itertools.pairwise(distances))


def test_an_iteration_is_the_formula():
    """Two iterations, written down once more with whole matrices."""
    sound, alpha = chirp(2000), 0.7
    wanted = stft(sound, SETTINGS).magnitude
    phase = np.exp(2j * np.pi * np.random.default_rng(5).random(wanted.shape))
    values, before = wanted * phase, None
    for _ in range(2):
        found = stft(istft(Spectrogram(values, SETTINGS, 8000, 2000)), SETTINGS).values
        ahead = found if before is None else found + alpha * (found - before)
        values, before = wanted * ahead / np.abs(ahead), found
    expected = istft(Spectrogram(values, SETTINGS, 8000, 2000)).samples
    ours = griffin_lim(wanted, SETTINGS, 2000, phase=phase, n_iter=2, momentum=alpha)
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_right_phases_are_left_alone():
    sound = chirp(n_channels=2)
    spectrogram = stft(sound, SETTINGS)
    for phase in (spectrogram.values, np.angle(spectrogram.values)):
        for n_iter in (0, 5):
            found = griffin_lim(spectrogram.magnitude, SETTINGS, 8000, phase=phase, n_iter=n_iter)
            assert np.abs(found - sound.samples).max() < 1e-4


def test_phases_that_are_nearly_right_lead_to_the_sound_itself():
    sound = chirp()
    spectrogram = stft(sound, SETTINGS)
    wrong = np.angle(spectrogram.values) + np.random.default_rng(0).normal(0, 0.3, spectrogram.values.shape)
    found = griffin_lim(spectrogram.magnitude, SETTINGS, 8000, phase=wrong)
    assert np.linalg.norm(found - sound.samples) < 0.1 * np.linalg.norm(sound.samples)


# -- what it promises


def test_one_thread_makes_the_same_bits_as_many():
    settings = STFT(64, 16)
    wanted = stft(chirp(10_000, 2), settings).magnitude  # three blocks
    found = []
    for count in (1, 2, 5):
        with limit(count):
            found.append(griffin_lim(wanted, settings, 10_000, n_iter=3))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_seed_decides_and_the_first_is_zero():
    wanted = stft(chirp(1000), SETTINGS).magnitude
    first, same, other = (griffin_lim(wanted, SETTINGS, 1000, rng=rng, n_iter=2) for rng in (None, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01
    generator = np.random.default_rng(7)
    drawn = griffin_lim(wanted, SETTINGS, 1000, rng=generator, n_iter=2)
    assert drawn.shape == first.shape


def test_a_channel_alone_is_the_channel_in_the_stack_if_it_begins_there():
    wanted = stft(chirp(2000, 3), SETTINGS)
    phase = np.random.default_rng(2).uniform(0, 6, wanted.values.shape)
    whole = griffin_lim(wanted.magnitude, SETTINGS, 2000, phase=phase, n_iter=4)
    for channel in range(3):
        alone = griffin_lim(wanted.magnitude[channel], SETTINGS, 2000, phase=phase[channel], n_iter=4)
        np.testing.assert_array_equal(alone[0], whole[channel])


def test_the_steps_tell_how_much_is_done_and_end_in_the_same_sound():
    wanted = stft(chirp(1500), SETTINGS).magnitude
    assert list(griffin_lim_steps(wanted, SETTINGS, 1500, n_iter=4)) == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_array_equal(
        run(griffin_lim_steps(wanted, SETTINGS, 1500, n_iter=4)), griffin_lim(wanted, SETTINGS, 1500, n_iter=4)
    )


def test_nothing_given_is_changed():
    wanted = stft(chirp(1500), SETTINGS).magnitude
    phase = np.random.default_rng(0).uniform(0, 6, wanted.shape)
    copies = wanted.copy(), phase.copy()
    griffin_lim(wanted, SETTINGS, 1500, phase=phase, n_iter=2)
    np.testing.assert_array_equal(wanted, copies[0])
    np.testing.assert_array_equal(phase, copies[1])
    # complex64 of the right layout, which could be taken without a copy
    frames = np.exp(1j * phase).astype(np.complex64).transpose(0, 2, 1).copy()
    before = frames.copy()
    griffin_lim(wanted, SETTINGS, 1500, phase=frames.transpose(0, 2, 1), n_iter=1)
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 700])
def test_every_length_is_met(n):
    wanted = stft(chirp(n, 2), SETTINGS).magnitude
    found = griffin_lim(wanted, SETTINGS, n, n_iter=3)
    assert found.shape == (2, n)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_silence_stays_silent():
    found = griffin_lim(np.zeros((2, 257, 11)), SETTINGS, 1280, n_iter=3)
    assert found.shape == (2, 1280)
    assert not found.any()


@given(st.integers(-30, 30))
def test_the_level_changes_nothing_but_the_level(exponent):
    wanted = stft(chirp(600), SETTINGS).magnitude
    scale = np.float32(2.0**exponent)
    found = griffin_lim(wanted * scale, SETTINGS, 600, n_iter=2) / scale
    np.testing.assert_allclose(found, griffin_lim(wanted, SETTINGS, 600, n_iter=2), atol=1e-5)


# -- what it refuses

FINE = np.ones((257, 11))


@pytest.mark.parametrize(
    ("magnitude", "options", "error", "words"),
    [
        (-FINE, {}, InvalidInput, r"magnitude contains -1, but no entry may be negative \(is it in decibels\?\)"),
        (np.full((257, 11), np.nan), {}, InvalidInput, "magnitude contains NaN or infinity"),
        (np.full((257, 11), 1e300), {}, InvalidInput, "magnitude contains NaN or infinity"),
        (FINE.astype(complex), {}, InvalidInput, r"magnitude has dtype complex128 .* real numbers"),
        (FINE[0], {}, InvalidInput, r"shape \(11,\), but real numbers \(channels, bins, frames\)"),
        (FINE.T, {}, Incompatible, r"magnitude.shape=\(1, 11, 257\), but \(1, 257, 11\) is needed"),
        (FINE[:, :5], {}, Incompatible, r"\(1, 257, 11\) is needed: \(channels, bins, frames\) of 1280 samples"),
        (FINE, {"phase": FINE[:5]}, Incompatible, r"phase.shape=\(1, 5, 11\), but \(1, 257, 11\) is needed"),
        (FINE, {"phase": FINE * np.inf}, InvalidInput, "phase contains NaN or infinity"),
        (FINE, {"phase": FINE.astype(str)}, InvalidInput, "radians or complex numbers are needed"),
        (FINE, {"n_iter": -1}, InvalidInput, "n_iter=-1 is not a whole number from 0 to 100000"),
        (FINE, {"momentum": 1.5}, InvalidInput, "momentum=1.5 is not a number from 0"),
        (FINE, {"momentum": np.nan}, InvalidInput, "momentum=nan is not a number from 0"),
        (FINE, {"rng": -1}, InvalidInput, "rng=-1"),
    ],
)
def test_what_cannot_be_is_refused(magnitude, options, error, words):
    with pytest.raises(error, match=words):
        griffin_lim(magnitude, SETTINGS, 1280, **options)


def test_frames_that_do_not_cover_the_ends_are_refused():
    with pytest.raises(InvalidInput, match="use center=True"):
        griffin_lim(FINE, STFT(512, 128, center=False), 1280)
