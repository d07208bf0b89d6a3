"""How fast the beat goes, from the onsets of notes; and notes moved onto its grid.

The problem: notes are at seconds, music is at beats. With onsets t_i of weight w_i (notes that begin together are one,
as heavy as all of them), how often two onsets lie a time τ apart is the autocorrelation

    a(τ) = Σ_ij w_i w_j g(t_i − t_j − τ),        g a bell of 20 ms,

and a beat is a time that comes back once, twice and four times over:

    score(τ) = p(τ) · (a(τ) + a(2τ) + a(4τ)) / 3,   p a bell in log2(τ), around 120 beats a minute, 0.7 octaves wide,

for which people's sense of tempo is the reason. For each of the likeliest, all onsets are put onto the nearest line
of a grid of the beat (by fours or by threes, first near the densest place and then ever further), and a straight line
through them, by least squares, says the tempo to a fraction of a per cent. The score times the fit of the grid
decides: a time of three sixteenths comes back often, but what lies between is not on its grid. Of swung eighths half
lie on the beats, and of a tempo that drifts something near its mean is found.

What cannot be known: whether people tap each beat or every second one. Errors are by a factor of 2, or 3/2 where
triplets are played, nearly always: of 420 rhythms with a human player's errors, of 14 kinds, 358 got their tempo and 48
another octave (``benchmarks/tempo.py``); all of six rendered loops and songs got theirs to 0.1 %.

References: D. P. W. Ellis, Beat tracking by dynamic programming, Journal of New Music Research 36(1), 2007,
doi:10.1080/09298210701653344 (the bell in log2). M. F. McKinney, D. Moelants, Ambiguity in tempo perception, Music
Perception 24(2), 2006, doi:10.1525/mp.2006.24.2.155.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.errors import InvalidInput
from unweave.notes.note import Note, in_order

__all__ = ["FASTEST", "SLOWEST", "Tempo", "as_tempo", "find_tempo", "quantise"]

Floats = NDArray[np.float64]

SLOWEST, FASTEST = 10.0, 1000.0
"""Beats per minute that a `Tempo` may have."""

_SEARCHED = (40.0, 240.0)
_USUAL, _OCTAVES = 120.0, 0.7
_STEP = 0.005  # seconds; of the grid on which the autocorrelation is computed
_BELL = 0.02
_TOGETHER = 0.03  # seconds; onsets nearer than this are one
_COMB = (1, 2, 4)
_N_CANDIDATES = 8
_PARTS = {4: 1.0, 3: 0.7}
"""Grids of a beat, and how much they count: music in threes is rarer, and three sixteenths are no beat."""
_EXACT = 0.002  # seconds
_FEWEST = 4  # onsets; fewer have no tempo
_LEAST = 0.2  # confidence under which there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Beats at equal distances.

    Parameters
    ----------
    bpm : float, 10 to 1000
        Beats per minute.
    first_beat : float
        Seconds: where a beat lies; kept as the first one at or after 0.
    confidence : float, 0 to 1, optional
        How much of the onsets' weight lies on the beat's grid, beyond what would by chance; None where the tempo was
        told and not found.

    Raises
    ------
    InvalidInput
        A number is not finite or out of its range.

    Examples
    --------
    >>> tempo = Tempo(bpm=120, first_beat=1.75)
    >>> tempo, tempo.beats(1.25), tempo.seconds(4)
    (Tempo(120 beats per minute, first at 0.250 s), 2.0, 2.25)
    """

    bpm: float
    first_beat: float = 0.0
    confidence: float | None = None

    def __post_init__(self) -> None:
        _require_bpm(self.bpm)
        if not math.isfinite(self.first_beat):
            raise InvalidInput(f"first_beat={self.first_beat!r} is not a number of seconds.")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise InvalidInput(f"confidence={self.confidence!r} is not a number from 0 to 1.")
        first = math.fmod(self.first_beat, self.period)
        object.__setattr__(self, "first_beat", max(0.0, first + self.period if first < 0 else first))

    def __repr__(self) -> str:
        sure = "" if self.confidence is None else f", confidence {self.confidence:.2f}"
        return f"Tempo({self.bpm:.5g} beats per minute, first at {self.first_beat:.3f} s{sure})"

    @property
    def period(self) -> float:
        """Seconds from one beat to the next."""
        return 60 / self.bpm

    def beats(self, seconds: float) -> float:
        """Beats from the first one to a time."""
        return (seconds - self.first_beat) / self.period

    def seconds(self, beats: float) -> float:
        """The time so many beats after the first one."""
        return self.first_beat + beats * self.period


def _require_bpm(bpm: float) -> None:
    if isinstance(bpm, bool) or not isinstance(bpm, int | float) or not SLOWEST <= bpm <= FASTEST:
        raise InvalidInput(f"bpm={bpm!r} is not a number of beats per minute from {SLOWEST:g} to {FASTEST:g}.")


def as_tempo(value: Tempo | float | None) -> Tempo | None:
    """A number of beats per minute as a `Tempo` whose first beat lies at 0; a `Tempo`, or None, as it is."""
    return value if value is None or isinstance(value, Tempo) else Tempo(bpm=value)


