"""From candidates that were judged to notes: which of them count, when they end.

A candidate counts if it is likelier than the threshold and no likelier one of its pitch begins within ``shortest``
seconds. A note ends where its activation has fallen to a share of its own greatest value and stays there, or at the
next note of its pitch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.notes import Note, in_order
from unweave.pitched.bands import HOP_SECONDS
from unweave.pitched.evidence import LOWEST

__all__ = ["Found", "Release", "notes_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates of a recording: seconds, MIDI number, likelihood and velocity of each."""

    onsets: NDArray[np.float64]
    pitches: NDArray[np.intp]
    likelihoods: NDArray[np.float64]
    velocities: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Release:
    """When a note has ended: its activation is below ``share`` of its greatest, or below ``floor`` of the level."""

    share: float = 0.3
    floor: float = 0.01


def notes_of(
    found: Found, roll: NDArray[np.float16], threshold: float, shortest: float, release: Release
) -> tuple[Note, ...]:
    """Decide; ``roll (frames, 88)`` are activations relative to the level of the recording."""
    notes: list[Note] = []
    likely = found.likelihoods > threshold
    for pitch in np.unique(found.pitches[likely]):
        chosen = np.flatnonzero(likely & (found.pitches == pitch))
        kept = _apart(found.onsets[chosen], found.likelihoods[chosen], shortest)
        own = chosen[kept]
        own = own[np.argsort(found.onsets[own])]
        onsets = np.maximum(found.onsets[own], 0.0)
        track = roll[:, pitch - LOWEST].astype(np.float32)
        ends = np.append(onsets[1:], len(track) * HOP_SECONDS)
        for onset, end, velocity in zip(onsets, ends, found.velocities[own], strict=True):
            offset = _end_of(track, float(onset), max(float(end), float(onset)), shortest, release)
            notes.append(
                Note(
                    onset=round(float(onset), 6),
                    offset=round(offset, 6),
                    pitch=float(pitch),
                    velocity=round(float(velocity), 4),
                )
            )
    return in_order(notes)


def _apart(onsets: NDArray[np.float64], likelihoods: NDArray[np.float64], shortest: float) -> list[int]:
    """Places of the likeliest candidates, none closer than ``shortest`` to a likelier one."""
    kept: list[int] = []
    for k in np.argsort(-likelihoods, kind="stable"):
        if all(abs(onsets[k] - onsets[other]) > shortest for other in kept):
            kept.append(int(k))
    return kept


def _end_of(track: NDArray[np.float32], onset: float, end: float, shortest: float, release: Release) -> float:
    """Where a note that begins at ``onset`` ends, at ``end`` at the latest."""
    first, last = round(onset / HOP_SECONDS), round(end / HOP_SECONDS)
    part = track[first : max(last, first + 1)]
    if part.size == 0:
        return max(end, onset)
    top = int(part[:12].argmax())
    quiet = part[top:] < max(release.share * part[top], release.floor)
    # Two quiet frames in turn: one may be a beat between strings.
    ended = np.flatnonzero(quiet[:-1] & quiet[1:])
    if ended.size:
        end = min(end, (first + top + int(ended[0])) * HOP_SECONDS)
    return max(end, min(onset + shortest, len(track) * HOP_SECONDS), onset)
