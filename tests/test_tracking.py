import numpy as np
import pytest

from unweave.errors import InvalidInput
from unweave.sines.peaks import Peaks
from unweave.sines.tracking import SineModel, Tracker, joined

METHODS = ("greedy", "hungarian")


def peaks(*pairs):
    """Peaks from (Hz, dB), with one Hz a bin."""
    table = np.array(sorted(pairs), np.float64).reshape(-1, 2)
    return Peaks(table[:, 0], table[:, 1])


def run(frames, **settings):
    """The tracks through some frames."""
    tracker = Tracker(SineModel(**settings), 1.0)
    decided = [found for found in map(tracker.push, frames) if found is not None]
    return joined([*decided, *tracker.finish()], 0, 1.0, 0.01)


# -- tracks


@pytest.mark.parametrize("method", METHODS)
def test_a_glissando_is_one_track(method):
    frames = [peaks((440 + 30 * frame, -10 - frame)) for frame in range(20)]
    (track,) = run(frames, tracking=method)
    np.testing.assert_array_equal(track.frequencies, 440 + 30 * np.arange(20))
    np.testing.assert_array_equal(track.levels, -10.0 - np.arange(20))
    np.testing.assert_allclose(track.times, 0.01 * np.arange(20))
    assert (track.channel, track.start, track.end) == (0, 0.0, pytest.approx(0.19))
    assert repr(track) == "Track(0.000 to 0.190 s, 440 to 1010 Hz, up to -10.0 dB)"


@pytest.mark.parametrize("method", METHODS)
def test_a_leap_begins_a_new_track(method):
    frames = [peaks((440, -10))] * 15 + [peaks((600, -10))] * 16
    low, high = run(frames, tracking=method)
    assert (low.start, low.frequencies.size) == (0.0, 15)
    assert (high.start, high.frequencies.size) == (0.15, 16)


@pytest.mark.parametrize("length", [1, 2, 5, 15])
def test_a_track_shorter_than_the_shortest_does_not_count(length):
    frames = (
        [peaks()] * 3 + [peaks((440, -10))] * (length - 1) + [peaks()] * 9 + [peaks((880, -10))] * length + [peaks()]
    )
    found = run(frames, min_track_length=length)
    assert [(track.frequencies[0], track.frequencies.size) for track in found] == [(880, length)]


def test_a_track_that_the_end_of_the_sound_cuts_short_does_not_count():
    assert run([peaks((440, -10))] * 14) == []
    assert len(run([peaks((440, -10))] * 15)) == 1


def test_tracks_that_cross_go_on_as_what_they_are_most_like():
    """Two tones of different levels, one rising and one falling."""
    frames = [peaks((500 + 10 * frame, -10), (690 - 10 * frame, -30)) for frame in range(20)]
    for method in METHODS:
        found = run(frames, tracking=method)
        assert [set(track.levels) for track in found] == [{-10.0}, {-30.0}]


def test_the_hungarian_method_takes_the_pairs_that_are_best_together():
    """Greedily, 530 goes to the peak at 525, and 500 has to leap over it."""
    frames = [peaks((500, -10), (530, -10)), peaks((525, -10), (550, -10))]
    greedy, hungarian = (run(frames, tracking=method, min_track_length=1) for method in METHODS)
    assert [track.frequencies.tolist() for track in hungarian] == [[500, 525], [530, 550]]
    assert [track.frequencies.tolist() for track in greedy] == [[500, 550], [530, 525]]


def greedily(track, peak, cost):
    """The definition: the nearest pair, then the nearest of what is left."""
    taken = []
    for place in np.argsort(cost, kind="stable"):
        if all(track[place] != t and peak[place] != p for t, p in taken):
            taken.append((track[place], peak[place]))
    return sorted(taken)


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_come_first_whatever_the_shortcut(seed):
    from unweave.sines.tracking import _nearest_first

    rng = np.random.default_rng(seed)
    track, peak = np.divmod(rng.permutation(400)[: rng.integers(0, 300)], 20)
    cost = rng.integers(0, 30, track.size).astype(float)  # with ties
    found = _nearest_first(track, peak, cost, SineModel())
    assert sorted(zip(*found, strict=True)) == greedily(track, peak, cost)


