"""Pictures of notes."""

from pathlib import Path

import numpy as np
import pytest

from unweave import plot
from unweave.errors import Incompatible
from unweave.notes import Note
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop

LOOP = drum_loop(1, sample_rate=16000)["mix"]


def hit(label, onset, velocity=0.5):
    return Note(onset=onset, offset=onset + 0.1, label=label, velocity=velocity)


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_every_sound_has_a_row_of_its_own_colour_the_drums_in_their_order_from_below():
    notes = [hit("cowbell", 0.1), hit("hihat", 0.1), hit("snare", 0.2), hit("kick", 0.3), hit("kick", 0.5)]
    upper, lower = plot.onsets(LOOP, notes, title="a loop")
    assert labels(lower) == ["kick", "snare", "hihat", "cowbell"]
    assert upper.get_title(loc="left") == "a loop"
    assert lower.get_xlim() == upper.get_xlim() == pytest.approx((0, LOOP.duration))
    colours = [tuple(drawn.get_colors()[0]) for drawn in lower.collections]
    assert len(set(colours)) == 4


def test_a_mark_begins_at_its_onset_and_is_higher_for_a_harder_stroke():
    _, lower = plot.onsets(LOOP, [hit("kick", 0.25, 0.2), hit("kick", 0.75, 1.0)])
    soft, hard = lower.collections[0].get_segments()
    assert (soft[0][0], hard[0][0]) == (0.25, 0.75)
    assert np.ptp(hard[:, 1]) > 2 * np.ptp(soft[:, 1])


def test_tones_without_a_name_share_a_row_and_strange_names_are_drawn(tmp_path: Path):
    tones = [Note(onset=0.1 * k, offset=0.1 * k + 0.2, pitch=60 + k) for k in range(5)]
    upper, lower = plot.onsets(LOOP, [*tones, hit("$x_1^", 0.5)])
    assert len(labels(lower)) == 2
    plot.save_figure(upper, tmp_path / "a.png")


def test_of_very_many_sounds_the_commonest_are_drawn():
    notes = [hit(f"{k:02d}", 0.01 * k) for k in range(60)] + [hit("59", 0.9)]
    _, lower = plot.onsets(LOOP, notes)
    assert len(labels(lower)) == 40
    assert "59" in labels(lower)


def test_onsets_are_drawn_into_axes_that_are_given_and_others_are_refused():
    given = new_figure(4).subplots(2, 1)
    assert plot.onsets(LOOP, [], axes=given) == tuple(given)
    with pytest.raises(Incompatible, match="1 axes, but 2 are needed"):
        plot.onsets(LOOP, [], axes=given[:1])


def test_a_piano_roll_has_a_bar_a_tone_where_it_sounds_coloured_by_velocity():
    notes = [Note(onset=0.5, offset=1.5, pitch=60, velocity=0.2), Note(onset=1, offset=2, pitch=64, velocity=0.9)]
    ax = plot.piano_roll([*notes, hit("kick", 0.0)], duration=3)
    (bars,) = ax.collections
    boxes = [path.get_extents().bounds for path in bars.get_paths()]
    assert [box[0] for box in boxes] == [0.5, 1.0]
    assert [box[2] for box in boxes] == pytest.approx([1, 1])
    assert [box[1] + box[3] / 2 for box in boxes] == pytest.approx([60, 64])
    assert list(bars.get_array()) == [0.2, 0.9]
    assert ax.get_xlim() == (0, 3)
    assert "C4" in labels(ax)


@pytest.mark.parametrize("pitches", [[], [60], [0, 127], [48, 72], [30.4, 30.6]])
def test_any_range_of_pitches_has_axes_with_names(tmp_path: Path, pitches):
    ax = plot.piano_roll([Note(onset=0, offset=0, pitch=pitch) for pitch in pitches], title="a $ b")
    low, high = ax.get_ylim()
    assert high - low >= 12
    assert all(low < pitch < high for pitch in pitches)
    assert 1 <= len(labels(ax)) <= 16
    plot.save_figure(ax, tmp_path / "a.png")


def test_the_same_notes_give_the_same_picture(tmp_path: Path):
    for name in "ab":
        plot.save_figure(plot.onsets(LOOP, [hit("kick", 0.2), hit("snare", 0.4)])[0], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
