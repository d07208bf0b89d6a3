"""The front door to notes: which kind is asked, and what is refused."""

import numpy as np
import pytest

import unweave as uw
from unweave import Audio, Dictionary
from unweave.audio import resample
from unweave.errors import InvalidInput
from unweave.notes import Note
from unweave.synthesis import drum_loop
from unweave.training import learn_examples
from unweave.transcription import KINDS, transcribe

STEP = 60 / 104 / 4
PATTERNS = {"kick": "9.....7.9..6....", "snare": "....9..2....9..3", "hihat": "7.5.7.5.7.5.7.57"}
DRUMS = ("kick", "snare", "hihat")


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=2)


@pytest.fixture(scope="module")
def kit(loop):
    return learn_examples({name: loop[name] for name in DRUMS}, 2)


def strokes(name, n_bars=2):
    return STEP * np.array([i for i, mark in enumerate(n_bars * PATTERNS[name]) if mark != "."])


def onsets(notes, name):
    return np.array([note.onset for note in notes if note.label == name])


def tone(pitch, seconds=0.5, rate=22050):
    t = np.arange(int(seconds * rate)) / rate
    f = 440 * 2 ** ((pitch - 69) / 12)
    partials = sum(np.sin(2 * np.pi * f * h * t) / h for h in range(1, 7))
    return 0.2 * partials * np.exp(-4 * t) * np.minimum(1, t / 0.003) * np.minimum(1, (seconds - t) / 0.02)


def test_transcribe_is_at_the_front():
    assert uw.transcribe is transcribe
    assert uw.Note is Note


def test_drums_are_found_with_nothing_told(loop):
    notes = transcribe(loop["mix"], "drums")
    for name in ("kick", "hihat"):
        assert onsets(notes, name) == pytest.approx(strokes(name), abs=0.02)
    loud = [i * STEP for i, mark in enumerate(2 * PATTERNS["snare"]) if mark == "9"]
    assert all(np.abs(onsets(notes, "snare") - at).min() < 0.02 for at in loud)


def test_a_taught_kit_is_found(loop, kit):
    notes = transcribe(loop["mix"], kit)
    for name in DRUMS:
        assert onsets(notes, name) == pytest.approx(strokes(name), abs=0.02)


def test_a_dictionary_serves_recordings_of_other_rates(loop, kit):
    assert len(transcribe(resample(loop["mix"], 48000), kit)) == len(transcribe(loop["mix"], kit))


def test_sounds_with_names_of_pitches_are_tones():
    names = {"C4": 60, "E4": 64, "G4": 67}
    scale = learn_examples({name: Audio(tone(pitch, 1.0), 22050) for name, pitch in names.items()})
    melody = Audio(np.concatenate([np.zeros(4000), *(tone(p) for p in (60, 67, 64, 60))]), 22050)
    notes = transcribe(melody, scale)
    assert [note.pitch for note in notes] == [60, 67, 64, 60]
    assert notes[0].label == "C4"


def test_a_number_of_components_alone_means_that_nothing_is_known(loop):
    notes = transcribe(loop["mix"], n_components=3)
    assert notes == transcribe(loop["mix"], "blind", n_components=3)
    assert {note.label for note in notes} == set(DRUMS)


def test_tones_are_found_as_a_piano_and_as_any_instrument():
    chord = sum(tone(p, 1.0) for p in (60, 64, 67))
    sound = Audio(np.concatenate([np.zeros(8000), chord, np.zeros(4000)]), 22050)
    for kind in ("piano", "pitched"):
        found = {round(note.pitch) for note in transcribe(sound, kind)}
        assert {60, 64, 67} & found, kind
        assert all(60 <= round(note.pitch) <= 65 for note in transcribe(sound, kind, lowest=60, highest=65))


def test_arrays_are_taken_with_their_rate(loop):
    assert transcribe(loop["mix"].samples, "drums", sample_rate=44100) == transcribe(loop["mix"], "drums")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_samples", [0, 1, 500, 30000])
def test_silence_of_any_length_has_no_notes(kind, n_samples):
    assert transcribe(Audio(np.zeros(n_samples), 44100), kind) == ()


def test_silence_has_no_notes_of_a_taught_kit(kit):
    assert transcribe(Audio(np.zeros(44100), 44100), kit) == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say what plays"),
        ({"kind": "bagpipe"}, "kind='bagpipe' is not one of drums, piano, pitched, blind"),
        ({"kind": "drums", "lowest": 40}, "lowest=40 means nothing for drums"),
        ({"kind": "drums", "n_components": 4}, "n_components=4 means nothing for drums"),
        ({"kind": "piano", "rng": 3}, "rng=3 means nothing for piano"),
        ({"kind": "blind", "highest": 90}, "highest=90 means nothing for blind"),
        ({"kind": "drums", "sensitivity": 1.1}, "sensitivity=1.1 is not a number from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(loop, options, words):
    with pytest.raises(InvalidInput, match=words):
        transcribe(loop["mix"], **options)


def test_options_that_a_dictionary_ignores_are_refused(loop, kit):
    with pytest.raises(InvalidInput, match="lowest=3 means nothing for a dictionary"):
        transcribe(loop["mix"], kit, lowest=3)


def test_a_dictionary_of_two_channels_does_not_fit_a_recording_of_one(loop):
    pair = Dictionary(np.ones((2, 1025, 1)), ["x"])
    with pytest.raises(uw.Incompatible, match="2 channels"):
        transcribe(loop["mix"], pair)
