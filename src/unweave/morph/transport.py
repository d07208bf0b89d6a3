"""One spectrum turning into another by moving along the frequency axis: optimal transport in one dimension.

The problem: half of one spectrum plus half of another is a mixture, not something between them. Here peaks travel. A
spectrum a is cut at its valleys into masses, one a peak, with centres c_i and shares m_i that sum to one; so is b. The
plan π moves the shares with the least work,

    d(a, b) = min_π Σ_ij π_ij (c_i - c_j)²,    Σ_j π_ij = m_i,  Σ_i π_ij = m_j,

and on a line that is the plan which lets nothing overtake (the cost is convex): both spectra are emptied from the left
at the same pace. On the way at t, from 0 to 1, the shape of i with its share π_ij / m_i, at the level 1 - t, and the
shape of j with the share π_ij / m_j, at the level t, lie with their centres at (1 - t) c_i + t c_j. Shapes keep their
form, so a sine stays a sine: its lobe is never cut. The work d, in bins squared, is the distance by which bases are
assigned to each other: a mean of squared ways along the axis, so that a distant peak counts by how far and how loud.

Conventions: spectra are the columns of ``(bins, n)``, float64 inside. The level of a spectrum plays no part in the
plan; on the way it goes from that of a to that of b. A silent spectrum moves nothing: the other fades in place.

Differences from FluCoMa (NMFMorph): there the distance counts in numbers of peaks, which says little of Hz, and adds up
over all pairs before. There, bins in front of no valley are lost, a spectrum without valleys is silent, centres are
rounded to bins, so that pitch moves in steps, and what would pass 0 Hz or half the rate is dropped. Here masses tile
all bins, so that t = 0 and t = 1 give a and b themselves; centres lie between bins; a shape is moved by parts of a bin
(cubic interpolation, whose weights sum to one); and what would pass an end is folded back, as spectra are at these
ends.

References: T. Henderson, J. Solomon, Audio transport: a generalized portamento via optimal transport, DAFx 2019,
arXiv:1906.06763. K. J. Werner, F. G. Germain, Sinusoidal parameter estimation using quadratic interpolation around
power-scaled magnitude spectrum peaks, Applied Sciences 6(10), 2016, doi:10.3390/app6100306. G. Peyré, M. Cuturi,
Computational optimal transport, 2019, section 2.6, doi:10.1561/2200000073.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput

__all__ = ["Masses", "Transport", "distances", "masses_of", "one_interpolation", "require_interpolation"]

_ROOT = 0.25
"""Peaks of a window's lobe are parabolas to this power, nearly (0.23 for Hann), and zeros have one, unlike in dB."""

