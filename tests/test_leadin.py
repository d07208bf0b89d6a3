"""What begins with the first sample is heard like everything else."""

import numpy as np
import pytest

from unweave.audio import Audio
from unweave.notes import Note
from unweave.notes.leadin import LEAD_IN, with_lead_in, without_lead_in
from unweave.synthesis import drum_loop
from unweave.training import learn_examples
from unweave.transcription import transcribe

RATE = 44100


def _tones(pitches: tuple[int, ...]) -> Audio:
    """Struck tones that begin with the first sample, at their loudest."""
    t = np.arange(RATE) / RATE
    hertz = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    sound = sum(np.sin(2 * np.pi * f * h * t) * np.exp(-(2 + h) * t) / h for f in hertz for h in range(1, 9))
    return Audio((0.2 * np.asarray(sound, np.float32))[None], RATE)


def _first(kind: object, sound: Audio) -> set[str | float | None]:
    return {note.label or note.pitch for note in transcribe(sound, kind) if note.onset < 0.03}  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [0, 40, 200])
def test_the_first_stroke_of_a_loop_that_is_cut_in_its_attack_is_heard(cut: int) -> None:
    loop = drum_loop(n_bars=1)["mix"]
    assert _first("drums", Audio(loop.samples[:, cut:], loop.sample_rate)) >= {"kick"}


def test_the_first_stroke_of_a_taught_kit_is_heard() -> None:
    loop = drum_loop(n_bars=1)
    kit = learn_examples({name: loop[name] for name in ("kick", "snare", "hihat")})
    assert _first(kit, Audio(loop["mix"].samples[:, 100:], loop["mix"].sample_rate)) >= {"kick"}


@pytest.mark.parametrize("kind", ["piano", "pitched"])
def test_the_first_chord_of_a_recording_that_begins_with_it_is_heard(kind: str) -> None:
    assert _first(kind, _tones((60, 64, 67))) == {60.0, 64.0, 67.0}


def test_silence_goes_before_a_recording_and_the_notes_come_back_in_its_time() -> None:
    sound, seconds = with_lead_in(_tones((60,)))
    assert seconds == LEAD_IN
    assert not sound.samples[:, : round(LEAD_IN * RATE)].any()
    assert np.array_equal(sound.samples[:, round(LEAD_IN * RATE) :], _tones((60,)).samples)
    early, gone = Note(onset=0.05, offset=0.3, label="a"), Note(onset=0.01, offset=0.09, label="b")
    (note,) = without_lead_in([early, gone], seconds)
    assert (note.onset, round(note.offset, 9), note.label) == (0.0, 0.2, "a")


def test_no_sound_gets_no_silence() -> None:
    sound, seconds = with_lead_in(Audio(np.zeros((2, 0), np.float32), RATE))
    assert (sound.n_samples, seconds) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_noise_that_merely_goes_on_from_the_first_sample_is_no_stroke(seed: int) -> None:
    noise = 0.1 * np.random.default_rng(seed).standard_normal((1, 3 * RATE)).astype(np.float32)
    assert not _first("drums", Audio(noise, RATE))
