"""How much of each stroke is which drum: a convolutive factorisation that knows when something is struck.

    V[n, b] ≈ F[n, b] + Σ_i Σ_k H[i, k] W_k[n - n_i, b]

V are magnitudes in the bands of `unweave.drums.strokes`, n_i the frames of the strokes, W_k templates of 30 frames (174
ms) that begin 6 frames before the stroke, each of one class, H[i, k] how much of template k sounds in stroke i. F is
what sounds on: the least of V within 90 ms on either side. Activations exist at strokes only, so that this is NMFD with
an informed start and hard zeros elsewhere, and some thousand times smaller than the spectrogram's. Both factors move by
the multiplicative steps of the Kullback-Leibler divergence; templates begin as what was learned from many kits and end
as the recording's own,

    W ← (1 - α c_k) W⁰ + α c_k W',   α = (iteration / iterations)²,   c_k = N_k / (N_k + 2),

as far as N_k, the number of strokes in which they sound, lets them: a class that hardly plays stays what it was.

References: P. Smaragdis, ICA 2004, doi:10.1007/978-3-540-30110-3_63. C. Dittmar, D. Gärtner, Real-time transcription
and separation of drum recordings based on NMF decomposition, DAFx 2014 (semi-adaptive bases).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unweave.drums.strokes import Strokes
from unweave.threads import single_blas

__all__ = ["LEAD", "TAPS", "evidence", "fit_strokes"]

LEAD, TAPS = 6, 30
"""Frames of a template before the stroke, and in all."""

_ITERATIONS = 25
_SEGMENT = 1200  # strokes that are fitted together
_TINY = 1e-9
_SILENCE = 1e-4  # magnitude that is always there

Floats = NDArray[np.float32]
Owners = NDArray[np.int64]


def fit_strokes(strokes: Strokes, odds: Floats, templates: Floats, owners: Owners) -> Floats:
    """Fit the templates of all classes to a recording.

    Parameters
    ----------
    strokes : Strokes
    odds : float32 ``(strokes, classes)``
        What each stroke is taken for at the start, as log odds.
    templates : float32 ``(templates, TAPS, bands)``
        Each of sum one.
    owners : int ``(templates,)``
        Which class each belongs to.

    Returns
    -------
    float32 ``(strokes, classes)``
        Magnitude of each class in each stroke, summed over bands and taps. Long recordings are fitted in pieces.
    """
    amounts = np.zeros(odds.shape, np.float32)
    magnitudes = np.sqrt(strokes.powers)
    with single_blas():
        for begin in range(0, len(odds), _SEGMENT):
            piece = slice(begin, begin + _SEGMENT)
            first = max(int(strokes.frames[piece][0]) - TAPS, 0)
            last = int(strokes.frames[piece][-1]) + 2 * TAPS
            frames = strokes.frames[piece] - first
            found = _Fit(magnitudes[first:last], frames, odds[piece], templates, owners).run()
            for number in range(odds.shape[1]):
                amounts[piece, number] = found[:, owners == number].sum(axis=1)
    return amounts


def evidence(amounts: Floats, odds: Floats) -> tuple[Floats, Floats]:
    """What the amounts say for each class: beside its usual amount in this recording, and beside the other classes.

    Both are natural logarithms, clipped: -2 to 2 and -2.5 to 1.5; 0 says nothing.
    """
    relative = np.zeros_like(amounts)
    for number in range(amounts.shape[1]):
        sure = amounts[odds[:, number] > 0, number]
        usual = float(np.percentile(sure, 75)) if len(sure) else float(amounts[:, number].max(initial=0.0))
        relative[:, number] = amounts[:, number] / max(usual, _TINY)
    share = amounts / np.maximum(amounts.sum(axis=1, keepdims=True), _TINY)
    logs = [np.log(np.maximum(ratio, 1e-3)) for ratio in (relative, share)]
    return np.clip(logs[0], -3, 1) + 1, np.clip(logs[1], -4, 0) + np.float32(1.5)


class _Fit:
    """One piece of a recording."""

    def __init__(self, V: Floats, frames: Owners, odds: Floats, templates: Floats, owners: Owners) -> None:
        n_frames, n_bands = V.shape
        self.shape = (len(frames), TAPS, n_bands)
        self.where = frames[:, None] + np.arange(TAPS)
        self.padded = np.zeros((n_frames + LEAD + TAPS, n_bands), np.float32)
        self.padded[LEAD : LEAD + n_frames] = V
        self.floor = np.full_like(self.padded, _SILENCE)
        self.floor[LEAD : LEAD + n_frames] += _sounding_on(V)
        self.prior = templates.reshape(len(templates), -1)
        chances = 1 / (1 + np.exp(-odds))
        total = self.padded[self.where].sum(axis=(1, 2))
        start = (chances[:, owners] + 0.005) * (total / np.maximum(chances.sum(axis=1), 0.3))[:, None]
        self.H = (start / np.bincount(owners)[owners]).astype(np.float32)
        self.W = self.prior.copy()

    def run(self) -> Floats:
        """All iterations; returns the activations ``(strokes, templates)``."""
        for iteration in range(_ITERATIONS):
            self.H *= (self._quotients() @ self.W.T) / (self.W.sum(axis=1) + _TINY)
            moved = self.W * (self.H.T @ self._quotients())
            moved /= moved.sum(axis=1, keepdims=True) + _TINY
            audible = 0.2 * np.maximum(self.H.max(axis=0), _TINY)
            heard = np.greater(self.H, audible).sum(axis=0)[:, None]
            share = (((iteration + 1) / _ITERATIONS) ** 2 * heard / (heard + 2)).astype(np.float32)
            self.W = (1 - share) * self.prior + share * moved
            self.W /= self.W.sum(axis=1, keepdims=True) + _TINY
        found: Floats = self.H
        return found

    def _quotients(self) -> Floats:
        """V over its approximation, at the taps of every stroke; ``(strokes, taps * bands)``."""
        approximation, parts = self.floor.copy(), (self.H @ self.W).reshape(self.shape)
        for tap in range(TAPS):  # at one tap, no two strokes share a frame
            approximation[self.where[:, tap]] += parts[:, tap]
        quotients: Floats = (self.padded / approximation)[self.where].reshape(self.shape[0], -1)
        return quotients


def _sounding_on(V: Floats) -> Floats:
    """The least within 15 frames on either side, smoothed."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    return np.asarray(uniform_filter1d(minimum_filter1d(V, 31, axis=0), 9, axis=0), np.float32)
