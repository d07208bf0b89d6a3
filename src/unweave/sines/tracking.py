"""Peaks become tracks: which peak of one frame goes on as which of the next, where tracks begin, and which count.

A peak may go on a track that ended a frame before at a frequency f and a level v if it lies inside of an ellipse,

    c = (Δf / R_f)² + (Δv / R_v)² < κ²,        κ = ln((2 - q) / (1 - q)),

with the ranges R_f in Hz and R_v in dB, and the probability q that is asked for: κ = 1.1 for q = 0.5. 'greedy' takes
the nearest pair, then the nearest of what is left, and so on. 'hungarian' takes the pairs that are best together: with
the likeness D = 1 - e^(-c/κ), those for which the sum of 1 / (2 - q) - D is greatest. (D = 1 / (2 - q) where c = κ².)

A peak that goes on no track begins one where its level is above a line below the loudest peak of its frame: `birth_low`
dB at 0 Hz, bent towards `birth_high` dB at 20 kHz. A track without a peak ends. Tracks of less than a number of frames
do not count, which is known that many frames less one later: the delay of this part.

Conventions: frequencies in Hz, levels in dB, 0 dB for an amplitude of 1. Each channel has a tracker of its own.

Differences from FluCoMa. The same pairs may match, in another notation (there, D is compared with 1 - (1 - q) D). Its
Hungarian method also counts the costs of pairs that cannot match, and begins tracks with two peaks; here both methods
begin them alike. A frame's record comes with the peaks of that frame, not with those of the next.

References: J. Neri, P. Depalle, Fast partial tracking of audio with real-time capability through linear programming,
Proc. DAFx 2018. R. McAulay, T. Quatieri, Speech analysis/synthesis based on a sinusoidal representation, IEEE Trans.
ASSP 34(4), 1986, doi:10.1109/TASSP.1986.1164910.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import keep_read_only
from unweave.errors import InvalidInput
from unweave.sines.peaks import Peaks

__all__ = ["Method", "SineModel", "Track", "TrackedPeaks", "Tracker", "joined"]

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Method = Literal["greedy", "hungarian"]

_LONGEST = 100_000
"""Most frames that a track may have to last: they are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SineModel:
    """What counts as a sine wave, see `unweave.sines.sines`; here the defaults live.

    Raises
    ------
    InvalidInput
        A number is out of range.
    """

    bandwidth: int = 76
    detection_threshold: float = -96
    birth_low_threshold: float = -24
    birth_high_threshold: float = -60
    min_track_length: int = 15
    tracking: Method = "greedy"
    track_magnitude_range: float = 15
    track_frequency_range: float = 50
    track_probability: float = 0.5

    def __post_init__(self) -> None:
        self._check_counts()
        for name in ("detection_threshold", "birth_low_threshold", "birth_high_threshold"):
            self._check(name, -144, 0, "dB, 0 for a sine wave at full scale")
        if self.tracking not in get_args(Method):
            raise InvalidInput(f"tracking={self.tracking!r} is not one of {', '.join(get_args(Method))}.")
        self._check("track_magnitude_range", 1, 200, "dB from one frame to the next")
        self._check("track_frequency_range", 1, 10000, "Hz from one frame to the next")
        self._check("track_probability", 0, 1, "a probability")

    def _check_counts(self) -> None:
        for name, unit, most in (("bandwidth", "bins", 2**20), ("min_track_length", "frames", _LONGEST)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise InvalidInput(f"{name}={value!r} is not a whole number of {unit}.")
            if not 1 <= value <= most:
                raise InvalidInput(f"{name}={value} is not between 1 and {most} {unit}.")

    def _check(self, name: str, low: float, high: float, meaning: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
            raise InvalidInput(f"{name}={value!r} is not between {low} and {high} ({meaning}).")

    @property
    def reach(self) -> float:
        """κ: how many ranges away the next peak of a track may lie; endless for a probability of 1."""
        certain = self.track_probability == 1
        return math.inf if certain else math.log((2 - self.track_probability) / (1 - self.track_probability))


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One sine wave from its beginning to its end.

    Parameters
    ----------
    channel : int
        Counted from 0.
    start : float
        Seconds, the middle of its first frame.
    step : float
        Seconds from one frame to the next.
    frequencies : float64 ``(frames,)``
        Hz.
    levels : float64 ``(frames,)``
        dB, 0 for an amplitude of 1.
    """

    channel: int
    start: float
    step: float
    frequencies: Floats
    levels: Floats

    def __post_init__(self) -> None:
        keep_read_only(self, frequencies=self.frequencies, levels=self.levels)

    def __repr__(self) -> str:
        low, high = float(self.frequencies.min()), float(self.frequencies.max())
        return (
            f"Track({self.start:.3f} to {self.end:.3f} s, {low:.0f} to {high:.0f} Hz, "
            f"up to {float(self.levels.max()):.1f} dB)"
        )

    @property
    def end(self) -> float:
        """Seconds, the middle of its last frame."""
        return self.start + (self.frequencies.size - 1) * self.step

    @property
    def times(self) -> Floats:
        """Seconds at the middle of each of its frames."""
        return self.start + np.arange(self.frequencies.size, dtype=np.float64) * self.step


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPeaks:
    """The peaks of one frame that belong to a track that counts, low to high, and the ``numbers`` of their tracks."""

    peaks: Peaks
    numbers: Places

    @classmethod
    def none(cls) -> TrackedPeaks:
        """A frame without any."""
        return cls(Peaks(np.zeros(0), np.zeros(0)), np.zeros(0, np.int64))

    def only(self, chosen: NDArray[np.bool_]) -> TrackedPeaks:
        """Some of them."""
        peaks = Peaks(self.peaks.positions[chosen], self.peaks.levels[chosen])
        return TrackedPeaks(peaks, self.numbers[chosen])


class Tracker:
    """Takes the peaks of one frame after the other, and gives them back with their tracks, some frames later.

    Parameters
    ----------
    model : SineModel
    bin_width : float
        Hz from one bin to the next.
    """

    def __init__(self, model: SineModel, bin_width: float) -> None:
        self.model = model
        self.bin_width = bin_width
        if model.tracking == "hungarian":
            import scipy.optimize  # noqa: F401 - now, and not while a block is waited for
        self._frame = 0
        self._next = 0  # number of the next track
        self._hertz, self._levels = np.zeros(0), np.zeros(0)  # where the tracks that go on ended
        self._numbers, self._lengths = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._waiting: deque[TrackedPeaks] = deque()
        self._brief: dict[int, int] = {}  # last frames of tracks that ended too early, while they are remembered

    def push(self, peaks: Peaks) -> TrackedPeaks | None:
        """Take the next frame; return the frame that is decided by it, ``min_track_length - 1`` frames before."""
        hertz = peaks.positions * self.bin_width
        tracks, found = self._pairs(hertz, peaks.levels)
        numbers, lengths = np.full(hertz.size, -1), np.zeros(hertz.size, np.int64)
        numbers[found], lengths[found] = self._numbers[tracks], self._lengths[tracks] + 1
        self._end(tracks)
        born = self._births(hertz, peaks.levels, numbers)
        numbers[born], lengths[born] = np.arange(self._next, self._next + born.size), 1
        self._next += born.size
        alive = numbers >= 0
        self._hertz, self._levels = hertz[alive], peaks.levels[alive]
        self._numbers, self._lengths = numbers[alive], lengths[alive]
        self._waiting.append(TrackedPeaks(Peaks(peaks.positions[alive], self._levels), self._numbers))
        self._frame += 1
        return self._decided() if len(self._waiting) == self.model.min_track_length else None

    def finish(self) -> list[TrackedPeaks]:
        """No more frames: every track ends here. Return the frames that were waiting."""
        self._end(np.zeros(0, np.int64))
        return [self._decided() for _ in range(len(self._waiting))]

    def _pairs(self, hertz: Floats, levels: Floats) -> tuple[Places, Places]:
        """Which tracks go on, and as which peaks."""
        reach = self.model.reach
        far = reach * self.model.track_frequency_range
        # Peaks and tracks lie low to high: the peaks near a track are neighbours.
        first = np.searchsorted(hertz, self._hertz - far)
        count = np.searchsorted(hertz, self._hertz + far, side="right") - first
        track = np.repeat(np.arange(first.size), count)
        peak = np.arange(track.size) - np.repeat(np.cumsum(count) - count - first, count)
        cost = ((hertz[peak] - self._hertz[track]) / self.model.track_frequency_range) ** 2
        cost += ((levels[peak] - self._levels[track]) / self.model.track_magnitude_range) ** 2
        near = cost < reach**2
        assign = _nearest_first if self.model.tracking == "greedy" else _best_together
        return assign(track[near], peak[near], cost[near], self.model)

    def _births(self, hertz: Floats, levels: Floats, numbers: Places) -> Places:
        """Which of the peaks that go on no track begin one."""
        if not levels.size:
            return np.zeros(0, np.int64)
        low, high = self.model.birth_low_threshold, self.model.birth_high_threshold
        line = levels.max() + high + (low - high) * 0.0075 ** (hertz / 20000)
        return np.flatnonzero((numbers < 0) & (levels > line))

    def _end(self, tracks: Places) -> None:
        """End all tracks but ``tracks``; those that were brief do not count."""
        ended = np.ones(self._numbers.size, np.bool_)
        ended[tracks] = False
        ended &= self._lengths < self.model.min_track_length
        self._brief.update(dict.fromkeys(self._numbers[ended].tolist(), self._frame - 1))

    def _decided(self) -> TrackedPeaks:
        """The frame that has waited for longest, without the tracks that do not count."""
        frame = self._frame - len(self._waiting)
        oldest = self._waiting.popleft()
        if not self._brief:
            return oldest
        numbers = oldest.numbers.tolist()
        chosen = np.array([number not in self._brief for number in numbers], np.bool_)
        for number in numbers:
            if self._brief.get(number) == frame:
                del self._brief[number]
        return oldest.only(chosen)


def joined(frames: Sequence[TrackedPeaks], channel: int, bin_width: float, step: float) -> list[Track]:
    """The tracks that lie in all frames of a channel, by their beginnings, low to high.

    ``bin_width`` in Hz, ``step`` in seconds from one frame to the next.
    """
    if not frames:
        return []
    numbers = np.concatenate([each.numbers for each in frames])
    frame = np.repeat(np.arange(len(frames)), [each.numbers.size for each in frames])
    order = np.argsort(numbers, kind="stable")  # frames of a track stay in their order
    first = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    hertz = np.concatenate([each.peaks.positions for each in frames])[order] * bin_width
    levels = np.concatenate([each.peaks.levels for each in frames])[order]
    starts = (frame[order[first]] * step).tolist()
    parts = zip(starts, np.split(hertz, first[1:]), np.split(levels, first[1:]), strict=bool(starts))
    return [Track(channel, start, step, *values) for start, *values in parts]


def _nearest_first(track: Places, peak: Places, cost: Floats, model: SineModel) -> tuple[Places, Places]:
    """Take the nearest pair of all, then the nearest of what is left, and so on.

    A pair that is the nearest for its track and for its peak will be taken whatever comes before: all of these are
    taken at once.
    """
    order = np.argsort(cost, kind="stable")
    track, peak = track[order], peak[order]
    tracks, peaks = track[:0], peak[:0]
    best_of_track, best_of_peak = (np.zeros(each.max(initial=0) + 1, np.int64) for each in (track, peak))
    while track.size:
        place = np.arange(track.size)
        # Backwards: where an index comes several times, the last value stays, which is the nearest.
        best_of_track[track[::-1]] = place[::-1]
        best_of_peak[peak[::-1]] = place[::-1]
        taken = (best_of_track[track] == place) & (best_of_peak[peak] == place)
        tracks, peaks = np.concatenate([tracks, track[taken]]), np.concatenate([peaks, peak[taken]])
        left = ~(taken[best_of_track[track]] | taken[best_of_peak[peak]])
        track, peak = track[left], peak[left]
    return tracks, peaks


def _best_together(track: Places, peak: Places, cost: Floats, model: SineModel) -> tuple[Places, Places]:
    """Take the pairs of which the advantages sum to the most."""
    if not track.size:
        return track, peak
    # Two that have nobody else need no comparison; they are most, and the matrix of the others is small.
    alone = (np.bincount(track)[track] == 1) & (np.bincount(peak)[peak] == 1)
    settled = track[alone], peak[alone]
    if alone.all():
        return settled
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(track[~alone], return_inverse=True)
    columns, column = np.unique(peak[~alone], return_inverse=True)
    advantage = np.zeros((rows.size, columns.size))
    likeness = -np.expm1(-cost[~alone] / model.reach)
    advantage[row, column] = 1 / (2 - model.track_probability) - likeness
    row, column = linear_sum_assignment(advantage, maximize=True)
    useful = advantage[row, column] > 0
    tracks = np.concatenate([settled[0], rows[row[useful]]])
    return tracks, np.concatenate([settled[1], columns[column[useful]]])
