"""The short-time Fourier transform and its exact inverse, block by block.

    X[b, i] = Σ_n  x[n] w[n - i·hop] e^(-2πj·b·(n - start_i) / n_fft)

The phase counts from the start of each frame. Back by least squares (Griffin & Lim 1984): every inverse frame is
windowed once more, the frames are added where they overlap, and the sum is divided by the sum of the squared windows,

    x[n] = Σ_i w[n - i·hop] x_i[n] / Σ_i w[n - i·hop]²,

which gives the sound itself back when nothing was changed, and the nearest sound when something was.

Conventions: float32 in, complex64 out, one sided (``n_fft // 2 + 1`` bins), no scaling.

Differences. From librosa: none in centred framing with zeros as padding; without ``center`` one frame is made even of a
sound that is shorter than the window. From FluCoMa: none with `STFT.flucoma`. From scipy's ``ShortTimeFFT``: float32
stays float32, and the phase counts from the frame's start.

Reference: D. W. Griffin, J. S. Lim, Signal estimation from modified short-time Fourier transform, IEEE Trans. ASSP
32(2), 1984, doi:10.1109/TASSP.1984.1164317.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.arrays import Complex, Samples
from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.framing import STFT, WINDOWS, summed_squares, window_values
from unweave.spectrogram import Spectrogram
from unweave.threads import ordered, single_blas

__all__ = [
    "BLOCK_FRAMES",
    "STFT",
    "WINDOWS",
    "FrameBlock",
    "analysis_block",
    "block_spans",
    "istft",
    "rebuild",
    "stft",
]

BLOCK_FRAMES = 256
"""Frames that are transformed at a time: a few megabytes, so that a block stays in the caches."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlock:
    """Some successive frames: ``values`` complex64 ``(channels, frames, bins)``, the first of them ``start``."""

    start: int
    values: Complex

    @property
    def frames(self) -> slice:
        """Which frames of the whole these are."""
        return slice(self.start, self.start + self.values.shape[1])


def block_spans(n_frames: int, n_block: int = BLOCK_FRAMES) -> list[tuple[int, int]]:
    """First and last (exclusive) frame of every block."""
    return [(begin, min(begin + n_block, n_frames)) for begin in range(0, n_frames, n_block)]


def require_center(settings: STFT) -> None:
    """Refuse to go back to sound from frames that do not cover its beginning and its end."""
    if not settings.center:
        raise InvalidInput(
            "center=False leaves the first and the last samples without a window over them, "
            "and the sound could not be rebuilt: use center=True."
        )


def analysis_block(audio: Audio, settings: STFT, begin: int, end: int) -> FrameBlock:
    """Transform the frames from ``begin`` to ``end`` (exclusive) of a sound."""
    first = begin * settings.hop_length + settings.offset
    length = (end - begin - 1) * settings.hop_length + settings.win_length
    samples = _samples_with_zeros(audio.samples, first, length)
    frames = np.lib.stride_tricks.sliding_window_view(samples, settings.win_length, axis=-1)[:, :: settings.hop_length]
    padded = np.zeros((audio.n_channels, end - begin, settings.n_fft), np.float32)
    inside = padded[..., settings.lead : settings.lead + settings.win_length]
    np.multiply(frames, window_values(settings).astype(np.float32), out=inside)
    return FrameBlock(begin, scipy.fft.rfft(padded, axis=-1, overwrite_x=True))


def _samples_with_zeros(samples: Samples, first: int, length: int) -> Samples:
    """Samples from ``first`` on, zeros where the sound has none."""
    begin, end = max(first, 0), min(first + length, samples.shape[1])
    if begin == first and end == first + length:
        return samples[:, begin:end]
    out = np.zeros((samples.shape[0], length), np.float32)
    if end > begin:
        out[:, begin - first : end - first] = samples[:, begin:end]
    return out


def synthesis_block(values: Complex, settings: STFT) -> tuple[Samples, Samples]:
    """Inverse transform of ``(..., frames, bins)``, windowed.

    Returns the frames added where they overlap, float32 ``(..., (frames - 1) * hop_length + win_length)``, not yet
    divided by the summed squared window; and the last frames by themselves, for the next block to add.
    """
    hop, length, steps = settings.hop_length, settings.win_length, _steps(settings)
    frames = scipy.fft.irfft(values, settings.n_fft, axis=-1)[..., settings.lead : settings.lead + length]
    frames *= window_values(settings).astype(np.float32)
    count = frames.shape[-2]
    # Column j of a frame cut into hops belongs j hops later: adding the cuts is adding the frames.
    out = np.zeros((*frames.shape[:-2], count + steps - 1, hop), np.float32)
    for step in range(steps):
        part = slice(step * hop, min((step + 1) * hop, length))
        out[..., step : step + count, : part.stop - part.start] += frames[..., part]
    flat = out.reshape(*frames.shape[:-2], (count + steps - 1) * hop)
    return flat[..., : (count - 1) * hop + length], frames[..., max(0, count - steps + 1) :, :].copy()


