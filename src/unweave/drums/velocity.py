"""How hard a drum was struck: as loud as it is beside its own loud strokes, less what came with it.

    E = 10 lg of the mean power of a class's bands in the 80 ms after the stroke
    E' = E - c_g,    c_g = 0.6 · n_g / (n_g + 3) · (mean of E over g - median of E), at most 6 dB
    velocity = 0.7 (1 + (E' - E'₉₀) / 40) + 0.3 f(x)

E'₉₀ is that of the class's loud strokes in this recording: 20 dB are half of the way. A hi-hat or a cymbal that is
struck together with a kick is told quieter by a compressor, with a snare louder by the snare: g are its strokes alone,
with a kick, with a snare, with something else, and most of what they differ by on the average is taken away. f is a
small network (`unweave.drums.kits`): from all bands before, at and after the stroke it knows what else is in E.

The energy of a hi-hat is that above 10 kHz, where snares and the clicks of kicks have least; where a recording holds
nothing there, that from 6 kHz on.

Reference: R. B. Dannenberg, The interpretation of MIDI velocity, ICMC 2006.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unweave.drums.kits import CLASSES, shipped
from unweave.drums.strokes import Strokes, band_edges

__all__ = ["STROKE", "band_energy", "beside_the_loudest", "how_hard"]

Floats = NDArray[np.float64]
Frames = NDArray[np.int64]

STROKE = 14
"""Frames in which a stroke is heard, 80 ms."""

_RANGE = 40.0  # dB from velocity 1 to velocity 0
_LEARNED = 0.3  # how much counts what was learned
_LIMITS = {  # where each class is heard: short windows or long ones, Hz
    "kick": (False, 28, 110),
    "snare": (True, 200, 5000),
    "hihat": (True, 6000, 17000),
    "tom": (False, 70, 400),
    "cymbal": (True, 3000, 17000),
    None: (True, 60, 17000),
}
_CLEAR, _NOTHING = 10000, 30.0  # Hz above which a hi-hat is nearly alone; dB by which it may be weaker there
_SOFT = ("hihat", "cymbal")
_COMPANY, _STROKES, _MOST = 0.6, 3.0, 6.0  # share; strokes; dB


def band_energy(strokes: Strokes, name: str | None, low: float = 0.0) -> Floats:
    """Energy ``(frames,)`` in the bands of a class, those from ``low`` Hz on, in dB."""
    frequency, short = band_edges()
    is_short, least, most = _LIMITS[name]
    bands = (short == is_short) & (max(least, low) <= frequency) & (frequency <= most)
    power = strokes.powers[:, bands].sum(axis=1, dtype=np.float64)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def how_hard(strokes: Strokes, struck: Mapping[str, Frames], name: str) -> Floats:
    """Velocities of the strokes ``struck[name]``, of all that are struck of each class: numbers of strokes."""
    own = struck[name]
    if len(own) == 0:
        return np.zeros(0)
    loud = _loud(strokes, own, name)
    if name in _SOFT:
        loud = _evened(loud, _company(struck, name))
    known = shipped().forces.judge(strokes.features[own])[:, CLASSES.index(name)]
    return np.asarray(np.clip((1 - _LEARNED) * beside_the_loudest(loud) + _LEARNED * known, 0.01, 1))


def beside_the_loudest(loud: Floats) -> Floats:
    """Velocities of strokes of one class from their levels in dB."""
    return np.asarray(np.clip(1 + (loud - np.percentile(loud, 90)) / _RANGE, 0.01, 1))


def _loud(strokes: Strokes, own: Frames, name: str) -> Floats:
    """Level of each stroke, in dB."""
    loud = _mean_energy(band_energy(strokes, name), strokes.frames[own])
    if name == "hihat":
        clear = _mean_energy(band_energy(strokes, name, _CLEAR), strokes.frames[own])
        if np.percentile(clear, 90) > np.percentile(loud, 90) - _NOTHING:
            return clear
    return loud


def _mean_energy(energy: Floats, frames: Frames) -> Floats:
    power = 10 ** (energy / 10)
    return np.array([10 * np.log10(np.mean(power[frame : frame + STROKE])) for frame in frames])


def _company(struck: Mapping[str, Frames], name: str) -> Frames:
    """What each stroke of a class comes with: 0 nothing, 1 a kick, 2 a snare, 3 something else."""
    own = struck[name]
    others = [struck[other] for other in CLASSES if other not in {name, "kick", "snare"}]
    found = 3 * np.isin(own, np.concatenate(others))
    found[np.isin(own, struck["kick"])] = 1
    found[np.isin(own, struck["snare"])] = 2
    return np.asarray(found)


def _evened(loud: Floats, company: Frames) -> Floats:
    """Levels without most of what strokes in one company have against all."""
    out, usual = loud.copy(), np.median(loud)
    for group in np.unique(company):
        inside = company == group
        count = int(inside.sum())
        apart = _COMPANY * count / (count + _STROKES) * (loud[inside].mean() - usual)
        out[inside] -= np.clip(apart, -_MOST, _MOST)
    return out
