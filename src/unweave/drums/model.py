"""A drum recording as a sum of strokes: how loud each is, and what each class of drum sounds like.

    V[n, b] ≈ Σ_s Σ_r g[s, r] W_c(s),r[n - n_s, b]     over the frames n_s ≤ n < n_s + l_s of every stroke s

V are magnitudes in narrow bands (`stem_bands`), n_s the frame in which a stroke begins, c(s) its class, W_c,r the short
spectrograms of the class, two a class: a drum that is struck softly is another sound than the same drum turned down,
and a hi-hat is open or closed. g are the only activations: a class sounds where it was struck and nowhere else. It is
NMFD with hard zeros, and a hundred times smaller. A hi-hat ends where it is struck again (l_s), since the new stroke
stops the old one.

Both factors move by the multiplicative steps of the Kullback-Leibler divergence,

    g[s, r] ← g[s, r] Σ W Q / Σ W,   W_c,r ← W_c,r Σ_s g Q / Σ_s g,   Q = V / model,

under which neither ever raises it, but for one thing: a drum that has been struck dies away. After 24 frames no
frequency of W grows by more than half again, or else the tail of a drum that was left alone once takes in whatever was
struck meanwhile and not found. Only a hi-hat may, while it is shut.

Between the first steps every stroke is moved to where it fits best, by up to two frames at a time: drums that are
struck together are seldom struck at the same moment.

The start decides: two drums that are always struck together can be told apart only by what drums sound like. W begins
as quantiles, bin by bin, over all strokes of the class, a low one and a high one, of the recording's own spectrogram,
times the share that the class has there in the kits that were learned (`unweave.drums.kits`) against the other classes
that play.

References: P. Smaragdis, ICA 2004, doi:10.1007/978-3-540-30110-3_63. C. Dittmar, M. Müller, Reverse engineering the
Amen break, IEEE/ACM TASLP 24(9), 2016, doi:10.1109/TASLP.2016.2567645 (onset-informed starts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.drums.fit import LEAD as KIT_LEAD
from unweave.drums.kits import CLASSES, shipped
from unweave.drums.strokes import FRAME, band_edges
from unweave.framing import STFT
from unweave.threads import single_blas

__all__ = ["LEAD", "LONGEST", "Strikes", "StrokeModel", "learned_shares", "stem_bands"]

TAPS = 80
"""Frames of a stroke, 6 ms each: 0.46 s; of a cymbal three times as many."""

LONGEST = 3 * TAPS
"""Frames of the longest stroke."""

LEAD = 2
"""Frames that reach over a stroke's beginning, before it."""

_PER_OCTAVE = 24
_USUAL = {"kick": 1.0, "snare": 1.0, "hihat": 0.35, "tom": 0.7, "cymbal": 0.5}  # magnitudes, one beside the other
_LOW = 350.0  # Hz; below, long windows know what drums sound like
_CONTRAST = 2.0  # exponent of what was learned
_QUANTILES = {"hihat": (0.2, 0.8)}
_OTHERS = (0.1, 0.6)
_LEAST = 1e-5  # of the mean: an exact zero would stay one
_EPSILON = 1e-5  # of the mean of V
_FIRST = 2  # iterations in which the sounds are kept
_CHOKED = ("hihat",)
_FREE, _MEAN, _GROWTH = 24, 8, 1.5  # frames, frames, and how much louder than it was a tail may become
_ALIGNED = (2, 4, 7, 10, 15, 20)  # iterations before which strokes are moved
_REACH, _ATTACK = 2, 16  # frames: how far, and what is looked at

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Strikes:
    """Which class is struck in which frame, and about how loud; ``(strokes,)`` each, in order of time."""

    frames: Numbers
    owners: Numbers
    gains: Floats

    def within(self, begin: int, end: int) -> Strikes:
        """Those from frame ``begin`` to ``end`` (exclusive), counted from ``begin``."""
        chosen = (begin <= self.frames) & (self.frames < end)
        return Strikes(self.frames[chosen] - begin, self.owners[chosen], self.gains[chosen])


def stem_bands(stft: STFT) -> Numbers:
    """First bin of every band, and one past the last bin: single bins, then bands of a 24th of an octave."""
    edges = [0]
    while edges[-1] < stft.n_bins:
        width = max(1, round(edges[-1] * (2 ** (1 / _PER_OCTAVE) - 1)))
        edges.append(min(stft.n_bins, edges[-1] + width))
    return np.array(edges, np.int64)


