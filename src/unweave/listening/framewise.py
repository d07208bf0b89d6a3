"""Single frames explained by bases, as they come: activations, masks, and bases that follow what is heard.

    v ≈ W h,   h ← h ⊙ Wᵀ(v ⊘ W h)   with columns of W that sum to one,

multiplicative steps for the Kullback-Leibler divergence, a fixed number of them for every frame, so that the cost of a
frame is known. They begin where the last frame ended, with a tenth of its level given to all components alike, so that
one that was silent can come back. Frames overlap, and a sound goes on from one to the next: with a hop of an eighth of
the window ten steps then come four times as near to the minimum as from a flat start (an excess of 1.9 instead of 7.4 %
of the divergence on drums).

Bases that learn follow the stream: after each frame

    w_k ← (1 - a_k) w_k + a_k w_k ⊙ (v ⊘ W h) / g_k,   g = Wᵀ(v ⊘ W h),   a_k = (1 - ρ) h_k / max h_k,

a step of online majorisation-minimisation whose length is the share ρ that is forgotten, for loud frames; quiet ones
teach little, and silence nothing. Zeros stay zeros.

Conventions: float32; the bins of all channels one after the other; ``W`` is kept by rows, ``(components, bins)``, for
products of a vector with it read memory in order. Masks are those of `unweave.masks`.

References: D. D. Lee, H. S. Seung, Algorithms for non-negative matrix factorization, NIPS 2001. O. Cappé, E. Moulines,
On-line expectation-maximization algorithm for latent data models, JRSS B 71(3), 2009,
doi:10.1111/j.1467-9868.2009.00698.x. A. Lefèvre, F. Bach, C. Févotte, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave.arrays import EPSILON, Complex, Mask, Matrix

__all__ = ["FrameMasks", "FrameModel", "Steps", "distinct", "membership"]

_REVIVAL = 0.1
"""Share of a frame's level that all components alike are given before the first step."""

_SILENT = 1e-25
"""Sum of the magnitudes of a frame below which it is silence: 500 dB down."""

_VANISHED = np.float32(1e-25)
"""Share of a basis that nobody could hear; subnormal numbers, which are slow, are far below."""

_EXACT_POWER = 2.0
"""Greatest exponent for which masks in float32 tell components 240 dB apart; above it they are made in float64."""


