"""Bases that turn into others: who fits whom, what is refused, and how loud the target is."""

import numpy as np
import pytest

from tests.test_transport import BINS, N_FFT, column, lobe
from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.morph.pairs import Pair, Score, Way, assign_bases
from unweave.parts import Decomposition

SETTINGS = STFT(N_FFT, 64)
RATE = 8000


def dictionary(*places, level=1.0, stft=SETTINGS, rate=RATE):
    return Dictionary(level * column(*(lobe(place) for place in places)), (), stft, rate)


def decomposition(beta=1.0, rate=RATE):
    n_frames = SETTINGS.n_frames(640)
    found = Factorization(column(lobe(40.0), lobe(80.0)), np.ones((2, n_frames)), beta=beta)
    return Decomposition(Audio(np.zeros(640), rate), SETTINGS, found)


# ---------------------------------------------------------------- assignment


def test_each_basis_turns_into_the_one_that_is_nearest_in_all(rng):
    places = np.linspace(10, 240, 9)
    order = rng.permutation(9)
    source, target = column(*map(lobe, places)), column(*map(lobe, places[order] + rng.uniform(-4, 4, 9)))
    assert order[assign_bases(source, target)].tolist() == list(range(9))


def test_no_other_assignment_needs_less_work(rng):
    from itertools import permutations

    from unweave.morph.transport import distances

    source, target = rng.random((60, 5)) ** 5, rng.random((60, 5)) ** 5
    work = distances(source, target)
    least = min(work[range(5), order].sum() for order in map(list, permutations(range(5))))
    assert work[range(5), assign_bases(source, target)].sum() == pytest.approx(least)


def test_the_number_of_pairs_before_changes_no_assignment_as_in_flucoma():
    source = column(lobe(20.0), lobe(60.0), lobe(100.0))
    target = column(lobe(101.0), lobe(21.0), lobe(61.0))
    assert assign_bases(source, target).tolist() == [1, 2, 0]
    assert assign_bases(source[:, ::-1], target).tolist() == [0, 2, 1]


def test_of_a_larger_target_the_nearest_take_part():
    source, target = column(lobe(20.0), lobe(60.0)), column(lobe(200.0), lobe(61.0), lobe(140.0), lobe(19.0))
    assert assign_bases(source, target).tolist() == [3, 1]


def test_a_channel_counts_by_how_much_of_the_sound_is_in_it():
    left = column(lobe(20.0), lobe(60.0)), column(lobe(60.0), lobe(20.0))
    right = column(lobe(20.0), lobe(60.0)) * 1e-6
    assert assign_bases(np.stack([left[0], right]), np.stack([left[1], right])).tolist() == [1, 0]


def test_silent_bases_take_what_is_left():
    source = column(np.zeros(BINS), lobe(60.0))
    assert assign_bases(source, column(lobe(61.0), lobe(10.0))).tolist() == [1, 0]


def test_the_order_may_be_given():
    one, other = dictionary(20, 60), dictionary(61, 21, 100)
    assert Pair.of(one, other).assignment.tolist() == [1, 0]
    assert Pair.of(one, other, assign=False).assignment.tolist() == [0, 1]
    assert Pair.of(one, other, assign=[2, 0]).assignment.tolist() == [2, 0]
    with pytest.raises(InvalidInput, match=r"assign=\[0, 3\], but the target's components are 0 to 2"):
        Pair.of(one, other, assign=[0, 3])
    with pytest.raises(InvalidInput, match="True, False, or the number"):
        Pair.of(one, other, assign=[0])


# ---------------------------------------------------------------- levels and settings


def test_the_target_is_as_loud_as_the_source():
    pair = Pair.of(dictionary(20, 60, level=0.01), dictionary(25, 70, level=50))
    assert np.linalg.norm(pair.target, axis=1) == pytest.approx(np.linalg.norm(pair.source, axis=1), rel=1e-5)


def test_powers_are_as_loud_when_their_sums_are():
    pair = Pair.of(decomposition(beta=0.0), dictionary(25, 70, level=50))
    assert pair.is_power
    assert pair.target.sum(axis=1) == pytest.approx(pair.source.sum(axis=1), rel=1e-5)


def test_bases_keep_their_energy_on_the_way(rng):
    source, target = (rng.random((2, BINS, 3)) ** 8 for _ in range(2))
    for kind, exponent in ((None, 2), (decomposition(beta=0.0), 1)):
        way = Way(Pair.of(source, target, stft=SETTINGS, activations=kind))
        for t in (0, 0.01, 0.5, 0.99, 1):
            assert (way.at(t) ** exponent).sum(axis=(0, 1)) == pytest.approx((source**exponent).sum(axis=(0, 1)))


