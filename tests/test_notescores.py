import itertools
import warnings

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.errors import InvalidInput
from unweave.evaluation import LabelScores, NoteScore, score_labels, score_onsets, score_pitches
from unweave.notes import Note


def hits(*onsets, label="kick", velocities=None):
    loud = velocities or [1.0] * len(onsets)
    return [Note(onset=t, offset=t + 0.1, label=label, velocity=v) for t, v in zip(onsets, loud, strict=True)]


def tones(*rows):
    """From rows of onset, offset, pitch."""
    return [Note(onset=onset, offset=offset, pitch=pitch) for onset, offset, pitch in rows]


def random_hits(seed, n, length=3.0):
    rng = np.random.default_rng(seed)
    return hits(*np.round(rng.uniform(0, length, n), 3))


def random_tones(seed, n):
    """Onsets on a grid of 10 ms, so that many distances are just a tolerance; pitches are never just 50 cents apart."""
    rng = np.random.default_rng(seed)
    onsets = np.round(rng.integers(0, 200, n) / 100, 2)
    durations = np.round(rng.integers(5, 60, n) / 100, 2)
    pitches = 60 + rng.integers(0, 3, n) + rng.choice([0, 0.2, 0.4], n)
    return tones(*zip(onsets, onsets + durations, pitches, strict=True))


