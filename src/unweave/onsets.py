"""When each of some known sounds begins, and how loud: onsets, picked from activations as they come.

    r_t = a_t - min(a_{t-m}, …, a_{t-1})          the rise of an activation within `RISE` seconds
    onset at t, where  r_t is the greatest of r_{t-l}, …, r_{t+l}
                  and  r_t > threshold · loudest + r̄_t  and  r_t > `GROWTH` · a_t
                  and  the last onset of the sound is ``refractory`` seconds away

for each sound alone. ``loudest`` is the greatest activation that the sound has had lately; half of it is forgotten in
`unweave.matching.MEMORY` seconds, and it is never taken for less than a fifth of the loudest of all. r̄ is the mean of
the rise over the last second, so that what flickers all the time is no onset. To know that no greater rise follows, the
picker waits for ``look_ahead`` seconds. The time of an onset is where the activation crosses half of its rise, between
two frames; its volume is the greatest activation up to the end of the look-ahead, in units of the sound's basis.

Differences from FluCoMa's NMFMatch, which leaves all this to its users. The rules are those that its users have
written for themselves: a floor, a threshold that follows the levels, and differences from frame to frame.

Reference: S. Böck, F. Krebs, M. Schedl, Evaluating the online capabilities of onset detection methods, ISMIR 2012.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Matrix
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.matching import MEMORY, NMFMatch
from unweave.sound import checked_rate

__all__ = ["GROWTH", "RISE", "Onset", "OnsetPicker", "find_onsets", "lead_of"]

RISE = 0.03
"""Seconds within which a sound must rise to begin."""

GROWTH = 0.3
"""Share of an activation that must be new: the ripple of a low tone that rings is less."""

_MEAN = 1.0
_LEAST = 0.2
_LEAD = 1 / 6  # windows; measured on strokes of drums, with windows from 12 to 93 ms


def lead_of(stft: STFT, sample_rate: float) -> float:
    """Seconds by which the half of a rise lies before the onset: a window hears a stroke before its middle is there.

    Examples
    --------
    >>> round(lead_of(STFT(2048), 44100), 4)
    0.0077
    """
    return _LEAD * stft.win_length / sample_rate


@dataclass(frozen=True, slots=True)
class Onset:
    """A sound begins: ``time`` in seconds, its ``label``, its ``volume`` in units of its basis."""

    time: float
    label: str
    volume: float


class OnsetPicker:
    """Pick onsets from activations while they come.

    Parameters
    ----------
    labels : sequence of str
        One for each row of the activations.
    frame_rate : float
        Columns a second, such as `NMFMatch.frame_rate`.
    threshold : float, 0 to 1
        Least rise, as a share of the loudest that the sound has been lately. Less: quiet strokes, and false ones.
    refractory : float, at least 0
        Least seconds between two onsets of a sound.
    look_ahead : float, at least 0
        Seconds to wait for a greater rise. 0 answers at once, and tells the beginning of a slow rise for its top.
    lead : float, 0 to 10
        Seconds by which activations rise too early: `lead_of` their transform.

    Attributes
    ----------
    n_late : int
        Columns by which an onset is told late.

    Examples
    --------
    >>> picker = OnsetPicker(["tick"], 100)
    >>> a = np.zeros((1, 100))
    >>> a[0, 30:40] = np.linspace(1, 0, 10)
    >>> [onset] = picker.process(a)
    >>> onset
    Onset(time=0.295, label='tick', volume=1.0)
    """

    def __init__(
        self,
        labels: Sequence[str],
        frame_rate: float,
        *,
        threshold: float = 0.1,
        refractory: float = 0.05,
        look_ahead: float = 0.03,
        lead: float = 0.0,
    ) -> None:
        checked_rate(frame_rate)
        for name, value, limit in (
            ("threshold", threshold, 1.0),
            ("refractory", refractory, math.inf),
            ("look_ahead", look_ahead, 10.0),
            ("lead", lead, 10.0),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= limit:
                raise InvalidInput(f"{name}={value!r} is not a number from 0 to {limit:g}.")
        self.labels, self.frame_rate = tuple(labels), float(frame_rate)
        self.threshold, self.refractory = float(threshold), float(refractory)
        self.n_late, self.lead = round(look_ahead * frame_rate), float(lead)
        self._span = max(1, round(RISE * frame_rate))
        self._fade = 0.5 ** (1 / (MEMORY * frame_rate))
        self._share = 1 - math.exp(-1 / (_MEAN * frame_rate))
        self.reset()

    def reset(self) -> None:
        """Forget everything that was heard."""
        count = len(self.labels)
        # Newest last: the frame in question stands before the look-ahead, its past before it.
        self._activations = np.zeros((self._span + 2 * self.n_late + 1, count))
        self._rises = np.zeros((2 * self.n_late + 1, count))
        self._means = np.zeros((self.n_late + 1, count))
        self._loudest = np.zeros(count)
        self._last = np.full(count, -np.inf)
        self._n_frames = 0

    def process(self, activations: ArrayLike) -> list[Onset]:
        """Take the next columns ``(labels, n)``; return the onsets that are certain by now."""
        columns = np.asarray(activations, np.float64)
        if columns.ndim != 2 or columns.shape[0] != len(self.labels):
            raise Incompatible(
                f"activations.shape={columns.shape}, but ({len(self.labels)}, n) is needed: a row for each label."
            )
        return [onset for column in columns.T for onset in self._next(column)]

    def flush(self) -> list[Onset]:
        """Return the onsets that were waited for; what comes next is another stream."""
        rest = [onset for _ in range(self.n_late) for onset in self._next(self._activations[-1])]
        self.reset()
        return rest

    def _next(self, column: Matrix) -> list[Onset]:
        """The onsets that one more column makes certain."""
        past = self._activations[-self._span :].min(axis=0)
        rise = np.maximum(column - past, 0)
        for rows, newest in (
            (self._activations, column),
            (self._rises, rise),
            (self._means, self._means[-1] + self._share * (rise - self._means[-1])),
        ):
            rows[:-1] = rows[1:]
            rows[-1] = newest
        self._loudest = np.maximum(self._loudest * self._fade, column)
        self._n_frames += 1
        frame = self._n_frames - 1 - self.n_late
        asked = self._rises[self.n_late]
        loudest = np.maximum(self._loudest, _LEAST * self._loudest.max())
        at = self._span + self.n_late  # the frame in question
        found = (
            (asked > self.threshold * loudest + self._means[0])
            & (asked > GROWTH * self._activations[at])
            & (asked >= self._rises.max(axis=0))
        )
        found &= frame - self._last >= self.refractory * self.frame_rate
        return [self._onset(int(k), frame) for k in np.flatnonzero(found)]

    def _onset(self, k: int, frame: int) -> Onset:
        self._last[k] = frame
        now = self._span + self.n_late
        before = self._activations[now - self._span : now + 1, k]
        half = (before[:-1].min() + before[-1]) / 2
        # The last step across the half, and where in it.
        step = int(np.flatnonzero(before[:-1] <= half)[-1])
        place = step + (half - before[step]) / (before[step + 1] - before[step])
        crossed = (frame - self._span + place) / self.frame_rate
        time = crossed + self.lead if crossed > 0 else 0.0  # what sounds in the first frame began with it, or before
        volume = float(self._activations[now:, k].max())
        return Onset(round(float(time), 6), self.labels[k], volume)


def find_onsets(
    audio: Audio | ArrayLike,
    bases: Dictionary | ArrayLike,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    n_iter: int = 10,
    threshold: float = 0.1,
    refractory: float = 0.05,
    look_ahead: float = 0.03,
) -> list[Onset]:
    """Say when the sounds that bases describe begin in a recording.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``.
    bases, stft, n_iter
        As for `unweave.matching.NMFMatch`.
    threshold, refractory, look_ahead
        As for `OnsetPicker`.

    Returns
    -------
    list of Onset
        In the order of their times.

    Examples
    --------
    >>> from unweave.decomposition import decompose
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> kick = decompose(loop["kick"], 1).dictionary.relabel(["kick"])
    >>> [round(onset.time, 1) for onset in find_onsets(loop["kick"], kick)]
    [0.0, 0.9, 1.2, 1.6]
    """
    sound = as_audio(audio, sample_rate)
    match = NMFMatch(bases, stft=stft, sample_rate=sound.sample_rate, n_iter=n_iter)
    picker = OnsetPicker(
        match.labels,
        match.frame_rate,
        threshold=threshold,
        refractory=refractory,
        look_ahead=look_ahead,
        lead=lead_of(match.stft, sound.sample_rate),
    )
    found = picker.process(match.process(sound.samples)) if sound.n_samples else []
    found += picker.process(match.flush())
    return sorted([*found, *picker.flush()], key=lambda onset: (onset.time, match.labels.index(onset.label)))