def test_what_turns_into_silence_fades():
    way = Way(Pair.of(dictionary(20), np.zeros((BINS, 1))))
    energies = [np.square(way.at(t)).sum() for t in (0, 0.25, 0.5, 1)]
    assert energies == pytest.approx(np.array([1, 0.75, 0.5, 0]) * energies[0])


def test_silence_stays_silent_at_any_level():
    pair = Pair.of(np.zeros((BINS, 1)), np.zeros((BINS, 1)), stft=SETTINGS)
    assert not pair.target.any()


def test_the_sound_is_made_with_an_eighth_of_the_window():
    assert Pair.of(*[dictionary(9, stft=STFT(N_FFT))] * 2).stft.hop_length == 64
    assert Pair.of(*[dictionary(9, stft=STFT(N_FFT, 16))] * 2).stft.hop_length == 16
    assert Pair.of(*[dictionary(9)] * 2, stft=STFT(N_FFT, 128)).stft.hop_length == 128


def test_bases_of_one_channel_serve_every_channel():
    stereo = Dictionary(np.stack([column(lobe(20.0)), column(lobe(30.0))]), (), SETTINGS, RATE)
    assert Pair.of(stereo, dictionary(50)).source.shape == (2, BINS, 1)
    three = Dictionary(np.ones((3, BINS, 1)), (), SETTINGS, RATE)
    with pytest.raises(Incompatible, match="source has 2 channels, but target has 3"):
        Pair.of(stereo, three)


# ---------------------------------------------------------------- what does not fit is said, where FluCoMa is silent


def test_mismatches_are_sentences_where_flucoma_is_silent():
    one = dictionary(20, 60)
    with pytest.raises(Incompatible, match="source has 2 components, but target has only 1"):
        Pair.of(one, dictionary(20))
    with pytest.raises(Incompatible, match="source was made with n_fft=512, but target with n_fft=1024"):
        Pair.of(one, Dictionary(np.ones((513, 2)), (), STFT(1024), RATE))
    with pytest.raises(Incompatible, match="source was made at 8000 Hz, but target at 44100 Hz"):
        Pair.of(one, dictionary(20, 60, rate=44100))
    with pytest.raises(Incompatible, match="stft has n_fft=1024, but the bases were made with n_fft=512"):
        Pair.of(one, one, stft=STFT(1024))
    with pytest.raises(Incompatible, match="target has 200 bins, but n_fft=512 makes 257"):
        Pair.of(one, np.ones((200, 2)))
    with pytest.raises(InvalidInput, match="arrays, which do not know their transform"):
        Pair.of(np.ones((BINS, 2)), np.ones((BINS, 2)))
    with pytest.raises(InvalidInput, match="bases of 4 taps, but only spectra can be morphed"):
        Pair.of(Dictionary(np.ones((1, BINS, 2, 4)), (), SETTINGS, RATE), one)
    with pytest.raises(InvalidInput, match="source must be finite and not negative"):
        Pair.of(-np.ones((BINS, 2)), one)
    with pytest.raises(InvalidInput, match=r"source.shape=\(257,\)"):
        Pair.of(np.ones(BINS), one)
    with pytest.raises(InvalidInput, match="center=False"):
        Pair.of(one, one, stft=STFT(N_FFT, 64, center=False))
    with pytest.raises(Incompatible, match="of powers"):
        Pair.of(decomposition(beta=0.0), decomposition(beta=1.0))
    with pytest.raises(Incompatible, match="1 channel of 257 bins, but target 1 of 9"):
        assign_bases(np.ones((BINS, 1)), np.ones((9, 1)))


# ---------------------------------------------------------------- activations


def test_activations_go_in_straight_lines_between_their_frames():
    pair = Pair.of(dictionary(20), dictionary(30))
    once, endless = (Score.of([[0.0, 1.0, 3.0]], pair, loop=loop) for loop in (False, True))
    assert [once.at(n)[0] for n in (0, 32, 64, 96, 128, 160, 192)] == [0, 0.5, 1, 2, 3, 1.5, 0]
    assert [endless.at(n)[0] for n in (128, 160, 192, 224, 256)] == [3, 1.5, 0, 0.5, 1]
    assert once.n_samples == 128


def test_activations_that_do_not_belong_to_the_bases_are_refused():
    pair = Pair.of(dictionary(20), dictionary(30))
    with pytest.raises(Incompatible, match=r"activations.shape=\(2, 5\), but one row for each of the 1 components"):
        Score.of(np.ones((2, 5)), pair, loop=True)
    with pytest.raises(Incompatible, match="at least one frame"):
        Score.of(np.ones((1, 0)), pair, loop=True)
    with pytest.raises(InvalidInput, match="activations contains -1"):
        Score.of(-np.ones((1, 5)), pair, loop=True)
    with pytest.raises(Incompatible, match="recording at 44100 Hz, but the bases were made at 8000 Hz"):
        Score.of(decomposition(rate=44100), Pair.of(dictionary(20, 60), dictionary(30, 70)), loop=True)
