"""From activations to notes, as they come: where sounds begin and end, and how loud they are.

    onsets       `unweave.onsets.OnsetPicker`: a rise above a threshold that follows the levels
    volume       sqrt( mean over STROKE seconds from the onset of  a_t² )
    velocity     sqrt(volume / full), at most 1: twice the velocity is four times the amplitude, as in most samplers
    offset       where a_t falls below ``release`` times the greatest activation since the onset, or where the sound
                 begins anew, or ``longest`` seconds after the onset, whichever comes first

for each row of the activations alone. What is much quieter than another sound that begins within `TOGETHER` seconds is
taken for the leak of that sound into a basis that is like its own, and is no note. The energy after an onset tells how
hard a stroke was better than the greatest activation does, which hangs on where the frames lie.

Conventions: column t of the activations lies at t / frame_rate seconds. A note is told when it has ended, and all that
began together with it have been heard; what the picker says does not depend on where blocks end.

References: J. P. Bello et al., A tutorial on onset detection in music signals, IEEE Transactions on Speech and Audio
Processing 13(5), 2005, doi:10.1109/TSA.2005.851998. R. B. Dannenberg, The interpretation of MIDI velocity, ICMC 2006.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.notes.note import Note, in_order
from unweave.onsets import Onset, OnsetPicker

__all__ = ["STROKE", "TOGETHER", "NotePicker", "Sound", "is_click", "pick_notes", "threshold_of"]

STROKE = 0.08
"""Seconds after an onset that count for the volume."""

TOGETHER = 0.05
"""Seconds between sounds that begin together."""

_CLICK = 1.0  # windows


def threshold_of(sensitivity: float) -> float:
    """The least rise, as a share of the loudest, that a sensitivity from 0 to 1 stands for.

    Raises
    ------
    InvalidInput
        Not a number from 0 to 1.

    Examples
    --------
    >>> threshold_of(0.5), threshold_of(1)
    (0.0625, 0.0)
    """
    if isinstance(sensitivity, bool) or not isinstance(sensitivity, (int, float)) or not 0 <= sensitivity <= 1:
        raise InvalidInput(f"sensitivity={sensitivity!r} is not a number from 0 to 1.")
    return 0.25 * (1 - sensitivity) ** 2


def is_click(note: Note, stft: STFT, sample_rate: float) -> bool:
    """Whether a tone is shorter than a window: then it is a click, which tones explain in part.

    Examples
    --------
    >>> note = Note(onset=0, offset=0.03, pitch=60)
    >>> is_click(note, STFT(2048), 44100), is_click(note, STFT(1024), 44100)
    (True, False)
    """
    return note.pitch is not None and note.duration < _CLICK * stft.win_length / sample_rate


@dataclass(frozen=True, slots=True)
class Sound:
    """What the notes of a row are called: a ``label``, a ``pitch`` (MIDI number), or both."""

    label: str | None = None
    pitch: float | None = None


@dataclass(slots=True)
class _Heard:
    """A note that has begun: its row, its onset and the column of that, what has been heard of it, and its end."""

    row: int
    onset: Onset
    begin: int
    energy: float
    peak: float
    offset: float | None = None


class NotePicker:
    """Pick notes from activations while they come.

    Parameters
    ----------
    sounds : sequence of Sound or str
        One for each row of the activations; a str is a label.
    frame_rate : float
        Columns a second, such as `unweave.matching.NMFMatch.frame_rate`.
    sensitivity : float, 0 to 1
        More: quiet strokes too, and false ones. 0.5: rises of a sixteenth of the loudest.
    shortest : float, at least 0
        Least seconds between two notes of a sound.
    release : float, above 0 to below 1
        Share of its greatest activation at which a note ends. Less: longer notes.
    longest : float, above 0
        Seconds after which a note is ended in any case, and told.
    full : float, above 0, optional
        The volume that has velocity 1. Default: the loudest note so far, which makes velocities follow the levels.
    lead : float, 0 to 10
        Seconds by which activations rise too early: `unweave.onsets.lead_of` their transform.
    leak : float, 0 to 1
        Share of the volume of a sound that begins together with it below which a sound is a leak. It needs bases of
        one length, so that volumes can be compared. 0: there are none.

    Attributes
    ----------
    n_late : int
        Columns by which an onset is known late. Its note is told when it has ended.

    Examples
    --------
    >>> picker = NotePicker(["tick"], 100)
    >>> a = np.zeros((1, 100))
    >>> a[0, 30:40] = np.linspace(1, 0, 10)
    >>> picker.process(a)
    [Note(tick at 0.295 s, 95 ms, velocity 1.00)]
    """

    def __init__(
        self,
        sounds: Sequence[Sound | str],
        frame_rate: float,
        *,
        sensitivity: float = 0.5,
        shortest: float = 0.05,
        release: float = 0.1,
        longest: float = 10.0,
        full: float | None = None,
        lead: float = 0.0,
        leak: float = 0.0,
    ) -> None:
        for name, value, limit in (("release", release, 1.0), ("longest", longest, math.inf), ("full", full, math.inf)):
            if value is not None and not (isinstance(value, (int, float)) and 0 < value < limit):
                raise InvalidInput(f"{name}={value!r} is not a number above 0{' and below 1' if limit == 1 else ''}.")
        self.sounds = tuple(Sound(each) if isinstance(each, str) else each for each in sounds)
        keys = [str(row) for row in range(len(self.sounds))]
        threshold = threshold_of(sensitivity)
        self._onsets = OnsetPicker(keys, frame_rate, threshold=threshold, refractory=shortest, lead=lead)
        self.n_late, self.frame_rate = self._onsets.n_late, self._onsets.frame_rate
        self._release, self._full, self._leak = release, full, leak
        self._longest = max(1, round(longest * self.frame_rate))
        self._stroke = max(1, round(STROKE * self.frame_rate))
        self._together = math.ceil(TOGETHER * self.frame_rate)
        self.reset()

    def reset(self) -> None:
        """Forget everything that was heard."""
        self._onsets.reset()
        self._past = np.zeros((self.n_late + 1, len(self.sounds)))  # newest last; the first is the column in question
        self._open: dict[int, _Heard] = {}
        self._heard: list[_Heard] = []  # by onset: what is open, what waits, and what the others are compared with
        self._n_told = 0  # of those
        self._loudest = 0.0
        self._n_columns = 0

    def process(self, activations: ArrayLike) -> list[Note]:
        """Take the next columns ``(sounds, n)``; return the notes that have ended by now."""
        columns = np.asarray(activations, np.float64)
        if columns.ndim != 2 or columns.shape[0] != len(self.sounds):
            raise Incompatible(
                f"activations.shape={columns.shape}, but ({len(self.sounds)}, n) is needed: a row for each sound."
            )
        return [note for column in columns.T for note in self._next(column)]

    def flush(self) -> list[Note]:
        """Return the notes that still sound; what comes next is another stream."""
        # One column of silence after the end lets go of whatever sounds.
        rest = [note for _ in range(self.n_late + 1) for note in self._next(np.zeros(len(self.sounds)))]
        end = (self._n_columns - self.n_late - 1) / self.frame_rate
        for note in self._open.values():
            note.offset = end
        rest += self._told(math.inf)
        self.reset()
        return rest

    def _next(self, column: Matrix) -> list[Note]:
        """The notes that are certain with one more column, which is heard ``n_late`` columns late."""
        begun = {int(onset.label): onset for onset in self._onsets.process(column[:, None])}
        self._past[:-1] = self._past[1:]
        self._past[-1] = column
        self._n_columns += 1
        now, heard = self._n_columns - 1 - self.n_late, self._past[0]
        for row, note in list(self._open.items()):
            level = float(heard[row])
            if row in begun:
                note.offset = begun[row].time
            elif level < self._release * note.peak or now - note.begin >= self._longest:
                note.offset = now / self.frame_rate
            else:
                note.peak = max(note.peak, level)
                note.energy += level * level * (now - note.begin < self._stroke)
            if note.offset is not None:
                del self._open[row]
        for row, onset in begun.items():
            self._open[row] = _Heard(row, onset, now, float(heard[row]) ** 2, float(heard[row]))
            self._heard.append(self._open[row])
        return self._told(now - self._together - self._stroke)

    def _told(self, last: float) -> list[Note]:
        """The notes that have ended, of those that began up to a column: in the order of their beginnings."""
        told = []
        while self._n_told < len(self._heard):
            note = self._heard[self._n_told]
            if note.begin > last or note.offset is None:
                break
            told += self._note(note)
            self._n_told += 1
        # Those that nothing can be compared with any more are forgotten.
        gone = [
            n for n in self._heard[: self._n_told] if n.begin < self._heard[self._n_told - 1].begin - self._together
        ]
        self._heard, self._n_told = self._heard[len(gone) :], self._n_told - len(gone)
        return told

    def _note(self, heard: _Heard) -> list[Note]:
        """The note that was heard, or nothing if it was a leak."""
        near = [each.energy for each in self._heard if abs(each.begin - heard.begin) <= self._together]
        if heard.energy < self._leak**2 * max(near):
            return []
        # What has died before the stroke is over counts as silence for the rest of it.
        volume = math.sqrt(heard.energy / self._stroke)
        self._loudest = max(self._loudest, volume)
        full, sound = self._full or self._loudest, self.sounds[heard.row]
        velocity = min(1.0, math.sqrt(volume / full)) if full else 0.0
        onset, offset = heard.onset.time, max(heard.offset or 0.0, heard.onset.time)
        return [Note(onset=onset, offset=offset, pitch=sound.pitch, label=sound.label, velocity=velocity)]


def pick_notes(
    activations: ArrayLike,
    sounds: Sequence[Sound | str],
    frame_rate: float,
    *,
    sensitivity: float = 0.5,
    shortest: float = 0.05,
    release: float = 0.1,
    longest: float = 10.0,
    lead: float = 0.0,
    leak: float = 0.0,
) -> tuple[Note, ...]:
    """Pick the notes of whole activations ``(sounds, frames)``: `NotePicker` at once, the loudest note at velocity 1.

    Parameters
    ----------
    activations : ``(sounds, frames)``, non-negative
    sounds, frame_rate, sensitivity, shortest, release, longest, lead, leak
        As for `NotePicker`.

    Returns
    -------
    tuple of Note
        In the order of their onsets.

    Examples
    --------
    >>> a = np.zeros((2, 100))
    >>> a[0, 20:30], a[1, 60:80] = 1, 0.5
    >>> pick_notes(a, ["tick", Sound(pitch=60)], 100)
    (Note(tick at 0.195 s, 105 ms, velocity 1.00), Note(pitch 60 at 0.595 s, 205 ms, velocity 0.71))
    """
    # Against a fixed measure first; then all in proportion to the loudest.
    columns = np.asarray(activations, np.float64)
    top = float(columns.max(initial=0.0))
    if not top > 0:
        return ()
    picker = NotePicker(
        sounds,
        frame_rate,
        sensitivity=sensitivity,
        shortest=shortest,
        release=release,
        longest=longest,
        full=top,
        lead=lead,
        leak=leak,
    )
    found = [*picker.process(columns), *picker.flush()]
    loudest = max((note.velocity for note in found), default=1.0)
    return in_order(replace(note, velocity=note.velocity / loudest) for note in found)
