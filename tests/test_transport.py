"""Spectra on their way to others: the plan, the distance, and what lies between."""

import numpy as np
import pytest

from unweave.errors import Incompatible, InvalidInput
from unweave.morph.transport import Transport, distances, masses_of, one_interpolation, require_interpolation

N_FFT = 512
BINS = N_FFT // 2 + 1


def lobe(place, level=1.0):
    """The spectrum of a sine under a Hann window, at a bin or between two."""
    time = np.arange(N_FFT)
    wave = np.cos(2 * np.pi * place * time / N_FFT + 0.3) * (0.5 - 0.5 * np.cos(2 * np.pi * time / N_FFT))
    return level * np.abs(np.fft.rfft(wave))


def column(*spectra):
    return np.stack(spectra, axis=1)


def peak(spectrum):
    found = masses_of(spectrum)
    return found.centres[np.argmax(found.shares)]


@pytest.fixture
def pair(rng):
    return rng.random((BINS, 4)) ** 6, rng.random((BINS, 4)) ** 3


# ---------------------------------------------------------------- masses


def test_masses_leave_no_bin_out(rng):
    for spectrum in (rng.random(BINS), np.arange(9.0), np.arange(9.0)[::-1], np.ones(7), np.zeros(5), [3.0]):
        found = masses_of(spectrum)
        assert found.edges[0] == 0
        assert found.edges[-1] == len(spectrum)
        assert (np.diff(found.edges) > 0).all()
        assert found.edges.size == found.centres.size + 1


def test_shares_are_those_of_the_sum(rng):
    spectrum = rng.random(BINS)
    found = masses_of(spectrum)
    sums = [spectrum[a:b].sum() for a, b in zip(found.edges[:-1], found.edges[1:], strict=True)]
    assert found.shares == pytest.approx(np.array(sums) / spectrum.sum())
    assert masses_of(np.zeros(8)).shares.tolist() == [0.0]


@pytest.mark.parametrize("place", [50.0, 50.2, 50.5, 50.77])
def test_the_centre_of_a_sine_is_found_to_a_hundredth_of_a_bin(place):
    assert peak(lobe(place)) == pytest.approx(place, abs=0.01)


def test_flat_peaks_and_valleys_have_their_centre_in_the_middle():
    found = masses_of([0, 2, 2, 2, 1, 1, 1, 3, 0])
    assert found.centres[0] == 2
    assert found.edges.tolist() == [0, 5, 9]


# ---------------------------------------------------------------- distances


def work_by_linear_program(a, b):
    from scipy.optimize import linprog

    one, other = masses_of(a), masses_of(b)
    cost = np.square(one.centres[:, None] - other.centres[None])
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    done = linprog(cost.ravel(), A_eq=np.concatenate(rows), b_eq=np.concatenate([one.shares, other.shares]))
    return done.fun


def test_no_plan_needs_less_work(rng):
    source, target = rng.random((40, 3)) ** 4, rng.random((40, 3)) ** 4
    found = distances(source, target)
    wanted = [[work_by_linear_program(a, b) for b in target.T] for a in source.T]
    assert found == pytest.approx(np.array(wanted), rel=1e-6)


def test_distances_do_not_add_up_over_pairs_as_in_flucoma(pair):
    source, target = pair
    whole = distances(source, target)
    alone = [[distances(source[:, [i]], target[:, [j]])[0, 0] for j in range(4)] for i in range(4)]
    assert np.array_equal(whole, alone)


def test_the_distance_of_two_sines_is_their_way_in_bins_squared():
    assert distances(column(lobe(40.0)), column(lobe(43.5), lobe(40.0)))[0] == pytest.approx([12.25, 0], abs=0.3)


def test_a_spectrum_is_at_no_distance_from_itself_and_levels_do_not_count(pair):
    source, target = pair
    assert np.diag(distances(source, source)) == pytest.approx(0, abs=1e-12)
    assert distances(source * 1e-9, target * 1e9) == pytest.approx(distances(source, target))
    assert distances(source, target) == pytest.approx(distances(target, source).T)


def test_silence_is_at_no_distance_from_anything(pair):
    assert not distances(np.zeros((BINS, 1)), pair[1]).any()


# ---------------------------------------------------------------- on the way


def test_the_ends_are_the_spectra_themselves_and_the_way_to_them_is_smooth(pair):
    source, target = pair
    way = Transport(source, target)
    assert np.array_equal(way.at(0), source)
    assert np.array_equal(way.at(1), target)
    assert way.at(1e-9) == pytest.approx(source, abs=1e-6)
    assert way.at(1 - 1e-9) == pytest.approx(target, abs=1e-6)


def test_half_way_between_two_sines_is_one_sine_half_way():
    between = Transport(column(lobe(50.0)), column(lobe(61.0))).at(0.5)[:, 0]
    assert peak(between) == pytest.approx(55.5, abs=0.05)
    assert (between > 0.3 * between.max()).sum() <= 4  # a lobe, and no second one
    assert np.linalg.norm(between - lobe(55.5)) < 0.1 * np.linalg.norm(lobe(55.5))


