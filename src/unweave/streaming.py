"""A stream taken apart by known sounds while it runs.

    samples ─frames→ X ─|·|→ v ≈ W h ─masks→ M_k ⊙ X ─overlap-add→ sound k, late by a window

The bases W are given, as a `Dictionary` that was learned from recordings of the sounds; only the activations h of the
frame at hand are sought, by a fixed number of steps (`unweave.listening.framewise`). So every hop costs the same, and
nothing of the past is kept but the last window. Sounds that share a label are one sound: several bases may describe it.

Conventions: blocks are float32 ``(channels, n)`` or ``(n,)``, of any n, 0 included; the numbers do not depend on where
blocks end. Frames lie as `unweave.stft` has them. Channels share their activations. The sounds sum to the stream,
delayed by `NMFFilter.latency`, in silence too. `filter_by` does the same to a whole recording, without the delay.

Differences from FluCoMa's NMFFilter. A frame begins where the last one ended; ``warm_start=False`` begins each anew, as
FluCoMa does, but from the same of every sound instead of at random. Bases that do not fit are refused in a sentence,
where FluCoMa emits silence and says nothing. Where no basis has any energy, parts share the sound; FluCoMa loses it.
Before the first sample there is silence; FluCoMa lets parts ring there that cancel in the sum. Any number of channels,
bases that learn, several bases for a sound.

Reference: P. Smaragdis, B. Raj, M. Shashanka, Supervised and semi-supervised separation of sounds from single-channel
mixtures, ICA 2007, doi:10.1007/978-3-540-74494-8_52.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Complex, Mask, Samples
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible
from unweave.framing import STFT
from unweave.listening import Listener, block_samples, fitting, steps_of
from unweave.listening.framewise import FrameMasks, distinct, membership
from unweave.listening.hops import FrameWriter
from unweave.masks import require_power

__all__ = ["NMFFilter", "filter_by", "filtered"]

_BLOCK = 2**14
"""Samples of a recording that are split at a time."""


class NMFFilter:
    """Split a stream into the sounds that bases describe, while it runs.

    Parameters
    ----------
    bases : Dictionary, or ``(channels, bins, components)`` or ``(bins, components)``, non-negative
        The sounds. Bases of one channel serve any number of channels. Components that share a label are one sound.
    stft : STFT, optional
        Settings of the transform. Default: those of the dictionary, or ``STFT()``. A shorter window answers sooner,
        a longer one tells pitches apart.
    sample_rate : float, optional
        Hz of the stream; a dictionary of another rate is refused.
    n_iter : int, at least 1
        Steps of the activations for every frame. More: nearer to the best explanation, and as much dearer.
    power : float, above 0 to 20
        Exponent of the masks; more than 1 separates harder and sounds rougher.
    warm_start : bool
        Begin each frame where the last one ended, which is worth several times as many steps; or from nothing.
    learn_bases : bool, or one bool for each component
        Bases that are to follow the stream. What is kept is kept to the bit.
    forgetting : float, above 0 to 1
        Share of itself that a basis that learns keeps over 64 loud frames. 0.5 follows within seconds of sound, 0.99
        within minutes.

    Attributes
    ----------
    labels : tuple of str
        Names of the sounds, in the order in which they are handed out.
    latency : int
        Samples by which the sounds are late: ``win_length``.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    References
    ----------
    P. Smaragdis, B. Raj, M. Shashanka, ICA 2007, doi:10.1007/978-3-540-74494-8_52.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> from unweave.decomposition import decompose
    >>> loop = drum_loop(n_bars=1)["mix"]
    >>> splitter = NMFFilter(decompose(loop, 3, restarts=1).dictionary)
    >>> splitter.process(loop.samples[:, :64]).shape, splitter.latency
    ((3, 1, 64), 2048)
    """

    def __init__(
        self,
        bases: Dictionary | ArrayLike,
        *,
        stft: STFT | None = None,
        sample_rate: float | None = None,
        n_iter: int = 10,
        power: float = 1.0,
        warm_start: bool = True,
        learn_bases: bool | Sequence[bool] | Mask = False,
        forgetting: float = 0.5,
    ) -> None:
        self._given = fitting(bases, stft, sample_rate)
        self._options = (n_iter, warm_start, learn_bases, forgetting)
        self._power = require_power(power)
        self.labels = distinct(self._given.labels)
        self.latency = self._given.stft.win_length
        self.reset()

    def reset(self) -> None:
        """Forget the stream, and what bases have learned."""
        self._listener = Listener(self._given, steps_of(*self._options, self._given.n_components))

    @property
    def bases(self) -> Dictionary:
        """The bases as they are now."""
        listener = self._listener
        if listener.n_channels is None or not listener.steps.learns.any():
            return listener.dictionary
        now = listener.dictionary
        return Dictionary(listener.model.bases, now.labels, now.stft, now.sample_rate)

    def exchange(self, bases: Dictionary | ArrayLike) -> None:
        """Look for other sounds from the next frame on.

        Frames overlap, so that the old ones fade into the new ones within a window, without a click. The number of
        sounds stays; that of bases may change.
        """
        stft, rate = self._given.stft, self._given.sample_rate
        given = fitting(bases, stft, rate)
        labels = distinct(given.labels)
        if len(labels) != len(self.labels):
            raise Incompatible(
                f"the new bases are of {len(labels)} sounds, but the stream is split into {len(self.labels)}: their "
                "number cannot change while it runs."
            )
        self._listener.exchange(given, steps_of(*self._options, given.n_components))
        self._given, self.labels = given, labels
        if self._listener.n_channels is not None:
            self._masks = FrameMasks(self._listener.model, membership(given.labels), self._power)

    def process(self, block: ArrayLike) -> Samples:
        """Take a block, and hand out as many samples of every sound.

        Parameters
        ----------
        block : ``(channels, n)`` or ``(n,)``
            Any n, 0 included. The first block with samples decides how many channels there are.

        Returns
        -------
        float32 ``(sounds, channels, n)``
            The sounds of `latency` samples ago; before the stream began there is silence.

        Raises
        ------
        InvalidInput, Incompatible
            NaN, or another number of channels than before. Then nothing has changed.
        """
        listener = self._listener
        samples = block_samples(block, listener.n_channels)
        out = np.empty((len(self.labels), *samples.shape), np.float32)
        if samples.size:
            self._begin(samples.shape[0])
            with listener.held():
                for taken, spectrum in listener.hear(samples):
                    if spectrum is not None:
                        self._split(spectrum)
                    self._writer.take(out[..., taken])
        return out

    def _begin(self, n_channels: int) -> None:
        listener = self._listener
        if listener.n_channels is None:
            listener.begin(n_channels)
            self._masks = FrameMasks(listener.model, membership(listener.dictionary.labels), self._power)
            self._writer = FrameWriter(listener.dictionary.stft, len(self.labels), n_channels)

    def _split(self, spectrum: Complex) -> None:
        """Add the shares of a frame to the sounds."""
        if self._listener.steps.learns.any():
            self._masks.renew(self._listener.model)
        self._writer.add(self._masks.apply(self._listener.model, spectrum))

    def flush(self) -> Samples:
        """End the stream: the last `latency` samples of every sound. What comes next is another stream.

        Bases that have learned stay as they are; `reset` makes them what they were.
        """
        listener = self._listener
        self._begin(listener.dictionary.n_channels)
        n_samples = listener.n_samples
        with listener.held():
            for spectrum in listener.end():
                self._split(spectrum)
        return self._writer.end(n_samples)


def filtered(audio: Audio, splitter: NMFFilter, n_block: int = _BLOCK) -> Iterator[Samples]:
    """Split a recording, and yield the sounds piece by piece, float32 ``(sounds, channels, n)``, without the delay."""
    late = splitter.latency
    for begin in range(0, audio.n_samples, n_block):
        piece = splitter.process(audio.samples[:, begin : begin + n_block])
        yield piece[..., late:]
        late = max(0, late - piece.shape[2])
    if audio.n_samples:
        yield splitter.flush()[..., late:]
    else:
        yield np.zeros((len(splitter.labels), audio.n_channels, 0), np.float32)


def filter_by(
    audio: Audio | ArrayLike,
    bases: Dictionary | ArrayLike,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    n_iter: int = 10,
    power: float = 1.0,
    warm_start: bool = True,
    learn_bases: bool | Sequence[bool] | Mask = False,
    forgetting: float = 0.5,
) -> dict[str, Audio]:
    """Split a recording into the sounds that bases describe: what `NMFFilter` does, without its delay.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``.
    bases, stft, n_iter, power, warm_start, learn_bases, forgetting
        As for `NMFFilter`.

    Returns
    -------
    dict of str to Audio
        The sounds by their labels; they sum to the recording.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> from unweave.decomposition import decompose
    >>> loop = drum_loop(n_bars=1)
    >>> hit = decompose(loop["kick"], 1).dictionary.relabel(["kick"])
    >>> rest = decompose(loop["hihat"], 1).dictionary.relabel(["hihat"])
    >>> filter_by(loop["mix"], Dictionary.merge(hit, rest))["kick"].n_samples == loop["mix"].n_samples
    True
    """
    sound = as_audio(audio, sample_rate)
    splitter = NMFFilter(
        bases,
        stft=stft,
        sample_rate=sound.sample_rate,
        n_iter=n_iter,
        power=power,
        warm_start=warm_start,
        learn_bases=learn_bases,
        forgetting=forgetting,
    )
    out = np.empty((len(splitter.labels), *sound.samples.shape), np.float32)
    position = 0
    for piece in filtered(sound, splitter):
        out[..., position : position + piece.shape[2]] = piece
        position += piece.shape[2]
    return {label: Audio(samples, sound.sample_rate) for label, samples in zip(splitter.labels, out, strict=True)}
