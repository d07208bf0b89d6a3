"""Strokes of a drum recording: when something is struck, and what is heard around each stroke.

    x ─two transforms→ powers P[n, b] of bands ─rises→ strokes ─→ a row of numbers for each stroke

Two transforms share their frames, 256 samples at 44100 Hz apart: one with windows of 12 ms, whose 26 bands from 60 Hz
to 17 kHz know when, and one with windows of 93 ms, whose 22 bands from 28 to 600 Hz tell a kick from a tom. Channels
are averaged as powers, so that nothing cancels.

    y[n, b] = log(1 + 10^((L[n, b] + 50) / 20)),   L in dB below the loud frames of the recording
    r[n, g] = mean over the bands of group g of  max(0, y[n, b] - max(y[n-2, b-1..b+1], y[n-3, b-1..b+1]))

A stroke is a local maximum of the length of r, or of r in one of four groups, above a threshold that follows the mean
rise; of two within 29 ms the stronger counts. The maximum over neighbouring bands keeps what wavers in pitch from being
a rise (SuperFlux). The threshold is low: it is better to hear too many here than too few, since what does not sound
like a drum is sorted out later (`unweave.drums.kits`).

The numbers of a stroke: levels of all bands in nine (six) spans of time from 70 ms before to 200 ms after it; how much
louder than before the stroke; how loud beside the loud strokes of the whole recording, and these loud strokes
themselves, from which a listener knows the colour of kit and room; the time to the strokes before and after.

References: S. Böck, G. Widmer, Maximum filter vibrato suppression for onset detection, DAFx 2013. C.-W. Wu et al., A
review of automatic drum transcription, IEEE/ACM TASLP 26(9), 2018, doi:10.1109/TASLP.2018.2830113.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from unweave.audio import Audio, resample
from unweave.framing import STFT
from unweave.stft import analysis_blocks
from unweave.threads import single_blas

__all__ = ["FRAME", "N_SHORT", "Strokes", "band_edges", "find_strokes", "span_powers"]

Floats = NDArray[np.float32]
Frames = NDArray[np.int64]

RATE = 44100
"""Hz; other rates are converted."""

FRAME = 256 / RATE
"""Seconds between frames."""

N_SHORT, _N_LONG = 26, 22
_SHORT, _LONG = STFT(512, 256), STFT(512, 32)
_LONG_RATE = RATE / 8
_LATE = 0.0055  # seconds by which the steepest rise follows the stroke; measured on rendered and on real kits
_GROUPS = ((0, 4), (4, 10), (10, 18), (18, 26))
_LEAST, _GAP, _MEAN = 0.12, 5, 35  # a rise; frames
_FLOOR, _QUIET = -90.0, -80.0  # dB
_SILENT = 1e-12
_SHORT_SPANS = ((-12, -5), (-4, -3), (-2, -1), (0, 1), (2, 3), (4, 6), (7, 11), (12, 19), (20, 33))
_LONG_SPANS = ((-16, -10), (-6, -4), (4, 7), (8, 13), (14, 22), (23, 36))


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """What was struck in a recording, and when.

    Parameters
    ----------
    powers : float32 ``(frames, bands)``
        Of the short bands, then of the long ones; 1 is a loud frame of the recording.
    frames : int ``(strokes,)``
        Where they rise most steeply.
    features : float32 ``(strokes, n)``
        What `unweave.drums.kits` judges them by.
    """

    powers: Floats
    frames: Frames
    features: Floats

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds."""
        seconds: NDArray[np.float64] = np.maximum(self.frames * FRAME - _LATE, 0.0)
        return seconds


def find_strokes(audio: Audio) -> Strokes:
    """Find what is struck; none in silence.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> find_strokes(drum_loop(n_bars=1)["mix"]).times[:2].round(1).tolist()
    [0.0, 0.3]
    """
    short, long = _band_powers(audio)
    loud = _loudness(short)
    if loud <= _SILENT:
        none = np.zeros(0, np.int64)
        return Strokes(np.zeros((short.shape[0], N_SHORT + _N_LONG), np.float32), none, np.zeros((0, 0), np.float32))
    short, long = short / np.float32(loud), long / np.float32(loud)
    frames = _rising(_decibels(short))
    return Strokes(np.concatenate([short, long], axis=1), frames, _features(short, long, frames))