def test_a_peak_moves_by_parts_of_a_bin_and_not_in_steps_as_in_flucoma():
    way = Transport(column(lobe(50.0)), column(lobe(52.0)))
    places = [peak(way.at(t)[:, 0]) for t in np.linspace(0, 1, 9)]
    assert places == pytest.approx(np.linspace(50, 52, 9), abs=0.06)


def test_level_goes_in_a_straight_line_from_one_end_to_the_other():
    way = Transport(column(lobe(50.0, 1.0)), column(lobe(90.0, 3.0)))
    sums = [way.at(t).sum() for t in np.linspace(0, 1, 5)]
    assert sums == pytest.approx(np.linspace(sums[0], sums[-1], 5), rel=0.03)


def test_nothing_is_lost_beyond_the_ends_of_the_spectrum():
    source, target = column(lobe(2.0) + lobe(250.0)), column(lobe(30.0) + lobe(200.0))
    for t in (0.02, 0.3, 0.7):
        expected = (1 - t) * source.sum() + t * target.sum()
        assert Transport(source, target).at(t).sum() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "shape", [np.ones(BINS), np.arange(1.0, BINS + 1), np.arange(1.0, BINS + 1)[::-1]], ids=["flat", "rises", "falls"]
)
def test_a_spectrum_without_valleys_sounds_as_it_does_not_in_flucoma(shape):
    way = Transport(column(shape), column(lobe(60.0)))
    assert np.array_equal(way.at(0)[:, 0], shape)
    assert way.at(0.5).sum() > 0.4 * shape.sum()


def test_a_broad_shape_that_goes_many_ways_is_moved_as_piece_by_piece(rng, monkeypatch):
    broad = column(np.exp(-np.linspace(0, 5, BINS)))
    many = rng.random((BINS, 1)) ** 4
    convolved = Transport(broad, many)
    monkeypatch.setattr("unweave.morph.transport._MANY", 10**9)
    by_piece = Transport(broad, many)
    for t in (0.1, 0.5, 0.93):
        assert convolved.at(t) == pytest.approx(by_piece.at(t), abs=1e-12)


def test_masses_too_faint_to_be_weighed_are_not_lost():
    faint = lobe(40.0) + 1e-18 * lobe(200.0) + 1e-19 * lobe(120.0)
    way = Transport(column(faint), column(lobe(45.0)))
    near = way.at(1e-12)[:, 0]
    assert near[120] == pytest.approx(faint[120], rel=0.1)
    assert near[200] == pytest.approx(faint[200], rel=0.1)


def test_silence_fades_and_does_not_move():
    sound, silence = column(lobe(40.0)), np.zeros((BINS, 1))
    assert Transport(sound, silence).at(0.25) == pytest.approx(0.75 * sound)
    assert Transport(silence, sound).at(0.25) == pytest.approx(0.25 * sound)
    assert not Transport(silence, silence).at(0.5).any()


def test_inputs_are_not_changed_and_nothing_is_negative(pair):
    source, target = pair
    before = source.copy(), target.copy()
    spectra = [Transport(source, target).at(t) for t in np.linspace(0, 1, 7)]
    assert min(spectrum.min() for spectrum in spectra) >= 0
    assert np.array_equal(source, before[0])
    assert np.array_equal(target, before[1])


@pytest.mark.parametrize("bins", [1, 2, 3])
def test_very_few_bins_are_enough(bins, rng):
    source, target = rng.random((bins, 2)), rng.random((bins, 2))
    assert Transport(source, target).at(0.5).sum() == pytest.approx((source.sum() + target.sum()) / 2, rel=0.3)


# ---------------------------------------------------------------- what is refused


def test_what_does_not_fit_is_refused(pair):
    source, target = pair
    with pytest.raises(Incompatible, match="source has 257 bins, but target has 256"):
        distances(source, target[1:])
    with pytest.raises(Incompatible, match="source has 4 spectra, but target has 3"):
        Transport(source, target[:, :3])
    with pytest.raises(InvalidInput, match="target contains -1"):
        Transport(source, -np.ones_like(target))
    with pytest.raises(InvalidInput, match="spectrum has no bins"):
        masses_of([])


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_an_interpolation_out_of_range_is_refused(value):
    with pytest.raises(InvalidInput, match="is not from 0"):
        require_interpolation([0.5, value])
    with pytest.raises(InvalidInput, match="is not from 0"):
        Transport(np.ones((3, 1)), np.ones((3, 1))).at(value)


def test_an_interpolation_is_a_number():
    with pytest.raises(InvalidInput, match="'half' is not a number"):
        require_interpolation("half")
    with pytest.raises(InvalidInput, match="one number is needed"):
        one_interpolation([0.5, 0.5])
