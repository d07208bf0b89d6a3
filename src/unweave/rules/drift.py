"""Momentum in logarithms: where a factor was going, how a step goes on from there, and where it is looked for.

    x ← x q^carry r^power,     r the ratio of a plain step, taken at x q^ahead,     q = x / x_before, between ½ and 2

What is kept is log q, the drift. It is carry times the drift before and power times log r, whichever way x went, so no
factor is kept twice. `unweave.rules.extrapolated` has the reasons and the numbers.

Reference: docs/decisions/0001-extrapolated-updates.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unweave.arrays import Matrix

__all__ = ["STILL", "Drift", "Pace"]

_MOST = float(np.log(2))
"""The most that log q is, either way: what fell silent within an iteration is not to be thrown into nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a step goes on from the one before; see the module for its equation. As it comes, it is a plain step."""

    ahead: float = 0.0
    carry: float = 0.0
    power: float = 1.0


STILL = Pace()
"""A plain step."""


class Drift:
    """Log q of every entry of a factor, or of a part of it.

    ``room``, where a method takes it, is an array of the factor's shape to work in; what it holds is lost.
    """

    def __init__(self, log: Matrix) -> None:
        self.log = log

    def part(self, rows: slice) -> Drift:
        """The drift of some rows; it moves with the whole."""
        return Drift(self.log[rows])

    def go_ahead(self, factor: Matrix, pace: Pace, room: Matrix | None = None) -> None:
        """Move the factor, in place, to where its plain step is to be found."""
        if pace is STILL:
            return
        lead: Matrix = np.multiply(self.log, pace.ahead, out=room)
        np.exp(lead, out=lead)
        factor *= lead

    def go_on(self, ratio: Matrix, pace: Pace, room: Matrix | None = None) -> None:
        """Make the ratios of the plain step those that the factor, gone ahead, has to be multiplied by; in place."""
        if pace is STILL:
            return
        with np.errstate(divide="ignore"):
            np.log(ratio, out=ratio)
        ratio *= pace.power
        lead: Matrix = np.multiply(self.log, pace.ahead, out=room)
        self.log *= pace.carry
        self.log += ratio
        np.subtract(self.log, lead, out=ratio)
        np.exp(ratio, out=ratio)
        self._bound()

    def add(self, before: Matrix, after: Matrix) -> None:
        """The factor was moved from ``before`` to ``after`` by somebody else: that is a part of its drift."""
        tiny = np.finfo(before.dtype).tiny  # makes 0 / 0 one
        self.log += np.log((after + tiny) / (before + tiny))
        self._bound()

    def _bound(self) -> None:
        np.clip(self.log, -_MOST, _MOST, out=self.log)
