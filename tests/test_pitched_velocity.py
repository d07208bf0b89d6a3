"""How hard notes were struck: what is the player's and what is the instrument's."""

import numpy as np

from unweave import Audio
from unweave.notes import Note
from unweave.pitched import transcribe_piano
from unweave.pitched.velocity import levelled, levels, loudness

RATE = 22050
FORCES = np.array([0.35, 0.5, 0.65, 0.8, 0.95])


def struck(strokes, seconds, duller=None):
    """Struck strings ``(onset, pitch, force)``, in amplitude alone; ``duller`` keys are 6 dB lower."""
    out, rng = np.zeros(int(seconds * RATE)), np.random.default_rng(0)
    h = np.arange(1, 16)
    for onset, pitch, force in strokes:
        t = np.arange(int(0.45 * RATE)) / RATE
        hertz = 440 * 2 ** ((pitch - 69) / 12) * h * np.sqrt(1 + 3e-4 * h**2)
        tone = (np.exp(-0.3 * h) * (hertz < 0.45 * RATE)) @ (
            np.exp(-np.outer(1 + 0.3 * h, t)) * np.sin(2 * np.pi * np.outer(hertz, t) + h[:, None])
        )
        tone *= (1 - np.exp(-t / 0.001)) * np.minimum(1, (0.45 - t) / 0.06) * 10 ** (34 * (force - 1) / 20)
        begin = int(onset * RATE)
        out[begin : begin + t.size] += tone * (0.5 if duller and pitch in duller else 1)
    return Audio(0.2 * out + 1e-5 * rng.standard_normal(out.size), RATE)


def velocities(notes, pitch):
    return np.array([note.velocity for note in notes if note.pitch == pitch])


def written(pairs):
    return [
        Note(onset=0.2 * k, offset=0.2 * k + 0.1, pitch=float(pitch), velocity=float(force))
        for k, (pitch, force) in enumerate(pairs)
    ]


def ranks(values):
    return np.argsort(np.argsort(values))


def test_strokes_of_a_key_come_in_the_order_of_their_levels():
    keys, order = (48, 60, 67, 76), (2, 0, 4, 1, 3)
    strokes = [
        (0.2 + 2.6 * j + 0.5 * k, key, FORCES[(m + j) % 5]) for j, key in enumerate(keys) for k, m in enumerate(order)
    ]
    found = transcribe_piano(struck(strokes, 10.8))
    for pitch in keys:
        true = [force for _, each, force in strokes if each == pitch]
        heard = velocities(found, pitch)
        assert len(heard) == 5
        assert np.array_equal(ranks(heard), ranks(true))


def test_a_scale_that_grows_louder_has_rising_velocities_upwards_and_downwards():
    for keys in ((60, 62, 64, 65, 67), (67, 65, 64, 62, 60)):
        found = transcribe_piano(struck([(0.2 + 0.5 * k, key, FORCES[k]) for k, key in enumerate(keys)], 2.9))
        heard = [velocities(found, key)[0] for key in keys]
        assert heard == sorted(heard)


def test_a_key_that_is_quieter_by_nature_is_not_told_as_struck_softer_to_the_full():
    rng, keys = np.random.default_rng(1), (55, 57, 59, 60, 62, 64)
    strokes = [(0.2 + 0.3 * k, keys[k % 6], float(rng.choice([0.6, 0.7, 0.8]))) for k in range(48)]
    gaps = []
    for duller in (None, {59, 62}):
        found = transcribe_piano(struck(strokes, 15.0, duller))
        means = [velocities(found, key).mean() for key in keys]
        gaps.append(np.mean([means[k] for k in (0, 1, 3, 5)]) - np.mean([means[k] for k in (2, 4)]))
    assert gaps[1] - gaps[0] < 0.6 * 6 / 34 * 0.7


def test_the_level_of_the_recording_does_not_count():
    recording = struck([(0.2 + 0.3 * k, 60 + k, FORCES[k % 5]) for k in range(10)], 3.6)
    loud = transcribe_piano(recording)
    quiet = transcribe_piano(Audio(recording.samples * np.float32(0.05), RATE))
    assert [note.pitch for note in loud] == [note.pitch for note in quiet]
    assert np.allclose([note.velocity for note in loud], [note.velocity for note in quiet], atol=0.01)


def test_what_is_the_instruments_is_taken_away_and_what_is_played_stays():
    rng = np.random.default_rng(2)
    keys = rng.integers(48, 80, 300)
    played = np.clip(0.55 + 0.1 * rng.standard_normal(300), 0.1, 0.95)
    instrument = 0.05 * rng.standard_normal(128)[keys] - 0.004 * (keys - 64)
    told = np.array([note.velocity for note in levelled(written(zip(keys, played + instrument, strict=True)))])
    before = np.corrcoef(ranks(played), ranks(played + instrument))[0, 1]
    after = np.corrcoef(ranks(played), ranks(told))[0, 1]
    assert after > 1 - 0.6 * (1 - before)
    assert after > 0.93


def test_a_voice_that_is_always_loud_stays_louder_than_one_that_is_always_soft():
    told = levelled(written([(60 + 2 * (k % 2), 0.85 if k % 2 else 0.35) for k in range(80)]))
    assert velocities(told, 62).min() - velocities(told, 60).max() > 0.3


def test_notes_without_neighbours_keep_their_velocity():
    assert levelled(()) == ()
    assert levelled(written([(60, 0.4)])) == tuple(written([(60, 0.4)]))
    told = levelled(written([(40, 1.0), (90, 0.01), (40, 0.02)]))
    assert all(0.01 <= note.velocity <= 1 for note in told)


def test_louder_activations_are_greater_velocities():
    roll = np.zeros((40, 4, 88), np.float32)
    roll[18:30, :, 30] = 0.01 * np.geomspace(1, 0.1, 12)[:, None]
    places = np.array([18]), np.array([30])
    told = [float(loudness(np.array([0.5], np.float32), levels(roll * gain, *places))[0]) for gain in (0.1, 1.0, 10.0)]
    assert told == sorted(told)
    assert told[2] - told[0] > 0.2


def test_no_loudness_leaves_what_a_velocity_can_be():
    told = loudness(np.array([0, 0, 1, 1], np.float32), np.array([-0.6, 0.2, -0.2, 0.5], np.float32))
    assert np.all((told >= 0) & (told <= 1))
