"""What speaks for a note beginning at a frame: numbers for a small network, the same for every pitch.

Candidates are frames and pitches where the activations of a pitch rise. For each, its surroundings in the roll of
activations are collected: its own stages over time, its neighbours at the intervals that share partials, the spectrum
at its partials, how much of each partial is its own and how much the model leaves unexplained, and how much stronger it
is than what such strokes usually set off (`usual_ghosts`). All are logarithms of quantities relative to the level of
the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.pitched.bands import band_hertz

Places = NDArray[np.intp]

__all__ = ["LOWEST", "N_PITCHES", "REACH", "Scene", "candidates", "evidence", "n_evidence", "usual_ghosts"]

LOWEST, N_PITCHES = 21, 88
REACH = 12
"""Frames on either side of a candidate that its evidence reaches to."""

_SELF = np.arange(-5, 11)
_INTERVALS = np.array(
    [-36, -31, -28, -24, -19, -16, -12, -7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12, 16, 19, 24, 28, 31, 36]
)
_AROUND, _STRUCK = np.array([-3, -1, 1, 3, 6]), np.array([-2, 0, 2])
_PARTIALS = np.arange(1, 9)
_LONG_AT, _SHORT_AT, _SHARES_AT = np.array([-4, -1, 2, 5]), np.arange(-3, 5), np.array([1, 4])
_LEVEL_AT = np.array([-3, 0, 3])
_FLOOR = 1e-3
_PAD = 36
_LEAST = 1.5e-3
"""What a rise needs at least, as a share of the level."""

_GHOSTS = np.array([12, 19, 24, 28, 31, 34, 36, 7, 5, -12])
_PRIOR = np.array([-1.0, -1.0, -1.2, -1.3, -1.4, -1.5, -1.5, -1.5, -1.5, -1.2])
_STROKE = 0.05
"""Intervals at which a stroke has ghosts, how strong they are if nobody knows, in decades; what counts as a stroke."""

_SOON, _HEARD = 6, 8e-3
"""Within so many frames a pitch must become so strong, as a share of the level; one note in a hundred does not."""


def _log(values: Matrix) -> NDArray[np.float32]:
    """Decades above 60 dB below the recording's level."""
    return np.log10(np.maximum(values, 0) + np.float32(_FLOOR)) + np.float32(3)


@lru_cache(maxsize=1)
def _partial_bands() -> tuple[Places, Places]:
    """The nearest bands of the long and of the short window to the partials of every pitch, ``(88, partials)``."""
    hertz = 440 * 2 ** ((np.arange(N_PITCHES) + LOWEST - 69) / 12)[:, None] * _PARTIALS
    hertz = hertz * np.sqrt(1 + 3e-4 * _PARTIALS**2)
    long, short = band_hertz()
    nearest = [np.abs(hertz[..., None] - each).argmin(axis=-1) for each in (long, short)]
    return nearest[0], nearest[1] + long.size


def candidates(roll: Matrix, n_before: int, n_after: int) -> tuple[Places, Places]:
    """Frames and pitches where activations ``roll (frames, stages, 88)``, relative to the level, rise.

    Only frames from ``n_before`` on and before ``len(roll) - n_after``.
    """
    whole, stroke = roll.sum(axis=1), roll[:, :2].sum(axis=1)
    n = len(whole)
    padded = np.pad(whole, ((3, _SOON), (0, 0)))
    past = np.minimum(np.minimum(padded[0:n], padded[1 : n + 1]), padded[2 : n + 2])
    rise = np.maximum(padded[5 : n + 5] - past, 0)
    # Templates of a single stage cannot tell a stroke from the tone after it: the rise alone has to.
    found = _summits(rise) if roll.shape[1] == 1 else _summits(stroke) | _summits(stroke + rise)
    found &= np.max([padded[k : k + n] for k in range(3, 3 + _SOON)], axis=0) > _HEARD
    found[:n_before] = False
    found[n - n_after :] = False
    frames, pitches = np.nonzero(found)
    return frames, pitches


