import itertools
import json

import mir_eval
import numpy as np
import pytest

from unweave import Audio, Dictionary, InvalidInput, load
from unweave.audio import resample
from unweave.drums import transcribe_drums, transcribe_kit
from unweave.drums.kits import CLASSES, read_kits, shipped
from unweave.drums.taught import class_of, likeness
from unweave.errors import Incompatible, ReadError
from unweave.synthesis import _PATTERN, drum_loop, pink_noise
from unweave.threads import limit
from unweave.training import learn_examples

THREE = ("kick", "snare", "hihat")


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=2)


@pytest.fixture(scope="module")
def found(loop):
    return transcribe_drums(loop["mix"])


@pytest.fixture(scope="module")
def kit(loop):
    """Learned from single strokes."""
    step = 60 / 104 / 4
    first = {"kick": 6, "snare": 4, "hihat": 2}  # steps at which each is struck
    rate = 44100
    examples = {
        name: Audio(loop[name].samples[:, int(at * step * rate) : int((at + 2) * step * rate)], rate)
        for name, at in first.items()
    }
    return learn_examples({name: sound for name, sound in examples.items() if np.any(sound.samples)}, 2, rng=0)


def truth(n_bars, tempo=104.0):
    """Onsets of `drum_loop`."""
    step = 60 / tempo / 4
    return {
        name: np.array([i * step for i, mark in enumerate(pattern * n_bars) if mark != "."])
        for name, pattern in _PATTERN.items()
    }


def onsets(notes, label):
    return np.array([note.onset for note in notes if note.label == label])


def f_measure(notes, reference, label):
    return mir_eval.onset.f_measure(reference[label], onsets(notes, label), window=0.05)[0]


def mean_f(notes, reference):
    return np.mean([f_measure(notes, reference, label) for label in THREE])


# ---------------------------------------------------------------- what is heard


def test_a_synthesised_loop_is_transcribed_rightly(found):
    for label in THREE:
        assert f_measure(found, truth(2), label) == 1
    assert {note.label for note in found} == set(THREE)


def test_onsets_are_told_to_some_milliseconds_and_without_bias(found):
    errors = []
    for label in THREE:
        errors += list(onsets(found, label) - truth(2)[label])
    assert abs(np.median(errors)) < 0.004
    assert np.max(np.abs(errors)) < 0.012


def test_hard_strokes_have_greater_velocities_than_soft_ones(found):
    for label in THREE:
        marks = [int(mark) for mark in _PATTERN[label] * 2 if mark != "."]
        velocities = [note.velocity for note in found if note.label == label]
        ranked = [
            np.mean([v for v, m in zip(velocities, marks, strict=True) if m == mark]) for mark in sorted(set(marks))
        ]
        assert ranked == sorted(ranked)


def test_a_note_ends_before_the_next_of_its_class_begins_and_a_kick_outlasts_a_hihat(found):
    for label in THREE:
        notes = [note for note in found if note.label == label]
        assert all(a.offset <= b.onset for a, b in itertools.pairwise(notes))
        assert all(note.duration > 0.01 for note in notes)
    lengths = {label: np.median([note.duration for note in found if note.label == label]) for label in THREE}
    assert lengths["kick"] > lengths["hihat"]


def test_notes_are_in_the_order_of_their_onsets(found):
    assert list(found) == sorted(found, key=lambda note: note.onset)


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_the_same_is_heard_at_other_rates(loop, rate):
    notes = transcribe_drums(resample(loop["mix"], rate))
    assert mean_f(notes, truth(2)) > (0.97 if rate > 40000 else 0.8)


def test_stereo_is_heard_as_mono_is():
    notes = transcribe_drums(drum_loop(n_bars=2, stereo=True)["mix"])
    assert mean_f(notes, truth(2)) > 0.97


def test_channels_in_opposite_phase_do_not_cancel(loop, found):
    mono = loop["mix"].samples[0]
    notes = transcribe_drums(Audio(np.stack([mono, -mono]), 44100))
    assert [note.label for note in notes] == [note.label for note in found]


