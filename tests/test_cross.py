"""Mosaics as sound: nearer to the target than chance, at its level, with the source's channels and rate."""

import numpy as np
import pytest

from unweave.audio import Audio, load, resample
from unweave.cross import CROSS_STFT, CrossPlan, cross, cross_steps
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.loop import run
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

RATE = 22050
FAST = {"n_iter": 8, "n_phase_iter": 3}


def plucked(pitches, length=0.25, n_partials=8):
    """Notes one after the other, each of harmonic partials that die away."""
    t = np.arange(int(length * RATE)) / RATE
    orders = np.arange(1, n_partials + 1)[:, None]
    notes = [
        (np.sin(2 * np.pi * hertz * orders * t) * np.exp(-6 * t * orders**0.5) / orders).sum(0) for hertz in pitches
    ]
    return Audio(0.2 * np.concatenate(notes), RATE)


def buzzing(pitches, length=0.25):
    """Notes one after the other with many partials of equal level, and a little noise."""
    t = np.arange(int(length * RATE)) / RATE
    rng = np.random.default_rng(0)
    notes = [np.sign(np.sin(2 * np.pi * hertz * t)) + 0.05 * rng.standard_normal(t.size) for hertz in pitches]
    return Audio(0.1 * np.concatenate(notes), RATE)


SCALE = 220 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
MELODY = SCALE[[4, 2, 0, 2, 4, 4, 4, 2]]


def loudness(audio, settings=CROSS_STFT):
    """Magnitudes ``(bins, frames)``, the root mean square over channels."""
    return np.sqrt(stft(audio, settings).power.astype(np.float64).mean(axis=0))


def divergence(found, wanted):
    """Kullback-Leibler after the levels are fitted, relative to the sum of what is wanted."""
    found = found * (wanted.sum() / found.sum())
    floor = 1e-6 * wanted.mean()
    return float((wanted * np.log((wanted + floor) / (found + floor)) - wanted + found).sum() / wanted.sum())


def shuffled(source, target):
    """Source frames in a random order, each at the level of the target's frame: the same material without a mosaic."""
    frames, wanted = loudness(source), loudness(target)
    frames = frames[:, frames.sum(axis=0) > 0]
    drawn = frames[:, np.random.default_rng(0).integers(0, frames.shape[1], wanted.shape[1])]
    return drawn * (wanted.sum(axis=0) / drawn.sum(axis=0))


def level_db(audio):
    return 10 * np.log10(np.mean(np.square(audio.samples.astype(np.float64))))


# -- it is a mosaic


def test_the_result_is_nearer_to_the_target_than_the_same_frames_in_a_random_order():
    """By a third of the divergence at least, though the random frames have every frame's level for nothing."""
    loop = drum_loop(n_bars=1, sample_rate=RATE)["mix"]
    scale, melody = plucked(SCALE), plucked(MELODY)
    for source, target in ((buzzing(SCALE), melody), (loop, melody), (scale, loop)):
        wanted = loudness(target)
        assert divergence(loudness(cross(source, target)), wanted) < 0.67 * divergence(shuffled(source, target), wanted)


def test_recordings_are_nearer_too(shared):
    piano, prelude, conga = (
        load(shared / "audio" / f"{name}.wav", duration=4) for name in ("simple_piano", "prelude_cmaj", "conga_groove")
    )
    for source, target in ((piano, prelude), (conga, prelude), (prelude, conga)):
        wanted = loudness(target)
        assert divergence(loudness(cross(source, target)), wanted) < 0.67 * divergence(shuffled(source, target), wanted)


def test_a_melody_is_played_with_the_notes_of_another_instrument():
    result = cross(buzzing(SCALE), plucked(MELODY))
    # the middle of every note has its fundamental, as the notes of the melody have
    for place, hertz in enumerate(MELODY):
        begin = int((place * 0.25 + 0.05) * RATE)
        spectrum = np.abs(np.fft.rfft(result.samples[0, begin : begin + 3000] * np.hanning(3000)))
        low = spectrum[: int(450 / RATE * 3000)]
        assert abs(low.argmax() * RATE / 3000 - hertz) < 10


