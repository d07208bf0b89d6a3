import time

import numpy as np
import pytest

from unweave.audio import Audio, save
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.evaluation import FLOOR, best_permutation, bss_eval, score_stems, si_sdr


def noise(seed, n=5000, n_channels=2, rate=8000):
    return Audio(0.1 * np.random.default_rng(seed).standard_normal((n_channels, n)), rate)


@pytest.fixture
def true():
    return {name: noise(seed) for seed, name in enumerate(("kick", "snare", "hihat"))}


@pytest.fixture
def found(true):
    names = list(true)
    return {
        name: Audio(true[name].samples + 0.2 * true[names[k - 1]].samples + 0.1 * noise(9 + k).samples, 8000)
        for k, name in enumerate(names)
    }


def test_scores_are_those_of_the_single_functions(true, found):
    scores = score_stems(true, found, filter_length=32)
    filtered = bss_eval(list(true.values()), list(found.values()), filter_length=32)
    for k, score in enumerate(scores):
        assert score.si_sdr == pytest.approx(si_sdr(true[score.name], found[score.estimate]), abs=1e-6)
        assert score.sdr == pytest.approx(filtered.sdr[k, k])
        assert score.sir == pytest.approx(filtered.sir[k, k])
        assert score.sar == pytest.approx(filtered.sar[k, k])


def test_the_best_assignment_is_that_of_best_permutation(true, found):
    mixed = {str(k): found[name] for k, name in enumerate(("hihat", "kick", "snare"))} | {"3": noise(20)}
    order, expected = best_permutation(list(true.values()), list(mixed.values()))
    scores = score_stems(true, mixed, match="best", bss=False)
    assert [int(score.estimate) for score in scores] == order
    assert [score.si_sdr for score in scores] == pytest.approx(expected, abs=1e-6)
    assert scores[0].sdr is None


def test_files_give_what_sounds_give(true, found, tmp_path):
    paths = []
    for kind, stems in (("true", true), ("found", found)):
        (tmp_path / kind).mkdir()
        for name, stem in stems.items():
            save(tmp_path / kind / f"{name}.wav", stem)
        paths.append({name: tmp_path / kind / f"{name}.wav" for name in stems})
    assert score_stems(*paths, bss=False) == score_stems(true, found, bss=False)
    with pytest.raises(ReadError, match=r"absent\.wav"):
        score_stems({"kick": tmp_path / "absent.wav"}, {"kick": tmp_path / "absent.wav"})


def test_what_is_nearly_right_is_looked_at_twice(true):
    near = Audio(true["kick"].samples * np.float32(0.5) * np.float32(1 + 1e-7), 8000)
    shaken = Audio(true["kick"].samples + 1e-6 * noise(5).samples, 8000)
    assert score_stems({"kick": true["kick"]}, {"kick": near}, bss=False)[0].si_sdr > 140
    score = score_stems({"kick": true["kick"]}, {"kick": shaken}, bss=False)[0].si_sdr
    assert score == pytest.approx(si_sdr(true["kick"], shaken), abs=1e-6)
    assert score_stems({"kick": true["kick"]}, {"kick": true["kick"]}, bss=False)[0].si_sdr > 250


@pytest.mark.parametrize("n", [0, 1, 100])
def test_silence_and_short_sounds_have_scores(n):
    silent = Audio(np.zeros((1, n)), 8000)
    score = score_stems({"a": silent}, {"a": silent})[0]
    assert (score.si_sdr, score.sdr) == (FLOOR, FLOOR)
    assert score_stems({}, {}) == ()


def test_what_cannot_be_compared_is_refused(true):
    with pytest.raises(InvalidInput, match="there is no estimate of 'kick': there are a"):
        score_stems(true, {"a": noise(0)})
    with pytest.raises(InvalidInput, match="match='worst' is not one of name, best"):
        score_stems(true, true, match="worst")
    with pytest.raises(Incompatible, match="1 estimates for 3 references"):
        score_stems(true, {"a": noise(0)}, match="best")
    with pytest.raises(Incompatible, match="1 channel at 8000 Hz, but .* has 2 at 8000 Hz"):
        score_stems({"a": noise(0)}, {"a": noise(0, n_channels=1)})
    with pytest.raises(Incompatible, match="is shorter than"):
        score_stems({"a": noise(0)}, {"a": noise(0, n=4999)})


def test_a_minute_of_stereo_takes_less_than_a_second():
    """An hour of two stems in less than a minute, then; measured from files: an hour of four stems in 15 s."""
    true = {name: noise(k, n=60 * 44100, rate=44100) for k, name in enumerate("ab")}
    before = time.process_time()
    score_stems(true, true | {"a": true["b"]}, bss=False)
    assert time.process_time() - before < 3
