"""How hard drums were struck: beside their own loud strokes, and less what came with them."""

import numpy as np
import pytest

from unweave import Audio
from unweave.drums import transcribe_drums
from unweave.drums.kits import CLASSES, shipped
from unweave.drums.velocity import beside_the_loudest, how_hard
from unweave.synthesis import _STROKES, drum_loop

RATE = 44100
RISING = -20 + 4 * np.arange(6)  # dB


def played(strokes, seconds, rate=RATE):
    """A recording of ``(onset, drum, dB)``, each drum with the same sound every time."""
    out = np.zeros(int(seconds * rate))
    for onset, name, decibels in strokes:
        sound = _STROKES[name](rate, np.random.default_rng(3)) * {"kick": 1, "snare": 0.7, "hihat": 0.25}[name]
        begin = int(onset * rate)
        sound = sound[: out.size - begin]
        out[begin : begin + sound.size] += sound * 10 ** (decibels / 20)
    return Audio(0.3 * out + 1e-5 * np.random.default_rng(0).standard_normal(out.size), rate)


def velocities(notes, label):
    return np.array([note.velocity for note in notes if note.label == label])


def ranks(values):
    return np.argsort(np.argsort(values))


@pytest.mark.parametrize("name", ["kick", "snare", "hihat"])
@pytest.mark.parametrize("rate", [16000, RATE])
def test_strokes_of_a_drum_come_in_the_order_of_their_levels_whatever_the_recording_holds_above(name, rate):
    order = [3, 0, 5, 1, 4, 2]
    strokes = [(0.2 + 0.35 * k, name, RISING[m]) for k, m in enumerate(order)]
    found = [note for note in transcribe_drums(played(strokes, 2.6, rate), sensitivity=0.7) if note.label == name]
    levels = [RISING[order[round((note.onset - 0.2) / 0.35)]] for note in found]
    assert len(found) >= 5
    assert np.corrcoef(ranks(levels), ranks([note.velocity for note in found]))[0, 1] > 0.95


def test_the_level_of_the_recording_does_not_count():
    loop = drum_loop(n_bars=1)["mix"]
    loud, quiet = transcribe_drums(loop), transcribe_drums(Audio(loop.samples * np.float32(0.05), loop.sample_rate))
    assert [note.label for note in loud] == [note.label for note in quiet]
    assert np.allclose([note.velocity for note in loud], [note.velocity for note in quiet], atol=0.02)


def test_which_classes_are_told_changes_no_velocity():
    loop = drum_loop(n_bars=1)["mix"]
    hats = [note for note in transcribe_drums(loop) if note.label == "hihat"]
    assert list(transcribe_drums(loop, classes=["hihat"])) == hats


def test_what_a_compressor_takes_from_a_hihat_under_a_kick_is_mostly_given_back():
    with_kick = np.arange(24) % 2 == 0
    strokes = [(0.2 + 0.25 * k, "hihat", -6.0 if with_kick[k] else 0.0) for k in range(24)]
    strokes += [(0.2 + 0.25 * k, "kick", 0.0) for k in range(24) if with_kick[k]]
    found = transcribe_drums(played(strokes, 6.6))
    heard = {round((note.onset - 0.2) / 0.25): note.velocity for note in found if note.label == "hihat"}
    assert len(heard) >= 22
    under, alone = (np.mean([v for k, v in heard.items() if with_kick[k] == side]) for side in (True, False))
    assert abs(alone - under) < 0.6 * 6 / 40


def test_twenty_decibels_are_half_of_the_way_and_the_loudest_tenth_is_one():
    told = beside_the_loudest(np.array([-70.0, -40.0, -20.0, *[0.0] * 20, 1.0]))
    assert np.allclose(told[:4], [0.01, 0.01, 0.5, 1.0])
    assert told.max() == 1


def test_no_strokes_have_no_velocities():
    none = {name: np.zeros(0, np.int64) for name in CLASSES}
    assert how_hard(None, none, "kick").size == 0
    assert transcribe_drums(Audio(np.zeros(RATE), RATE)) == ()


def test_the_network_of_forces_is_shipped():
    forces = shipped().forces
    assert forces.biases[-1].shape == (1, len(CLASSES))
    told = forces.judge(np.tile(forces.mean, (3, 1)))
    assert np.all((told > 0.2) & (told < 1))
