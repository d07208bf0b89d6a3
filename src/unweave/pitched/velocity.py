"""How hard each note was struck, and not how loud its key is on this instrument, in this room, through this microphone.

    u = 0.8 v + 0.05 lg s + 0.1 lg a + 0.28        r = u - ū - b (p - p̄)
    velocity = u - t (p - p̄) - k_p                t = 0.7 (b - b₀),   k_p = n_p / (n_p + 6) · mean of r - r̃ over the key

v is what the judge hears in the sound of the stroke (`unweave.pitched.judge`), s the greatest activation of the stages
before and at the stroke, a that of all stages, relative to the level of the recording. That is how loud a note is. No
two instruments are equally loud from bass to treble, no microphone hears all keys alike, and neighbouring keys differ
by some decibels. Of a trend b over pitch p as much is taken away as is likely to be the instrument's: music has a trend
of its own, b₀, since melodies lie above their accompaniment. What a key with n_p notes has against its neighbours r̃
is shrunk, for they may well have been struck harder, and t and k_p have limits: what is always played soft beside what
is always played loud stays soft.

All notes of a key are moved together, so that of two strokes of a key the louder is the harder one. The level of the
recording does not count.

Reference: W. Goebl, R. Bresin, Measurement and reproduction accuracy of computer-controlled grand pianos, JASA 114(4),
2003, doi:10.1121/1.1605387 (hammer velocity doubles in 25 steps of MIDI velocity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.notes import Note

__all__ = ["levelled", "levels", "loudness"]

Floats = NDArray[np.floating]
Places = NDArray[np.intp]

_JUDGED, _STROKE, _TONE, _USUAL = 0.8, 0.05, 0.1, 0.28
_STRIKES, _SOUNDS = range(-1, 5), range(7)  # frames after a candidate
_FLOOR = 1e-4

_RISES = 0.0015
"""b₀, a semitone: an octave higher is played some two steps of MIDI velocity harder, so far as anybody can say."""

_TREND, _STEEPEST = 0.7, 0.008
"""The share of a trend that is the instrument's, and the most, a semitone, that is taken away."""

_OCTAVES, _STROKES, _KEY = 10.0, 6.0, 0.08
"""Squared octaves, and strokes of a key, without which a trend and a key say little; the most a key is moved."""

_NEAR = 8.0
"""Semitones: which keys are neighbours."""


def levels(roll: Matrix, frames: Places, pitches: Places) -> NDArray[np.float32]:
    """What activations say: 0.05 lg s + 0.1 lg a of candidates at ``frames`` and ``pitches`` (from 0).

    ``roll (frames, stages, 88)`` is relative to the level of the recording.
    """
    stroke, tone = roll[:, :2].sum(axis=1), roll.sum(axis=1)
    struck, sounding = (
        np.max([track[np.clip(frames + k, 0, len(roll) - 1), pitches] for k in span], axis=0)
        for track, span in ((stroke, _STRIKES), (tone, _SOUNDS))
    )
    told = _STROKE * np.log10(np.maximum(struck, 0) + _FLOOR) + _TONE * np.log10(np.maximum(sounding, 0) + _FLOOR)
    return np.asarray(told, np.float32)


def loudness(judged: NDArray[np.float32], level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give u, from 0 to 1, of what the judge and what activations say."""
    return np.asarray(np.clip(_JUDGED * judged + level + _USUAL, 0, 1), np.float32)


def levelled(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The notes of a recording, whose velocities are u, with what is the instrument's taken from them."""
    if not notes:
        return ()
    pitches = np.array([note.pitch for note in notes], np.float64)
    forces = np.array([note.velocity for note in notes], np.float64)
    octaves, above = (pitches - pitches.mean()) / 12, forces - forces.mean()
    trend = float(octaves @ above / (octaves @ octaves + _OCTAVES))
    tilt = np.clip(_TREND * (trend - 12 * _RISES), -12 * _STEEPEST, 12 * _STEEPEST) * octaves
    forces = np.clip(forces - tilt - _of_keys(pitches, above - trend * octaves), 0.01, 1)
    return tuple(replace(note, velocity=round(float(force), 4)) for note, force in zip(notes, forces, strict=True))


def _of_keys(pitches: Floats, rests: Floats) -> Floats:
    """How much louder the key of each note is than its neighbours, as far as its strokes can tell."""
    keys, which, counts = np.unique(pitches, return_inverse=True, return_counts=True)
    sums = np.bincount(which, rests)
    nearness = np.exp(-0.5 * ((keys[:, None] - keys) / _NEAR) ** 2)
    around = nearness @ sums / (nearness @ counts)
    moved = np.clip((sums - counts * around) / (counts + _STROKES), -_KEY, _KEY)
    return np.asarray(moved[which])