_TAPS = (-1, 0, 1, 2)
_MANY = 4
"""A mass whose copies have more bins than so many spectra is convolved, which then costs less than moving each."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Masses:
    """A spectrum cut at its valleys: mass i is the bins from ``edges[i]`` to ``edges[i + 1]`` (exclusive).

    Parameters
    ----------
    edges : ``(n + 1,)``
        From 0 to the number of bins: no bin is left out.
    centres : ``(n,)``
        Where the peaks are, in bins and parts of them.
    shares : ``(n,)``
        Part of the whole, summing to one; all 0 for a silent spectrum.
    """

    edges: Indices
    centres: Floats
    shares: Floats


def masses_of(spectrum: ArrayLike) -> Masses:
    """Cut a spectrum ``(bins,)`` at its valleys.

    A valley that is several bins wide is cut in its middle; a peak that is has its centre there. A peak of one bin has
    its centre where a parabola through it and its neighbours is highest.

    Examples
    --------
    >>> found = masses_of([1, 2, 1, 0, 0, 3, 3, 0])
    >>> found.edges.tolist(), found.centres.tolist()
    ([0, 4, 8], [1.0, 5.5])
    """
    values = nonnegative_matrix("spectrum", np.atleast_2d(spectrum)).ravel().astype(np.float64)
    if values.size == 0:
        raise InvalidInput("spectrum has no bins: one at least is needed.")
    # The steps that go up or down, as if the spectrum rose before its first bin and fell after its last.
    steps = np.sign(np.diff(values, prepend=-1.0, append=-1.0))
    moving = np.flatnonzero(steps)
    turns = steps[moving]
    tops = (turns[:-1] > 0) & (turns[1:] < 0)
    valleys = (turns[:-1] < 0) & (turns[1:] > 0)
    # The bins from moving[i] to moving[i + 1] - 1 are equal.
    first, last = moving[:-1], moving[1:] - 1
    edges = np.concatenate([[0], (first[valleys] + last[valleys] + 1) // 2, [values.size]]).astype(np.intp)
    centres = (first[tops] + last[tops]) / 2 + _offset(values, first[tops], last[tops])
    total = values.sum()
    sums = np.add.reduceat(values, edges[:-1])
    return Masses(edges, centres, sums / total if total > 0 else np.zeros(sums.size))


def _offset(values: Floats, first: Indices, last: Indices) -> Floats:
    """How far from its bin a peak is highest, -0.5 to 0.5; 0 for flat ones and at the two ends of the spectrum."""
    sharp = (first == last) & (first > 0) & (last < values.size - 1)
    at = first[sharp]
    # Relative to the peak: roots of very small and very large numbers stay exact.
    below, above = ((values[at + side] / values[at]) ** _ROOT for side in (-1, 1))
    out = np.zeros(first.size)
    out[sharp] = (above - below) / (2 * (2 - below - above))
    return out


def _moves(a: Masses, b: Masses) -> tuple[Indices, Indices, Floats]:
    """The plan: from which mass, to which, and what share of the whole. Every mass is in it."""
    ends_a, ends_b = np.cumsum(a.shares), np.cumsum(b.shares)
    ends_a[-1] = ends_b[-1] = 1.0
    cuts = np.sort(np.concatenate([ends_a, ends_b]))
    moved = np.diff(cuts, prepend=0.0)
    middles = cuts - moved / 2
    i = np.minimum(np.searchsorted(ends_a, middles), ends_a.size - 1)
    j = np.minimum(np.searchsorted(ends_b, middles), ends_b.size - 1)
    kept = moved > 0
    i, j, moved = i[kept], j[kept], moved[kept]
    # Masses too faint for the sum to notice go where their neighbours go, so that no bin is lost.
    lost_a = np.setdiff1d(np.arange(ends_a.size), i)
    lost_b = np.setdiff1d(np.arange(ends_b.size), j)
    to = np.minimum(np.searchsorted(ends_b, ends_a[lost_a]), ends_b.size - 1)
    back = np.minimum(np.searchsorted(ends_a, ends_b[lost_b]), ends_a.size - 1)
    nothing = np.zeros(lost_a.size + lost_b.size)
    return np.concatenate([i, lost_a, back]), np.concatenate([j, to, lost_b]), np.concatenate([moved, nothing])


def distances(source: ArrayLike, target: ArrayLike) -> Floats:
    """The work of turning each column of one matrix into each of another.

    Parameters
    ----------
    source : non-negative ``(bins, n)``
    target : non-negative ``(bins, m)``

    Returns
    -------
    float64 ``(n, m)``
        In bins squared. 0 where one of the two is silent.

    Raises
    ------
    InvalidInput, Incompatible
        Negative entries, NaN, or different numbers of bins.

    Examples
    --------
    >>> distances(np.eye(9)[:, [2]], np.eye(9)[:, [2, 5]]).tolist()
    [[0.0, 9.0]]
    """
    from_, to = _pair(source, target)
    a = [masses_of(column) for column in from_.T]
    b = [masses_of(column) for column in to.T]
    return np.array([[_work(one, other) for other in b] for one in a]).reshape(len(a), len(b))


def _work(a: Masses, b: Masses) -> float:
    if not (a.shares.any() and b.shares.any()):
        return 0.0
    i, j, moved = _moves(a, b)
    return float(np.sum(moved * np.square(a.centres[i] - b.centres[j])))


def _pair(source: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats]:
    a, b = nonnegative_matrix("source", source), nonnegative_matrix("target", target)
    if a.shape[0] != b.shape[0]:
        raise Incompatible(
            f"source has {a.shape[0]} bins, but target has {b.shape[0]}: were they made with different n_fft?"
        )
    return a.astype(np.float64), b.astype(np.float64)


def require_interpolation(value: object) -> Floats:
    """Refuse what is not a number, or numbers, from 0 (the source) to 1 (the target)."""
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"interpolation={value!r} is not a number from 0 to 1.") from None
    wrong = numbers[~((numbers >= 0) & (numbers <= 1))]
    if wrong.size:
        raise InvalidInput(f"interpolation={wrong.flat[0]:g} is not from 0 (the source) to 1 (the target).")
    return numbers


def one_interpolation(value: object) -> float:
    """As `require_interpolation`, for a single number."""
    numbers = require_interpolation(value)
    if numbers.ndim:
        raise InvalidInput(f"interpolation.shape={numbers.shape}, but one number is needed here.")
    return float(numbers)


class Transport:
    """The way from each column of one matrix to the same column of another, ready to be taken at any point.

    Parameters
    ----------
    source, target : non-negative ``(bins, n)``

    Raises
    ------
    InvalidInput, Incompatible
        Negative entries, NaN, different numbers of bins or of columns.

    References
    ----------
    T. Henderson, J. Solomon, DAFx 2019, arXiv:1906.06763.

    Examples
    --------
    >>> low, high = np.eye(9)[:, [2]], np.eye(9)[:, [6]]
    >>> Transport(low, high).at(0.5).ravel().round(12).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, source: ArrayLike, target: ArrayLike) -> None:
        a, b = _pair(source, target)
        if a.shape[1] != b.shape[1]:
            raise Incompatible(
                f"source has {a.shape[1]} spectra, but target has {b.shape[1]}: each needs one that it turns into."
            )
        self._source, self._target = a, b
        columns = [_moving_bins(k, a[:, k], b[:, k]) for k in range(a.shape[1])]
        # All columns one below the other: their bins are moved in one go.
        self._leaving = _Side.joined([pair[0] for pair in columns], a.T.shape)
        self._arriving = _Side.joined([pair[1] for pair in columns], a.T.shape)

    def at(self, interpolation: float) -> Floats:
        """The spectra on their way, ``(bins, n)``.

        Parameters
        ----------
        interpolation : float, 0 to 1
            0 is the source and 1 the target, to the last bit.
        """
        t = one_interpolation(interpolation)
        if t in (0.0, 1.0):
            return (self._target if t else self._source).copy()
        moved = self._leaving.moved(t, 1 - t) + self._arriving.moved(t - 1, t)
        # The cubic undershoots beside a peak, where a magnitude cannot be negative.
        return np.ascontiguousarray(np.maximum(moved, 0).T)


