"""Clicks and strokes: what nothing before and nothing after it leads one to expect, and the sound without it.

Every block of a recording gets an autoregressive model (`unweave.transients.autoregression`). Where both its errors,
forward and backward, are large beside their usual size,

    f[n] = ( Σ_j w_j (|e_f[n + j]| / σ)^p )^(1/p) > threshold_forward,      b[n] likewise > threshold_back,

a transient begins; it ends when b has been small for a while. Its samples are taken for missing, and are filled in with
what the model makes of the samples around them: that is the residual, and the transients are what it takes away,

    transients = audio - residual.

The cleaned sound is what the next block sees as its past.

Conventions: w is a triangle ``window_size`` wide, p = 2^skew, σ² the robust variance of the errors. Blocks advance by
``block_size - order``; the first begins ``padding`` samples before the sound, as in FluCoMa. Each channel is worked
on by itself. A block more than half of which would be a transient is left alone, and so is silence.

Differences from FluCoMa. Silence, whose model there is not a number, has none. Transients are what the residual leaves
of the recording to the last bit. ``padding`` is raised to ``order + window_size / 2``, where FluCoMa reads beyond its
memory. What the robust model finds is the outcome of a recursion that may be chaotic: then it hangs on the rounding of
numbers, and a block in some hundreds has another one than FluCoMa's. Times are in samples, as there: at other rates
than 44100 Hz scale ``block_size``, ``padding``, ``window_size`` and ``clump_length`` with the rate.

References: S. J. Godsill, P. J. W. Rayner, Digital Audio Restoration, Springer 1998, chapters 4 and 5,
doi:10.1007/978-1-4471-1561-8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Samples
from unweave.audio import Audio, as_audio
from unweave.errors import InvalidInput
from unweave.listening import channel_count, stream_block
from unweave.transients.autoregression import Predictor, filled_in, robust_predictor

__all__ = ["TransientModel", "Transients", "transient_pieces", "transients"]

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

_PIECE = 65536
"""Samples that are worked on between two looks at the progress."""


@dataclass(frozen=True, slots=True)
class TransientModel:
    """What is taken for a transient; the parameters are those of `transients`."""

    order: int = 20
    block_size: int = 256
    padding: int = 128
    skew: float = 0.0
    threshold_forward: float = 2.0
    threshold_back: float = 1.1
    window_size: int = 14
    clump_length: int = 25

    def __post_init__(self) -> None:
        _require_whole("order", self.order, 10, 200)
        _require_whole("block_size", self.block_size, 100, 4096)
        _require_whole("padding", self.padding, 0, 1024)
        _require_whole("window_size", self.window_size, 0, self.order, " (the order)")
        _require_whole("clump_length", self.clump_length, 0, 1_000_000)
        if self.order >= self.block_size:
            raise InvalidInput(f"order={self.order} is not below block_size={self.block_size}: no sample would be new.")
        _require_number("skew", self.skew, -10, 10)
        for name in ("threshold_forward", "threshold_back"):
            _require_number(name, getattr(self, name), 0, 1e9)

    @property
    def hop_length(self) -> int:
        """Samples from one block to the next."""
        return self.block_size - self.order

    @property
    def ahead(self) -> int:
        """Samples after a block that are needed to judge it."""
        return max(self.padding, self.order + self.window_size // 2)

    @property
    def behind(self) -> int:
        """Samples before a block that are needed to judge it."""
        return self.ahead + 2 * self.order

    def cleaned(self, samples: Floats) -> tuple[Truth, Floats] | None:
        """Where the transients of a block are, and what stands there without them; None where there are none.

        ``samples`` are ``behind`` samples before the block, the block, and ``ahead`` samples after it.
        """
        if not samples.any():
            return None
        predictor = robust_predictor(samples, self.order)
        if predictor is None:
            return None
        found = self._found(samples, predictor)
        if not found.any() or found.sum() > self.hop_length // 2:
            return None
        stretch = samples[self.behind - self.order : self.behind + self.hop_length]
        filled = filled_in(stretch, found, predictor)
        return (found, filled) if np.isfinite(filled).all() else None

    def _found(self, samples: Floats, predictor: Predictor) -> Truth:
        """Which samples of the block are of a transient."""
        half, begin, end = self.window_size // 2, self.behind, self.behind + self.hop_length
        forward = predictor.errors(samples[begin - half - self.order : end + half])
        backward = predictor.backward_errors(samples[begin - half : end + half + self.order])
        scale = 1 / math.sqrt(predictor.variance)
        after = self._smooth(np.abs(backward) * scale)
        loud = after > self.threshold_back
        starts = loud & (self._smooth(np.abs(forward) * scale) > self.threshold_forward)
        return self._clumped(starts, loud, after < self.threshold_back)

    def _smooth(self, errors: Floats) -> Floats:
        """The power mean of every error and its neighbours."""
        weights = _triangle(self.window_size // 2)
        around = np.lib.stride_tricks.sliding_window_view(errors, weights.size)
        if self.skew == 0:
            mean: Floats = (around * weights).sum(axis=1)
            return mean
        largest = around.max(axis=1, keepdims=True)  # dividing by it keeps the powers in range
        largest[largest == 0] = 1
        power = 2.0**self.skew
        shares = ((around / largest) ** power * weights).sum(axis=1) ** (1 / power)
        return np.asarray(shares * largest[:, 0])

    def _clumped(self, starts: Truth, loud: Truth, quiet: Truth) -> Truth:
        """From where it starts to where it has been quiet for ``clump_length`` samples."""
        found = np.zeros(starts.size, np.bool_)
        if not starts.any():
            return found
        inside = False
        for n in range(starts.size):
            if not inside:
                inside = bool(starts[n])
            elif quiet[n]:
                inside = bool(loud[n : n + self.clump_length].any())
            found[n] = inside
        return found


@lru_cache(maxsize=8)
def _triangle(half: int) -> Floats:
    """A triangle of ``2 half + 1`` weights that sum to one."""
    weights = np.minimum(np.arange(1, 2 * half + 2), np.arange(2 * half + 1, 0, -1)).astype(np.float64)
    weights /= weights.sum()
    weights.setflags(write=False)
    return weights


def _require_whole(name: str, value: object, least: int, most: int, why: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidInput(f"{name}={value!r} is not a whole number.")
    if not least <= value <= most:
        raise InvalidInput(f"{name}={value} is not from {least} to {most}{why}.")


def _require_number(name: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidInput(f"{name}={value!r} is not a number.")
    if not least <= value <= most:  # NaN is not either
        raise InvalidInput(f"{name}={value:g} is not from {least:g} to {most:g}.")


_USUAL = TransientModel()


def transients(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    order: int = _USUAL.order,
    block_size: int = _USUAL.block_size,
    padding: int = _USUAL.padding,
    skew: float = _USUAL.skew,
    threshold_forward: float = _USUAL.threshold_forward,
    threshold_back: float = _USUAL.threshold_back,
    window_size: int = _USUAL.window_size,
    clump_length: int = _USUAL.clump_length,
) -> tuple[Audio, Audio]:
    """Take a recording apart into its clicks and strokes and the sound without them.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Any number of channels and samples. Each channel is taken apart by itself.
    sample_rate : float, optional
        Hz; for arrays only.
    order : int, 10 to 200
        Samples from which the next is predicted. More follow denser sounds, so that less is a surprise; costs time.
    block_size : int, 100 to 4096
        Samples that share a model. Longer suits steady sounds. A transient is at most half as long.
    padding : int, 0 to 1024
        Samples on either side that the model listens to as well.
    skew : float, -10 to 10
        How errors are averaged: above 0 the largest count for more, which finds short clicks; below 0 the smallest.
    threshold_forward : float, 0 to 1e9
        Deviations at which a transient may begin. Lower finds more, and softer ones.
    threshold_back : float, 0 to 1e9
        Deviations below which it ends. Lower makes transients longer.
    window_size : int, 0 to ``order``
        Samples over which errors are averaged. Wider is steadier, and misses single clicks.
    clump_length : int, at least 0
        Samples for which it must be quiet: transients that are nearer to each other are one.

    Returns
    -------
    transients, residual : Audio
        Of the shape of ``audio``, which they sum to.

    Raises
    ------
    InvalidInput
        A setting is out of range, or an array has no rate.

    References
    ----------
    S. J. Godsill, P. J. W. Rayner, Digital Audio Restoration, Springer 1998, doi:10.1007/978-1-4471-1561-8.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 44100)
    >>> tone += 0.001 * np.random.default_rng(0).standard_normal(tone.size)
    >>> tone[11000] += 0.4
    >>> clicks, rest = transients(Audio(tone, 44100))
    >>> int(np.abs(clicks.samples).argmax())
    11000
    """
    model = TransientModel(
        order, block_size, padding, skew, threshold_forward, threshold_back, window_size, clump_length
    )
    sound = as_audio(audio, sample_rate)
    parts = np.empty((2, *sound.samples.shape), np.float32)
    position = 0
    for piece in transient_pieces(sound, model):
        parts[..., position : position + piece.shape[2]] = piece
        position += piece.shape[2]
    return Audio(parts[0], sound.sample_rate), Audio(parts[1], sound.sample_rate)


def transient_pieces(audio: Audio, model: TransientModel = _USUAL) -> Iterator[Samples]:
    """Transients and residual piece by piece, float32 ``(2, channels, n)``: for those who show how far the work is."""
    channels = [_Cleaning(model) for _ in range(audio.n_channels)]
    given = 0
    for begin in range(0, audio.n_samples + 1, _PIECE):
        residual = _pushed(channels, audio.samples[:, begin : begin + _PIECE])
        if begin + _PIECE > audio.n_samples:
            residual = np.concatenate([residual, np.stack([each.finish() for each in channels])], axis=1)
        samples = audio.samples[:, given : given + residual.shape[1]]
        given += residual.shape[1]
        yield np.stack([samples - residual, residual])


def _pushed(channels: Sequence[_Cleaning], samples: Samples) -> Samples:
    return np.stack([each.push(channel) for each, channel in zip(channels, samples, strict=True)])


class _Cleaning:
    """One channel without its transients, block by block."""

    def __init__(self, model: TransientModel) -> None:
        self._model = model
        # The buffer begins ``behind`` samples before the next block; the first block begins ``ahead`` before the sound.
        self._buffer = np.zeros(model.behind + model.ahead)
        self._early = model.ahead  # samples before the sound that are still to come out
        self._count = self._given = 0

    def push(self, samples: Samples) -> Samples:
        """Take the next samples; return those of the residual that are known."""
        self._count += samples.size
        self._buffer = np.concatenate([self._buffer, samples], dtype=np.float64)
        return self._cleaned()

    def finish(self) -> Samples:
        """No more samples: return what is left of the residual."""
        missing = self._count - self._given
        blocks = -(-(missing + self._early) // self._model.hop_length)
        enough = self._model.behind + blocks * self._model.hop_length + self._model.ahead
        self._buffer = np.concatenate([self._buffer, np.zeros(max(0, enough - self._buffer.size))])
        return self._cleaned()[:missing]

    def _cleaned(self) -> Samples:
        model, hop = self._model, self._model.hop_length
        n_blocks = max(0, (self._buffer.size - model.behind - model.ahead) // hop)
        for start in range(0, n_blocks * hop, hop):
            found = model.cleaned(self._buffer[start : start + model.behind + hop + model.ahead])
            if found is not None:
                block = self._buffer[start + model.behind : start + model.behind + hop]
                block[found[0]] = found[1]
        known = self._buffer[model.behind : model.behind + n_blocks * hop].astype(np.float32)
        self._buffer = self._buffer[n_blocks * hop :].copy()
        early = min(self._early, known.size)
        self._early -= early
        self._given += known.size - early
        return known[early:]


class Transients:
    """The twin of `transients` for sound that comes in blocks: the same samples, `latency` later.

    Parameters
    ----------
    n_channels : int
        How many channels every block has.
    order, block_size, padding, skew, threshold_forward, threshold_back, window_size, clump_length
        As in `transients`.

    Raises
    ------
    InvalidInput
        A setting is out of range.

    Examples
    --------
    >>> live = Transients()
    >>> clicks, rest = live.process(np.zeros((1, 64), np.float32))
    >>> clicks.shape, live.latency
    ((1, 64), 364)
    """

    def __init__(
        self,
        n_channels: int = 1,
        *,
        order: int = _USUAL.order,
        block_size: int = _USUAL.block_size,
        padding: int = _USUAL.padding,
        skew: float = _USUAL.skew,
        threshold_forward: float = _USUAL.threshold_forward,
        threshold_back: float = _USUAL.threshold_back,
        window_size: int = _USUAL.window_size,
        clump_length: int = _USUAL.clump_length,
    ) -> None:
        self._n_channels = channel_count(n_channels)
        self._model = TransientModel(
            order, block_size, padding, skew, threshold_forward, threshold_back, window_size, clump_length
        )
        self.reset()

    @property
    def latency(self) -> int:
        """Samples by which what comes out is late."""
        return self._model.hop_length + self._model.ahead

    def reset(self) -> None:
        """Forget everything: the next block is the beginning of a sound."""
        self._cleaning = [_Cleaning(self._model) for _ in range(self._n_channels)]
        self._audio = np.zeros((self._n_channels, self.latency), np.float32)
        self._residual = self._audio.copy()

    def process(self, block: ArrayLike) -> tuple[Samples, Samples]:
        """Take the next samples, and give as many of the two parts.

        Parameters
        ----------
        block : ``(channels, n)``, or ``(n,)`` for one channel
            Any number of samples, in full or none.

        Returns
        -------
        transients, residual : float32 ``(channels, n)``
            The two parts of what came in `latency` samples before; zeros at the beginning.

        Raises
        ------
        Incompatible
            The block has another number of channels.
        InvalidInput
            A sample is not finite.
        """
        samples = stream_block(block, self._n_channels)
        self._audio = np.concatenate([self._audio, samples], axis=1)
        return self._taken(_pushed(self._cleaning, samples), samples.shape[1])

    def flush(self) -> tuple[Samples, Samples]:
        """The sound has ended: give the last `latency` samples of the two parts, and begin anew."""
        parts = self._taken(np.stack([each.finish() for each in self._cleaning]), self.latency)
        self.reset()
        return parts

    def _taken(self, known: Samples, count: int) -> tuple[Samples, Samples]:
        """The next ``count`` samples of the parts, when more of the residual is known."""
        residual = np.concatenate([self._residual, known], axis=1)
        audio, self._audio = self._audio[:, :count], self._audio[:, count:]
        residual, self._residual = residual[:, :count].copy(), residual[:, count:]
        return audio - residual, residual
