import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.audio import Audio
from unweave.errors import Incompatible
from unweave.evaluation import FLOOR, best_permutation, si_sdr


def noise(seed, n_channels=1, n=2000):
    return Audio(np.random.default_rng(seed).uniform(-1, 1, (n_channels, n)), 8000)


def mixed(true, wrong, share):
    return Audio(true.samples + share * wrong.samples, 8000)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("share", [0.001, 0.1, 1, 5])
def test_it_is_the_formula(n_channels, share):
    true = noise(0, n_channels)
    found = mixed(true, noise(1, n_channels), share)
    s, e = true.samples.ravel().astype(float), found.samples.ravel().astype(float)
    alpha = (e @ s) / (s @ s)
    expected = 10 * np.log10(np.sum((alpha * s) ** 2) / np.sum((e - alpha * s) ** 2))
    assert si_sdr(true, found) == pytest.approx(expected, abs=1e-9)


def test_a_tenth_of_noise_at_right_angles_is_20_db():
    t = np.arange(8000) / 8000
    sine, cosine = np.sin(2 * np.pi * 50 * t), np.cos(2 * np.pi * 50 * t)
    assert si_sdr(Audio(sine, 8000), Audio(sine + 0.1 * cosine, 8000)) == pytest.approx(20, abs=1e-4)


@given(st.integers(-20, 20), st.sampled_from([-1, 1]))
def test_the_gain_of_the_estimate_does_not_matter(exponent, sign):
    true, found = noise(0), mixed(noise(0), noise(1), 0.3)
    louder = Audio(sign * found.samples * np.float32(2.0**exponent), 8000)
    assert si_sdr(true, louder) == pytest.approx(si_sdr(true, found), abs=1e-9)


def test_the_true_part_itself_scores_most():
    assert si_sdr(noise(0), noise(0)) == 300
    assert si_sdr(noise(0), Audio(noise(0).samples * np.float32(0.25), 8000)) == 300


def test_silence_scores_least():
    silence = Audio(np.zeros((1, 2000)), 8000)
    assert FLOOR == -30
    assert si_sdr(noise(0), silence) == FLOOR
    assert si_sdr(silence, noise(0)) == FLOOR
    assert si_sdr(silence, silence) == FLOOR
    assert si_sdr(Audio(np.zeros((1, 0)), 8000), Audio(np.zeros((1, 0)), 8000)) == FLOOR


def test_what_has_nothing_to_do_with_the_true_part_scores_no_less():
    true = Audio(np.sin(2 * np.pi * 50 * np.arange(8000) / 8000), 8000)
    other = Audio(np.sin(2 * np.pi * 60 * np.arange(8000) / 8000), 8000)
    assert si_sdr(true, other) == FLOOR


@pytest.mark.parametrize("other", [noise(0, 2), noise(0, 1, 1999), Audio(noise(0).samples, 8001)])
def test_sounds_of_different_shapes_are_not_compared(other):
    with pytest.raises(Incompatible, match="cannot be compared with .*: length, channels and rate must agree"):
        si_sdr(noise(0), other)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_best_permutation_finds_a_shuffled_order(order):
    true = [noise(seed) for seed in range(3)]
    found = [mixed(part, noise(9), 0.1) for part in true]
    places, scores = best_permutation(true, [found[k] for k in order])
    assert [order[place] for place in places] == [0, 1, 2]
    np.testing.assert_allclose(scores, [si_sdr(*pair) for pair in zip(true, found, strict=True)])


def test_the_mean_decides_and_not_the_first():
    a, b = noise(0), noise(1)
    both = mixed(a, b, 0.9)  # nearer to a, but nothing else is near to b
    places, scores = best_permutation([a, b], [both, a])
    assert places == [1, 0]
    assert scores[0] == 300


def test_estimates_may_be_left_over_but_not_missing():
    true = [noise(0), noise(1)]
    assert best_permutation(true, [noise(5), noise(1), noise(0)])[0] == [2, 1]
    with pytest.raises(Incompatible, match="1 estimates for 2 references: one for each is needed"):
        best_permutation(true, [noise(0)])
    places, scores = best_permutation([], [noise(0)])
    assert (places, scores.size) == ([], 0)
