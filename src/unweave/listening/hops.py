"""Frames of a stream: samples come in, frames go out when their last sample is there; and the same backwards.

`FrameReader` and `FrameWriter` are `unweave.stft` cut into single frames; `BlockReader` hands out as many at once as
are complete, for what is made in blocks. Frame ``i`` lies where it lies offline, so that a stream has the frames of the
whole recording, at its beginning and at its end too. What comes out is late by ``win_length`` samples, whatever the
size of the blocks: a sample is known when the last frame over it is.

The memory of single frames is taken when a stream begins: long buffers, in which the place of work moves on, and which
are moved back when it meets their end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.arrays import Complex, Samples
from unweave.audio import Audio
from unweave.framing import STFT, summed_squares, window_values
from unweave.stft import analysis_block, block_spans

__all__ = ["BlockReader", "FrameReader", "FrameWriter"]


class FrameReader:
    """The frames of a stream of ``(n_channels, n)`` samples, one after the other."""

    def __init__(self, stft: STFT, n_channels: int) -> None:
        self.stft = stft
        self._window = window_values(stft).astype(np.float32)
        self._buffer = np.zeros((n_channels, 2 * stft.win_length), np.float32)
        self._padded = np.zeros((n_channels, stft.n_fft), np.float32)
        self._inside = self._padded[:, stft.lead : stft.lead + stft.win_length]
        self._start = 0  # of the next frame
        self._filled = -stft.offset  # before a sound there are zeros

    @property
    def missing(self) -> int:
        """Samples until the next frame is complete."""
        return self._start + self.stft.win_length - self._filled

    def push(self, samples: Samples | int) -> None:
        """Take the next samples, at most as many as are missing; a number stands for all that are missing."""
        count = samples.shape[1] if isinstance(samples, np.ndarray) else self.missing
        self._buffer[:, self._filled : self._filled + count] = samples
        self._filled += count

    def spectrum(self) -> Complex:
        """The spectrum ``(n_channels, bins)`` of the frame that is complete."""
        stop = self._start + self.stft.win_length
        np.multiply(self._buffer[:, self._start : stop], self._window, out=self._inside)
        self._start += self.stft.hop_length
        if self._start + self.stft.win_length > self._buffer.shape[1]:  # then what is kept lies in the second half
            kept = stop - self._start
            self._buffer[:, :kept] = self._buffer[:, self._start : stop]
            self._start, self._filled = 0, kept
        spectrum: Complex = scipy.fft.rfft(self._padded, axis=-1)
        return spectrum


class BlockReader:
    """The frames of a stream of ``(n_channels, n)`` samples, as many at once as are complete."""

    def __init__(self, stft: STFT, n_channels: int) -> None:
        self.stft = stft
        self.n_samples = self.n_frames = 0  # samples that came; frames that were handed out
        # A buffer is cut into frames from its first sample on.
        self._framing = replace(stft, center=False)
        # It begins where the next frame does; the first one begins before the sound.
        self._buffer = np.zeros((n_channels, self._framing.offset - stft.offset), np.float32)

    def push(self, samples: Samples) -> None:
        """Take the next samples."""
        self.n_samples += samples.shape[1]
        self._buffer = np.concatenate([self._buffer, samples], axis=1)

    @property
    def n_complete(self) -> int:
        """Frames whose last sample is there, and which were not handed out."""
        framing = self._framing
        return max(0, (self._buffer.shape[1] - framing.offset - framing.win_length) // framing.hop_length + 1)

    @property
    def n_left(self) -> int:
        """Frames that were not handed out, if the stream ends here."""
        return self.stft.n_frames(self.n_samples) - self.n_frames

    def spectra(self, count: int, n_block: int) -> Iterator[Complex]:
        """The next ``count`` frames in blocks of ``(n_channels, frames, bins)``."""
        sound = Audio(self._buffer, 1)
        for begin, end in block_spans(count, n_block):
            yield analysis_block(sound, self._framing, begin, end).values
        self._buffer = self._buffer[:, count * self.stft.hop_length :]
        self.n_frames += count


class FrameWriter:
    """The samples of a stream of frames: of ``n_sounds`` sounds that share their input.

    The window of the inverse is divided beforehand by the sum of the squared windows of an endless sound. Where frames
    are missing, at the beginning and at the end, samples are multiplied by what that sum is too large by.
    """

    def __init__(self, stft: STFT, n_sounds: int, n_channels: int) -> None:
        self.stft = stft
        self._period = stft.hop_length * (-(-stft.win_length // stft.hop_length) + 1)
        whole = self._endless(stft.offset, stft.win_length)
        self._window = (window_values(stft) / whole).astype(np.float32)
        self._buffer = np.zeros((n_sounds, n_channels, 4 * stft.win_length), np.float32)
        self._next = 0  # where the next frame begins in the buffer
        self._read = -stft.offset - stft.win_length  # where the next sample to hand out lies in it
        self._position = -stft.win_length  # which sample of the sound that is
        self._opening = self._factors(0, stft.win_length, 16 * self._period)

    def _endless(self, first: int, count: int) -> NDArray[np.float64]:
        """The summed squared windows where no frame is missing."""
        return summed_squares(self.stft, 16 * self._period, first + 2 * self._period, count)

    def _factors(self, first: int, count: int, n_frames: int) -> NDArray[np.float32]:
        """What makes up for missing frames; 0 for samples before the sound."""
        factors = self._endless(first, count) / summed_squares(self.stft, n_frames, first, count)
        factors[: max(0, -first)] = 0
        return factors.astype(np.float32)

    def add(self, spectra: Complex) -> None:
        """Take the next frame ``(n_sounds, n_channels, bins)``."""
        lead, win = self.stft.lead, self.stft.win_length
        if self._next + win > self._buffer.shape[2]:
            self._move_back()
        frames = scipy.fft.irfft(spectra, self.stft.n_fft, axis=-1)[..., lead : lead + win]
        frames *= self._window
        self._buffer[..., self._next : self._next + win] += frames
        self._next += self.stft.hop_length

    def _move_back(self) -> None:
        """Bring what is still needed to the front of the buffer; it is at most three windows long."""
        stop = self._next - self.stft.hop_length + self.stft.win_length
        kept = self._buffer[..., self._read : stop].copy()
        self._buffer[..., : kept.shape[2]] = kept
        self._buffer[..., kept.shape[2] :] = 0
        self._next, self._read = self._next - self._read, 0

    def take(self, out: Samples) -> None:
        """Fill ``(n_sounds, n_channels, n)`` with the next samples; zeros where the sound has not begun."""
        count, begin = out.shape[2], max(0, -self._read)
        stop = self._read + count
        out[..., :begin] = 0
        if stop > 0:
            out[..., begin:] = self._buffer[..., self._read + begin : stop]
        first = self._position
        self._read, self._position = stop, first + count
        if first < 0:
            out[..., : min(-first, count)] = 0
        if first < self.stft.win_length and self._position > 0:
            opening = self._opening[max(0, first) : self._position]
            at = max(0, -first)
            out[..., at : at + opening.size] *= opening

    def end(self, n_samples: int) -> Samples:
        """The last ``win_length`` samples of a sound of ``n_samples``, all of whose frames were added."""
        if self._read > 0:
            self._move_back()
        count, begin = self.stft.win_length, max(0, -self._read)
        out = np.zeros((*self._buffer.shape[:2], count), np.float32)
        out[..., begin:] = self._buffer[..., self._read + begin : self._read + count]
        out *= self._factors(self._position, count, self.stft.n_frames(n_samples))
        return out