def _summits(values: Matrix) -> NDArray[np.bool_]:
    """Where no frame up to two away is higher."""
    around = np.pad(values, ((2, 2), (0, 0)))
    highest = np.max([around[k : k + len(values)] for k in (0, 1, 3, 4)], axis=0)
    return np.asarray((values >= highest) & (values > _LEAST))


def usual_ghosts(roll: Matrix) -> NDArray[np.float32]:
    """How strongly the pitches above a stroke usually answer it in this recording, in decades, ``(intervals, 88)``.

    An instrument whose partials are stronger than those of the templates is explained with octaves and twelfths that
    nobody plays. They come with every stroke, true octaves only now and then: the median over all strokes, nearer
    pitches counting more, tells how strong a ghost is. ``roll (frames, stages, 88)`` is relative to the level.
    """
    stroke = roll[:, :2].sum(axis=1)
    reach = _widest(stroke)
    times, pitches = np.nonzero((stroke >= reach) & (stroke > _STROKE))
    table = np.tile(_PRIOR[:, None], (1, N_PITCHES))
    nearness = np.exp(-0.5 * ((pitches[:, None] - np.arange(N_PITCHES)) / 6.0) ** 2)
    for row, interval in enumerate(_GHOSTS):
        answer = pitches + interval
        inside = (answer >= 0) & (answer < N_PITCHES)
        t, p, weights = times[inside], pitches[inside], nearness[inside]
        ratios = np.log10((reach[t, p + interval] + _FLOOR) / (reach[t, p] + _FLOOR))
        order = np.argsort(ratios, kind="stable")
        total = np.cumsum(weights[order], axis=0)
        if len(total):
            place = np.minimum((total < 0.5 * total[-1]).sum(axis=0), len(total) - 1)
            # Few strokes say little.
            sure = total[-1] / (total[-1] + 2)
            table[row] += sure * (ratios[order][place] - table[row])
    return table.astype(np.float32)


def _widest(values: Matrix) -> Matrix:
    """The greatest value up to two frames away."""
    around = np.pad(values, ((2, 2), (0, 0)))
    return np.asarray(np.max([around[k : k + len(values)] for k in range(5)], axis=0))