@pytest.mark.parametrize("gain", [0.001, 30])
def test_the_level_of_the_recording_does_not_matter(loop, found, gain):
    notes = transcribe_drums(Audio(loop["mix"].samples * np.float32(gain), 44100))
    assert [note.label for note in notes] == [note.label for note in found]


def test_a_sound_that_was_clipped_is_heard_all_the_same(loop):
    notes = transcribe_drums(Audio(np.clip(3 * loop["mix"].samples, -0.5, 0.5), 44100))
    assert mean_f(notes, truth(2)) > 0.85


def test_arrays_need_a_rate_and_are_not_changed(loop, found):
    samples = loop["mix"].samples.copy()
    assert transcribe_drums(samples, sample_rate=44100) == found
    assert np.array_equal(samples, loop["mix"].samples)
    with pytest.raises(InvalidInput, match="sample_rate"):
        transcribe_drums(samples)


# ---------------------------------------------------------------- what is no drum


@pytest.mark.parametrize("n_samples", [0, 1, 255, 256, 511, 5000, 44100])
def test_silence_of_any_length_has_no_notes(n_samples):
    assert transcribe_drums(Audio(np.zeros((2, n_samples)), 44100)) == ()


@pytest.mark.parametrize("n_samples", [1, 2, 100, 513, 3000])
def test_very_short_sounds_have_a_defined_result(n_samples):
    sound = Audio(np.ones((1, n_samples)), 44100)
    assert all(0 <= note.onset <= note.offset <= sound.duration for note in transcribe_drums(sound))


def test_ten_seconds_of_noise_have_next_to_no_notes():
    rng = np.random.default_rng(3)
    white = Audio(0.1 * rng.standard_normal((1, 441000)), 44100)
    pink = Audio(0.1 * pink_noise(441000, rng)[None], 44100)
    assert len(transcribe_drums(white)) <= 2
    assert len(transcribe_drums(pink)) <= 2


def test_a_tone_that_sounds_on_is_no_stroke_after_it_has_begun():
    t = np.arange(3 * 44100) / 44100
    notes = transcribe_drums(Audio(0.3 * np.sin(2 * np.pi * 440 * t)[None], 44100))
    assert all(note.onset < 0.1 for note in notes)


# ---------------------------------------------------------------- options


def test_only_the_classes_asked_for_are_told(loop, found):
    notes = transcribe_drums(loop["mix"], classes=["snare"])
    assert notes == tuple(note for note in found if note.label == "snare")


def test_more_sensitivity_gives_more_notes(loop):
    counts = [len(transcribe_drums(loop["mix"], sensitivity=s)) for s in (0.0, 0.3, 0.5, 0.8, 1.0)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_two_strokes_of_a_class_are_as_far_apart_as_is_asked_for(loop):
    notes = transcribe_drums(loop["mix"], shortest=0.4)
    for label in THREE:
        assert np.all(np.diff(onsets(notes, label)) >= 0.4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": ["kick", "gong"]}, "kick, snare, hihat, tom, cymbal"),
        ({"classes": "kick"}, "a list"),
        ({"sensitivity": 1.5}, "sensitivity=1.5"),
        ({"sensitivity": True}, "sensitivity=True"),
        ({"shortest": -1}, "shortest=-1"),
        ({"shortest": float("nan")}, "shortest=nan"),
    ],
)
def test_options_out_of_range_are_refused_by_name(loop, options, words):
    with pytest.raises(InvalidInput, match=words):
        transcribe_drums(loop["mix"], **options)


# ---------------------------------------------------------------- the same for everybody


def test_the_number_of_threads_changes_nothing(loop, found):
    for count in (1, 3):
        with limit(count):
            assert transcribe_drums(loop["mix"]) == found


def test_the_numbers_are_read_when_they_are_first_needed_and_once():
    assert shipped() is shipped()
    assert shipped().networks.biases[-1].shape[1] == len(CLASSES)
    assert np.allclose(shipped().templates.sum(axis=(1, 2)), 1, atol=1e-4)