def onset_figures(true, found, window=0.05):
    times = [np.sort([note.onset for note in notes]) for notes in (true, found)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where a list is empty
        return mir_eval.onset.f_measure(*times, window=window)


def pitch_figures(true, found, offset_ratio, **tolerances):
    intervals = [np.array([(note.onset, note.offset) for note in notes]).reshape(-1, 2) for notes in (true, found)]
    hertz = [440 * 2 ** ((np.array([note.pitch for note in notes]) - 69) / 12) for notes in (true, found)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mir_eval.transcription.precision_recall_f1_overlap(
            intervals[0], hertz[0], intervals[1], hertz[1], offset_ratio=offset_ratio, **tolerances
        )[:3]


def shape_of(score):
    return score.precision, score.recall, score.f_measure


# ---------------------------------------------------------------- as mir_eval counts


@pytest.mark.parametrize("window", [0.0, 0.001, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(12))
def test_onsets_score_as_mir_eval_scores_them(seed, window):
    true, found = random_hits(seed, 5 + 6 * seed), random_hits(100 + seed, 40)
    f, precision, recall = onset_figures(true, found, window)
    assert shape_of(score_onsets(true, found, window=window)) == (precision, recall, pytest.approx(f, abs=1e-15))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=12), st.lists(st.integers(0, 40), max_size=12), st.sampled_from([0.02, 0.05])
)
def test_onsets_on_a_grid_with_many_of_the_same_time_score_as_in_mir_eval(true, found, window):
    a, b = hits(*(n / 100 for n in true)), hits(*(n / 100 for n in found))
    f, precision, recall = onset_figures(a, b, window)
    assert shape_of(score_onsets(a, b, window=window)) == (precision, recall, pytest.approx(f, abs=1e-15))


@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_pitched_notes_score_as_mir_eval_scores_them(seed, offsets):
    true, found = random_tones(seed, 10 + 4 * seed), random_tones(100 + seed, 50)
    expected = pitch_figures(true, found, 0.2 if offsets else None)
    assert shape_of(score_pitches(true, found, offsets=offsets)) == pytest.approx(expected, abs=1e-15)


def test_other_tolerances_score_as_in_mir_eval():
    true, found = random_tones(1, 60), random_tones(2, 60)
    expected = pitch_figures(true, found, 0.5, onset_tolerance=0.1, pitch_tolerance=130.0, offset_min_tolerance=0.02)
    score = score_pitches(true, found, offsets=True, window=0.1, cents=130, offset_ratio=0.5, offset_window=0.02)
    assert shape_of(score) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("n", [(0, 0), (0, 3), (3, 0)])
def test_where_nothing_is_true_or_nothing_is_found_all_figures_are_zero_as_in_mir_eval(n):
    true, found = random_hits(0, n[0]), random_hits(1, n[1])
    score = score_onsets(true, found)
    assert shape_of(score) == onset_figures(true, found) == (0, 0, 0)
    assert (score.n_true, score.n_found, score.n_matched) == (*n, 0)
    assert shape_of(score_pitches(true, found)) == (0, 0, 0)


def test_what_needs_pairs_and_has_none_is_none():
    score = score_onsets([], hits(1.0))
    assert score.median_error is None
    assert score.mean_error is None
    assert score.median_absolute_error is None
    assert score.velocity_correlation is None


def test_one_note_is_found_within_the_window_and_not_beyond():
    assert score_onsets(hits(1.0), hits(1.049)).f_measure == 1
    assert score_onsets(hits(1.0), hits(1.051)).f_measure == 0


def test_a_note_that_is_found_twice_is_right_once():
    score = score_onsets(hits(1.0), hits(1.0, 1.0))
    assert shape_of(score) == (0.5, 1.0, pytest.approx(2 / 3))


def test_true_notes_that_come_twice_need_two_found_ones():
    assert score_onsets(hits(1.0, 1.0), hits(1.01)).recall == 0.5
    assert score_onsets(hits(1.0, 1.0), hits(1.01, 0.99)).recall == 1


def test_the_order_of_notes_does_not_matter():
    true, found = random_tones(3, 12), random_tones(4, 12)
    assert shape_of(score_pitches(true[::-1], found)) == shape_of(score_pitches(true, found[::-1]))


def test_distances_of_just_a_tolerance_match_whatever_binary_fractions_make_of_them():
    true, found = tones((0.15, 0.35, 60)), tones((0.2, 0.4, 60.5))
    assert score_pitches(true, found, offsets=True).n_matched == 1


def test_a_note_without_duration_counts():
    assert score_pitches(tones((1.0, 1.0, 60)), tones((1.0, 1.04, 60)), offsets=True).f_measure == 1


# ---------------------------------------------------------------- which pairs


def all_matchings(true, found, window):
    """Every way of making pairs: numbers of pairs and sums of errors."""
    for size in range(min(len(true), len(found)) + 1):
        for a in itertools.combinations(range(len(true)), size):
            for b in itertools.permutations(range(len(found)), size):
                errors = [abs(true[i] - found[j]) for i, j in zip(a, b, strict=True)]
                if all(error <= window for error in errors):
                    yield size, sum(errors)


@pytest.mark.parametrize("seed", range(15))
def test_of_the_most_pairs_those_with_the_least_errors_are_taken(seed):
    rng = np.random.default_rng(seed)
    true, found = rng.uniform(0, 0.25, 5), rng.uniform(0, 0.25, 4)
    most, least = min(all_matchings(true, found, 0.05), key=lambda one: (-one[0], one[1]))
    score = score_onsets(hits(*true), hits(*found))
    assert score.n_matched == most
    assert np.abs(score.errors).sum() == pytest.approx(least, abs=1e-12)


def test_no_pair_is_given_up_for_smaller_errors():
    # 1.00 could take the found note at 1.00 and leave 1.04 without any.
    score = score_onsets(hits(1.0, 1.04), hits(0.96, 1.0))
    assert score.n_matched == 2
    assert score.errors == pytest.approx([-0.04, -0.04])


# ---------------------------------------------------------------- errors and velocities


def test_what_comes_late_has_a_positive_bias():
    true, found = hits(1, 2, 3, 4), hits(1.01, 2.01, 2.99, 4.03)
    score = score_onsets(true, found)
    assert score.median_error == pytest.approx(0.01)
    assert score.mean_error == pytest.approx(0.01)
    assert score.median_absolute_error == pytest.approx(0.01)


def test_the_velocity_correlation_is_spearmans():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = np.round(rng.uniform(0, 1, 40), 1), np.round(rng.uniform(0, 1, 40), 1)
    times = np.arange(40.0)
    score = score_onsets(hits(*times, velocities=a.tolist()), hits(*times, velocities=b.tolist()))
    assert score.velocity_correlation == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_only_the_order_of_velocities_counts():
    true, times = [0.1, 0.2, 0.5, 0.9], (1, 2, 3, 4)
    squared = [value**2 for value in true]
    assert score_onsets(hits(*times, velocities=true), hits(*times, velocities=squared)).velocity_correlation == 1
    assert score_onsets(hits(*times, velocities=true), hits(*times, velocities=true[::-1])).velocity_correlation == -1


@pytest.mark.parametrize("found", [[0.5, 0.5, 0.5], [0.2]])
def test_velocities_that_do_not_differ_have_no_correlation(found):
    times = (1, 2, 3)[: len(found)]
    true = hits(*times, velocities=[0.1, 0.2, 0.3][: len(found)])
    assert score_onsets(true, hits(*times, velocities=found)).velocity_correlation is None


# ---------------------------------------------------------------- labels


def drums():
    true = [*hits(0, 1, 2), *hits(0.5, 1.5, label="snare"), *hits(3.0, label="crash")]
    found = [*hits(0, 1, 2, 2.5), *hits(0.5, label="snare"), *hits(0.25, label="tom")]
    return true, found


def test_labels_are_scored_by_themselves_and_their_mean_is_of_the_true_ones():
    scores = score_labels(*drums())
    assert list(scores.by_label) == ["crash", "kick", "snare"]
    each = {"crash": 0, "kick": 6 / 7, "snare": 2 / 3}
    assert {name: score.f_measure for name, score in scores.by_label.items()} == pytest.approx(each)
    assert scores.f_measure == pytest.approx(sum(each.values()) / 3)
    assert scores.precision == pytest.approx((0 + 3 / 4 + 1) / 3)
    assert scores.recall == pytest.approx((0 + 1 + 1 / 2) / 3)


def test_asked_labels_are_scored_and_no_others():
    scores = score_labels(*drums(), ["kick", "snare", "hihat"])
    assert list(scores.by_label) == ["kick", "snare", "hihat"]
    assert scores.f_measure == pytest.approx((6 / 7 + 2 / 3) / 2)  # there is no hi-hat to find


def test_the_labels_together_are_one_score():
    together = score_labels(*drums(), ["kick", "snare", "tom"]).together
    assert (together.n_true, together.n_found, together.n_matched) == (5, 6, 4)


def test_no_labels_score_nothing():
    assert score_labels([], []).f_measure == 0
    assert score_labels([], []).together.n_true == 0
    assert repr(score_labels([], [])) == "LabelScores(mean F 0.000: no labels)"


# ---------------------------------------------------------------- values and errors


def test_a_score_says_in_one_line_what_it_is():
    assert (
        repr(score_onsets(hits(1, 2), hits(1.012))) == "NoteScore(F 0.667: 1 of 2 notes found, 0 false; 12.0 ms late)"
    )
    assert (
        repr(score_onsets(hits(1), hits(0.99, 3))) == "NoteScore(F 0.667: 1 of 1 notes found, 1 false; 10.0 ms early)"
    )
    assert repr(score_onsets([], [])) == "NoteScore(F 0.000: 0 of 0 notes found, 0 false)"
    assert repr(score_labels(*drums(), ["kick"])) == "LabelScores(mean F 0.857: kick 0.857)"


def test_scores_cannot_be_changed():
    errors = np.zeros(2)
    score = NoteScore(2, 2, errors, np.ones(2), np.ones(2))
    errors[0] = 1
    assert score.errors[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        score.errors[0] = 1
    with pytest.raises(TypeError):
        LabelScores({"kick": score}).by_label["snare"] = score


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_tolerance_that_is_none_is_refused_by_name(value):
    with pytest.raises(InvalidInput, match=r"window=.*: how far notes may lie apart is a finite number"):
        score_onsets([], [], window=value)
    with pytest.raises(InvalidInput, match=r"cents=.*: how far notes may lie apart is a finite number"):
        score_pitches([], [], cents=value)


def test_ten_thousand_notes_take_less_than_a_second():
    import time

    rng = np.random.default_rng(0)
    rows = [(t, t + 0.2, int(p)) for t, p in zip(rng.uniform(0, 600, 10000), rng.integers(21, 109, 10000), strict=True)]
    moved = [(t + 0.01, o + 0.01, p) for t, o, p in rows]
    begin = time.process_time()
    assert score_pitches(tones(*rows), tones(*moved)).f_measure == 1
    assert time.process_time() - begin < 1