def _steps(settings: STFT) -> int:
    """How many frames lie over a sample, at most."""
    return -(-settings.win_length // settings.hop_length)


class OverlapAdd:
    """Join blocks of rebuilt frames into the sound that they came from.

    Takes what `synthesis_block` makes, in order; hands out samples as soon as no later frame can change them. Every
    sample is the sum of the frames over it from the last to the first, wherever a block begins: the size of the
    blocks changes no digit.
    """

    def __init__(self, settings: STFT, n_samples: int) -> None:
        self.settings = settings
        self.n_samples = n_samples
        self.n_frames = settings.n_frames(n_samples)
        self.position = 0  # first sample that was not handed out yet
        self.earlier: Samples | None = None  # the frames before the block that reach into it

    def add(self, block: tuple[Samples, Samples], begin: int, end: int) -> Samples:
        """Add the frames ``begin`` to ``end``; return the samples ``(..., n)`` that are now complete."""
        (samples, last), hop, length = block, self.settings.hop_length, self.settings.win_length
        if self.earlier is not None:
            for age in range(1, self.earlier.shape[-2] + 1):
                samples[..., : length - age * hop] += self.earlier[..., -age, age * hop :]
            last = np.concatenate([self.earlier, last], axis=-2)
        self.earlier = last[..., max(0, last.shape[-2] - _steps(self.settings) + 1) :, :]
        start = self.settings.offset + begin * hop
        stop = self.n_samples if end >= self.n_frames else min(start + (end - begin) * hop, self.n_samples)
        first = max(start, self.position)
        complete = samples[..., first - start : max(first, stop) - start]
        self.position = first + complete.shape[-1]
        return complete / self._weights(first, complete.shape[-1])

    def _weights(self, first: int, count: int) -> NDArray[np.float32]:
        """Sum of the squared windows over the frames that there are, at ``count`` samples from ``first`` on."""
        return summed_squares(self.settings, self.n_frames, first, count).astype(np.float32)


def analysis_blocks(audio: Audio, settings: STFT, n_block: int = BLOCK_FRAMES) -> Iterator[FrameBlock]:
    """Transform a sound block by block, over the threads."""

    def work(span: tuple[int, int]) -> FrameBlock:
        return analysis_block(audio, settings, *span)

    return ordered(work, block_spans(settings.n_frames(audio.n_samples), n_block))


def rebuild(
    audio: Audio, settings: STFT, change: Callable[[FrameBlock], Complex], n_block: int = BLOCK_FRAMES
) -> Iterator[Samples]:
    """Transform a sound block by block, change the frames, and yield the sound that they stand for.

    ``change`` gets a `FrameBlock` and returns complex64 ``(..., channels, frames, bins)``, for instance a stack of
    several components. Yields float32 ``(..., channels, n)``, one piece after the other, computed over the threads;
    only a few blocks are in memory at a time.
    """
    require_center(settings)

    def work(span: tuple[int, int]) -> tuple[Samples, Samples]:
        with single_blas():  # masks are matrix products
            return synthesis_block(change(analysis_block(audio, settings, *span)), settings)

    join = OverlapAdd(settings, audio.n_samples)
    spans = block_spans(join.n_frames, n_block)
    for span, block in zip(spans, ordered(work, spans), strict=True):
        yield join.add(block, *span)


def stft(audio: Audio, settings: STFT | None = None) -> Spectrogram:
    """Transform a sound.

    Parameters
    ----------
    audio : Audio
        Any number of channels and samples; a sound without samples has one frame of zeros.
    settings : STFT, optional
        Default: ``STFT()``, 2048 samples with a hop of 512.

    Returns
    -------
    Spectrogram
        ``values`` complex64 ``(channels, bins, frames)``.

    Examples
    --------
    >>> import numpy as np
    >>> from unweave.audio import Audio
    >>> stft(Audio(np.zeros(22050), 22050), STFT(n_fft=1024)).values.shape
    (1, 513, 87)
    """
    settings = settings or STFT()
    n_frames = settings.n_frames(audio.n_samples)
    values = np.empty((audio.n_channels, n_frames, settings.n_bins), np.complex64)
    for block in analysis_blocks(audio, settings):
        values[:, block.frames] = block.values
    return Spectrogram(values.transpose(0, 2, 1), settings, audio.sample_rate, audio.n_samples)


def istft(spectrogram: Spectrogram) -> Audio:
    """Rebuild the sound whose spectrogram is nearest to the one given, in the sense of least squares.

    Parameters
    ----------
    spectrogram : Spectrogram
        Made by `stft`, changed or not, or by another program with the same settings.

    Returns
    -------
    Audio
        ``spectrogram.n_samples`` samples. An unchanged spectrogram gives its sound back, 120 dB and more above the
        error.

    Raises
    ------
    InvalidInput
        Without ``center`` the first and the last samples are not covered by windows and cannot be rebuilt.

    References
    ----------
    D. W. Griffin, J. S. Lim, IEEE Trans. ASSP 32(2), 1984, doi:10.1109/TASSP.1984.1164317.
    """
    settings = spectrogram.stft
    require_center(settings)
    frames = spectrogram.values.transpose(0, 2, 1)
    out = np.empty((frames.shape[0], spectrogram.n_samples), np.float32)
    join = OverlapAdd(settings, spectrogram.n_samples)

    def work(span: tuple[int, int]) -> tuple[Samples, Samples]:
        return synthesis_block(frames[:, span[0] : span[1]], settings)

    position = 0
    spans = block_spans(settings.n_frames(spectrogram.n_samples))
    for span, block in zip(spans, ordered(work, spans), strict=True):
        piece = join.add(block, *span)
        out[:, position : position + piece.shape[1]] = piece
        position += piece.shape[1]
    return Audio(out, spectrogram.sample_rate)
