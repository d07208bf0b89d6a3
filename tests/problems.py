"""Matrices that every rule has to get along with. A new rule inherits every law by being in `RULES`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """A matrix to factorise, and into how many components."""

    name: str
    V: NDArray[Any]
    n_components: int


def _cases() -> list[Case]:
    rng = np.random.default_rng(440)
    exact = rng.random((12, 3)) @ rng.random((3, 20))
    gamma = rng.gamma(0.3, 1.0, (33, 57))
    gaps = np.where(rng.random((20, 30)) < 0.4, 0.0, rng.random((20, 30)))
    gaps[:, 7:11] = 0  # frames of digital silence
    gaps[3] = 0  # a bin that never sounds
    return [
        Case("an exact product", exact, 3),
        Case("a spectrogram-like matrix", gamma, 4),
        Case("one with silent frames and bins", gaps, 3),
        Case("one frame", rng.random((9, 1)), 2),
        Case("one bin", rng.random((1, 14)), 2),
        Case("more components than frames", rng.random((8, 3)), 6),
        Case("one entry", np.array([[0.7]]), 1),
        Case("very small numbers", gamma * 1e-20, 3),
        Case("very large numbers", gamma * 1e20, 3),
        Case("a range of 200 dB", gamma ** 12, 3),
        Case("several blocks of frames", rng.gamma(0.5, 1.0, (17, 700)), 5),
    ]  # fmt: skip


CASES = _cases()
BETAS = (-1.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
