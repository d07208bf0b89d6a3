"""Notes made audible."""

import numpy as np
import pytest

from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.notes import Note
from unweave.notes.sonification import mix, render
from unweave.synthesis import drum_loop

LABELS = ["kick", "snare", "hihat", "hihat-open", "tom-low", "tom-high", "crash", "component 3"]


def hit(label, onset=0.0, velocity=1.0):
    return Note(onset=onset, offset=onset + 0.1, label=label, velocity=velocity)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000.5])
@pytest.mark.parametrize("note", [*(hit(label, 0.1234) for label in LABELS), Note(onset=0.1234, offset=0.5, pitch=61)])
def test_the_first_sample_that_is_not_zero_is_the_one_nearest_to_the_onset(note, rate):
    samples = render([note], rate, 1.0).samples[0]
    assert np.flatnonzero(samples)[0] == round(0.1234 * rate)


def test_drums_of_different_classes_sound_different_and_those_of_one_class_the_same():
    sounds = np.stack([render([hit(label)], 22050, 0.4).samples[0] for label in LABELS])
    sounds /= np.linalg.norm(sounds, axis=1, keepdims=True)
    likeness = np.abs(sounds @ sounds.T) - np.eye(len(LABELS))
    assert likeness.max() < 0.7
    again = render([hit("Hi-Hat"), hit("hh", 0.5)], 22050, 1.0).samples[0]
    np.testing.assert_allclose(again[:800], again[11025:11825], atol=1e-7)


@pytest.mark.parametrize("pitch", [33, 60, 69.5, 96])
def test_a_tone_has_its_pitch_and_ends_with_its_note(pitch):
    samples = render([Note(onset=0, offset=0.8, pitch=pitch)], 44100, 2.0).samples[0]
    spectrum = np.abs(np.fft.rfft(samples[:35280] * np.hanning(35280), 2**19))
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    assert np.argmax(spectrum) * 44100 / 2**19 == pytest.approx(frequency, abs=1)
    assert not samples[round(0.84 * 44100) :].any()
    assert samples[: round(0.7 * 44100)].any()


def test_the_level_is_the_square_of_the_velocity():
    peaks = [render([hit("snare", velocity=velocity)]).peak for velocity in (1.0, 0.5, 0.25)]
    assert peaks == pytest.approx([0.25, 0.0625, 0.015625], rel=1e-5)
    assert render([hit("snare", velocity=0.0)]).peak == 0


def test_notes_add_up_and_many_of_them_do_not_clip():
    two = [hit("kick"), Note(onset=0.05, offset=0.3, pitch=60, velocity=0.4)]
    apart = [render([note], 22050, 1.0).samples for note in two]
    np.testing.assert_allclose(render(two, 22050, 1.0).samples, apart[0] + apart[1], atol=1e-7)
    assert render([hit("kick")] * 40).peak == pytest.approx(10 ** (-1 / 20), rel=1e-5)


def test_the_length_is_the_one_asked_for_and_later_notes_are_left_out():
    notes = [hit("kick"), hit("kick", 5.0)]
    assert render(notes, 8000, 1.2345).n_samples == 9876
    assert render(notes, 8000).duration == pytest.approx(5.6)
    assert render([], 8000).n_samples == 0
    assert render([], 8000, 1.0).peak == 0
    assert render(notes, 8000, 0.0).n_samples == 0
    assert render([hit("crash", 0.999)], 8000, 1.0).n_samples == 8000


def test_the_same_notes_give_the_same_samples_in_any_order():
    notes = [hit(label, 0.1 * k) for k, label in enumerate(LABELS)] + [Note(onset=0, offset=2, pitch=40)]
    np.testing.assert_array_equal(render(notes).samples, render(notes[::-1]).samples)


def test_under_a_recording_the_notes_have_the_level_asked_for_and_the_recording_stays():
    loop = drum_loop(1, sample_rate=22050, stereo=True)["mix"]
    before = loop.samples.copy()
    notes = [hit("kick"), hit("snare", 0.6)]
    quiet, loud = mix(loop, notes, 0.1), mix(loop, notes, 0.2)
    np.testing.assert_array_equal(loop.samples, before)
    assert quiet.samples.shape == loop.samples.shape
    added = quiet.samples - loop.samples
    assert np.abs(added).max() == pytest.approx(0.1 * loop.peak, rel=1e-3)
    np.testing.assert_allclose(added[0], added[1], atol=1e-6)
    np.testing.assert_allclose(loud.samples - loop.samples, 2 * added, atol=1e-6)
    np.testing.assert_array_equal(mix(loop, notes, 0.0).samples, loop.samples)
    np.testing.assert_array_equal(mix(loop, []).samples, loop.samples)


def test_a_mixture_never_clips():
    square = Audio(np.sign(np.sin(np.arange(8000))), 8000)
    both = mix(square, [hit("kick"), hit("snare", 0.5)], 4.0)
    assert both.peak == pytest.approx(10 ** (-1 / 20), rel=1e-5)


def test_under_silence_the_notes_are_heard():
    assert mix(Audio(np.zeros(8000), 8000), [hit("kick")]).peak == pytest.approx(0.25, rel=1e-5)
    assert mix(Audio(np.zeros((3, 0)), 8000), [hit("kick")]).samples.shape == (3, 0)


@pytest.mark.parametrize("level", [-0.1, float("nan"), float("inf"), True])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(InvalidInput, match="is not a number from 0 up"):
        mix(Audio(np.zeros(10), 8000), [], level)


def test_absurd_lengths_and_rates_are_refused():
    with pytest.raises(InvalidInput, match=r"0 to 2\^31 samples can be rendered"):
        render([], 44100, 1e9)
    with pytest.raises(InvalidInput, match=r"0 to 2\^31 samples can be rendered"):
        render([], 44100, float("nan"))
    with pytest.raises(InvalidInput, match="sample_rate=0"):
        render([], 0)