def distinct(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without repetitions, in the order in which they first come."""
    return tuple(dict.fromkeys(labels))


def membership(labels: Sequence[str]) -> Matrix | None:
    """1 where a component (column) belongs to a label (row); None where each has its own."""
    names = distinct(labels)
    if len(names) == len(labels):
        return None
    return np.array([[label == name for label in labels] for name in names], np.float32)


@dataclass(frozen=True, slots=True)
class Steps:
    """How a frame is explained: how often ``h`` moves, from where, and how much bases that learn forget."""

    n_iter: int
    warm_start: bool
    learns: Mask
    step: float  # 1 - ρ for a frame


class FrameModel:
    """Bases, and the activations of the frame that was explained last.

    Parameters
    ----------
    bases : ``(channels, bins, components)``
    steps : Steps
    """

    def __init__(self, bases: Matrix, steps: Steps) -> None:
        self.given, self.steps = bases, steps
        rows = bases.reshape(-1, bases.shape[2]).T.astype(np.float64)
        self.lengths = rows.sum(axis=1)
        self.W = np.ascontiguousarray(rows / np.where(self.lengths > 0, self.lengths, 1)[:, None], np.float32)
        self.W[self.W < _VANISHED] = 0
        self._inverse = np.divide(1, self.lengths, out=np.zeros(len(rows)), where=self.lengths > 0)
        n_components, n_bins = self.W.shape
        self.h = np.zeros(n_components, np.float32)  # in shares of the frame's level
        self.level = 0.0
        self._loudest = np.zeros(n_components)
        self._v, self._model = np.empty((2, n_bins), np.float32)
        self._gain = np.empty(n_components, np.float32)
        self._epsilon = np.float32(EPSILON / n_bins)

    @property
    def n_components(self) -> int:
        """How many bases there are."""
        return len(self.W)

    @property
    def bases(self) -> Matrix:
        """The bases ``(channels, bins, components)`` as they are now, at the scale that they were given at."""
        now = (self.W * self.lengths[:, None]).astype(np.float32).T.reshape(self.given.shape)
        return np.where(self.steps.learns, now, self.given)

    @property
    def activations(self) -> Matrix:
        """Activations of the last frame for the bases as they were given, float64."""
        found: Matrix = self.h * (self._inverse * self.level)
        return found

    def follow(self, other: FrameModel) -> None:
        """Begin the next frame where another model has ended."""
        if other.n_components == self.n_components:
            self.h[:], self.level = other.h, other.level

    def explain(self, magnitudes: Matrix) -> None:
        """Find the activations of the next frame, ``(bins,)``; let bases that learn follow it."""
        level = float(magnitudes.sum())
        if level < _SILENT:
            self.h.fill(0)
            self.level = 0.0
            return
        h, model, gain, epsilon = self.h, self._model, self._gain, self._epsilon
        v = np.divide(magnitudes, np.float32(level), out=self._v)
        if self.steps.warm_start:
            h *= np.float32(min(1.0, self.level / level))
            h += np.float32(_REVIVAL / h.size)
        else:
            h.fill(1 / h.size)
        for _ in range(self.steps.n_iter):
            np.dot(h, self.W, out=model)
            np.add(model, epsilon, out=model)
            np.divide(v, model, out=model)
            np.dot(self.W, model, out=gain)
            np.multiply(h, gain, out=h)
        self.level = level
        if self.steps.learns.any():
            self._learn()

    def _learn(self) -> None:
        """Let the bases that learn take a step towards the last frame."""
        heard = self.h * self.level
        self._loudest = np.maximum(heard, self._loudest * (1 - self.steps.step))
        np.dot(self.h, self.W, out=self._model)
        np.add(self._model, self._epsilon, out=self._model)
        np.divide(self._v, self._model, out=self._model)
        np.dot(self.W, self._model, out=self._gain)
        known = self.steps.learns & (self._gain > 0) & (self._loudest > 0)
        rate = np.where(known, self.steps.step * heard / np.where(known, self._loudest, 1), 0)
        drawn = rate / np.where(known, self._gain, 1)
        factors = np.multiply.outer(drawn.astype(np.float32), self._model)
        factors += (1 - rate).astype(np.float32)[:, None]
        moved = self.W * factors
        sums = moved.sum(axis=1, keepdims=True)
        np.divide(moved, sums, out=self.W, where=known[:, None] & (sums > 0))
        np.maximum(self.W, _VANISHED, out=self.W, where=known[:, None] & (self.W > 0))  # what fades can come back


class FrameMasks:
    """The masks of a `FrameModel`, put on the spectra of its frames.

    Every component's share of a bin is floored by the same next to nothing, which makes the shares equal where no
    component has any energy.
    """

    def __init__(self, model: FrameModel, members: Matrix | None, power: float) -> None:
        self.power, self._members = power, members
        exact = power <= _EXACT_POWER
        self._dtype = np.dtype(np.float32 if exact else np.float64)
        self._floor = self._dtype.type(1e-24 if exact else 1e-200)
        n_components, n_bins = model.W.shape
        n_sounds = n_components if members is None else len(members)
        counts = np.ones(n_components) if members is None else members.sum(axis=1)
        self._floors = (counts * self._floor).astype(self._dtype)[:, None]
        self._shares = np.empty((n_sounds, 2 * n_bins), self._dtype)
        self._total = np.empty(2 * n_bins, self._dtype)
        self._out = np.empty((n_sounds, n_bins), np.complex64)
        self.renew(model)

    def renew(self, model: FrameModel) -> None:
        """Take the bases of the model as they are now."""
        largest = model.W.max(axis=0)
        scaled = (model.W / np.where(largest > 0, largest, 1)).astype(self._dtype)
        # Every bin twice, for its real and its imaginary part: products of real numbers are several times as fast.
        self._W = np.repeat(scaled**self.power, 2, axis=1)

    def apply(self, model: FrameModel, spectrum: Complex) -> Complex:
        """The spectra ``(sounds, channels, bins)`` of the sounds that the frame is the sum of; our own memory."""
        h = model.h.astype(self._dtype)
        largest = h.max()
        if largest > 0:
            h /= largest
        if self.power != 1:
            h **= self.power
        total = np.dot(h, self._W, out=self._total)
        total += h.size * self._floor
        np.divide(spectrum.reshape(-1).view(np.float32), total, out=total)
        if self._members is None:
            np.multiply(self._W, h[:, None], out=self._shares)
        else:
            np.dot((self._members * h).astype(self._dtype), self._W, out=self._shares)
        self._shares += self._floors
        parts = self._out.view(np.float32)
        np.multiply(self._shares, total, out=parts, casting="same_kind")
        return self._out.reshape(-1, *spectrum.shape)
