"""From activations to notes, and the notes of a stream."""

import numpy as np
import pytest

from unweave import STFT, Audio, Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.matching import NMFMatch
from unweave.notes import Note, in_order
from unweave.notes.picking import NotePicker, Sound, pick_notes, threshold_of
from unweave.notes.stream import NoteStream, notes_by
from unweave.onsets import OnsetPicker, find_onsets, lead_of
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE = 100.0


def strokes(*begins, length=200, dies=8.0, size=1.0):
    """An activation that rises at some columns and dies away."""
    a = np.zeros(length)
    for begin in begins:
        a[begin:] = np.maximum(a[begin:], size * np.exp(-np.arange(length - begin) / dies))
    return a


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=2)


@pytest.fixture(scope="module")
def kit(loop):
    names = ("kick", "snare", "hihat")
    return learn_examples({name: loop[name] for name in names}, {"kick": 2, "snare": 2}, stft=STFT(2048, 256))


def test_a_note_knows_its_length_and_shows_itself():
    note = Note(onset=1.0, offset=1.25, pitch=60.5, velocity=0.5)
    assert note.duration == 0.25
    assert repr(note) == "Note(pitch 60.5 at 1.000 s, 250 ms, velocity 0.50)"
    assert repr(Note(onset=0, offset=0, label="kick")) == "Note(kick at 0.000 s, 0 ms, velocity 1.00)"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"onset": 0, "offset": 1}, "needs a pitch or a label"),
        ({"onset": 2, "offset": 1, "pitch": 60}, "0 <= onset <= offset is needed"),
        ({"onset": -1, "offset": 1, "pitch": 60}, "0 <= onset <= offset is needed"),
        ({"onset": 0, "offset": float("inf"), "pitch": 60}, "must be finite"),
        ({"onset": 0, "offset": 1, "pitch": 128}, "not a MIDI number"),
        ({"onset": 0, "offset": 1, "label": "kick", "velocity": 1.5}, "not a number from 0 to 1"),
    ],
)
def test_a_note_that_cannot_be_is_refused(fields, words):
    with pytest.raises(InvalidInput, match=words):
        Note(**fields)


def test_notes_are_put_in_order_by_onset_then_pitch_then_label():
    notes = [
        Note(onset=1, offset=2, pitch=60),
        Note(onset=1, offset=2, label="snare"),
        Note(onset=1, offset=2, label="kick"),
        Note(onset=0, offset=2, pitch=70),
    ]
    assert [note.label or note.pitch for note in in_order(notes)] == [70, "kick", "snare", 60]


def test_every_stroke_is_a_note_where_it_rises():
    [first, second] = pick_notes(strokes(30, 120)[None], ["tick"], RATE)
    assert (first.onset, second.onset) == pytest.approx((0.295, 1.195), abs=0.003)


def test_a_note_ends_where_its_activation_has_fallen_to_the_release():
    a = np.zeros((1, 200))
    a[0, 20:60], a[0, 60:80] = 1.0, 0.3
    [long] = pick_notes(a, ["x"], RATE, release=0.2)
    [short] = pick_notes(a, ["x"], RATE, release=0.5)
    assert (long.offset, short.offset) == (0.8, 0.6)


def test_a_note_ends_where_the_next_one_of_its_sound_begins():
    first, second = pick_notes(strokes(20, 60, dies=100)[None], ["x"], RATE)
    assert first.offset == second.onset


def test_no_note_is_longer_than_longest():
    a = np.ones((1, 300))
    a[:, :10] = 0
    [note] = pick_notes(a, ["x"], RATE, longest=1.0)
    assert note.duration == pytest.approx(1.0, abs=0.02)


def test_a_note_that_sounds_at_the_end_ends_there():
    a = np.ones((1, 100))
    a[:, :50] = 0
    [note] = pick_notes(a, ["x"], RATE)
    assert note.offset == pytest.approx(1.0, abs=0.011)


def test_a_stroke_of_four_times_the_amplitude_has_twice_the_velocity():
    loud, soft = strokes(30), strokes(100, size=0.25)
    first, second = pick_notes((loud + soft)[None], ["x"], RATE)
    assert first.velocity == 1
    assert second.velocity == pytest.approx(0.5, abs=0.01)


def test_more_sensitivity_finds_quieter_strokes():
    quiet = (strokes(30) + strokes(120, size=0.03))[None]
    assert [len(pick_notes(quiet, ["x"], RATE, sensitivity=s)) for s in (0, 0.5, 0.8)] == [1, 1, 2]


def test_within_the_shortest_time_a_sound_does_not_begin_again():
    twice = strokes(30, 38, dies=2)[None]
    assert [len(pick_notes(twice, ["x"], RATE, shortest=s)) for s in (0.05, 0.1)] == [2, 1]


def test_silence_and_nothing_have_no_notes():
    assert pick_notes(np.zeros((2, 100)), ["a", "b"], RATE) == ()
    assert pick_notes(np.zeros((2, 0)), ["a", "b"], RATE) == ()


def test_a_scale_of_the_activations_changes_nothing():
    a = strokes(30, 90)[None]
    assert pick_notes(a, ["x"], RATE) == pick_notes(4096 * a, ["x"], RATE)


def test_blocks_change_nothing_and_activations_stay_as_they_are():
    rng = np.random.default_rng(0)
    a = np.stack([strokes(10, 50, 130), strokes(20, 90), rng.random(200) * 0.02])
    kept = a.copy()
    sounds = [Sound("kick"), Sound(pitch=60.0), Sound("hiss", 70.0)]
    whole = NotePicker(sounds, RATE)
    wanted = [*whole.process(a), *whole.flush()]
    assert len(wanted) >= 5
    for size in (1, 17, 64):
        picker = NotePicker(sounds, RATE)
        found = [note for at in range(0, 200, size) for note in picker.process(a[:, at : at + size])]
        assert found + picker.flush() == wanted
    assert np.array_equal(a, kept)


