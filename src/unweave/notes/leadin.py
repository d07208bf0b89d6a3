"""Silence before a recording, for those who listen for rises.

A loop is cut where its first sound begins, so that sound rises from nowhere: there is no frame before it to compare it
with, and the window of the first frame sees it from the beginning on. With a little silence before it, the first sound
is like every other that comes after a pause.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from unweave.audio import Audio
from unweave.notes.note import Note

__all__ = ["LEAD_IN", "with_lead_in", "without_lead_in"]

LEAD_IN = 0.1
"""Seconds."""


def with_lead_in(audio: Audio) -> tuple[Audio, float]:
    """A recording with silence before it, and how many seconds of it; none where there is no sound at all."""
    count = round(LEAD_IN * audio.sample_rate) if audio.n_samples else 0
    samples = np.pad(audio.samples, ((0, 0), (count, 0)))
    return Audio(samples, audio.sample_rate), count / audio.sample_rate


def without_lead_in(notes: Iterable[Note], seconds: float) -> tuple[Note, ...]:
    """Notes as of the recording alone; what began in the silence begins at 0.

    Examples
    --------
    >>> without_lead_in([Note(onset=0.0625, offset=0.5, label="kick")], 0.125)
    (Note(kick at 0.000 s, 375 ms, velocity 1.00),)
    """
    return tuple(
        replace(note, onset=max(note.onset - seconds, 0.0), offset=note.offset - seconds)
        for note in notes
        if note.offset > seconds
    )
