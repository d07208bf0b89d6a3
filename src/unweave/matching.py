"""How loud each of some known sounds is in a stream: its activations, hop by hop.

    samples ─frames→ X ─|·|→ v ≈ W h ─→ h

as in `unweave.streaming`, with h itself as the result: a detector, a trigger, a follower of levels. An activation is in
units of its basis: with a basis of length one it is the length of the sound's magnitudes.

Conventions: blocks are ``(channels, n)`` or ``(n,)``, of any n, 0 included; the numbers do not depend on where blocks
end, and are those of the frames of `unweave.stft`.

Differences from FluCoMa's NMFMatch: as many steps are made as are asked for, there always ten; bases keep their scale,
there each gets length one; silence has activations of zero; bases that do not fit are refused in a sentence, there
nothing is emitted. Smoothing and a threshold, which users there build by themselves.

Reference: A. Dessein, A. Cont, G. Lemaitre, Real-time polyphonic music transcription with non-negative matrix
factorization and beta-divergence, ISMIR 2010.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Matrix
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.listening import Listener, block_samples, fitting, steps_of
from unweave.listening.framewise import distinct, membership

__all__ = ["MEMORY", "NMFMatch", "match_by"]

MEMORY = 10.0
"""Seconds after which half of the loudest that was heard is forgotten, for thresholds."""


class NMFMatch:
    """How loud each of some known sounds is in a stream, hop by hop.

    Parameters
    ----------
    bases, stft, sample_rate, n_iter, warm_start
        As for `unweave.streaming.NMFFilter`. Of a matrix without a rate 44100 Hz is taken, which matters for
        ``smoothing`` and ``threshold`` only.
    smoothing : float, at least 0
        Seconds within which activations follow to two thirds (a lowpass of one pole); 0: at once.
    threshold : float, 0 to below 1
        Activations below this share of the loudest that was heard lately are 0.

    Attributes
    ----------
    labels : tuple of str
        Names of the sounds: the rows.
    stft : STFT
        Settings of the transform.
    latency : int
        Samples from the middle of a frame to the block that brings its column: half a window.

    Examples
    --------
    >>> bases = np.eye(9)[:, [2, 5]]
    >>> match = NMFMatch(bases, stft=STFT(16, 4))
    >>> columns = match.process(np.cos(2 * np.pi * 5 / 16 * np.arange(100)))
    >>> columns.shape, columns[:, -1].argmax()
    ((2, 24), np.int64(1))
    """

    def __init__(
        self,
        bases: Dictionary | ArrayLike,
        *,
        stft: STFT | None = None,
        sample_rate: float | None = None,
        n_iter: int = 10,
        warm_start: bool = True,
        smoothing: float = 0.0,
        threshold: float = 0.0,
    ) -> None:
        self._given = fitting(bases, stft, sample_rate)
        self._steps = steps_of(n_iter, warm_start, False, 1.0, self._given.n_components)
        for name, value, limit in (("smoothing", smoothing, math.inf), ("threshold", threshold, 1)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < limit:
                until = ", to below 1" if limit == 1 else " of seconds"
                raise InvalidInput(f"{name}={value!r} is not a number from 0 up{until}.")
        self.stft = settings = self._given.stft
        self.labels = distinct(self._given.labels)
        self.latency = settings.win_length + settings.offset
        self.frame_rate = self._given.sample_rate / settings.hop_length
        self._members = membership(self._given.labels)
        self._follow = 1.0 if smoothing == 0 else 1 - math.exp(-1 / (smoothing * self.frame_rate))
        self._threshold, self._fade = threshold, 0.5 ** (1 / (MEMORY * self.frame_rate))
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._listener = Listener(self._given, self._steps)
        self._last = np.zeros(len(self.labels))
        self._loudest = 0.0

    def process(self, block: ArrayLike) -> Matrix:
        """Take a block, and hand out the activations of the frames that it completes.

        Parameters
        ----------
        block : ``(channels, n)`` or ``(n,)``
            Any n, 0 included.

        Returns
        -------
        float32 ``(sounds, hops)``
            How much of every sound there is, in units of its basis; those of bases with one label are summed.
        """
        listener = self._listener
        samples = block_samples(block, listener.n_channels)
        if not samples.size:
            return self._joined([])
        if listener.n_channels is None:
            listener.begin(samples.shape[0])
        with listener.held():
            return self._joined([self._column() for _, spectrum in listener.hear(samples) if spectrum is not None])

    def flush(self) -> Matrix:
        """End the stream: the columns of the frames that reach beyond its end. What comes next is another stream."""
        if self._listener.n_channels is None:
            self._listener.begin(self._given.n_channels)
        with self._listener.held():
            columns = self._joined([self._column() for _ in self._listener.end()])
        self.reset()
        return columns

    def _column(self) -> Matrix:
        """The activations of the frame at hand, as they are told."""
        found = self._listener.model.activations
        heard = found if self._members is None else self._members @ found
        self._last = self._last + self._follow * (heard - self._last)
        if self._threshold == 0:
            return self._last
        self._loudest = max(self._loudest * self._fade, float(self._last.max()))
        return np.where(self._last < self._threshold * self._loudest, 0, self._last)

    def _joined(self, columns: list[Matrix]) -> Matrix:
        if not columns:
            return np.zeros((len(self.labels), 0), np.float32)
        return np.array(columns, np.float32).T


def match_by(
    audio: Audio | ArrayLike,
    bases: Dictionary | ArrayLike,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    n_iter: int = 10,
    warm_start: bool = True,
    smoothing: float = 0.0,
    threshold: float = 0.0,
) -> Matrix:
    """How loud each of some known sounds is in a recording: what `NMFMatch` tells.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``.
    bases, stft, n_iter, warm_start, smoothing, threshold
        As for `NMFMatch`.

    Returns
    -------
    float32 ``(sounds, frames)``
        Frames lie where `unweave.stft` has them; the sounds are in the order of their labels.

    Examples
    --------
    >>> match_by(np.zeros(1000), np.ones((9, 2)), sample_rate=8000, stft=STFT(16)).shape
    (2, 251)
    """
    sound = as_audio(audio, sample_rate)
    match = NMFMatch(
        bases,
        stft=stft,
        sample_rate=sound.sample_rate,
        n_iter=n_iter,
        warm_start=warm_start,
        smoothing=smoothing,
        threshold=threshold,
    )
    if not sound.n_samples:
        return match.flush()
    return np.concatenate([match.process(sound.samples), match.flush()], axis=1)
