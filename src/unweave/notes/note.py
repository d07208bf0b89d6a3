"""A note: when a sound begins and ends, which one it is, and how loud.

Conventions: times in seconds from the beginning of the recording; pitch as a MIDI number (60 is middle C, 440 Hz is
69; fractions are allowed: 60.5 lies a quarter tone above); velocity from 0 to 1, which MIDI files write as 1 to 127. A
drum has a ``label`` and no pitch, a tone of a piano a pitch and no label; a note may have both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from unweave.errors import InvalidInput
from unweave.shown import html_of

__all__ = ["Note", "Notes", "in_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One sound of a recording.

    Parameters
    ----------
    onset, offset : float
        Seconds; 0 and more, and ``offset`` not before ``onset``.
    pitch : float, optional
        MIDI number, fractions allowed.
    label : str, optional
        Name of the sound: 'kick'.
    velocity : float, 0 to 1

    Raises
    ------
    InvalidInput
        Neither pitch nor label; a number that is not finite or out of its range.

    Examples
    --------
    >>> Note(onset=0.5, offset=0.6, label="kick", velocity=0.8)
    Note(kick at 0.500 s, 100 ms, velocity 0.80)
    """

    onset: float
    offset: float
    pitch: float | None = None
    label: str | None = None
    velocity: float = 1.0

    def __post_init__(self) -> None:
        if self.pitch is None and self.label is None:
            raise InvalidInput("a note needs a pitch or a label.")
        numbers = (self.onset, self.offset, self.velocity, 0.0 if self.pitch is None else self.pitch)
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidInput("onset, offset, pitch and velocity of a note must be finite.")
        if not 0 <= self.onset <= self.offset:
            raise InvalidInput(f"onset={self.onset:g} and offset={self.offset:g}: 0 <= onset <= offset is needed.")
        if not 0 <= self.velocity <= 1:
            raise InvalidInput(f"velocity={self.velocity:g} is not a number from 0 to 1.")
        if self.pitch is not None and not 0 <= self.pitch <= 127:
            raise InvalidInput(f"pitch={self.pitch:g} is not a MIDI number from 0 to 127.")

    def __repr__(self) -> str:
        name = self.label if self.pitch is None else f"{self.label or 'pitch'} {self.pitch:.4g}"
        duration = 1000 * self.duration
        return f"Note({name} at {self.onset:.3f} s, {duration:.0f} ms, velocity {self.velocity:.2f})"

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.offset - self.onset


class Notes(tuple[Note, ...]):
    """A tuple of notes, which shows itself in notebooks."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return html_of(self)


def in_order(notes: Iterable[Note]) -> Notes:
    """Notes by onset; those that begin together by pitch, then by label."""
    return Notes(
        sorted(notes, key=lambda note: (note.onset, -1.0 if note.pitch is None else note.pitch, note.label or ""))
    )
