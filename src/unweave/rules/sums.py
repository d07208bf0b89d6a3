"""Sums over all frames, of which every thread brings some portions: the same to the bit for any number of threads.

    S = Σ_groups ( Σ_{portions of the group} S_p ),     inner sums in the dtype of V, the outer one in float64

The order is fixed. Whoever brings the last portion of a group adds up the group, while its numbers are still in a
cache; what is left for the end, when all but one thread wait, is an eighth of it.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix, roomy, whole_rows

__all__ = ["PortionSums"]

_GROUP = 8
"""Portions that are added up in the dtype of V."""


class PortionSums:
    """Matrices of the shape of ``factor``, one a portion, and their sum.

    ``parts``: ``(portions, rows, columns)``, with room behind the rows, as whole ones are added up faster.
    """

    def __init__(self, n_portions: int, factor: Matrix) -> None:
        n_rows, self.n_columns = factor.shape
        room = whole_rows(roomy(n_portions * n_rows, self.n_columns, factor.dtype))
        self.parts = room.reshape(n_portions, n_rows, -1)
        self.missing = [0] * -(-n_portions // _GROUP)
        self.lock = threading.Lock()

    def begin(self) -> None:
        """Nothing has been brought yet."""
        count = len(self.parts)
        self.missing = [min(_GROUP, count - first) for first in range(0, count, _GROUP)]

    def bring(self, portion: int) -> None:
        """``parts[portion]`` is complete."""
        group = portion // _GROUP
        with self.lock:
            self.missing[group] -= 1
            last = not self.missing[group]
        if last:
            first, *others = self.parts[group * _GROUP : (group + 1) * _GROUP]
            for other in others:
                first += other

    def total(self) -> NDArray[np.float64]:
        """The sum of all portions in float64, once all were brought."""
        total: NDArray[np.float64] = np.sum(self.parts[::_GROUP], axis=0, dtype=np.float64)
        return total[:, : self.n_columns]
