"""Notes of pianos and other instruments, on tones that are made here and on recordings where they are there."""

import json
from pathlib import Path

import numpy as np
import pytest

from unweave import Audio, load
from unweave.errors import InvalidInput, ReadError
from unweave.pitched import find_tuning, transcribe_piano, transcribe_pitched
from unweave.pitched.judge import load_model
from unweave.threads import limit

RATE = 22050
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def tone(pitch, seconds, velocity=0.6, *, cents=0.0, decay=1.2, rate=RATE):
    """A struck string: stiff partials that die away the sooner the higher, a short knock at the beginning."""
    t = np.arange(int(seconds * rate)) / rate
    base = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
    h = np.arange(1, 25)
    hertz = base * h * np.sqrt(1 + 3e-4 * h**2)
    h, hertz = h[hertz < 0.45 * rate], hertz[hertz < 0.45 * rate]
    levels = np.exp(-0.35 * h * (1.3 - velocity)) / h**0.5
    sound = levels @ (
        np.exp(-np.outer(0.6 + 0.25 * h, t) / decay) * np.sin(2 * np.pi * np.outer(hertz, t) + h[:, None])
    )
    knock = np.random.default_rng(int(pitch)).standard_normal(t.size) * np.exp(-t / 0.006)
    out = (sound + 0.3 * knock) * (1 - np.exp(-t / 0.001)) * velocity**1.5
    fade = min(t.size, int(0.06 * rate))
    out[-fade:] *= np.linspace(1, 0, fade)
    return out


def played(notes, seconds, rate=RATE, **options):
    """A recording of ``(onset, length, pitch, velocity)``."""
    out = np.zeros(int(seconds * rate))
    for onset, length, pitch, velocity in notes:
        sound = tone(pitch, length, velocity, rate=rate, **options)
        begin = int(onset * rate)
        out[begin : begin + sound.size] += sound[: out.size - begin]
    noise = np.random.default_rng(0).standard_normal(out.size)
    return Audio(0.1 * out + 1e-4 * noise, rate)


def score(found, truth):
    """F-measure of onsets within 50 ms at the right pitch."""
    left, hits = list(truth), 0
    for note in found:
        near = [each for each in left if each[2] == note.pitch and abs(each[0] - note.onset) <= 0.05]
        if near:
            left.remove(near[0])
            hits += 1
    return 2 * hits / max(1, len(found) + len(truth))