def learned_shares(classes: Sequence[str], hertz: ArrayLike, seconds: ArrayLike) -> Floats:
    """What share of a frequency, so long after a stroke, each of some classes has in the kits that were learned.

    Returns float32 ``(classes, seconds, hertz)``; over the classes they sum to one.
    """
    kits, (centres, short) = shipped(), band_edges()
    taps = np.clip(np.asarray(seconds) / FRAME + KIT_LEAD, 0, kits.templates.shape[1] - 1)
    at = np.log(np.maximum(hertz, 20.0))
    levels = []
    for name in classes:
        mean = kits.templates[kits.owners == CLASSES.index(name)].mean(axis=0) * _USUAL[name]
        moved = np.stack([np.interp(taps, np.arange(len(mean)), band) for band in mean.T], axis=1)
        high, low = (
            np.stack([np.interp(at, np.log(centres[which]), frame[which]) for frame in moved])
            for which in (short, ~short)
        )
        levels.append(np.where(np.asarray(hertz) > _LOW, high, low) ** _CONTRAST + 1e-20)
    return np.asarray(np.array(levels) / np.sum(levels, axis=0), np.float32)


class StrokeModel:
    """The strokes of one piece of a recording, fitted to its magnitudes.

    Parameters
    ----------
    V : float32 ``(frames, bands)``
        Several channels stand side by side.
    strikes : Strikes
        Their frames count from the first of V; owners are indices into ``classes``.
    classes : sequence of str
    shares : float32 ``(classes, LONGEST, bands)``
        As `learned_shares` gives them, for the frames from `LEAD` before the stroke on.
    """

    def __init__(self, V: Floats, strikes: Strikes, classes: Sequence[str], shares: Floats) -> None:
        self.n_frames, self.n_bands = V.shape
        self.owners, self.frames, self.classes = strikes.owners, strikes.frames, tuple(classes)
        self.taps = [LONGEST if name == "cymbal" else TAPS for name in self.classes]
        padded = np.zeros((self.n_frames + LEAD + LONGEST, self.n_bands), np.float32)
        padded[LEAD : LEAD + self.n_frames] = V
        self.V = padded.ravel()
        self.epsilon = np.float32(_EPSILON * float(V.mean(dtype=np.float64)) + 1e-30)
        self.lengths = self._lengths()
        self.W: list[Floats] = []
        self.gains: list[Floats] = [np.zeros(0, np.float32)] * len(self.frames)
        for owner, share in enumerate(shares):
            self._begin(owner, share, strikes.gains)

    def run(self, iterations: int) -> StrokeModel:
        """Fit gains and sounds."""
        with single_blas():
            for iteration in range(iterations):
                if iteration in _ALIGNED:
                    self._align()
                self._move_gains()
                if iteration >= _FIRST:
                    self._move_sounds()
        return self

    def part(self, owner: int) -> Floats:
        """Magnitudes of one class, ``(frames, bands)``."""
        with single_blas():
            whole = self._sum(np.nonzero(self.owners == owner)[0])
        return whole.reshape(-1, self.n_bands)[LEAD : LEAD + self.n_frames]

    def whole(self) -> Floats:
        """Magnitudes of all strokes and a little more, as long as V."""
        with single_blas():
            return self._sum(np.arange(len(self.frames))) + self.epsilon

    def stroke(self, number: int | np.signedinteger) -> Floats:
        """Magnitudes of one stroke, from its first frame on."""
        size = int(self.lengths[number]) * self.n_bands
        return np.asarray(self.gains[number] @ self.W[self.owners[number]][:, :size])

    # -- the start

    def _lengths(self) -> Numbers:
        """How many taps each stroke has."""
        lengths = np.array(self.taps, np.int64)[self.owners]
        for owner, name in enumerate(self.classes):
            if name in _CHOKED:
                mine = np.nonzero(self.owners == owner)[0]
                lengths[mine[:-1]] = np.clip(np.diff(self.frames[mine]) + LEAD + 1, 1, self.taps[owner])
        return lengths

    def _begin(self, owner: int, share: Floats, loudness: Floats) -> None:
        mine, taps = np.nonzero(self.owners == owner)[0], self.taps[owner]
        quantiles = _QUANTILES.get(self.classes[owner], _OTHERS)
        if len(mine) == 0:
            self.W.append(np.zeros((len(quantiles), taps * self.n_bands), np.float32))
            return
        heard = np.full((len(mine), taps, self.n_bands), np.inf, np.float32)
        for row, stroke in enumerate(mine):
            slab = self._slab(stroke)
            length = self.lengths[stroke]
            heard[row, :length] = self.V[slab].reshape(length, -1) / max(float(loudness[stroke]), 0.02)
        heard.sort(axis=0)
        counts = (np.arange(taps) < self.lengths[mine, None]).sum(axis=0)
        sounds = np.stack([_quantile(heard, counts, each) for each in quantiles]) * share[:taps]
        sounds = _dying(sounds)
        sounds += _LEAST * sounds.mean(axis=(1, 2), keepdims=True) + np.float32(1e-30)
        self.W.append(sounds.reshape(len(quantiles), -1))
        for stroke in mine:
            self.gains[stroke] = np.full(len(quantiles), loudness[stroke] / len(quantiles), np.float32)
        self._normalise(owner)

    # -- the steps

    def _slab(self, stroke: int | np.signedinteger) -> slice:
        """Where the frames of a stroke lie in V."""
        begin = int(self.frames[stroke]) * self.n_bands
        return slice(begin, begin + int(self.lengths[stroke]) * self.n_bands)

    def _sum(self, strokes: NDArray[np.intp]) -> Floats:
        """The sum of some strokes, as long as V."""
        total = np.zeros(self.V.shape, np.float32)
        for stroke in strokes:
            total[self._slab(stroke)] += self.stroke(stroke)
        return total

    def _quotients(self) -> Floats:
        """V over the model."""
        model = self._sum(np.arange(len(self.frames)))
        model += self.epsilon
        return np.asarray(np.divide(self.V, model, out=model))

    def _move_gains(self) -> None:
        quotients = self._quotients()
        sums = [W.reshape(len(W), -1, self.n_bands).sum(axis=2).cumsum(axis=1) for W in self.W]
        for stroke, owner in enumerate(self.owners):
            slab, total = self._slab(stroke), sums[owner][:, self.lengths[stroke] - 1]
            moved = self.W[owner][:, : slab.stop - slab.start] @ quotients[slab]
            self.gains[stroke] = self.gains[stroke] * moved / np.maximum(total, np.float32(1e-30))

    def _move_sounds(self) -> None:
        quotients = self._quotients()
        for owner, W in enumerate(self.W):
            moved, weights = np.zeros_like(W), np.zeros((len(W), self.taps[owner]), np.float32)
            for stroke in np.nonzero(self.owners == owner)[0]:
                slab, gains = self._slab(stroke), self.gains[stroke]
                for layer, gain in enumerate(gains):
                    moved[layer, : slab.stop - slab.start] += gain * quotients[slab]
                weights[:, : self.lengths[stroke]] += gains[:, None]
            known = weights > 0  # where no stroke is that long, the start is left
            shaped = moved.reshape(len(W), -1, self.n_bands) / np.where(known, weights, 1)[..., None]
            W *= np.where(known[..., None], shaped, 1).reshape(W.shape)
            if self.classes[owner] not in _CHOKED:
                W[:] = _dying(W.reshape(shaped.shape)).reshape(W.shape)
            self._normalise(owner)

    def _align(self) -> None:
        """Move every stroke by up to `_REACH` frames to where the divergence of its attack is least.

        Drums that are struck together are seldom struck at the same moment, and one frame decides between them.
        """
        model = self._sum(np.arange(len(self.frames))).reshape(-1, self.n_bands)
        V = self.V.reshape(-1, self.n_bands)
        moved = self.frames.copy()
        for stroke, frame in enumerate(self.frames):
            length = min(_ATTACK, int(self.lengths[stroke]))
            own = self.gains[stroke] @ self.W[self.owners[stroke]][:, : length * self.n_bands]
            own = own.reshape(length, self.n_bands)
            first, last = max(0, frame - _REACH), min(frame + _REACH, self.n_frames - 1)
            heard, others = V[first : last + length], model[first : last + length].copy()
            others[frame - first : frame - first + length] -= own
            np.maximum(others, self.epsilon, out=others)
            gains = []
            for place in range(last - first + 1):
                whole = others[place : place + length] + own
                gain = np.log(whole / others[place : place + length])
                gains.append(float(np.sum(heard[place : place + length] * gain, dtype=np.float64)))
            moved[stroke] = first + int(np.argmax(gains))
        self.frames = moved

    def _normalise(self, owner: int) -> None:
        """Give every sound the sum one; what it contributes stays the same."""
        size = np.maximum(self.W[owner].sum(axis=1), np.float32(1e-30))
        self.W[owner] /= size[:, None]
        for stroke in np.nonzero(self.owners == owner)[0]:
            self.gains[stroke] = self.gains[stroke] * size


