from dataclasses import fields

import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.decomposition import decompose
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.evaluation import si_sdr
from unweave.guide import Guide
from unweave.npz import write_npz
from unweave.sorting import Sorter, component_features, train_sorter
from unweave.stems import separate
from unweave.synthesis import drum_loop

DRUMS = ("kick", "snare", "hihat")
QUICK = {"max_iter": 60, "restarts": 1}


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=1, sample_rate=22050)


@pytest.fixture(scope="module")
def sorter(loop):
    return train_sorter({name: [loop[name]] for name in DRUMS}, n_components=2, **QUICK)


def test_components_get_the_names_of_the_stems_that_they_resemble(loop, sorter):
    grouping = sorter.sort(decompose(loop["mix"], 3))
    assert list(grouping.groups) == list(DRUMS)
    assert all(si_sdr(loop[name], sound) > 5 for name, sound in grouping.sounds().items())


def test_chances_sum_to_one_and_the_same_training_gives_the_same_sorter(loop, sorter):
    parts = decompose(loop["mix"], 3, **QUICK)
    chances = sorter.chances(parts)
    assert chances.shape == (3, 3)
    assert chances.sum(axis=1) == pytest.approx(1)
    again = train_sorter({name: [loop[name]] for name in DRUMS}, n_components=2, **QUICK)
    assert np.array_equal(again.weights, sorter.weights)


def test_a_file_gives_the_sorter_back(sorter, tmp_path):
    sorter.save(tmp_path / "sorter.npz")
    again = Sorter.load(tmp_path / "sorter.npz")
    assert repr(again) == repr(sorter) == "Sorter(kick, snare, hihat; 21 features; 22050 Hz)"
    assert np.array_equal(again.weights, sorter.weights)


def test_another_file_is_refused(loop, tmp_path):
    decompose(loop["mix"], 2, **QUICK).dictionary.save(tmp_path / "kit.npz")
    with pytest.raises(ReadError, match=r"kit\.npz is not a sorter of unweave: it holds bases"):
        Sorter.load(tmp_path / "kit.npz")


def test_silence_has_features_and_a_name(sorter):
    silent = decompose(Audio(np.zeros(4000), 22050), 2, **QUICK)
    assert np.isfinite(component_features(silent)).all()
    assert sum(len(members) for members in sorter.sort(silent).groups.values()) == 2


def test_what_cannot_be_is_refused(loop):
    with pytest.raises(InvalidInput, match="stems names 1 sounds: two at least are needed"):
        train_sorter({"kick": loop["kick"]})
    with pytest.raises(InvalidInput, match="the stems of 'b' are silent"):
        train_sorter({"a": loop["kick"], "b": Audio(np.zeros(4000), 22050)}, n_components=1, **QUICK)


def test_drums_of_other_kits_are_named_right(shared):
    data = shared / "data"
    stems = {name: [load(data / loop / f"{name}.flac") for loop in ("drums_1", "drums_2")] for name in DRUMS}
    sorter = train_sorter(stems, n_components=4, **QUICK)
    found = sorter.sort(decompose(load(data / "drums_3" / "mix.flac"), 3, restarts=3, max_iter=100)).sounds()
    scores = [si_sdr(load(data / "drums_3" / f"{name}.flac"), found[name]) for name in DRUMS]
    assert np.mean(scores) > 14


def test_a_sorter_names_the_components_of_a_recording_and_the_stems_sum_to_it(loop, sorter):
    stems = separate(loop["mix"], sorter)
    assert list(stems) == list(DRUMS)
    assert sum(len(stem.members) for stem in stems.values()) == 9
    total = sum(stem.audio.samples for stem in stems.values())
    np.testing.assert_allclose(total, loop["mix"].samples, atol=1e-6)
    assert np.mean([si_sdr(loop[name], stems[name].audio) for name in DRUMS]) > 8


@pytest.mark.parametrize("n", [0, 1, 700])
def test_silence_and_short_recordings_have_sorted_stems(sorter, n):
    stems = separate(Audio(np.zeros((2, n)), 22050), sorter)
    assert {name: stem.audio.samples.shape for name, stem in stems.items()} == dict.fromkeys(DRUMS, (2, n))


def test_what_is_known_is_told_to_sorted_stems(loop, sorter):
    stems = separate(loop["mix"], sorter, guide=Guide(silent={"kick": (0, 1)}))
    assert np.abs(stems["kick"].audio.samples[:, : round(0.85 * 22050)]).max() < 1e-4
    with pytest.raises(InvalidInput, match="the guide names 'voice', which is not among the stems kick, snare, hihat"):
        separate(loop["mix"], sorter, guide=Guide(silent={"voice": (0, 1)}))


def test_rates_must_be_one(loop, sorter):
    with pytest.raises(Incompatible, match="trained at 22050 Hz, but this recording has 8000 Hz: load it with"):
        separate(Audio(np.zeros(4000), 8000), sorter)
    with pytest.raises(Incompatible, match="'a' has 22050 Hz, but 'b' has 8000 Hz: load all with one sample_rate"):
        train_sorter({"a": loop["kick"], "b": Audio(np.ones(4000), 8000)})


@pytest.mark.parametrize(
    ("stems", "words"),
    [
        ({"a": [], "b": []}, "the stems of 'a' are silent"),
        ({"a": Audio(np.zeros(0), 8000), "b": Audio(np.ones(1), 8000)}, "the stems of 'a' are silent"),
        ({"a": [np.ones(9)], "b": [np.ones(9)]}, "the stems of 'a' hold ndarray: each must be an Audio"),
        ({"a": ["a.wav"], "b": ["b.wav"]}, "the stems of 'a' hold str: each must be an Audio"),
        ({}, "stems names 0 sounds"),
    ],
)
def test_stems_of_which_nothing_can_be_learned_are_refused(stems, words):
    with pytest.raises(InvalidInput, match=words):
        train_sorter(stems)


def test_one_sample_is_enough_to_be_trained_on():
    sorter = train_sorter({"a": Audio(np.ones(1), 8000), "b": Audio(np.array([0.5, -0.5]), 8000)}, n_components=1)
    assert np.isfinite(sorter.weights).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ("kick",)}, "weights of a sorter must be finite numbers of shape .22, 1."),
        ({"center": np.full(21, np.nan)}, "center of a sorter must be finite numbers"),
        ({"scale": np.zeros(21)}, "scales above 0"),
        ({"scale": np.ones(3)}, "scale of a sorter must be finite numbers of shape .21,., not .3,."),
    ],
)
def test_a_damaged_sorter_is_refused(sorter, tmp_path, change, words):
    values = {field.name: getattr(sorter, field.name) for field in fields(sorter)} | change
    with pytest.raises(InvalidInput, match=words):
        Sorter(**values)
    arrays = {name: values[name] for name in ("center", "scale", "weights")}
    settings = {"labels": list(values["labels"]), "stft": sorter.stft.settings(), "sample_rate": 22050}
    write_npz(tmp_path / "bad.npz", arrays, {"format": "unweave sorter", "version": 1, **settings})
    with pytest.raises(ReadError, match=r"bad\.npz is damaged, or of another version of unweave: .*" + words):
        Sorter.load(tmp_path / "bad.npz")
