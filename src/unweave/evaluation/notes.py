"""How near found notes are to the true ones.

A found note and a true one can be matched where their onsets lie no further apart than a window and the rest that is
asked for agrees: the label, or the pitch, or the pitch and the offset. Each note is matched once at most. Of the
greatest number M of pairs that can be had

    precision = M / found,   recall = M / true,   F = 2 M / (found + true),

as ``mir_eval`` counts them. Of the many ways to make M pairs the one with the least sum of onset errors is taken:
errors and velocities are those of its pairs. An error is found - true, so that what comes late is positive.

Conventions: seconds; pitch as a MIDI number; velocity from 0 to 1. Where nothing is true or nothing is found all three
figures are 0, also where both are empty, as in ``mir_eval``; what needs pairs and has none is None.

Differences from ``mir_eval``. None in the numbers of pairs. It takes hertz, so that notes just 50 cents apart may fall
to either side there; here they match. Its pairs are those that it comes across first; it has no errors of onsets and no
correlation of velocities.

Reference: C. Raffel et al., mir_eval: a transparent implementation of common MIR metrics, ISMIR 2014, pages 367 to 372.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from unweave.errors import InvalidInput
from unweave.notes import Note

__all__ = ["LabelScores", "NoteScore", "score_labels", "score_onsets", "score_pitches"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Rule = Callable[[Indices, Indices], NDArray[np.bool_]]

_DECIMALS = 4
"""Distances are rounded so far before they are held against a tolerance, as mir_eval.transcription does: notes that
are 50 ms apart on paper match."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoteScore:
    """How many notes there are, how many were found, and what the pairs of both say.

    Parameters
    ----------
    n_true, n_found : int
    errors : float64 ``(n_matched,)``
        Onset of the found note minus that of the true one, in seconds.
    true_velocities, found_velocities : float64 ``(n_matched,)``

    Examples
    --------
    >>> true = [Note(onset=t, offset=t + 0.1, label="kick") for t in (0.0, 1.0, 2.0)]
    >>> score_onsets(true, [Note(onset=1.004, offset=1.1, label="kick")])
    NoteScore(F 0.500: 1 of 3 notes found, 0 false; 4.0 ms late)
    """

    n_true: int
    n_found: int
    errors: Floats
    true_velocities: Floats
    found_velocities: Floats

    def __post_init__(self) -> None:
        for name in ("errors", "true_velocities", "found_velocities"):
            array = np.array(getattr(self, name), np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        told = f"{self.n_matched} of {self.n_true} notes found, {self.n_found - self.n_matched} false"
        bias = self.median_error
        if bias is not None:
            told += f"; {abs(1000 * bias):.1f} ms {'early' if bias < 0 else 'late'}"
        return f"NoteScore(F {self.f_measure:.3f}: {told})"

    @property
    def n_matched(self) -> int:
        """How many pairs there are."""
        return self.errors.size

    @property
    def precision(self) -> float:
        """Which part of the found notes is right: 0 to 1."""
        return self.n_matched / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        """Which part of the true notes was found: 0 to 1."""
        return self.n_matched / self.n_true if self.n_true else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of both: 0 to 1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def median_error(self) -> float | None:
        """Median of the signed onset errors in seconds: the bias; positive is late."""
        return float(np.median(self.errors)) if self.n_matched else None

    @property
    def mean_error(self) -> float | None:
        """Mean of the signed onset errors in seconds."""
        return float(np.mean(self.errors)) if self.n_matched else None

    @property
    def median_absolute_error(self) -> float | None:
        """Median of the onset errors in seconds, whatever their sign."""
        return float(np.median(np.abs(self.errors))) if self.n_matched else None

    @property
    def velocity_correlation(self) -> float | None:
        """Spearman's rank correlation of velocities: -1 to 1; None where the true or the found are all the same."""
        return _rank_correlation(self.true_velocities, self.found_velocities)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LabelScores:
    """A score for every label, and their mean.

    Parameters
    ----------
    by_label : mapping of str to NoteScore
    """

    by_label: Mapping[str, NoteScore]

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_label", MappingProxyType(dict(self.by_label)))

    def __repr__(self) -> str:
        each = ", ".join(f"{label} {score.f_measure:.3f}" for label, score in self.by_label.items())
        return f"LabelScores(mean F {self.f_measure:.3f}: {each or 'no labels'})"

    @property
    def f_measure(self) -> float:
        """Mean F-measure of the labels that have true notes."""
        return self._mean([score.f_measure for score in self._played()])

    @property
    def precision(self) -> float:
        """Mean precision of the labels that have true notes."""
        return self._mean([score.precision for score in self._played()])

    @property
    def recall(self) -> float:
        """Mean recall of the labels that have true notes."""
        return self._mean([score.recall for score in self._played()])

    @property
    def together(self) -> NoteScore:
        """The notes of all labels in one score; notes of different labels are never a pair."""
        scores = list(self.by_label.values())
        joined = [
            np.concatenate([np.zeros(0), *(getattr(score, name) for score in scores)])
            for name in ("errors", "true_velocities", "found_velocities")
        ]
        return NoteScore(sum(score.n_true for score in scores), sum(score.n_found for score in scores), *joined)

    def _played(self) -> list[NoteScore]:
        return [score for score in self.by_label.values() if score.n_true]

    @staticmethod
    def _mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else 0.0


def score_onsets(true: Iterable[Note], found: Iterable[Note], *, window: float = 0.05) -> NoteScore:
    """Score onsets alone, whatever the notes are: ``mir_eval.onset.f_measure``.

    Parameters
    ----------
    true, found : notes
        In any order; notes that come twice count twice.
    window : float
        Seconds, 0 and more: how far the onsets of a pair may lie apart. A wider one forgives more.

    Raises
    ------
    InvalidInput
        A window that is negative or not finite.

    Examples
    --------
    >>> hits = [Note(onset=t, offset=t, label="kick") for t in (0.5, 1.0)]
    >>> score_onsets(hits, hits).f_measure
    1.0
    """
    _require("window", window)
    a, b = list(true), list(found)
    s, t = _onsets(a), _onsets(b)

    def near(i: Indices, j: Indices) -> NDArray[np.bool_]:
        return np.asarray((s[i] - window <= t[j]) & (t[j] <= s[i] + window))  # without rounding, as mir_eval.onset

    return _scored(a, b, window, near)


def score_labels(
    true: Iterable[Note], found: Iterable[Note], labels: Sequence[str] | None = None, *, window: float = 0.05
) -> LabelScores:
    """Score the onsets of every label by themselves: drums.

    Parameters
    ----------
    true, found : notes
        Those without a label are left out.
    labels : sequence of str, optional
        Which ones to score, and in which order; notes of others are left out on both sides. By default those that occur
        in ``true``, by the alphabet. One without true notes has a score of its own, and does not count in the mean.
    window : float
        Seconds, as for `score_onsets`.

    Raises
    ------
    InvalidInput
        A window that is negative or not finite.

    Examples
    --------
    >>> kick, snare = (Note(onset=1.0, offset=1.1, label=name) for name in ("kick", "snare"))
    >>> score_labels([kick, snare], [kick, kick])
    LabelScores(mean F 0.333: kick 0.667, snare 0.000)
    """
    a, b = list(true), list(found)
    names = sorted({note.label for note in a if note.label is not None}) if labels is None else list(labels)
    return LabelScores(
        {
            name: score_onsets(
                [note for note in a if note.label == name], [note for note in b if note.label == name], window=window
            )
            for name in names
        }
    )


def score_pitches(
    true: Iterable[Note],
    found: Iterable[Note],
    *,
    offsets: bool = False,
    window: float = 0.05,
    cents: float = 50.0,
    offset_ratio: float = 0.2,
    offset_window: float = 0.05,
) -> NoteScore:
    """Score notes by onset and pitch, or by onset, pitch and offset: ``mir_eval.transcription``.

    Parameters
    ----------
    true, found : notes
        Those without a pitch are left out.
    offsets : bool
        Ask that offsets agree as well.
    window : float
        Seconds: how far onsets may lie apart.
    cents : float
        How far pitches may lie apart.
    offset_ratio, offset_window : float
        How far offsets may lie apart: such a part of the true note's duration, or so many seconds where that is more.

    Raises
    ------
    InvalidInput
        A tolerance that is negative or not finite.

    References
    ----------
    ``mir_eval.transcription.precision_recall_f1_overlap``, with ``offset_ratio=None`` for onsets alone.

    Examples
    --------
    >>> long, short = (Note(onset=0.0, offset=end, pitch=60) for end in (2.0, 0.5))
    >>> score_pitches([long], [short]).f_measure, score_pitches([long], [short], offsets=True).f_measure
    (1.0, 0.0)
    """
    tolerances = {"window": window, "cents": cents, "offset_ratio": offset_ratio, "offset_window": offset_window}
    for name, value in tolerances.items():
        _require(name, value)
    a, b = ([note for note in notes if note.pitch is not None] for notes in (true, found))
    s, t = _table(a), _table(b)
    most = np.maximum(offset_ratio * (s[:, 1] - s[:, 0]), offset_window)

    def agree(i: Indices, j: Indices) -> NDArray[np.bool_]:
        onset, offset, pitch = np.abs(s[i] - t[j]).T
        right = (np.around(onset, _DECIMALS) <= window) & (100 * pitch <= cents)
        return np.asarray(right & (np.around(offset, _DECIMALS) <= most[i]) if offsets else right)

    return _scored(a, b, window, agree)


# ---------------------------------------------------------------- pairs


def _require(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidInput(f"{name}={value:g}: how far notes may lie apart is a finite number that is 0 or more.")


def _onsets(notes: Sequence[Note]) -> Floats:
    return np.array([note.onset for note in notes], np.float64)


def _table(notes: Sequence[Note]) -> Floats:
    """Onset, offset and pitch, one note a row."""
    return np.array([(note.onset, note.offset, note.pitch) for note in notes], np.float64).reshape(-1, 3)


def _scored(true: list[Note], found: list[Note], window: float, rule: Rule) -> NoteScore:
    s, t = _onsets(true), _onsets(found)
    i, j = _candidates(s, t, window + 10.0**-_DECIMALS)
    allowed = rule(i, j)
    i, j = _greatest(i[allowed], j[allowed], s, t)
    loud, heard = (np.array([note.velocity for note in notes], np.float64) for notes in (true, found))
    return NoteScore(s.size, t.size, t[j] - s[i], loud[i], heard[j])


def _candidates(s: Floats, t: Floats, reach: float) -> tuple[Indices, Indices]:
    """All pairs that lie no further apart, without a matrix of all with all."""
    order = np.argsort(t, kind="stable")
    low = np.searchsorted(t[order], s - reach, "left")
    counts = np.searchsorted(t[order], s + reach, "right") - low
    i = np.repeat(np.arange(s.size), counts)
    within = np.arange(i.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return i, order[np.repeat(low, counts) + within]


def _greatest(i: Indices, j: Indices, s: Floats, t: Floats) -> tuple[Indices, Indices]:
    """Of the allowed pairs as many as can be had with each note once, and of these the ones with the least errors.

    Notes that no chain of allowed pairs joins do not touch each other: every group of joined ones is solved alone, and
    most have one pair.
    """
    from scipy.sparse import coo_array  # heavy, and needed here only
    from scipy.sparse.csgraph import connected_components

    if i.size == 0:
        return i, j
    n = s.size + t.size
    _, group = connected_components(coo_array((np.ones(i.size), (i, s.size + j)), (n, n)), directed=False)
    order = np.argsort(group[i], kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[i][order])) + 1)
    kept = np.concatenate([part if part.size == 1 else part[_assigned(i[part], j[part], s, t)] for part in parts])
    kept.sort()
    return i[kept], j[kept]


def _assigned(i: Indices, j: Indices, s: Floats, t: Floats) -> Indices:
    """The same for one group. A pair is worth more than all errors together, so that none is given up for a smaller."""
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(i, return_inverse=True)
    columns, column = np.unique(j, return_inverse=True)
    errors = np.abs(t[j] - s[i])
    cost = np.zeros((rows.size, columns.size))
    cost[row, column] = errors - (1.0 + errors.sum())
    number = np.full(cost.shape, -1)
    number[row, column] = np.arange(i.size)
    chosen = number[linear_sum_assignment(cost)]
    return np.asarray(chosen[chosen >= 0])


def _rank_correlation(a: Floats, b: Floats) -> float | None:
    """Spearman's: the correlation of ranks, where equal values share the mean of theirs."""
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    x, y = (_ranks(values) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip(x @ y / math.sqrt((x @ x) * (y @ y)), -1, 1))


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