def test_a_sound_crossed_with_itself_is_itself():
    sound = plucked(SCALE)
    wanted = loudness(sound)
    assert divergence(loudness(cross(sound, sound, polyphony=3)), wanted) < 0.1


def test_the_level_is_the_targets_whatever_the_sources():
    source, target = buzzing(SCALE), plucked(MELODY)
    result = cross(source, target)
    assert -8 < level_db(result) - level_db(target) < 3  # the noise of the source takes its part of the sum
    assert loudness(result).sum() == pytest.approx(loudness(target).sum(), rel=0.05)
    for factor in (2.0**-20, 2.0**10):
        louder = cross(Audio(source.samples * np.float32(factor), RATE), target)
        np.testing.assert_allclose(louder.samples, result.samples, atol=1e-4)
    quiet = cross(source, Audio(target.samples * np.float32(2.0**-10), RATE))
    np.testing.assert_allclose(quiet.samples * 2.0**10, result.samples, atol=1e-4)


@pytest.mark.parametrize(("source_level", "target_level"), [(1e-38, 1e30), (1e30, 1e-38), (1e30, 1e30), (1e-38, 1e-38)])
def test_levels_that_nobody_meets_do_no_harm(source_level, target_level):
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 3000))
    sounds = [Audio((noise * level).astype(np.float32), RATE) for level in (source_level, target_level)]
    usual = cross(Audio(noise, RATE), Audio(noise, RATE), **FAST)
    result = cross(*sounds, **FAST).samples.astype(np.float64) / target_level
    assert np.linalg.norm(result - usual.samples) < 0.05 * np.linalg.norm(usual.samples)


@pytest.mark.parametrize(("source_level", "target_level"), [(1e-44, 1e-44), (1e-44, 1.0), (1.0, 1e-44), (1e-45, 1e30)])
def test_levels_of_which_few_digits_are_left_give_a_sound_of_the_level_of_the_target(source_level, target_level):
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 3000))
    source, target = (Audio((noise * level).astype(np.float32), RATE) for level in (source_level, target_level))
    result = cross(source, target, **FAST).samples.astype(np.float64)
    assert 0.1 < np.linalg.norm(result) / np.linalg.norm(target.samples.astype(np.float64)) < 3


# -- shape: channels, rates, lengths


def test_the_result_has_the_channels_of_the_source_and_its_stereo_picture():
    mono, target = buzzing(SCALE), plucked(MELODY)
    left = Audio(np.stack([mono.samples[0], 0.25 * mono.samples[0]]), RATE)
    result = cross(left, target)
    assert result.n_channels == 2
    assert np.linalg.norm(result.samples[0]) == pytest.approx(4 * np.linalg.norm(result.samples[1]), rel=0.05)
    # all of the level of one channel is in the root mean square of both
    assert loudness(result).sum() == pytest.approx(loudness(target).sum(), rel=0.05)


def test_two_equal_channels_are_one():
    mono, target = buzzing(SCALE), plucked(MELODY)
    double = Audio(np.repeat(mono.samples, 2, axis=0), RATE)
    one, two = cross(mono, target, **FAST), cross(double, Audio(np.repeat(target.samples, 3, axis=0), RATE), **FAST)
    np.testing.assert_allclose(two.samples, np.repeat(one.samples, 2, axis=0), atol=2e-3)


def test_a_target_of_another_rate_is_converted_and_the_result_has_the_sources():
    source, target = buzzing(SCALE), plucked(MELODY[:4])
    other = resample(target, 16000)
    result = cross(source, other, **FAST)
    assert (result.sample_rate, result.n_samples) == (RATE, resample(other, RATE).n_samples)
    assert result.duration == pytest.approx(other.duration, abs=1e-4)


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 3000])
def test_a_target_of_any_length_is_met(n):
    result = cross(buzzing(SCALE[:2]), Audio(plucked(MELODY).samples[:, :n], RATE), **FAST)
    assert result.samples.shape == (1, n)