def _ghostliness(roll: Matrix, ghosts: NDArray[np.float32], frames: Places, pitches: Places) -> NDArray[np.float32]:
    """How much stronger candidates are than the ghosts of what is struck with them: each interval, and all together."""
    reach = _widest(roll[:, :2].sum(axis=1))
    mine = reach[frames, pitches]
    columns, all_ghosts = [], np.full(len(frames), _FLOOR, np.float32)
    for row, interval in enumerate(_GHOSTS):
        source = pitches - interval
        inside = (source >= 0) & (source < N_PITCHES)
        source = np.clip(source, 0, N_PITCHES - 1)
        ghost = np.where(inside, reach[frames, source] * 10 ** ghosts[row, source], 0)
        all_ghosts = np.maximum(all_ghosts, ghost)
        columns.append(np.log10((mine + _FLOOR) / (ghost + _FLOOR)))
    columns.append(np.log10((mine + _FLOOR) / all_ghosts))
    return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Some frames, and what explains them.

    Parameters
    ----------
    spectra, model : array (frames, bands)
        What is heard, and what templates and activations make of it, relative to the level of the recording.
    roll : array (frames, stages, 88)
        Activations.
    templates : array (stages, 88, bands)
        Of unit sum.
    ghosts : array (intervals, 88)
        See `usual_ghosts`.
    """

    spectra: Matrix
    model: Matrix
    roll: Matrix
    templates: Matrix
    ghosts: NDArray[np.float32]


def evidence(scene: Scene, frames: Places, pitches: Places) -> NDArray[np.float32]:
    """Evidence ``(candidates, n_evidence())`` for notes of ``pitches`` (from 0) at ``frames``."""
    if len(frames) == 0:
        return np.zeros((0, n_evidence(scene.roll.shape[1])), np.float32)
    columns = [
        *_in_the_roll(scene, frames, pitches),
        *_at_its_partials(scene, frames, pitches),
        *_of_the_frame(scene, frames, pitches),
        _ghostliness(scene.roll, scene.ghosts, frames, pitches),
    ]
    return np.concatenate([np.asarray(each, np.float32).reshape(len(frames), -1) for each in columns], axis=1)


def _in_the_roll(scene: Scene, frames: Places, pitches: Places) -> list[Matrix]:
    """Its own stages, and how strong pitches at some intervals are and how hard they are struck."""
    roll, padding = scene.roll, ((REACH, REACH), (_PAD, _PAD))
    stages = np.pad(_log(roll), (padding[0], (0, 0), (0, 0)))
    whole = np.pad(_log(roll.sum(axis=1)), padding)
    stroke = np.pad(_log(roll[:, :2].sum(axis=1)), padding)
    t, p = frames[:, None] + REACH, pitches[:, None]
    near = (p + _PAD + _INTERVALS)[:, None, :]
    return [
        stages[t + _SELF, :, p],
        whole[(t + _AROUND)[:, :, None], near],
        stroke[(t + _STRUCK)[:, :, None], near],
    ]


def _at_its_partials(scene: Scene, frames: Places, pitches: Places) -> list[Matrix]:
    """The spectrum there over time, how much of each partial is its own, and what the model lacks."""
    padding = ((REACH, REACH), (0, 0))
    seen = np.pad(_log(10 * scene.spectra), padding)
    lacking = np.log10((scene.spectra + np.float32(1e-4)) / (scene.model + np.float32(1e-4)))
    t = frames[:, None] + REACH
    long, short = (bands[pitches] for bands in _partial_bands())
    own = _at_partials(scene.templates, pitches, long)
    shares, gaps = [], []
    for at in _SHARES_AT:
        later = np.minimum(frames + at, len(scene.roll) - 1)
        mine = np.einsum("cs,csh->ch", scene.roll[later, :, pitches], own)
        shares.append(mine / (scene.model[later[:, None], long] + np.float32(1e-5)))
        gaps.append(np.where(frames[:, None] + at < len(scene.roll), lacking[later[:, None], long], 0))
    tones = seen[(t + _LONG_AT)[:, :, None], long[:, None, :]]
    edges = seen[(t + _SHORT_AT)[:, :, None], short[:, None, :]]
    return [tones, edges, *shares, *gaps]


def _of_the_frame(scene: Scene, frames: Places, pitches: Places) -> list[Matrix]:
    """How loud it is, how hard is struck altogether, how many strokes are harder; which pitch it is."""
    strokes = scene.roll[:, :2].sum(axis=1)
    level = np.pad(_log(scene.spectra.sum(axis=1)), REACH)
    struck = np.pad(_log(strokes.sum(axis=1)), REACH)
    t = frames[:, None] + REACH + _LEVEL_AT
    harder = (strokes[frames] > strokes[frames, pitches][:, None]).sum(axis=1)
    centre = np.exp(-0.5 * ((pitches[:, None] - np.arange(0, N_PITCHES, 8)) / 6.0) ** 2)
    return [level[t], struck[t], np.minimum(harder, 12) / 6, centre]


def _at_partials(templates: Matrix, pitches: Places, bands: Places) -> Matrix:
    """``(candidates, stages, partials)``."""
    at = templates.transpose(1, 0, 2)[pitches]
    return np.take_along_axis(at, np.broadcast_to(bands[:, None, :], (len(pitches), at.shape[1], bands.shape[1])), 2)


def n_evidence(n_stages: int = 4) -> int:
    """Numbers for each candidate."""
    n_near = len(_INTERVALS) * (len(_AROUND) + len(_STRUCK))
    n_partials = len(_PARTIALS) * (len(_LONG_AT) + len(_SHORT_AT) + 2 * len(_SHARES_AT))
    return n_stages * len(_SELF) + n_near + n_partials + 2 * len(_LEVEL_AT) + 1 + 11 + len(_GHOSTS) + 1
