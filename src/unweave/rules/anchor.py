"""Bases that are let go slowly: semi-adaptive NMF.

    W ← α W₀ + (1 - α) W,      α = 1 - i / n   in iteration i = 0, 1, … n - 1,  and 0 from then on

after every step of the bases. A template that is free from the start is soon something else; one that is kept does not
fit the recording. Held at first, it finds its activations; let go, it takes on the sound of the recording and stays
what it stands for.

Reference: C. Dittmar, D. Gärtner, Real-time transcription and separation of drum recordings based on NMF decomposition,
DAFx 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix

__all__ = ["Anchor"]


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """Where bases come from, and over how many iterations they are let go.

    Parameters
    ----------
    bases : ``(components, bins)``
        W₀; only rows with ``adapt`` above 0 count.
    adapt : int ``(components,)``
        n; 0 is free at once.
    """

    bases: Matrix
    adapt: NDArray[np.int64]

    @property
    def end(self) -> int:
        """The iteration from which on all are free."""
        return int(self.adapt.max(initial=0))

    def hold(self, bases: Matrix, iteration: int) -> None:
        """Draw bases towards where they come from, in place."""
        if iteration >= self.end:
            return
        alpha = np.clip(1 - iteration / np.maximum(self.adapt, 1), 0, 1)
        alpha[self.adapt == 0] = 0
        held = alpha > 0
        share = alpha[held, None].astype(bases.dtype)
        bases[held] = share * self.bases[held] + (1 - share) * bases[held]