@pytest.mark.parametrize("n", [1, 511, 1024, 3000])
def test_a_source_of_any_length_will_do(n):
    target = plucked(MELODY[:2])
    result = cross(Audio(buzzing(SCALE).samples[:, :n], RATE), target, **FAST)
    assert result.n_samples == target.n_samples
    assert result.peak > 0


def test_limits_that_are_longer_than_the_target_end_where_it_ends():
    """FluCoMa refuses them."""
    target = Audio(plucked(MELODY).samples[:, :2000], RATE)
    result = cross(buzzing(SCALE), target, time_sparsity=301, continuity=101, polyphony=5000, **FAST)
    assert result.n_samples == 2000
    assert np.isfinite(result.samples).all()


def test_silence_on_either_side_gives_silence():
    sound, silence = plucked(MELODY[:2]), Audio(np.zeros((2, 4000)), RATE)
    assert not cross(silence, sound).samples.any()
    assert cross(silence, sound).samples.shape == (2, sound.n_samples)
    assert not cross(sound, silence).samples.any()
    assert cross(sound, silence).samples.shape == (1, 4000)


def test_a_source_without_samples_is_refused():
    with pytest.raises(InvalidInput, match="the source has no samples: there is nothing that a mosaic could"):
        cross(Audio(np.zeros(0), RATE), plucked(MELODY))


@pytest.mark.parametrize(
    ("source", "words"), [("bees.wav", "'bees.wav' is the name of a file"), ([0.0], "give sample_rate")]
)
def test_what_is_no_sound_is_refused(source, words):
    with pytest.raises(InvalidInput, match=words):
        cross(source, plucked(MELODY))


# -- settings


def test_phases_come_from_the_source_where_griffin_lim_is_left_out():
    """Noise crossed with itself by one template a frame is itself to the sample: no frame is like any other."""
    noise = Audio(np.random.default_rng(0).uniform(-0.5, 0.5, 20_000), RATE)
    result = cross(noise, noise, polyphony=1, continuity=1, time_sparsity=1, ramp="last", n_phase_iter=0)
    assert np.linalg.norm(result.samples - noise.samples) < 0.01 * np.linalg.norm(noise.samples)


def test_other_transforms_and_frames_that_do_not_cover_the_ends():
    source, target = buzzing(SCALE[:3]), plucked(MELODY[:3])
    settings = STFT(800, 200, 700, "hamming")
    result = cross(source, target, stft=settings, **FAST)
    assert divergence(loudness(result), loudness(target)) < divergence(shuffled(source, target), loudness(target))
    with pytest.raises(InvalidInput, match="use center=True"):
        cross(source, target, stft=STFT(512, center=False))


def test_the_seed_decides_and_one_thread_makes_the_same_bits_as_many():
    source, target = buzzing(SCALE), plucked(MELODY)
    found = []
    for count in (1, 2, 5):
        with limit(count):
            found.append(cross(source, target, **FAST).samples)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(cross(source, target, rng=1, **FAST).samples, found[0])


def test_progress_is_told_in_both_stages():
    """FluCoMa's stalls while it looks for phases."""
    source, target, plan = buzzing(SCALE[:2]), plucked(MELODY[:2]), CrossPlan(n_iter=3, n_phase_iter=2)
    told = [(step.stage, step.done, step.total) for step in cross_steps(source, target, plan)]
    assert told == [("frames", 1, 3), ("frames", 2, 3), ("frames", 3, 3), ("phases", 1, 2), ("phases", 2, 2)]
    whole = cross(source, target, n_iter=3, n_phase_iter=2)
    np.testing.assert_array_equal(run(cross_steps(source, target, plan)).samples, whole.samples)


def test_nothing_given_is_changed():
    source, target = buzzing(SCALE[:2]), plucked(MELODY[:2])
    copies = source.samples.copy(), target.samples.copy()
    cross(source, target, **FAST)
    np.testing.assert_array_equal(source.samples, copies[0])
    np.testing.assert_array_equal(target.samples, copies[1])
