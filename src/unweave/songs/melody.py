"""The line that a voice or a bass follows: a pitch in every frame, and how sure it is.

    s[t, f] = Σ_{h=1}^{H} 0.8^{h-1} √P[t, h f],      track = argmax Σ_t s̃[t, f_t] - λ |log2 f_t - log2 f_{t-1}|

The sum over harmonics is largest at the pitch that all partials share; half of it is taken off for what lies between
them, which an octave too low would have. The best way through all frames is found by Viterbi's recursion; steps of a
glide or a vibrato cost little, leaps are taken where the next note is clear.

References: J.-L. Durrieu, G. Richard, B. David, C. Févotte, Source/filter model for unsupervised main melody
extraction, IEEE TASLP 18(3), 2010, doi:10.1109/TASL.2010.2041114. J. Salamon, E. Gómez, Melody extraction from
polyphonic music signals using pitch contour characteristics, IEEE TASLP 20(6), 2012, doi:10.1109/TASL.2012.2188515.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.songs.cells import FINE, Cells

__all__ = ["Track", "comb", "pitch_track"]

PER_OCTAVE = 48
"""Steps of the pitch: quarter tones halved."""

N_HARMONICS = 12

_REACH = 8
"""Steps that a pitch may glide from one frame to the next; farther is a leap."""

_LEAP = 0.35
_GLIDE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Hz in every frame, and the share of the power at its harmonics that belongs to the source, 0 to 1."""

    pitches: NDArray[np.float32]
    certainty: NDArray[np.float32]


def pitch_track(cells: Cells, power: Matrix, lowest: float, highest: float) -> Track:
    """The pitch that explains ``power`` (frames, cells), part of the song's, best.

    Parameters
    ----------
    power : float32 ``(frames, cells)``
        What is thought to be of the source.
    lowest, highest : float
        Hz between which the pitch lies.
    """
    pitches = lowest * 2 ** (np.arange(int(np.log2(highest / lowest) * PER_OCTAVE) + 1) / PER_OCTAVE)
    at, between, weights = _harmonic_places(cells, pitches)
    amplitude = np.sqrt(power)
    salience = np.zeros((len(power), pitches.size), np.float32)
    for on, off, weight in zip(at, between, weights, strict=True):
        salience += weight * (_peak(amplitude, on) - 0.5 * _peak(amplitude, off))
    salience /= salience.max(axis=1, keepdims=True).clip(1e-6)
    path = _best_path(np.maximum(salience, 0))
    rows = np.arange(len(power))
    total = sum(weight * _peak(cells.power, on)[rows, path] for on, weight in zip(at, weights, strict=True))
    part = sum(weight * _peak(power, on)[rows, path] for on, weight in zip(at, weights, strict=True))
    certainty = np.clip(part / (total + 1e-6), 0, 1)
    return Track(pitches[path].astype(np.float32), np.asarray(certainty, np.float32))


def _harmonic_places(cells: Cells, pitches: Matrix) -> tuple[NDArray[np.intp], NDArray[np.intp], Matrix]:
    """Cells at the harmonics of each pitch and half a harmonic below, ``(harmonics, pitches)``; their weights."""
    hertz = cells.grid.frequencies
    top = int(np.searchsorted(hertz, FINE)) - 2
    spacing = float(hertz[1] - hertz[0]) if hertz.size > 1 else 1.0
    order = np.arange(1, N_HARMONICS + 1)[:, None]
    at, between = (np.rint(each * pitches / spacing).astype(np.intp) for each in (order, order - 0.5))
    # A harmonic beyond the grid is looked for in its first cell, which holds what no pitch has.
    inside = at <= max(top, 0)
    return np.where(inside, at, 0), np.where(inside, between, 0), 0.8 ** np.arange(N_HARMONICS, dtype=np.float32)


def _peak(values: Matrix, places: NDArray[np.intp]) -> Matrix:
    """The largest of a place and its two neighbours, ``(frames, places)``; zero for place 0."""
    last = values.shape[1] - 1
    near = [values[:, np.clip(places + by, 0, last)] for by in (-1, 0, 1)]
    return np.maximum(np.maximum(near[0], near[1]), near[2]) * (places > 0)


def _best_path(salience: Matrix) -> NDArray[np.intp]:
    """Viterbi's recursion over steps of the pitch."""
    n_frames, n = salience.shape
    cost = np.abs(np.arange(-_REACH, _REACH + 1)) * _GLIDE
    places = np.arange(n)
    back = np.empty((n_frames, n), np.intp)
    score = salience[0].astype(np.float64)
    for frame in range(1, n_frames):
        padded = np.pad(score, _REACH, constant_values=-np.inf)
        near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1) - cost
        step = near.argmax(axis=1)
        best, origin = near[places, step], places + step - _REACH
        loudest = int(score.argmax())
        leap = score[loudest] - _LEAP > best
        back[frame] = np.where(leap, loudest, origin)
        score = np.where(leap, score[loudest] - _LEAP, best) + salience[frame]
    path = np.empty(n_frames, np.intp)
    path[-1] = int(score.argmax())
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    return path


def comb(cells: Cells, track: Track) -> Matrix:
    """How near each cell lies to a harmonic of the track, 0 to 1, float32 ``(frames, cells)``."""
    hertz = cells.grid.frequencies
    spacing = np.maximum(np.gradient(hertz), 1e-6) if hertz.size > 1 else np.ones(1)
    ratio = hertz / track.pitches[:, None]
    away = np.abs(ratio - np.maximum(np.rint(ratio), 1)) * track.pitches[:, None] / (1.3 * spacing)
    nearness: Matrix = np.exp(-np.square(np.minimum(away, 5))).astype(np.float32)
    return nearness
