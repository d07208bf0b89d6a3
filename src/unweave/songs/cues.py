"""What speaks for drums, bass, voice or accompaniment in every cell of a song, before anything is known of it.

Each cue is a law of how instruments sound, and none of them is a level:

    lasting     log of the median along time over the cell     tones stay, strokes do not; three lengths
    broad       log of the median along frequency over it      strokes reach over many frequencies; three widths
    rising      differences to the frames before and after     strokes begin at once and decay, voices swell
    standing    against the mean of the bin, the neighbourhood a formant, a partial, a hiss
    gliding     the best of slanted lines against the level one   voices have vibrato and glide, keys and frets do not
    repeating   the median of similar frames over the cell     accompaniment comes back, melodies do not (REPET-SIM)
    placed      how far from the middle of the stereo picture  voice, bass and kick stand there

and what a whole frame does: the levels of twenty bands against their means, and their rises.

References: D. FitzGerald, Harmonic/percussive separation using median filtering, Proc. DAFx 2010. Z. Rafii, B. Pardo,
Music/voice separation using the similarity matrix, Proc. ISMIR 2012.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.hpss.medians import mirrored, running_median
from unweave.songs.cells import Cells, box
from unweave.threads import ordered

__all__ = ["N_PITCHES", "frame_cues", "local_cues", "pitch_cues", "similar_frames"]

LASTING = (0.2, 0.5, 1.4)
"""Seconds of the medians along time."""

BROAD = (9, 25, 75)
"""Cells of the medians along frequency."""

BANDS = np.geomspace(40.0, 16000.0, 21)
"""Hz of the edges of the bands that tell what a frame does."""

N_SIMILAR = 12
"""Frames that a frame is compared with."""

N_PITCHES = 20
"""Cues that are the same in all frames."""


def pitch_cues(cells: Cells) -> Matrix:
    """Where a cell lies, ``(cells, N_PITCHES)``: bumps over the logarithm of its frequency."""
    place = np.log2(np.clip(cells.grid.frequencies, 20, 20000)) - np.log2(20.0)
    centres = np.linspace(0, 10, N_PITCHES)
    bumps: Matrix = np.exp(-0.5 * np.square((place[:, None] - centres) / 0.5)).astype(np.float32)
    return bumps


def frame_cues(cells: Cells) -> Matrix:
    """What every frame does, ``(frames, 4 × bands + 2)``: levels of bands against their means, rises, width."""
    levels = band_levels(cells)
    mean = np.log(np.exp(2 * levels).mean(axis=0) + 1e-8) / 2
    relative = np.clip(levels - mean, -5, 3)
    before, after = _shifted(relative, -1), _shifted(relative, 1)
    slow = box(relative, cells.frames(0.25), 0)
    wide = np.log10(_weighted(cells.width, cells.power) + 1e-3)
    song = np.full((len(levels), 1), float(np.log10(_mean_width(cells) + 1e-3)), np.float32)
    return np.concatenate([relative, relative - before, after - relative, slow, wide[:, None], song], axis=1)


def band_levels(cells: Cells) -> Matrix:
    """Levels of the bands, float32 ``(frames, bands)``; a band above the song's highest frequency is at the floor."""
    power, edges = cells.power, np.searchsorted(cells.grid.frequencies, BANDS)
    sums = [power[:, a:b].sum(axis=1) for a, b in pairwise(edges)]
    return (0.5 * np.log(np.stack(sums, axis=1) + 1e-8)).astype(np.float32)


def _weighted(values: Matrix, weights: Matrix) -> Matrix:
    mean: Matrix = (values * weights).sum(axis=1) / (weights.sum(axis=1) + 1e-9)
    return mean


def _mean_width(cells: Cells) -> float:
    power = cells.power
    return float((cells.width * power).sum() / (power.sum() + 1e-9))


def local_cues(cells: Cells, similar: NDArray[np.intp]) -> list[Matrix]:
    """What speaks in every cell: a float32 array ``(frames, cells)`` for each cue."""
    groups: list[Callable[[], list[Matrix]]] = [
        *(lambda seconds=seconds: [_lasting(cells, seconds)] for seconds in LASTING),
        *(lambda size=size: [_broad(cells, size)] for size in BROAD),
        lambda: _rising(cells),
        lambda: _standing(cells),
        lambda: _gliding(cells),
        lambda: [_repeating(cells, similar)],
        lambda: _placed(cells),
    ]
    return [cue for found in ordered(lambda group: group(), groups) for cue in found]