@pytest.mark.parametrize("seed", range(10))
def test_no_other_pairs_are_better_together(seed):
    from scipy.optimize import linear_sum_assignment

    from unweave.sines.tracking import _best_together

    rng = np.random.default_rng(seed)
    track, peak = np.divmod(rng.permutation(64)[:25], 8)
    model = SineModel()
    cost = rng.uniform(0, model.reach**2, track.size)
    advantage = np.zeros((8, 8))
    advantage[track, peak] = 1 / 1.5 + np.expm1(-cost / model.reach)
    best = advantage[linear_sum_assignment(advantage, maximize=True)].sum()
    tracks, chosen = _best_together(track, peak, cost, model)
    assert len(set(tracks)) == len(set(chosen)) == tracks.size
    assert advantage[tracks, chosen].sum() == pytest.approx(best)


@pytest.mark.parametrize("method", METHODS)
def test_the_edge_of_what_may_match_is_flucomas(method):
    """D < 1 / (2 - q), with D = 1 - exp(-Δf²/varF - Δa²/varA)."""
    for q in (0.0, 0.3, 0.5, 0.9):
        width = -(50**2) * np.log((q - 1) / (q - 2))
        edge = np.sqrt(-width * np.log(1 - 1 / (2 - q)))
        for factor, n_tracks in ((0.999, 1), (1.001, 2)):
            frames = [peaks((1000, -10)), peaks((1000 + factor * edge, -10))]
            assert len(run(frames, tracking=method, track_probability=q, min_track_length=1)) == n_tracks


@pytest.mark.parametrize("method", METHODS)
def test_with_a_probability_of_one_every_track_goes_on(method):
    frames = [peaks((1000, -10)), peaks((9000, -90))]
    assert len(run(frames, tracking=method, track_probability=1, min_track_length=1)) == 1


def test_tracks_begin_above_a_line_below_the_loudest_peak():
    line = 0 - 60 + 36 * 0.0075 ** (np.array([100, 5000, 15000]) / 20000)
    for above in (0.1, -0.1):
        quiet = [(hertz, level + above) for hertz, level in zip((100, 5000, 15000), line, strict=True)]
        found = run([peaks((1000, 0), *quiet)], min_track_length=1)
        assert len(found) == (4 if above > 0 else 1)


def test_a_track_may_fade_below_the_line_where_it_could_not_begin():
    frames = [peaks((1000, 0), (2000, -3 * frame)) for frame in range(30)]
    assert [track.frequencies.size for track in run(frames)] == [30, 30]


def test_a_frame_is_given_back_as_soon_as_it_is_decided():
    tracker = Tracker(SineModel(min_track_length=4), 1.0)
    given = [tracker.push(peaks((440, -10))) is not None for _ in range(6)]
    assert given == [False, False, False, True, True, True]
    assert len(tracker.finish()) == 3
    assert tracker.finish() == []


def test_a_long_stream_is_not_remembered():
    rng = np.random.default_rng(0)
    tracker = Tracker(SineModel(min_track_length=5), 1.0)
    for _ in range(300):
        tracker.push(peaks((440, 0), *((hertz, -5) for hertz in rng.uniform(1000, 9000, 20))))
    assert len(tracker._brief) < 200
    assert len(tracker._waiting) == 4


def test_of_nothing_there_are_no_tracks():
    assert run([]) == []
    assert run([peaks()] * 40) == []


# -- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bandwidth": 0}, "bandwidth=0 is not between 1 and 1048576 bins"),
        ({"bandwidth": 7.5}, "bandwidth=7.5 is not a whole number of bins"),
        ({"min_track_length": 0}, "min_track_length=0 is not between 1 and 100000 frames"),
        ({"min_track_length": True}, "min_track_length=True is not a whole number of frames"),
        ({"detection_threshold": 3}, "detection_threshold=3 is not between -144 and 0 "),
        ({"birth_low_threshold": np.nan}, "birth_low_threshold=nan is not between -144 and 0 "),
        ({"birth_high_threshold": "loud"}, "birth_high_threshold='loud' is not between -144 and 0 "),
        ({"tracking": "munkres"}, "tracking='munkres' is not one of greedy, hungarian"),
        ({"track_magnitude_range": 0}, "track_magnitude_range=0 is not between 1 and 200 "),
        ({"track_frequency_range": 1e9}, "track_frequency_range=1000000000.0 is not between 1 and 10000 "),
        ({"track_probability": 1.5}, "track_probability=1.5 is not between 0 and 1 "),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings, words):
    with pytest.raises(InvalidInput, match=words):
        SineModel(**settings)