def find_tempo(notes: Sequence[Note], *, bpm: float | None = None) -> Tempo | None:
    """Find the tempo of notes, and where the beats lie.

    Parameters
    ----------
    notes : sequence of Note
        In any order; louder ones count more.
    bpm : float, 10 to 1000, optional
        The tempo where it is known: then only the place of the beats is looked for.

    Returns
    -------
    Tempo or None
        From 40 to 240 beats per minute. None where there is no beat to be found: fewer than four onsets, or onsets that
        lie nowhere near a grid. With ``bpm`` only where there are no notes at all.

    Raises
    ------
    InvalidInput
        ``bpm`` is out of its range.

    References
    ----------
    Ellis 2007, doi:10.1080/09298210701653344.

    Examples
    --------
    >>> clicks = [Note(onset=0.2 + 0.5 * k, offset=0.25 + 0.5 * k, label="click") for k in range(16)]
    >>> find_tempo(clicks)
    Tempo(120 beats per minute, first at 0.200 s, confidence 1.00)
    """
    if bpm is not None:
        _require_bpm(bpm)
    times, weights = _strokes(notes)
    if bpm is not None:
        return Tempo(bpm=bpm, first_beat=_phase(times, weights, 60 / bpm)) if times.size else None
    if times.size < _FEWEST:
        return None
    best = _Fit(0.0, 0.0, 0.0)
    for period, score in _candidates(times, weights):
        best = max(
            best, *(_fitted(times, weights, period, score, parts) for parts in _PARTS), key=lambda fit: fit.score
        )
    if best.confidence < _LEAST or not SLOWEST <= 60 / best.period <= FASTEST:
        return None
    first = _phase(times, weights, best.period)
    return Tempo(bpm=60 / best.period, first_beat=first, confidence=best.confidence)


def _strokes(notes: Sequence[Note]) -> tuple[Floats, Floats]:
    """Times and weights of the onsets; those that lie together are one, at their middle and as heavy as all."""
    ordered = in_order(notes)
    if not ordered:
        return np.zeros(0), np.zeros(0)
    onsets = np.array([note.onset for note in ordered])
    weights = np.array([max(note.velocity, 0.05) for note in ordered])
    begins = [0]
    for place, onset in enumerate(onsets):
        if onset - onsets[begins[-1]] > _TOGETHER:
            begins.append(place)
    total = np.add.reduceat(weights, begins)
    return np.add.reduceat(weights * onsets, begins) / total, total


def _candidates(times: Floats, weights: Floats) -> list[tuple[float, float]]:
    """The likeliest periods of the beat, on a grid of half per cents, and their scores."""
    slow, fast = _SEARCHED
    periods = 60 / np.geomspace(slow, fast, 360)
    a = _autocorrelation(times, weights, max(_COMB) * 60 / slow)
    lags = np.arange(a.size) * _STEP
    comb = sum(np.interp(m * periods, lags, a) for m in _COMB)
    # Of few notes the long times are seldom: no reason to take them for less.
    there = sum((m * periods <= times[-1] - times[0]).astype(float) for m in _COMB)
    score = comb / np.maximum(there, 1) * np.exp(-0.5 * (np.log2(60 / periods / _USUAL) / _OCTAVES) ** 2)
    rising = np.diff(np.concatenate([[-1.0], score, [-1.0]])) > 0
    peaks = np.flatnonzero(rising[:-1] & ~rising[1:] & (score > 0))
    best = peaks[np.argsort(-score[peaks], kind="stable")][:_N_CANDIDATES]
    return [(float(periods[peak]), float(score[peak])) for peak in best]


def _autocorrelation(times: Floats, weights: Floats, longest: float) -> Floats:
    """a(τ) for τ from 0 to ``longest``, as a share of a(0)."""
    # Pauses that no lag reaches across may as well be shorter: an onset a day later costs nothing.
    gaps = np.minimum(np.diff(times, prepend=times[0]), longest + 1)
    places = np.rint(np.cumsum(gaps) / _STEP).astype(np.intp)
    n_lags = math.ceil(longest / _STEP) + 2
    size = scipy.fft.next_fast_len(int(places[-1]) + 1 + n_lags, real=True)
    impulses = np.bincount(places, weights, minlength=size)
    bell = np.exp(-0.5 * (np.fft.fftfreq(size, 1 / size) * _STEP / _BELL) ** 2)
    power = np.square(np.abs(scipy.fft.rfft(impulses)))
    a = scipy.fft.irfft(power * scipy.fft.rfft(bell).real, size)[:n_lags]
    result: Floats = np.maximum(a, 0) / np.sum(np.square(weights))
    return result


@dataclass(frozen=True, slots=True)
class _Fit:
    """A period that was put right, how well its grid fits, and how likely it is as a beat."""

    period: float
    confidence: float
    score: float