def test_numbers_that_are_missing_or_damaged_are_named(tmp_path):
    with pytest.raises(ReadError, match="drums.npz"):
        read_kits(tmp_path / "drums.npz")
    (tmp_path / "drums.npz").write_bytes(b"PK nothing")
    with pytest.raises(ReadError, match="what drums sound like"):
        read_kits(tmp_path / "drums.npz")
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    with pytest.raises(ReadError, match="lacks"):
        read_kits(tmp_path / "other.npz")


# ---------------------------------------------------------------- kits that were taught


def test_a_kit_taught_from_single_strokes_transcribes_its_loop(loop, kit):
    assert mean_f(transcribe_kit(loop["mix"], kit), truth(2)) >= 0.97


def test_labels_that_name_no_drum_are_known_by_their_bases_alone(loop, kit):
    names = dict(zip(THREE, "abc", strict=True))
    renamed = Dictionary(kit.bases, [names[label] for label in kit.labels], kit.stft, kit.sample_rate)
    notes = transcribe_kit(loop["mix"], renamed)
    reference = {names[label]: times for label, times in truth(2).items()}
    assert np.mean([f_measure(notes, reference, label) for label in "abc"]) > 0.85


def test_bases_may_have_taps_and_other_rates(loop, kit):
    taps = Dictionary(np.repeat(kit.bases[..., None], 2, axis=3), kit.labels, kit.stft, kit.sample_rate)
    assert mean_f(transcribe_kit(loop["mix"], taps), truth(2)) > 0.95
    assert mean_f(transcribe_kit(resample(loop["mix"], 48000), kit), truth(2)) > 0.95


def test_two_labels_of_one_class_share_its_strokes(loop, kit):
    hats = kit.select(["hihat"])
    shifted = Dictionary(
        np.roll(hats.bases, -250, axis=1), ["open hat"] * hats.n_components, hats.stft, hats.sample_rate
    )
    notes = transcribe_kit(loop["mix"], Dictionary.merge(kit, shifted))
    both = set(np.round(onsets(notes, "hihat"), 4)) & set(np.round(onsets(notes, "open hat"), 4))
    assert not both


def test_a_taught_kit_hears_nothing_in_silence(kit):
    for n_samples in (0, 1, 30000):
        assert transcribe_kit(Audio(np.zeros((1, n_samples)), 44100), kit) == ()


def test_a_dictionary_of_other_channels_is_refused(loop, kit):
    stereo = Dictionary(np.repeat(kit.bases, 2, axis=0), kit.labels, kit.stft, kit.sample_rate)
    with pytest.raises(Incompatible, match="2 channels"):
        transcribe_kit(loop["mix"], stereo)
    assert transcribe_kit(Audio(np.repeat(loop["mix"].samples, 2, axis=0), 44100), kit)


def test_names_of_drums_are_understood():
    assert [class_of(name) for name in ("BD", "Snare Drum", "hi-hat", "HH 2", "floor tom", "ride", "clap", "abd")] == [
        "kick", "snare", "hihat", "hihat", "tom", "cymbal", None, None,
    ]  # fmt: skip


def test_likeness_ranks_strokes_by_their_rise():
    alike = likeness(np.array([[1.0, 0.01], [0.3, 0.5], [0.001, 1.0]], np.float32))
    assert alike[0, 0] > alike[1, 0] > alike[2, 0]
    assert alike[2, 1] > alike[0, 1]


# ---------------------------------------------------------------- recordings


@pytest.mark.parametrize(
    ("name", "least"), [("drums_1", 0.95), ("drums_2", 0.94), ("drums_3", 0.95), ("drums_4", 0.95)]
)
def test_rendered_loops_are_transcribed(shared, name, least):
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is absent")
    notes = transcribe_drums(load(folder / "mix.flac"))
    written = json.loads((folder / "notes.json").read_text())
    reference = {label: np.array([n["onset"] for n in written if n["label"] == label]) for label in THREE}
    assert mean_f(notes, reference) >= least
    errors = [abs(t - reference[label]).min() for label in THREE for t in onsets(notes, label)]
    assert np.median(errors) < 0.01
