"""Autoregressive models of short stretches of sound: what every sample is expected to be from those before it.

    x[n] = Σ_k a_k x[n - k] + e[n],      k = 1 … order.

The coefficients solve the Yule-Walker equations of the windowed autocorrelation. A stroke would spoil them, so the
model is made robust: samples that differ from what is expected by more than three deviations are moved to three
deviations (Huber), and the model is made again, three times.

The recursion in that step depends on its own output, but only where a sample is moved: errors are computed for the
whole stretch at once, and every move is carried on into the ``order`` errors after it.

Missing samples are filled in so that the sum of the squared errors of the stretch is least (Janssen et al. 1986).

Convention: float64 throughout, and sums in one order, so that a stretch has the same model in a stream and in a file.

References: S. J. Godsill, P. J. W. Rayner, Digital Audio Restoration, Springer 1998, doi:10.1007/978-1-4471-1561-8.
A. J. E. M. Janssen, R. N. J. Veldhuis, L. B. Vries, Adaptive interpolation of discrete-time signals that can be
modeled as autoregressive processes, IEEE Trans. ASSP 34(2), 1986, doi:10.1109/TASSP.1986.1164824.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.framing import STFT, window_values
from unweave.threads import single_blas

__all__ = ["Predictor", "filled_in", "robust_predictor"]

Floats = NDArray[np.float64]

_ROUNDS = 3
_DEVIATIONS = 3.0
_LEAST_VARIANCE = 1e-7
"""Floor of the variance of the errors: 70 dB below full scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """Coefficients ``(order,)`` for the samples before, the nearest first, and the variance of the errors."""

    coefficients: Floats
    variance: float

    @property
    def order(self) -> int:
        """How many samples before a sample it is expected from."""
        return self.coefficients.size

    def errors(self, samples: Floats) -> Floats:
        """What every sample but the first ``order`` differs by from what is expected from those before it."""
        return _errors(samples, self.coefficients)

    def backward_errors(self, samples: Floats) -> Floats:
        """The same in reverse: for every sample but the last ``order``, from those after it."""
        return _errors(samples[::-1], self.coefficients)[::-1]


def _errors(samples: Floats, coefficients: Floats) -> Floats:
    from scipy.ndimage import correlate1d

    order = coefficients.size
    taps = np.zeros(2 * order + 1)  # centred, as the filter is; the second half is of the future
    taps[:order] = -coefficients[::-1]
    taps[order] = 1
    found: Floats = correlate1d(samples, taps, mode="constant")[order:]
    return found


@lru_cache(maxsize=8)
def _window(size: int) -> Floats:
    return window_values(STFT(size + size % 2, 1, size)) if size >= 2 else np.ones(size)


def _autocorrelation(samples: Floats, order: int) -> Floats:
    """Of the windowed samples, for lags from 0 to ``order``."""
    size = 1 << (2 * samples.size - 1).bit_length()  # at least twice as long, so that nothing comes around
    spectrum = scipy.fft.rfft(samples * _window(samples.size), size)
    power = (spectrum * spectrum.conj()).real
    found: Floats = scipy.fft.irfft(power, size)[: order + 1] / samples.size
    return found


def _solved(autocorrelation: Floats) -> Floats | None:
    """The coefficients; None where there are none, as for silence."""
    from scipy.linalg.lapack import dposv

    order = autocorrelation.size - 1
    matrix = autocorrelation[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
    _, found, failed = dposv(matrix, autocorrelation[1:])
    return None if failed or not np.isfinite(found).all() else found


def _clipped_variance(errors: Floats, limit: float) -> float:
    clipped = np.minimum(np.maximum(errors, -limit), limit)
    return max(_LEAST_VARIANCE, float(np.square(clipped).sum()) / errors.size)


def robust_predictor(samples: Floats, order: int) -> Predictor | None:
    """The model of a stretch in which strokes may lie.

    Parameters
    ----------
    samples : ``(order + n,)``
        The first ``order`` are what came before the stretch.
    order : int

    Returns
    -------
    Predictor or None
        None where there is nothing that could be modelled, as in silence.
    """
    lags = _autocorrelation(samples[order:], order)
    found = _solved(lags)
    if found is None:
        return None
    size = samples.size - order
    # A first guess that lies far below the variance; the rounds let it grow, to what most samples agree on.
    explained = sum((found * np.append(lags[order - 1 : 0 : -1], lags[order])).tolist())
    guess = float(lags[0] - explained) / size
    errors = _errors(samples, found)
    variance = _clipped_variance(errors, _DEVIATIONS * math.sqrt(max(_LEAST_VARIANCE, guess)))
    for _ in range(_ROUNDS):
        limit = _DEVIATIONS * math.sqrt(variance)
        moves = _moves(errors, found, limit)
        cleaned = samples.copy()
        cleaned[order:] -= moves
        again = _solved(_autocorrelation(cleaned[order:], order))
        if again is None:
            return None
        found = again
        variance = _clipped_variance(_errors(cleaned, found) + moves, limit)
        errors = _errors(samples, found)
    return Predictor(found, variance)


def _moves(errors: Floats, coefficients: Floats, limit: float) -> Floats:
    """By how much samples are moved so that none differs by more than ``limit`` from what the moved ones predict."""
    order, taps = coefficients.size, coefficients.tolist()
    waiting = [*errors.tolist(), *[0.0] * order]
    moves = np.zeros(errors.size)
    for n in range(errors.size):
        error = waiting[n]
        if -limit <= error <= limit:
            continue
        move = error - limit if error > limit else error + limit
        moves[n] = move
        after = slice(n + 1, n + 1 + order)
        waiting[after] = [each + tap * move for each, tap in zip(waiting[after], taps, strict=True)]
    return moves


def filled_in(samples: Floats, missing: NDArray[np.bool_], predictor: Predictor) -> Floats:
    """The values of the missing samples that make the squared errors of a stretch least.

    Parameters
    ----------
    samples : ``(order + n,)``
        The first ``order`` are what came before, and are not missing.
    missing : bool ``(n,)``
    predictor : Predictor

    Returns
    -------
    ``(missing.sum(),)``
    """
    order, places = predictor.order, np.flatnonzero(missing)
    known = samples.copy()
    known[order:][missing] = 0
    filter_ = np.zeros(order + 3)  # its last entry stands for all places that it does not reach
    filter_[0], filter_[1 : order + 1] = 1, -predictor.coefficients
    lag = np.arange(missing.size)[:, None] - places
    reach = filter_[np.where((lag >= 0) & (lag <= order), lag, order + 1)]
    with single_blas():
        found = np.linalg.solve(reach.T @ reach, -(reach.T @ predictor.errors(known)))
    return np.asarray(found, np.float64)