def _shifted(values: Matrix, by: int, axis: int = 0) -> Matrix:
    """The values ``by`` places later along an axis; the last one goes on beyond the ends."""
    index = np.clip(np.arange(values.shape[axis]) + by, 0, values.shape[axis] - 1)
    return np.take(values, index, axis=axis)


def _lasting(cells: Cells, seconds: float) -> Matrix:
    half, n = cells.frames(seconds / 2), len(cells.levels)
    wide = np.ascontiguousarray(cells.levels[mirrored(-half, n + half, n)].T)
    return np.clip(running_median(wide, 2 * half + 1).T - cells.levels, -5, 5)


def _broad(cells: Cells, size: int) -> Matrix:
    half, n = size // 2, cells.levels.shape[1]
    return np.clip(running_median(cells.levels[:, mirrored(-half, n + half, n)], size) - cells.levels, -5, 5)


def _rising(cells: Cells) -> list[Matrix]:
    levels = cells.levels
    steps = [levels - _shifted(levels, -1), levels - _shifted(levels, -3), _shifted(levels, 1) - levels]
    steps += [_shifted(levels, 3) - levels, _shifted(levels, 8) - levels]
    return [np.clip(step, -5, 5) for step in steps]


def _standing(cells: Cells) -> list[Matrix]:
    levels, power = cells.levels, cells.power
    long = np.log(power.mean(axis=0) + 1e-8) / 2
    near = [np.log(box(power, half, 1) + 1e-8) / 2 for half in (2, 8, 30)]
    around = np.log(box(power, cells.frames(0.2), 0) + 1e-8) / 2
    sides = [_shifted(levels, by, 1) for by in (-2, -1, 1, 2)]
    return [np.clip(levels - each, -5, 5) for each in (long, *near, around, *sides, levels.mean(axis=0))]


def _gliding(cells: Cells) -> list[Matrix]:
    """Means along slanted lines through a cell, over 0.16 s: the best of them, and the level one."""
    amplitude, reach = np.exp(cells.levels), 3
    lines = {}
    for slope in (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5):
        line = np.zeros_like(amplitude)
        for step in range(-reach, reach + 1):
            line += _shifted(_shifted(amplitude, step), round(slope * step), 1)
        lines[slope] = line / (2 * reach + 1)
    level = lines.pop(0.0)
    best = np.max(list(lines.values()), axis=0)
    return [np.log(best / level), np.clip(np.log(best) - cells.levels, -5, 5)]


def similar_frames(cells: Cells) -> NDArray[np.intp]:
    """For every frame the places of the frames that are most like it, at least 0.7 s away, ``(frames, N_SIMILAR)``."""
    n = len(cells.levels)
    edges = np.unique(np.searchsorted(cells.grid.frequencies, np.geomspace(60, 12000, 97)))
    edges = edges[edges < cells.levels.shape[1]]
    sums = np.add.reduceat(cells.power, edges, axis=1) if edges.size else cells.power
    shape = np.log(sums + 1e-4)
    shape -= shape.mean(axis=1, keepdims=True)
    shape /= np.sqrt(np.square(shape).sum(axis=1, keepdims=True)) + 1e-9
    gap, count = cells.frames(0.7), min(N_SIMILAR, n)
    found = np.empty((n, count), np.intp)
    for begin in range(0, n, 256):
        likeness = shape[begin : begin + 256] @ shape.T
        rows = np.arange(begin, begin + len(likeness))
        likeness[np.abs(rows[:, None] - np.arange(n)) < gap] = -2
        found[rows] = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
    return found


def _repeating(cells: Cells, similar: NDArray[np.intp]) -> Matrix:
    out = np.empty_like(cells.levels)
    for begin in range(0, len(out), 64):
        rows = slice(begin, begin + 64)
        out[rows] = np.median(cells.levels[similar[rows]], axis=1)
    return np.clip(out - cells.levels, -5, 5)


def _placed(cells: Cells) -> list[Matrix]:
    power, side = cells.power, cells.width * cells.power
    shares = [cells.width]
    for frames, bins in ((1, 1), (cells.frames(0.2), 0), (cells.frames(0.2), 6)):
        shares.append(box(box(side, frames, 0), bins, 1) / (box(box(power, frames, 0), bins, 1) + 1e-8))
    return [np.log10(np.clip(share, 0, 1) + 1e-3) for share in shares]
