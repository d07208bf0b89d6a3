"""FluCoMa's random numbers, draw for draw: the 64-bit Mersenne twister of the C++ library.

    x[k + 312] = x[k + 156] ⊕ A (upper 33 bits of x[k], lower 31 bits of x[k + 1])

so that a seed stands for the same start here and there: `bufnmf` with ``seed=42`` begins where BufNMF does. NumPy's own
twister is the one of 32 bits, whose numbers are others.

Conventions: uniform from 0 to below 1, a 64-bit number for each. Matrices are filled column by column, which is basis
after basis and frame after frame; bases and activations begin from the same seed each, as they do there.

Reference: T. Nishimura, Tables of 64-bit Mersenne twisters, ACM TOMACS 10(4), 2000, doi:10.1145/369534.369540.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.errors import InvalidInput
from unweave.flucoma.ranges import whole

__all__ = ["Twister", "random_factors", "seed_of"]

Words = NDArray[np.uint64]
Numbers = NDArray[np.float64]

_SIZE, _HALF = 312, 156
_UPPER, _LOWER = np.uint64(0xFFFFFFFF80000000), np.uint64(0x7FFFFFFF)
_MATRIX = np.uint64(0xB5026F5AA96619E9)
_ONE = np.uint64(1)
_TEMPERING = (
    (-29, 0x5555555555555555),
    (17, 0x71D67FFFEDA60000),
    (37, 0xFFF7EEE000000000),
    (-43, 0xFFFFFFFFFFFFFFFF),
)
"""Shifts, left where positive, and the masks behind them."""


class Twister:
    """``std::mt19937_64``.

    Examples
    --------
    >>> int(Twister(5489).words(10000)[-1])
    9981545732273789042
    """

    def __init__(self, seed: int) -> None:
        state = [seed % 2**64]
        for k in range(1, _SIZE):
            state.append((6364136223846793005 * (state[-1] ^ state[-1] >> 62) + k) % 2**64)
        self._state: Words = np.array(state, np.uint64)
        self._left: Words = np.zeros(0, np.uint64)

    def words(self, count: int) -> Words:
        """The next ``count`` numbers of 64 bits."""
        blocks = [self._left]
        while sum(block.size for block in blocks) < count:
            blocks.append(self._next())
        drawn = np.concatenate(blocks)
        self._left = drawn[count:]
        return drawn[:count]

    def uniform(self, *shape: int) -> Numbers:
        """Numbers from 0 to below 1, the last axis first."""
        drawn = self.words(int(np.prod(shape))).astype(np.float64) / 2.0**64
        return np.minimum(drawn, np.nextafter(1.0, 0.0)).reshape(shape)

    def _next(self) -> Words:
        """Twist the state; the first half of the new one is made of the old, the second of the first."""
        x = self._state
        x[:_HALF] = x[_HALF:] ^ _twisted(x[:_HALF], x[1 : _HALF + 1])
        x[_HALF:-1] = x[: _HALF - 1] ^ _twisted(x[_HALF:-1], x[_HALF + 1 :])
        x[-1:] = x[_HALF - 1 : _HALF] ^ _twisted(x[-1:], x[:1])
        out = x.copy()
        for shift, mask in _TEMPERING:
            size = np.uint64(abs(shift))
            out ^= ((out << size) if shift > 0 else (out >> size)) & np.uint64(mask)
        return out


def _twisted(upper: Words, lower: Words) -> Words:
    joined = (upper & _UPPER) | (lower & _LOWER)
    return (joined >> _ONE) ^ np.where(joined & _ONE, _MATRIX, np.uint64(0))


def seed_of(seed: object) -> int:
    """The seed that a number stands for: -1, where FluCoMa draws one by chance, is 0 here."""
    number = whole("seed", seed)
    if not -1 <= number < 2**63:
        raise InvalidInput(f"seed={number} is not from -1, which stands for 0, to {2**63 - 1}.")
    return max(0, number)


def random_factors(seed: int, n_bins: int, n_components: int, n_frames: int) -> tuple[Numbers, Numbers]:
    """Bases ``(bins, components)`` and activations ``(components, frames)`` that BufNMF begins from.

    Examples
    --------
    >>> bases, activations = random_factors(42, 3, 2, 4)
    >>> bases.shape, activations.shape, bool(bases[0, 0] == activations[0, 0])
    ((3, 2), (2, 4), True)
    """
    bases = Twister(seed).uniform(n_components, n_bins).T
    activations = Twister(seed).uniform(n_frames, n_components).T
    return bases, activations
