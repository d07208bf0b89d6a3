import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.decomposition import decompose
from unweave.errors import InvalidInput, ReadError
from unweave.evaluate import si_sdr
from unweave.sorting import Sorter, component_features, train_sorter
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
    assert repr(again) == repr(sorter) == "Sorter(kick, snare, hihat; 21 features)"
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