def test_after_flush_another_stream_begins():
    picker = NotePicker(["x"], RATE)
    first = [*picker.process(strokes(30)[None]), *picker.flush()]
    assert [*picker.process(strokes(30)[None]), *picker.flush()] == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sensitivity": 2}, "sensitivity=2 is not a number from 0 to 1"),
        ({"shortest": -1}, "refractory=-1 is not a number"),
        ({"release": 0}, "release=0 is not a number above 0 and below 1"),
        ({"longest": 0}, "longest=0 is not a number above 0"),
        ({"full": -1}, "full=-1 is not a number above 0"),
    ],
)
def test_settings_of_a_picker_that_make_no_sense_are_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        NotePicker(["x"], RATE, **options)


def test_activations_of_another_number_of_sounds_are_refused():
    with pytest.raises(Incompatible, match="a row for each sound"):
        NotePicker(["x"], RATE).process(np.zeros((2, 5)))


def test_sensitivity_stands_for_a_threshold():
    assert [threshold_of(s) for s in (0, 0.5, 1)] == [0.25, 0.0625, 0]


# The stream


def onsets_of(notes, label):
    return np.array([note.onset for note in notes if note.label == label])


def test_the_notes_of_a_loop_are_where_its_strokes_are(loop, kit):
    step = 60 / 104 / 4
    patterns = {"kick": "9.....7.9..6....", "snare": "....9..2....9..3", "hihat": "7.5.7.5.7.5.7.57"}
    notes = notes_by(loop["mix"], kit)
    for name, pattern in patterns.items():
        wanted = step * np.array([i for i, mark in enumerate(2 * pattern) if mark != "."])
        found = onsets_of(notes, name)
        assert len(found) == len(wanted)
        assert np.abs(found - wanted).max() < 0.01
        assert abs(np.median(found - wanted)) < 0.002


def test_velocities_follow_the_forces_of_the_strokes(loop, kit):
    found = [note.velocity for note in notes_by(loop["mix"], kit) if note.label == "snare"]
    strong, weak = [found[0], found[2]], [found[1], found[3]]
    assert min(strong) > 1.3 * max(weak)


@pytest.mark.parametrize("size", [1, 509, 4096])
def test_a_stream_tells_the_notes_of_the_recording_in_blocks_of_any_size(loop, kit, size):
    samples = loop["mix"].samples[:, : 30000 if size == 1 else 80000]
    full = float(np.abs(samples).max())
    wanted = notes_by(samples, kit, sample_rate=44100)
    stream = NoteStream(kit, full=full)
    found = [note for at in range(0, samples.shape[1], size) for note in stream.process(samples[:, at : at + size])]
    assert in_order(found + stream.flush()) == wanted
    assert len(wanted) > 3


def test_a_stroke_is_certain_after_the_stated_latency(kit):
    # A note of a sound that dies at once is told when it has died: the latency is that of the onset.
    stream = NoteStream(kit)
    match = NMFMatch(kit)
    late = OnsetPicker(match.labels, match.frame_rate).n_late
    assert stream.latency == match.latency + late * kit.stft.hop_length
    assert stream.latency / kit.sample_rate < 0.06


def test_labels_get_the_pitches_that_are_given_to_them(loop, kit):
    notes = notes_by(loop["kick"], kit, pitches={"kick": 36})
    assert {note.pitch for note in notes if note.label == "kick"} == {36}


def test_silence_has_no_notes(kit):
    assert notes_by(np.zeros(44100), kit, sample_rate=44100) == ()
    assert notes_by(np.zeros(0), kit, sample_rate=44100) == ()
    stream = NoteStream(kit)
    assert stream.process(np.zeros((1, 44100))) == []
    assert stream.flush() == []


def test_a_stereo_recording_has_the_velocities_of_its_mono_twin(loop, kit):
    mono = loop["mix"]
    stereo = Audio(np.repeat(mono.samples, 2, axis=0), 44100)
    one, two = notes_by(mono, kit), notes_by(stereo, kit)
    assert [note.onset for note in one] == pytest.approx([note.onset for note in two], abs=1e-3)
    assert [note.velocity for note in one] == pytest.approx([note.velocity for note in two], abs=0.01)


def test_a_tone_at_full_scale_has_velocity_one():
    t = np.arange(44100) / 44100
    tone = np.clip((t - 0.3) / 0.02, 0, 1) * np.clip((0.8 - t) / 0.02, 0, 1) * np.sin(2 * np.pi * 440 * t)
    basis = np.abs(np.fft.rfft(np.hanning(2048) * tone[20000:22048]))[:, None]
    [note] = notes_by(tone, Dictionary(basis, ["a"]), sample_rate=44100, pitches={"a": 69})
    assert note.velocity == pytest.approx(1.0, abs=0.05)
    assert note.onset == pytest.approx(0.31, abs=0.01)


def test_onsets_lie_where_strokes_are_for_every_window():
    sound = drum_loop(n_bars=1)["snare"]
    for window in (512, 2048, 4096):
        snare = learn_examples({"snare": sound}, 2, stft=STFT(window, 256))
        first = find_onsets(sound, snare)[0].time
        assert first == pytest.approx(4 * 60 / 104 / 4, abs=0.004)
    assert lead_of(STFT(600), 100) == pytest.approx(1.0)
