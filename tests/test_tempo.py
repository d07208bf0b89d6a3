"""How fast the beat goes, and notes on its grid."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.errors import InvalidInput
from unweave.notes import Note
from unweave.notes.tempo import Tempo, as_tempo, find_tempo, quantise

ROCK = {"hihat": "7.5.7.5.7.5.7.5.", "kick": "9.....8.9.......", "snare": "....9.......9..."}
FUNK = {"hihat": "7.757.757.757.75", "kick": "9.9...7..89.....", "snare": "....9..3.3..9..3"}
SHUFFLE = {"hihat": "7.57.57.57.5", "kick": "9.....8.5...", "snare": "...9.....9.."}


def played(pattern, bpm, *, bars=6, per_beat=4, start=0.3, jitter=0.0, swing=0.0, drift=0.0, seed=0):
    """Notes of a pattern; ``swing`` delays every second step, ``drift`` bends time by this share of the whole."""
    rng = np.random.default_rng(seed)
    steps = len(next(iter(pattern.values())))
    notes = []
    for label, marks in pattern.items():
        for place in range(bars * steps):
            if marks[place % steps] != ".":
                share = place / (bars * steps)
                at = place + swing * (place % 2) + drift * bars * steps * (share**2 - share)
                onset = max(0.0, start + at * 60 / bpm / per_beat + rng.normal(0, jitter))
                force = int(marks[place % steps]) / 9
                notes.append(Note(onset=onset, offset=onset + 0.1, label=label, velocity=force))
    return notes


def away(time, tempo):
    """Seconds from a time to the nearest beat."""
    beats = tempo.beats(time)
    return abs(beats - round(beats)) * tempo.period


@pytest.mark.parametrize(("pattern", "per_beat"), [(ROCK, 4), (FUNK, 4), (SHUFFLE, 3)], ids=["rock", "funk", "shuffle"])
@pytest.mark.parametrize("bpm", [88.0, 104.3, 131.0])
def test_the_tempo_of_a_rhythm_is_found_to_a_thousandth_and_its_beats_to_milliseconds(pattern, per_beat, bpm):
    tempo = find_tempo(played(pattern, bpm, per_beat=per_beat))
    assert tempo is not None
    assert tempo.bpm == pytest.approx(bpm, rel=1e-3)
    assert away(0.3, tempo) < 0.005
    assert tempo.confidence > 0.95


@pytest.mark.parametrize("bpm", [92.0, 126.0])
@pytest.mark.parametrize(
    ("swing", "drift"), [(0.0, 0.0), (0.25, 0.0), (0.0, 0.02)], ids=["straight", "swung", "drifting"]
)
def test_a_human_player_swing_and_drift_are_borne(bpm, swing, drift):
    tempo = find_tempo(played(FUNK, bpm, jitter=0.008, swing=swing, drift=drift))
    assert tempo is not None
    assert tempo.bpm == pytest.approx(bpm, rel=0.02 if drift else 2e-3)


def test_the_confidence_is_less_where_the_player_is_less_exact():
    found = [find_tempo(played(ROCK, 120, jitter=jitter)).confidence for jitter in (0.0, 0.01, 0.02)]
    assert found == sorted(found, reverse=True)


def test_where_nothing_repeats_there_is_no_tempo(rng):
    onsets = np.cumsum(rng.exponential(0.4, 200))
    notes = [Note(onset=float(onset), offset=float(onset), label="rain") for onset in onsets]
    tempo = find_tempo(notes)
    assert tempo is None or tempo.confidence < 0.35


def test_silence_and_few_notes_have_no_tempo():
    notes = played(ROCK, 120)
    assert find_tempo([]) is None
    assert find_tempo(notes[:1]) is None
    assert find_tempo([notes[0]] * 50) is None  # one chord


def test_a_tempo_that_is_known_is_kept_and_only_its_beats_are_looked_for():
    tempo = find_tempo(played(ROCK, 120, start=0.37), bpm=120)
    assert (tempo.bpm, tempo.confidence) == (120, None)
    assert away(0.37, tempo) < 0.003
    assert find_tempo([], bpm=120) is None


def test_the_order_of_the_notes_does_not_matter():
    notes = played(FUNK, 100, jitter=0.005)
    assert find_tempo(notes[::-1]) == find_tempo(notes)


def test_a_pause_of_years_costs_nothing():
    notes = played(ROCK, 120)
    late = [Note(onset=note.onset + 1e9, offset=note.offset + 1e9, label=note.label) for note in notes]
    assert find_tempo([*notes, *late]).bpm == pytest.approx(120, rel=0.01)


@given(st.lists(st.floats(0, 1e6), max_size=12), st.sampled_from([None, 30.0, 900.0]))
def test_any_notes_have_a_tempo_within_the_limits_or_none(onsets, bpm):
    tempo = find_tempo([Note(onset=onset, offset=onset, label="x", velocity=0) for onset in onsets], bpm=bpm)
    if tempo is not None:
        assert math.isfinite(tempo.first_beat)
        assert 0 <= tempo.first_beat < tempo.period
        assert bpm is not None or 30 < tempo.bpm < 260


def test_rendered_loops_and_songs_get_their_tempo(shared):
    folders = [folder for folder in sorted((shared / "data").iterdir()) if folder.name.startswith(("drums", "song"))]
    for folder in folders:
        rows = json.loads((folder / "notes.json").read_text())
        notes = [
            Note(onset=row["onset"], offset=row["offset"], pitch=row["pitch"], velocity=row["velocity"] / 127)
            for row in rows
        ]
        tempo = find_tempo(notes)
        bpm = json.loads((folder / "meta.json").read_text())["bpm"]
        assert tempo is not None
        assert tempo.bpm == pytest.approx(bpm, rel=1e-3), folder.name


def test_beats_and_seconds_are_inverse_and_the_first_beat_is_the_first():
    tempo = Tempo(bpm=90, first_beat=-0.5)
    assert tempo.first_beat == pytest.approx(60 / 90 - 0.5)
    assert tempo.seconds(tempo.beats(3.21)) == pytest.approx(3.21)
    assert as_tempo(90) == Tempo(bpm=90)
    assert as_tempo(tempo) is tempo
    assert as_tempo(None) is None


@pytest.mark.parametrize("bpm", [0, 9.9, 1001, math.nan, math.inf, True, "120"])
def test_a_number_that_is_no_tempo_is_refused(bpm):
    with pytest.raises(InvalidInput, match="is not a number of beats per minute from 10 to 1000"):
        Tempo(bpm=bpm)
    with pytest.raises(InvalidInput, match="is not a number of beats per minute"):
        find_tempo([], bpm=bpm)


def test_a_tempo_refuses_what_is_no_time_and_no_confidence():
    with pytest.raises(InvalidInput, match="first_beat=nan is not a number of seconds"):
        Tempo(bpm=100, first_beat=math.nan)
    with pytest.raises(InvalidInput, match="confidence=2 is not a number from 0 to 1"):
        Tempo(bpm=100, confidence=2)


def test_quantised_notes_lie_on_the_lines_and_the_raw_ones_stay():
    raw = played(ROCK, 104, jitter=0.006)
    tempo = find_tempo(raw)
    before = list(raw)
    notes = quantise(raw, tempo, 16)
    assert raw == before
    assert len(notes) == len(raw)
    for note in notes:
        for time in (note.onset, note.offset):
            lines = tempo.beats(time) * 4
            assert lines == pytest.approx(round(lines), abs=1e-6)
        assert note.duration >= tempo.period / 4 - 1e-9


def test_of_notes_of_one_sound_on_one_line_the_loudest_is_kept():
    twice = [Note(onset=onset, offset=1, pitch=60, velocity=onset) for onset in (0.49, 0.51)]
    other = Note(onset=0.5, offset=1, pitch=61)
    assert [note.velocity for note in quantise([*twice, other], 120)] == [0.51, 1.0]


def test_the_grid_has_no_lines_before_the_recording():
    tempo = Tempo(bpm=120, first_beat=0.24)
    assert quantise([Note(onset=0, offset=0, label="x")], tempo, 4)[0].onset == pytest.approx(0.24)
    assert quantise([Note(onset=0, offset=0, label="x")], tempo, 8)[0].onset == pytest.approx(0.24)
    assert quantise([Note(onset=0, offset=0, label="x")], tempo, 16)[0].onset == pytest.approx(0.115)


@pytest.mark.parametrize("division", [0, 193, 16.0, True])
def test_a_division_that_is_none_is_refused(division):
    with pytest.raises(InvalidInput, match="is not a whole number from 1 to 192"):
        quantise([], 120, division)
