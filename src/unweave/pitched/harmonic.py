"""Templates for instruments that nobody has sampled: partials of which a recording says how strong they are.

    W_p = Σ_j E_{j,p} P_{p,j}            P_{p,j}: the partials of pitch p in the j-th region, falling off to both sides

Vincent, Bertin and Badeau's adaptive harmonic decomposition: a few narrow-band atoms for each pitch, made of
neighbouring partials, so that a template is harmonic whatever is learned, and its envelope E smooth. E is learned with
the Kullback-Leibler divergence from frames of the recording; pitches a few semitones apart learn from each other, since
they belong to one instrument. Fixed envelopes such as 1/h explain a tone by its octaves.

Reference: E. Vincent, N. Bertin, R. Badeau, Adaptive harmonic spectral decomposition for multiple pitch estimation,
IEEE TASLP 18(3), 2010, doi:10.1109/TASL.2009.2034186.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.pitched.bands import band_hertz, sine_bands
from unweave.pitched.evidence import LOWEST, N_PITCHES

__all__ = ["harmonic_templates"]

_MIDDLES = np.array([1, 2, 3, 4, 6, 8, 12, 18, 28])
"""Partials in the middle of the regions."""

_N_PARTIALS = 36
_FRAMES = 1500
_ROUNDS = 24
_KIN = 5
"""Semitones over which envelopes are alike."""


@lru_cache(maxsize=1)
def _atoms() -> NDArray[np.float32]:
    """``(88, regions, bands)``: sine waves at the partials, each shared between the two regions around it."""
    partials = np.arange(1, _N_PARTIALS + 1)
    hertz = 440 * 2 ** ((np.arange(N_PITCHES) + LOWEST - 69) / 12)[:, None] * partials
    heard = hertz < band_hertz()[0][-1]
    place = np.interp(partials, _MIDDLES, np.arange(_MIDDLES.size))
    shares = np.maximum(1 - np.abs(place[:, None] - np.arange(_MIDDLES.size)), 0)
    out = np.zeros((N_PITCHES, _MIDDLES.size, sum(each.size for each in band_hertz())), np.float32)
    for p in range(N_PITCHES):
        own = heard[p]
        out[p] = (shares[own] / np.sqrt(partials[own])[:, None]).T @ sine_bands(hertz[p, own])
    return out


def harmonic_templates(spectra: Matrix, lowest: int, highest: int) -> Matrix:
    """Learn templates ``(1, 88, bands)`` of unit sum from ``spectra (frames, bands)``.

    Pitches from ``lowest`` to ``highest`` (MIDI numbers) explain the recording; the others get the
    envelope of the nearest.
    """
    used = np.arange(lowest, highest + 1) - LOWEST
    atoms = _atoms()
    frames = _telling(spectra)
    envelopes: Matrix = np.tile(0.5 ** np.arange(_MIDDLES.size, dtype=np.float32), (N_PITCHES, 1))
    kin = np.exp(-0.5 * ((used[:, None] - used) / _KIN) ** 2).astype(np.float32)
    activations: Matrix = np.full((len(frames), used.size), frames.sum() / frames.size, np.float32)
    own = atoms[used]
    floor = np.float32(1e-7)
    sums = own.sum(axis=2)
    for k in range(_ROUNDS):
        templates = _unit(np.einsum("pj,pjf->pf", envelopes[used], own))
        for _ in range(3):
            ratio = frames / (activations @ templates + floor)
            activations = activations * (ratio @ templates.T)
        if k < 2:
            continue
        ratio = frames / (activations @ templates + floor)
        explained = activations.T @ ratio  # (pitches, bands)
        scale = np.einsum("pj,pj->p", envelopes[used], sums) + floor
        weight = activations.sum(axis=0)
        rise = np.einsum("pf,pjf->pj", explained, own) * envelopes[used] / scale[:, None]
        expected = weight[:, None] * sums * envelopes[used] / scale[:, None]
        envelopes[used] *= (kin @ rise + floor) / (kin @ expected + floor)
        envelopes[used] /= envelopes[used].max(axis=1, keepdims=True)
    envelopes[: used[0]], envelopes[used[-1] + 1 :] = envelopes[used[0]], envelopes[used[-1]]
    return _unit(np.einsum("pj,pjf->pf", envelopes, atoms))[None]


def _unit(templates: Matrix) -> Matrix:
    return np.asarray(templates / np.maximum(templates.sum(axis=1, keepdims=True), 1e-20), np.float32)


def _telling(spectra: Matrix) -> Matrix:
    """The loud half of the frames, thinned out to `_FRAMES`."""
    loudness = spectra.sum(axis=1)
    loud = np.flatnonzero(loudness >= np.median(loudness))
    step = max(1, -(-loud.size // _FRAMES))
    return np.asarray(spectra[loud[::step]], np.float32)