def band_edges() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Centres of all bands in Hz, and which of them are short."""
    centres = [np.geomspace(low, high, count + 2)[1:-1] for _, _, low, high, count in _PLANS]
    return np.concatenate(centres), np.arange(N_SHORT + _N_LONG) < N_SHORT


_PLANS = ((RATE, _SHORT, 60, 17000, N_SHORT), (_LONG_RATE, _LONG, 28, 600, _N_LONG))


@cache
def _filters(which: int) -> Floats:
    """Triangles on a logarithmic axis, at least a bin to each side; ``(bins, bands)``."""
    rate, stft, low, high, count = _PLANS[which]
    edges, width = np.geomspace(low, high, count + 2), rate / stft.n_fft
    frequency = stft.frequencies(rate)[:, None]
    centre = edges[1:-1]
    left, right = np.minimum(edges[:-2], centre - width), np.maximum(edges[2:], centre + width)
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def _band_powers(audio: Audio) -> tuple[Floats, Floats]:
    """Powers ``(frames, bands)`` with short windows and with long ones."""
    found = []
    for which, (rate, stft, *_) in enumerate(_PLANS):
        sound, filters = resample(audio, rate), _filters(which)
        powers = np.empty((stft.n_frames(sound.n_samples), filters.shape[1]), np.float32)
        with single_blas():
            for block in analysis_blocks(sound, stft):
                power = (np.square(block.values.real) + np.square(block.values.imag)).mean(axis=0)
                powers[block.frames] = power @ filters * np.float32(4 / stft.win_length**2)
        found.append(powers)
    n_frames = min(len(powers) for powers in found)
    return found[0][:n_frames], found[1][:n_frames]


def _loudness(short: Floats) -> float:
    """Power that 95 % of the frames with any sound stay below."""
    total = short.sum(axis=1)
    loudest = float(total.max(initial=0.0))
    return float(np.percentile(total[total > 1e-4 * loudest], 95)) if loudest > 0 else 0.0


def _decibels(powers: Floats) -> Floats:
    return (10 * np.log10(np.maximum(powers, np.float32(10 ** (_FLOOR / 10))))).astype(np.float32)


def _rises(decibels: Floats) -> Floats:
    """How much every group of bands rises; ``(frames, groups)``."""
    compressed = np.log1p(10 ** ((decibels + 50) / 20))
    before = np.concatenate([compressed[:1], compressed[:1], compressed[:-2]])[: len(compressed)]
    before = np.maximum(before, np.concatenate([before[:1], before[:-1]]))
    rises = np.empty((len(compressed), len(_GROUPS)), np.float32)
    for group, (begin, end) in enumerate(_GROUPS):
        inside, wide = before[:, begin:end], before[:, begin:end].copy()
        wide[:, 1:] = np.maximum(wide[:, 1:], inside[:, :-1])
        wide[:, :-1] = np.maximum(wide[:, :-1], inside[:, 1:])
        rises[:, group] = np.maximum(compressed[:, begin:end] - wide, 0).mean(axis=1)
    padded = np.pad(rises, ((1, 1), (0, 0)))
    return np.asarray((padded[:-2] + padded[2:]) / 4 + rises / 2, np.float32)


def _rising(decibels: Floats) -> Frames:
    """Frames of the strokes."""
    rises = _rises(decibels)
    length = np.sqrt(np.square(rises).sum(axis=1))
    found = [(length[frame], frame) for frame in _peaks(length, _LEAST)]
    for group in range(rises.shape[1]):
        found += [(rises[frame, group] / 2, frame) for frame in _peaks(rises[:, group], 1.5 * _LEAST)]
    taken, kept = np.zeros(len(length) + 2 * _GAP + 1, np.bool_), []
    for _, frame in sorted(found, key=lambda each: (-each[0], each[1])):
        if not taken[frame + _GAP]:
            kept.append(frame)
            taken[frame : frame + 2 * _GAP + 1] = True
    return np.array(sorted(kept), np.int64)


def _peaks(rise: Floats, least: float) -> list[int]:
    """Local maxima above a threshold that follows the mean."""
    highest = sliding_window_view(np.pad(rise, 4, constant_values=-1), 9).max(axis=1)
    mean = np.convolve(np.pad(rise, _MEAN // 2, mode="edge"), np.full(_MEAN, 1 / _MEAN), "valid")
    return [int(frame) for frame in np.nonzero((rise >= highest) & (rise > least + 0.7 * mean))[0]]


def span_powers(powers: Floats, frames: Frames, spans: tuple[tuple[int, int], ...]) -> Floats:
    """Mean powers from frame to frame (both included, from each stroke on); ``(strokes, spans, bands)``."""
    sums = np.concatenate([np.zeros((1, powers.shape[1])), np.cumsum(powers, axis=0, dtype=np.float64)])
    means = []
    for first, last in spans:
        begin, end = np.clip(frames + first, 0, len(powers)), np.clip(frames + last + 1, 0, len(powers))
        means.append((sums[end] - sums[begin]) / np.maximum(end - begin, 1)[:, None])
    return np.stack(means, axis=1).astype(np.float32)


def _features(short: Floats, long: Floats, frames: Frames) -> Floats:
    """A row of numbers for each stroke, about -4 to 4."""
    count = len(frames)
    if count == 0:
        return np.zeros((0, 0), np.float32)
    levels = [
        _decibels(span_powers(short, frames, _SHORT_SPANS)),
        _decibels(span_powers(long, frames, _LONG_SPANS)),
    ]
    strokes = [np.maximum(levels[0][:, 3:6].max(axis=1), _QUIET), np.maximum(levels[1][:, 2:4].max(axis=1), _QUIET)]
    before = [levels[0][:, :3].max(axis=1), levels[1][:, :2].max(axis=1)]
    usual = [np.percentile(level, 90, axis=0) for level in strokes]
    columns = [np.maximum(level, _QUIET).reshape(count, -1) for level in levels]
    columns += [level - typical for level, typical in zip(strokes, usual, strict=True)]
    columns += [level - earlier for level, earlier in zip(strokes, before, strict=True)]
    columns += [np.broadcast_to(np.concatenate(usual), (count, N_SHORT + _N_LONG))]
    gaps = np.log(np.clip(np.diff(frames, prepend=-1000, append=10**9), 4, 200))
    columns = [np.concatenate(columns, axis=1) / 20, gaps[:-1, None], gaps[1:, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)
