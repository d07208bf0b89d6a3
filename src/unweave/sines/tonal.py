"""From spectra to tracked peaks, and from these to the sound of the sine waves, frame after frame.

What `unweave.sines.parting` says in one formula, for frames that come in any number at a time: they wait until their
tracks are decided, are masked, and are added where they overlap.

Conventions: spectra complex64 ``(channels, frames, bins)``; every channel by itself.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from unweave.arrays import Complex, Samples
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.sines.peaks import Lobes, find_peaks
from unweave.sines.tracking import SineModel, TrackedPeaks, Tracker
from unweave.stft import OverlapAdd, block_spans, synthesis_block

__all__ = ["BLOCK", "Follower", "TonalSound"]

BLOCK = 32
"""Frames that are worked on at a time."""

_ENDLESS = 2**62


class Follower:
    """From spectra to tracked peaks, channel by channel."""

    def __init__(self, model: SineModel, settings: STFT, sample_rate: float, n_channels: int) -> None:
        self.model = model
        self.settings = settings
        # The tables that this needs are made now, and not while the first block is waited for.
        find_peaks(np.zeros((1, settings.n_bins), np.float32), settings, model.detection_threshold)
        self._trackers = [Tracker(model, sample_rate / settings.n_fft) for _ in range(n_channels)]

    def push(self, values: Complex) -> list[list[TrackedPeaks]]:
        """Take frames ``(channels, frames, bins)``; return those that are decided by them, for every channel."""
        magnitude = np.abs(values)
        if not np.isfinite(magnitude.max(initial=0)):
            raise InvalidInput("the sound is too loud for numbers of 32 bits: full scale is 1, bring it near to that.")
        decided: list[list[TrackedPeaks]] = []
        for tracker, frames in zip(self._trackers, magnitude, strict=True):
            found = map(tracker.push, find_peaks(frames, self.settings, self.model.detection_threshold))
            decided.append([each for each in found if each is not None])
        return decided

    def finish(self) -> list[list[TrackedPeaks]]:
        """No more frames: return those that were waiting."""
        return [tracker.finish() for tracker in self._trackers]


class TonalSound:
    """From spectra to the sound of their sine waves, frame after frame."""

    def __init__(self, model: SineModel, settings: STFT, sample_rate: float, n_channels: int) -> None:
        self._settings = settings
        self._follower = Follower(model, settings, sample_rate, n_channels)
        self._lobes = Lobes(settings, model.bandwidth)
        self._join = OverlapAdd(settings, _ENDLESS)
        self._waiting: deque[Complex] = deque()  # frames (channels, bins) that are not decided yet
        self._done = 0
        self._silence = np.zeros((n_channels, settings.n_bins), np.complex64)

    def expect(self, n_samples: int) -> None:
        """So many samples will there be in all; no frame that reaches beyond them may come before this is said."""
        self._join.n_samples, self._join.n_frames = n_samples, self._settings.n_frames(n_samples)

    def push(self, values: Complex) -> Samples:
        """Take frames ``(channels, frames, bins)``; return the samples ``(channels, n)`` that are complete."""
        self._waiting.extend(values.transpose(1, 0, 2))
        return self._masked(self._follower.push(values))

    def finish(self) -> Samples:
        """No more frames: return the samples that are left."""
        decided = self._follower.finish()
        if not decided[0]:  # every frame is there, but the samples behind the last were still open
            self._waiting.append(self._silence)
            decided = [[TrackedPeaks.none()] for _ in decided]
        parts = [self._masked([each[a:b] for each in decided]) for a, b in block_spans(len(decided[0]), BLOCK)]
        return np.concatenate(parts, axis=-1)

    def _masked(self, decided: list[list[TrackedPeaks]]) -> Samples:
        count = len(decided[0])
        if not count:
            return np.zeros((len(decided), 0), np.float32)
        values = np.stack([self._waiting.popleft() for _ in range(count)], axis=1)
        block = synthesis_block(self._mask(np.abs(values), decided) * values, self._settings)
        begin, self._done = self._done, self._done + count
        return self._join.add(block, begin, self._done)

    def _mask(self, magnitude: Samples, decided: list[list[TrackedPeaks]]) -> Samples:
        """What of every bin is sine waves, 0 to 1."""
        mask = np.zeros(magnitude.shape, np.float32)
        for channel, frames in enumerate(decided):
            number = np.repeat(np.arange(len(frames)), [each.numbers.size for each in frames])
            positions = np.concatenate([each.peaks.positions for each in frames])
            levels = np.concatenate([each.peaks.levels for each in frames])
            drawn = self._lobes.draw(positions, levels, number, len(frames))
            there = magnitude[channel] > 0
            np.divide(np.minimum(drawn, magnitude[channel]), magnitude[channel], out=mask[channel], where=there)
        return mask
