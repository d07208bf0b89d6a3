"""Components without names: pitches, resemblances, and their notes."""

import numpy as np
import pytest

from unweave import STFT, Audio, decompose
from unweave.blind import component_notes, transcribe_components
from unweave.errors import InvalidInput
from unweave.naming import dying_time, name_components, pitch_of
from unweave.stft import stft
from unweave.synthesis import drum_loop, pink_noise

RATE = 44100


def tone(pitch, seconds=0.5, n_harmonics=8, tilt=1.0, rate=RATE):
    """A plucked tone: harmonics that fall with their number, and die away."""
    t = np.arange(int(seconds * rate)) / rate
    f = 440 * 2 ** ((pitch - 69) / 12)
    partials = [h for h in range(1, n_harmonics + 1) if h * f < rate / 2]
    return sum(np.sin(2 * np.pi * f * h * t + h) / h**tilt for h in partials) * np.exp(-4 * t) / 4


def spectrum(sound, window=4096):
    return np.abs(stft(Audio(sound, RATE), STFT(window)).values[0]).mean(axis=1)


@pytest.mark.parametrize("pitch", [45, 52, 60, 66.4, 72, 84, 96])
@pytest.mark.parametrize("tilt", [0.3, 1.0, 2.0])
def test_the_pitch_of_a_tone_is_found_whatever_its_colour(pitch, tilt):
    assert pitch_of(spectrum(tone(pitch, tilt=tilt)), STFT(4096), RATE) == pytest.approx(pitch, abs=0.25)


def test_a_tone_without_its_fundamental_has_its_pitch():
    t = np.arange(RATE // 2) / RATE
    sound = sum(np.sin(2 * np.pi * 220 * h * t) for h in range(2, 8)) / 8
    assert pitch_of(spectrum(sound), STFT(4096), RATE) == pytest.approx(57, abs=0.2)


def test_noise_silence_and_what_lies_too_low_have_no_pitch():
    rng = np.random.default_rng(0)
    assert pitch_of(spectrum(0.1 * rng.standard_normal(RATE)), STFT(4096), RATE) is None
    assert pitch_of(spectrum(pink_noise(RATE, np.random.default_rng(0))), STFT(4096), RATE) is None
    assert pitch_of(np.zeros(2049), STFT(4096), RATE) is None
    assert pitch_of(spectrum(tone(30), 1024), STFT(1024), RATE) is None


def test_dying_times_are_those_of_an_exponential():
    a = np.zeros(400)
    for begin in (10, 120, 260):
        a[begin : begin + 100] += np.exp(-np.arange(100) / 20)
    assert dying_time(a, 100) == pytest.approx(0.22, abs=0.02)  # ln 3 times 0.2 s
    assert dying_time(np.ones(50), 100) == np.inf
    assert dying_time(np.zeros(50), 100) == np.inf


def test_the_parts_of_a_melody_have_its_pitches():
    melody = np.concatenate([tone(p) for p in (60, 64, 67, 60, 67, 64)])
    found = name_components(decompose(Audio(melody, RATE), 3, stft=STFT(4096, 512)))
    assert sorted(round(sound.pitch) for sound in found) == [60, 64, 67]


def test_a_melody_is_transcribed_without_knowing_anything():
    pitches = (60, 64, 67, 60, 67, 64)
    melody = np.concatenate([np.zeros(RATE // 4), *(tone(p) for p in pitches)])
    notes = [note for note in transcribe_components(Audio(melody, RATE), 3) if note.pitch is not None]
    assert [round(note.pitch) for note in notes] == list(pitches)
    assert [note.onset for note in notes] == pytest.approx(0.25 + 0.5 * np.arange(6), abs=0.02)


def test_labels_that_were_given_are_kept():
    parts = decompose(drum_loop(n_bars=1)["mix"], 3)
    kit = parts.dictionary.relabel(["boom", "crack", "tick"])
    named = decompose(drum_loop(n_bars=1)["mix"], 3, bases=kit, learn_bases=False)
    assert {note.label for note in component_notes(named)} == {"boom", "crack", "tick"}


def test_powers_and_magnitudes_give_the_same_names():
    mix = drum_loop(n_bars=1)["mix"]
    assert [s.label for s in name_components(decompose(mix, 3, beta=0))] == ["kick", "snare", "hihat"]


@pytest.mark.parametrize("n_samples", [0, 1, 100, 5000])
def test_silence_has_no_notes(n_samples):
    assert transcribe_components(Audio(np.zeros(n_samples), RATE), 4) == ()


def test_the_same_recording_gives_the_same_notes():
    mix = drum_loop(n_bars=1)["mix"]
    assert transcribe_components(mix, 3) == transcribe_components(mix, 3)


def test_absurd_settings_are_refused():
    with pytest.raises(InvalidInput, match="n_components"):
        transcribe_components(drum_loop(n_bars=1)["mix"], 0)
    with pytest.raises(InvalidInput, match="sensitivity"):
        transcribe_components(drum_loop(n_bars=1)["mix"], 2, sensitivity=-1)