def _fitted(times: Floats, weights: Floats, period: float, score: float, parts: int) -> _Fit:
    """The period by least squares on a grid of so many parts of a beat.

    The lines of a grid can be counted only as far as the period is known: a straight line through what lies within
    eight beats of the densest place says it better, within 16 better still, and so on until all onsets are in.
    """
    step = period / parts
    centre = _densest(times, weights, 4 * period)
    offset = times[centre] + _phase(times - times[centre], weights, step)
    reach = 8 * period
    end = max(times[-1] - times[centre], times[centre] - times[0])
    while True:
        inside = np.abs(times - times[centre]) <= reach
        for _ in range(3):
            counts = np.rint((times[inside] - offset) / step)
            away = (times[inside] - offset) / step - counts
            # Those between two lines are no help.
            w = weights[inside] * np.exp(-0.5 * (away / 0.2) ** 2)
            offset, step = _line(counts, times[inside], w, offset, step)
        if reach >= end:
            break
        reach *= 2
    away = (times - offset) / step
    coherence = float(np.sum(weights * np.cos(2 * np.pi * away)) / np.sum(weights))
    # A grid by chance: the square of the sum of n unit vectors of any direction is n in the mean.
    chance = math.sqrt(float(np.sum(np.square(weights)))) / float(np.sum(weights))
    confidence = float(np.clip((coherence - chance) / (1 - chance), 0, 1)) if chance < 1 else 0.0
    return _Fit(step * parts, confidence, score * confidence * _PARTS[parts])


def _densest(times: Floats, weights: Floats, width: float) -> int:
    """The onset in whose neighbourhood the most lies."""
    before = np.concatenate([[0.0], np.cumsum(weights)])
    first, last = (np.searchsorted(times, times + side * width) for side in (-1, 1))
    return int(np.argmax(before[last] - before[first]))


def _line(counts: Floats, times: Floats, weights: Floats, offset: float, step: float) -> tuple[float, float]:
    """A line t = offset + count · step by least squares; the old one where there is too little for a new one."""
    total = float(np.sum(weights))
    if total <= 0:
        return offset, step
    middle, mean = float(np.sum(weights * counts)) / total, float(np.sum(weights * times)) / total
    spread = float(np.sum(weights * np.square(counts - middle)))
    if spread <= 1e-9 * total:
        return offset, step
    slope = float(np.sum(weights * (counts - middle) * (times - mean))) / spread
    if not 0.9 * step < slope < 1.1 * step:
        return offset, step
    return mean - slope * middle, slope


def _phase(times: Floats, weights: Floats, period: float) -> float:
    """Where, from 0 to ``period``, the most weight lies: the place of the beats."""
    inside = np.mod(times, period)
    grid = np.arange(0, period, min(_STEP, period / 16))
    width = min(_BELL, period / 12)

    def away(place: Floats | float) -> Floats:
        return np.asarray(np.mod(inside - np.asarray(place)[..., None] + period / 2, period) - period / 2)

    heavy = np.zeros(grid.size)
    for first in range(0, grid.size, 64):  # many onsets by many places: a few at a time
        part = slice(first, first + 64)
        heavy[part] = np.exp(-0.5 * np.square(away(grid[part]) / width)) @ weights
    place = float(grid[int(np.argmax(heavy))])
    near = away(place).ravel()
    w = weights * np.exp(-0.5 * np.square(near / width))
    place += float(np.sum(w * near) / np.sum(w))
    place %= period
    # A beat that is found a moment before 0 is the one at 0.
    return 0.0 if period - place < _EXACT else place


def quantise(notes: Sequence[Note], tempo: Tempo | float, division: int = 16) -> tuple[Note, ...]:
    """Move notes onto the grid of a tempo; the notes given stay as they are.

    Parameters
    ----------
    notes : sequence of Note
    tempo : Tempo or float
        A number is beats per minute, with a beat at 0.
    division : int, 1 to 192
        Lines of the grid in four beats: 4 are beats, 8 eighths, 16 sixteenths, 12 and 24 triplets.

    Returns
    -------
    tuple of Note
        Onsets on the nearest lines, offsets on the nearest that are at least one line later. Of notes of one sound that
        come to begin at once the loudest is kept.

    Raises
    ------
    InvalidInput
        ``division`` is not a whole number from 1 to 192.

    Examples
    --------
    >>> quantise([Note(onset=0.51, offset=0.6, label="kick")], 120, 16)
    (Note(kick at 0.500 s, 125 ms, velocity 1.00),)
    """
    if isinstance(division, bool) or not isinstance(division, int) or not 1 <= division <= 192:
        raise InvalidInput(f"division={division!r} is not a whole number from 1 to 192, such as 16 for sixteenths.")
    grid = tempo if isinstance(tempo, Tempo) else Tempo(bpm=tempo)
    per_beat = division / 4
    earliest = math.ceil(-grid.first_beat / grid.period * per_beat - 1e-9)
    kept: dict[tuple[float | None, str | None, int], Note] = {}
    for note in in_order(notes):
        first = max(earliest, round(grid.beats(note.onset) * per_beat))
        last = max(first + 1, round(grid.beats(note.offset) * per_beat))
        onset, offset = (max(0.0, grid.seconds(line / per_beat)) for line in (first, last))
        place = (note.pitch, note.label, first)
        if place not in kept or note.velocity > kept[place].velocity:
            kept[place] = replace(note, onset=onset, offset=offset)
    return in_order(kept.values())
