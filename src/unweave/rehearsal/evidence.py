"""What several separations of one recording say of every bin of its spectrogram.

A separation is an opinion: the share of the bin that it gives to each stem. Beside the opinions themselves there is

    what they say of the neighbours     Σ q_s / Σ_j Σ q_j over the bins around, for each stem s and its power q_s
    how the bin stands out              log of its amplitude against those around, in time and in frequency
    where it lies                       its frequency, its frame's level, the shares of the channels, their likeness

The first opinion is known by its masks: taken from sounds again they would be blurred, which costs 0.2 to 0.7 dB. The
others are sounds, so that any way to stems can give one, in any transform.

Conventions: powers are relative to the mean power of the recording, so that a gain changes nothing. Cues are float32
``(cues, frames, bins)``; the first of them are the logarithms of the first opinion's shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio
from unweave.framing import STFT, window_values
from unweave.songs.cells import box
from unweave.stft import analysis_block

__all__ = ["Evidence"]

_NEAR = ((1, 0), (4, 0), (0, 3), (0, 12), (2, 6))
"""Frames and bins on either side of every neighbourhood."""

_STANDING = ((2, 0), (8, 0), (0, 3), (0, 12), (0, 40))
_PLACES = ((0, 0), (2, 2))
_MARGIN = 8
"""Frames on either side that a cue may look at: the most of the above."""

_OCTAVES, _LOWEST, _WIDTH = 11, 20.0, 0.6
_FAINT, _LEAST, _SHARE = 1e-8, 1e-9, 1e-4
_CHANNELS = 8  # that say where a sound is, at most

Floats = NDArray[np.float32]
Masks = Callable[[slice], Matrix]


class Evidence:
    """The cues of a recording, block by block.

    Parameters
    ----------
    audio : Audio
        Not silent.
    first : callable
        Masks ``(stems, channels, frames, bins)`` of the opinion that is to be bettered, over a slice of the frames.
    others : sequence of sequences of Audio
        Each is all stems of one separation, as long as ``audio`` and with its channels.
    stft : STFT
    """

    def __init__(self, audio: Audio, first: Masks, others: Sequence[Sequence[Audio]], stft: STFT) -> None:
        self.audio, self.first, self.others, self.stft = audio, first, others, stft
        self.n_frames = stft.n_frames(audio.n_samples)
        energy = float(np.square(audio.samples, dtype=np.float64).mean())
        window = float(np.square(window_values(stft)).sum())
        self._scale = np.float32(1 / max(energy * window, 1e-30))
        octaves = np.log2(np.maximum(stft.frequencies(audio.sample_rate), _LOWEST) / _LOWEST)
        self._pitch = np.exp(-np.square((octaves - np.arange(_OCTAVES)[:, None]) / _WIDTH) / 2).astype(np.float32)

    def cues(self, begin: int, end: int) -> Floats:
        """Evidence over the frames from ``begin`` to ``end`` (exclusive), whatever the blocks are."""
        first, last = max(0, begin - _MARGIN), min(self.n_frames, end + _MARGIN)
        values = self._values(self.audio, first, last)
        whole = self._power(values)
        found = _shares(self.first(slice(first, last)).mean(axis=1) * whole)
        for opinion in self.others:
            found += _shares(np.stack([self._power(self._values(stem, first, last)) for stem in opinion]))
        found += _standing(whole)
        found += _placed(values, self._scale)
        loud = np.log(whole.sum(axis=1) + _FAINT * whole.shape[1])
        found += [np.broadcast_to(row, whole.shape) for row in self._pitch]
        found += [np.broadcast_to(loud[:, None], whole.shape), _level(whole)]
        inside = slice(begin - first, end - first)
        return np.stack([cue[inside] for cue in found]).astype(np.float32, copy=False)

    def _values(self, audio: Audio, first: int, last: int) -> Complex:
        return analysis_block(audio, self.stft, first, last).values

    def _power(self, values: Complex) -> Floats:
        """Power of every bin, the mean over channels; the mean of the recording is about one."""
        return np.asarray(_square(values).mean(axis=0) * self._scale, np.float32)


def _shares(powers: Matrix) -> list[Matrix]:
    """Shares of the stems of one opinion, in every bin and in those around it."""
    parts = powers + np.float32(_LEAST)
    total = parts.sum(axis=0)
    cues: list[Matrix] = [np.log(part / total + np.float32(_SHARE)) for part in parts]
    for near in _NEAR:
        around = _around(total, near)
        cues += [_around(part, near) / around for part in parts]
    return cues


def _square(values: Complex) -> Matrix:
    square: Matrix = np.square(values.real) + np.square(values.imag)
    return square


def _around(values: Matrix, near: tuple[int, int]) -> Matrix:
    return box(box(values, near[0], 0), near[1], 1)


def _level(power: Matrix) -> Matrix:
    level: Matrix = 0.5 * np.log(power + np.float32(_FAINT))
    return level


def _standing(whole: Matrix) -> list[Matrix]:
    """How far each bin is above those around it."""
    level = _level(whole)
    return [np.clip(level - _level(np.maximum(_around(whole, near), 0)), -4, 4) for near in _STANDING]


def _placed(values: Complex, scale: np.float32) -> list[Matrix]:
    """Shares of the channels, all but the last, and how alike they are; nothing for one channel."""
    if len(values) < 2:
        return []
    powers = _square(values) * scale
    common = _square(values.mean(axis=0)) * scale
    cues = []
    for near in _PLACES:
        total = _around(powers.mean(axis=0), near) + np.float32(_FAINT)
        cues += [_around(power, near) / total for power in powers[: min(len(values) - 1, _CHANNELS)]]
        cues.append(_around(common, near) / total)
    return cues