SCALE = [(0.2 + 0.3 * k, 0.35, pitch, 0.6) for k, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
CHORDS = [
    (0.2 + 0.8 * k, 0.75, pitch, 0.6)
    for k, chord in enumerate(((48, 64, 67, 72), (53, 60, 65, 69), (43, 59, 62, 67), (48, 55, 64, 72)))
    for pitch in chord
]


@pytest.fixture(scope="module")
def scale():
    return played(SCALE, 3.2)


@pytest.fixture(scope="module")
def scale_notes(scale):
    return transcribe_piano(scale)


@pytest.mark.parametrize("transcribe", [transcribe_piano, transcribe_pitched])
def test_a_scale_and_chords_are_found(transcribe):
    assert score(transcribe(played(SCALE, 3.2)), SCALE) >= 0.93
    assert score(transcribe(played(CHORDS, 3.8)), CHORDS) >= 0.8


def test_onsets_are_right_to_a_few_milliseconds_and_without_bias(scale_notes):
    late = [note.onset - each[0] for note in scale_notes for each in SCALE if note.pitch == each[2]]
    assert abs(np.median(late)) < 0.01
    assert np.median(np.abs(late)) < 0.012


def test_a_repeated_note_is_found_as_often_as_it_was_struck():
    truth = [(0.2 + 0.25 * k, 0.22, 64, 0.6) for k in range(8)]
    assert score(transcribe_piano(played(truth, 2.6)), truth) >= 0.9


def test_notes_end_where_the_next_one_begins_or_where_they_were_damped(scale_notes):
    early = [note.duration for note in scale_notes if note.pitch in {each[2] for each in SCALE}]
    assert 0.2 < np.median(early) < 0.6


@pytest.mark.parametrize("cents", [-40, -15, 0, 20, 45])
def test_the_tuning_is_found(cents):
    assert find_tuning(played(CHORDS, 3.8, cents=cents)) == pytest.approx(cents, abs=5)


@pytest.mark.parametrize("cents", [-35, 30])
def test_an_instrument_that_is_out_of_tune_is_understood_as_well(cents):
    assert score(transcribe_piano(played(SCALE, 3.2, cents=cents)), SCALE) >= 0.93


def test_the_tuning_of_silence_is_zero():
    assert find_tuning(Audio(np.zeros(1000), RATE)) == 0
    assert find_tuning(Audio(np.zeros(0), RATE)) == 0


def test_pitches_out_of_range_are_not_told(scale):
    inside = transcribe_piano(scale, lowest=63, highest=68)
    assert {note.pitch for note in inside} == {64.0, 65.0, 67.0}


@pytest.mark.parametrize("transcribe", [transcribe_piano, transcribe_pitched])
@pytest.mark.parametrize("n_samples", [0, 1, 255, 256, 257, 40000])
def test_silence_has_no_notes(transcribe, n_samples):
    assert transcribe(Audio(np.zeros(n_samples), RATE)) == ()


@pytest.mark.parametrize("transcribe", [transcribe_piano, transcribe_pitched])
def test_one_sample_is_a_defined_result(transcribe):
    assert all(np.isfinite(note.onset) for note in transcribe(Audio([0.5], RATE)))


@pytest.mark.parametrize("transcribe", [transcribe_piano, transcribe_pitched])
def test_noise_has_few_notes(transcribe):
    noise = Audio(0.1 * np.random.default_rng(1).standard_normal(10 * RATE), RATE)
    assert len(transcribe(noise)) <= 10


def test_samples_that_are_no_numbers_are_refused_by_the_audio():
    with pytest.raises(InvalidInput, match="NaN"):
        Audio([0.0, np.nan], RATE)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_other_rates_give_the_same_notes(rate):
    assert score(transcribe_piano(played(SCALE, 3.2, rate=rate)), SCALE) >= 0.85


def test_two_channels_are_heard_as_their_mean(scale, scale_notes):
    both = Audio(np.concatenate([scale.samples, scale.samples]), RATE)
    assert [repr(note) for note in transcribe_piano(both)] == [repr(note) for note in scale_notes]


def test_the_level_of_the_recording_does_not_matter(scale, scale_notes):
    quiet = transcribe_piano(Audio(0.01 * scale.samples, RATE))
    assert [note.pitch for note in quiet] == [note.pitch for note in scale_notes]


def test_the_same_notes_for_any_number_of_threads():
    long = played([(0.2 + 0.4 * k, 0.5, 48 + (7 * k) % 36, 0.6) for k in range(40)], 17.0)
    with limit(1):
        one = transcribe_piano(long)
    with limit(3):
        three = transcribe_piano(long)
    assert one == three
    assert len(one) >= 36


def test_harder_strokes_have_higher_velocities():
    truth = [(0.2 + 0.5 * k, 0.45, 60 + 2 * k, velocity) for k, velocity in enumerate((0.2, 0.35, 0.5, 0.65, 0.8, 1.0))]
    found = {note.pitch: note.velocity for note in transcribe_piano(played(truth, 3.6))}
    velocities = [found[each[2]] for each in truth if each[2] in found]
    assert len(velocities) >= 5
    assert np.corrcoef(np.arange(len(velocities)), velocities)[0, 1] > 0.8


def test_more_sensitivity_never_gives_fewer_candidates():
    recording = played(CHORDS, 3.8)
    counts = [len(transcribe_piano(recording, sensitivity=s)) for s in (0.1, 0.5, 0.9)]
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sensitivity": 1.5}, "sensitivity=1.5 is not a number from 0 to 1."),
        ({"sensitivity": True}, "sensitivity=True"),
        ({"shortest": 0}, "shortest=0 is not a number of seconds above 0"),
        ({"lowest": 70, "highest": 60}, "lowest=70 and highest=60"),
        ({"lowest": 20}, "21 <= lowest"),
        ({"highest": 109}, "highest <= 108"),
        ({"lowest": 60.5}, "whole MIDI numbers"),
    ],
)
@pytest.mark.parametrize("transcribe", [transcribe_piano, transcribe_pitched])
def test_options_out_of_range_are_refused_by_name(transcribe, options, words):
    with pytest.raises(InvalidInput, match=words):
        transcribe(Audio(np.zeros(100), RATE), **options)


def test_a_model_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(ReadError, match="install"):
        load_model("harmonium")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings are not there")
@pytest.mark.parametrize(("name", "least"), [("piano_0", 0.92), ("piano_1", 0.92)])
def test_rendered_pieces_are_found(name, least):
    truth = [(n["onset"], 0, float(n["pitch"])) for n in json.loads((SHARED / name / "notes.json").read_text())]
    assert score(transcribe_piano(load(SHARED / name / "mix.flac")), truth) >= least