def _moving_bins(column: int, a: Floats, b: Floats) -> tuple[_Side, _Side]:
    """What leaves the source and what arrives at the target, for one pair of spectra."""
    one, other = masses_of(a), masses_of(b)
    if one.shares.any() and other.shares.any():
        i, j, moved = _moves(one, other)
        way = other.centres[j] - one.centres[i]
    else:  # nothing moves: what there is fades in place
        one = other = Masses(np.array([0, a.size]), np.zeros(1), np.ones(1))
        i, j, moved, way = np.zeros(1, np.intp), np.zeros(1, np.intp), np.ones(1), np.zeros(1)
    return _Side.of(column, a, one.edges, (i, moved, way)), _Side.of(column, b, other.edges, (j, moved, way))


@dataclass(frozen=True, slots=True, eq=False)
class _Wide:
    """One mass of many bins that goes many ways: a shape, and how much of it goes how far."""

    column: int
    first: int  # bin that the shape begins at
    shape: Floats
    weights: Floats
    ways: Floats

    def moved(self, share: float) -> tuple[int, Floats]:
        """The bin that it begins at after this share of its ways, and the sum of its copies: a convolution."""
        way = self.ways * share
        whole = np.floor(way)
        lowest = int(whole.min()) - 1
        steps = (whole - lowest).astype(np.intp)
        train = np.zeros(int(steps.max()) + 3)
        for tap, weight in zip(_TAPS, _cubic(way - whole), strict=True):
            train += np.bincount(steps + tap, weight * self.weights, minlength=train.size)
        return self.first + lowest, np.convolve(self.shape, train)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Bins that move: piece by piece, all bins of a piece by the same way."""

    lengths: Indices  # bins of every piece
    ways: Floats  # how far every piece goes in all, in bins
    columns: Indices  # the column that every piece is in
    bins: Indices  # of all pieces, one after the other
    values: Floats
    wide: tuple[_Wide, ...]
    shape: tuple[int, int]  # (columns, bins)

    @classmethod
    def of(cls, column: int, spectrum: Floats, edges: Indices, plan: tuple[Indices, Floats, Floats]) -> _Side:
        """The pieces that a plan (masses, shares, ways) makes of a spectrum; each piece of a mass has all its shape."""
        mass, moved, ways = plan
        total = np.bincount(mass, moved, minlength=edges.size - 1)
        count = np.bincount(mass, minlength=edges.size - 1)
        # Of a mass that is too faint for the plan to weigh, all pieces are alike.
        weights = np.where(total[mass] > 0, moved / np.where(total[mass] > 0, total[mass], 1), 1 / count[mass])
        widths = np.diff(edges)
        is_wide = count * widths > _MANY * spectrum.size
        wide = []
        for k in np.flatnonzero(is_wide):
            its = mass == k
            shape = spectrum[edges[k] : edges[k + 1]]
            wide.append(_Wide(column, int(edges[k]), shape, weights[its], ways[its]))
        small = ~is_wide[mass] & (weights > 0)
        mass, weights, ways = mass[small], weights[small], ways[small]
        lengths = widths[mass]
        ends = np.cumsum(lengths)
        bins = np.arange(lengths.sum()) + np.repeat(edges[mass] - (ends - lengths), lengths)
        values = spectrum[bins] * np.repeat(weights, lengths)
        columns = np.full(mass.size, column)
        return cls(lengths, ways, columns, bins, values, tuple(wide), (column + 1, spectrum.size))

    @classmethod
    def joined(cls, sides: Sequence[_Side], shape: tuple[int, int]) -> _Side:
        """The pieces of many columns."""

        def whole(name: str) -> Indices:
            return np.concatenate([np.zeros(0, np.intp), *(getattr(side, name) for side in sides)])

        def real(name: str) -> Floats:
            return np.concatenate([np.zeros(0), *(getattr(side, name) for side in sides)])

        wide = tuple(each for side in sides for each in side.wide)
        return cls(whole("lengths"), real("ways"), whole("columns"), whole("bins"), real("values"), wide, shape)

    def moved(self, share: float, level: float) -> Floats:
        """The spectra ``(columns, bins)`` after this share of the way, at this level."""
        n_columns, n_bins = self.shape
        way = self.ways * share
        whole = np.floor(way)
        # Each column has room for a spectrum before its first bin and for one after its last.
        room = 3 * n_bins + 4
        first = whole.astype(np.intp) + self.columns * room + n_bins
        place = self.bins + np.repeat(first, self.lengths)
        spread = np.zeros(n_columns * room)
        for tap, weight in enumerate(_cubic(way - whole)):
            weights = self.values * np.repeat(weight, self.lengths)
            spread[tap:] += np.bincount(place, weights, minlength=spread.size)[: spread.size - tap]
        bins = _folded(np.arange(room) - n_bins - 1, n_bins)  # tap 0 belongs one bin before its place
        target = np.arange(n_columns)[:, None] * n_bins + bins
        spectra: Floats = np.bincount(target.ravel(), spread, minlength=n_columns * n_bins).astype(np.float64)
        spectra = spectra.reshape(n_columns, n_bins)
        for each in self.wide:
            lowest, values = each.moved(share)
            target = _folded(lowest + np.arange(values.size), n_bins)
            spectra[each.column] += np.bincount(target, values, minlength=n_bins)
        spectra *= level
        return spectra


def _folded(position: Indices, n_bins: int) -> Indices:
    """Bins beyond the ends, folded back: a spectrum is even around 0 Hz and around half the rate."""
    period = max(1, 2 * (n_bins - 1))
    place: Indices = np.remainder(position, period)
    folded: Indices = np.minimum(place, period - place)
    return folded


def _cubic(part: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights of the bins at -1, 0, 1 and 2 for what lies ``part`` of a bin after 0 (Catmull and Rom); sum one."""
    square = part * part
    cube = square * part
    return (
        (2 * square - part - cube) / 2,
        (2 - 5 * square + 3 * cube) / 2,
        (part + 4 * square - 3 * cube) / 2,
        (cube - square) / 2,
    )