def _dying(sounds: Floats) -> Floats:
    """Sounds ``(layers, taps, bands)`` whose tails do not grow much beyond the least mean that was heard before."""
    sums = np.cumsum(np.pad(sounds[:, _FREE - _MEAN :], ((0, 0), (1, 0), (0, 0))), axis=1)
    least = np.minimum.accumulate(np.maximum(sums[:, _MEAN:-1] - sums[:, : -_MEAN - 1], 0), axis=1)
    tails = np.minimum(sounds[:, _FREE:], least * np.float32(_GROWTH / _MEAN))
    return np.concatenate([sounds[:, :_FREE], tails], axis=1)


def _quantile(ordered: Floats, counts: Numbers, share: float) -> Floats:
    """A quantile of the first ``counts[tap]`` rows of ``(rows, taps, bands)``, which ascend; 0 where there are none."""
    position = np.maximum(counts - 1, 0) * share
    low = position.astype(np.int64)
    high, taps = np.minimum(low + 1, np.maximum(counts - 1, 0)), np.arange(ordered.shape[1])
    weight = (position - low)[:, None].astype(np.float32)
    some = (counts > 0)[:, None]
    first, second = (np.where(some, ordered[row, taps], 0) for row in (low, high))
    return np.asarray((1 - weight) * first + weight * second, np.float32)
