"""What a first opinion about a song says of the cells around: the evidence for the second one.

A cell alone is a weak witness. Whether it is of the voice is told by the cell's neighbours in time and frequency, by
the same bin in the whole song, by the frames that are like its own, and by the line that the voice follows:

    context   Σ m_k P / Σ P over a neighbourhood, for each source k and its mask m_k of the first opinion
    comb      how near the cell lies to a harmonic of the voice's pitch, and of the bass's
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.songs.cells import Cells, box
from unweave.songs.melody import comb, pitch_track
from unweave.threads import ordered

__all__ = ["context_cues", "context_frames"]

BASS, VOICE = 1, 2
"""Places among the sources: drums, bass, vocals, other."""

NEAR = ((0.1, 0), (0.4, 0), (2.0, 0), (0.0, 3), (0.0, 12), (0.0, 60), (0.2, 8), (10.0, 0))
"""Seconds and cells on either side of every neighbourhood."""

EDGES = (0.0, 120.0, 400.0, 1500.0, 5000.0, 30000.0)
"""Hz of the bands of a frame's shares."""


def context_cues(cells: Cells, masks: Matrix, similar: NDArray[np.intp]) -> list[Matrix]:
    """Evidence of every cell, an array ``(frames, cells)`` a cue, from masks ``(sources, frames, cells)``."""
    power = cells.power
    parts = masks * power

    def around(near: tuple[float, int]) -> list[Matrix]:
        half, bins = (round(near[0] * cells.frame_rate), near[1])
        total = box(box(power, half, 0), bins, 1) + 1e-8
        return [box(box(part, half, 0), bins, 1) / total for part in parts]

    cues = [cue for found in ordered(around, NEAR) for cue in found]
    cues += [np.log(mask + 1e-3) for mask in masks]
    cues += _alike(parts, power, similar)
    for place, lowest, highest in ((VOICE, 80.0, 1000.0), (BASS, 32.0, 300.0)):
        track = pitch_track(cells, parts[place], lowest, highest)
        near_harmonic, sure = comb(cells, track), track.certainty[:, None]
        height = np.log2(np.maximum(cells.grid.frequencies, 10) / track.pitches[:, None])
        cues += [
            near_harmonic,
            near_harmonic * sure,
            np.clip(height, -3, 6).astype(np.float32),
            np.broadcast_to(sure, power.shape),
        ]
    return cues


def _alike(parts: Matrix, power: Matrix, similar: NDArray[np.intp]) -> list[Matrix]:
    """Shares of the sources in the frames that are like each frame."""
    out = np.empty_like(parts)
    for begin in range(0, len(power), 128):
        rows = slice(begin, begin + 128)
        chosen = similar[rows]
        out[:, rows] = parts[:, chosen].sum(axis=2) / (power[chosen].sum(axis=1) + 1e-8)
    return list(out)


def context_frames(cells: Cells, masks: Matrix) -> Matrix:
    """Shares of the sources in each frame's bands, and their part of the song's power, ``(frames, cues)``."""
    power = cells.power
    places = np.searchsorted(cells.grid.frequencies, EDGES)
    shares = []
    for part in masks * power:
        for a, b in pairwise(places):
            band = part[:, a:b].sum(axis=1)
            shares.append(band / (power[:, a:b].sum(axis=1) + 1e-6))
        level = part.sum(axis=1)
        shares.append(np.log((level + 1e-3) / (level.mean() + 1e-3)))
    return np.stack(shares, axis=1).astype(np.float32)
