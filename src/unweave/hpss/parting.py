"""What sounds and what strikes: a recording taken apart into its harmonic and its percussive part by medians.

In a spectrogram a steady tone is a line along time and a stroke a line along frequency. A median along time keeps the
one and wipes out the other, a median along frequency does the opposite:

    h[b, i] = median of |X[b, i - H … i + H]|,      p[b, i] = median of |X[b - P … b + P, i]|.

Modes, with thresholds T_h and T_p that may depend on the frequency:

    classic   harmonic  M = h^α / (h^α + p^α), percussive 1 - M                        soft; parts are never quite alone
    coupled   harmonic  M = [h > T_h p],       percussive 1 - M                        every bin is one or the other
    advanced  harmonic  M = [h > T_h p],       percussive [p > T_p h],  residual the rest

Where both medians are zero the classic masks are one half each, and the others call it percussive (coupled) or
residual (advanced). The last part is what the others leave of the recording: the parts sum to it.

Conventions: sizes are odd, of frames and of bins, and centred; spectra go on as their mirror image at their ends.
Each channel is taken apart by itself.

Differences. FluCoMa: there the median along frequency lies (P - 1)/2 bins too high and the one along time a frame too
early; here both are centred, and the latency is half as long. α is 1 there and 2, as in Fitzgerald's paper, here. Where
all is zero the parts of its classic mode lose the bin. Beyond the ends it has zeros. The default transform is ours.
librosa: the same masks in ``classic`` with ``margin=1`` and the same ``power``; its ``kernel_size`` is
``(harmonic_size, percussive_size)``, its ``margin`` M that leaves a residual a threshold of 20 log10 M dB here, with
masks of 0 and 1.

References: D. FitzGerald, Harmonic/percussive separation using median filtering, Proc. DAFx 2010. J. Driedger,
M. Müller, S. Disch, Extending harmonic-percussive separation of audio signals, Proc. ISMIR 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Samples
from unweave.audio import Audio, as_audio
from unweave.framing import STFT
from unweave.hpss.masks import HPSSModel, Mode, Threshold
from unweave.hpss.medians import mirrored
from unweave.listening import channel_count, stream_block
from unweave.listening.hops import BlockReader
from unweave.stft import BLOCK_FRAMES, OverlapAdd, analysis_block, block_spans, require_center, synthesis_block
from unweave.threads import ordered

__all__ = ["HPSS", "HPSSParts", "hpss", "hpss_pieces"]

_USUAL = HPSSModel()
_ENDLESS = 2**61  # frames or samples: no sound is as long


class HPSSParts(NamedTuple):
    """The parts of a recording, which sum to it; ``residual`` is silent but in mode ``advanced``."""

    harmonic: Audio
    percussive: Audio
    residual: Audio


def hpss(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    harmonic_size: int = _USUAL.harmonic_size,
    percussive_size: int = _USUAL.percussive_size,
    mode: Mode = _USUAL.mode,
    power: float = _USUAL.power,
    harmonic_threshold: Threshold = _USUAL.harmonic_threshold,
    percussive_threshold: Threshold = _USUAL.percussive_threshold,
    stft: STFT | None = None,
) -> HPSSParts:
    """Take a recording apart into what sounds and what strikes.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Any number of channels and samples. Each channel is taken apart by itself.
    sample_rate : float, optional
        Hz; for arrays only.
    harmonic_size : int, odd, 3 to 2001
        Frames of the median along time. Longer: only tones that last are harmonic; short notes become percussive.
    percussive_size : int, odd, 3 to 2001
        Bins of the median along frequency. Wider: only strokes that reach over many frequencies are percussive.
    mode : {"classic", "coupled", "advanced"}
        Soft masks, one or the other, or with a residual of what is neither.
    power : float, above 0 and at most 20
        Exponent of the masks of ``classic``: 2 is the Wiener filter, 1 is FluCoMa's; more separates harder.
    harmonic_threshold : float or (f1, a1, f2, a2)
        dB by which the median along time must be above the other, in ``coupled`` and ``advanced``: a1 up to f1,
        a2 from f2 on, and a line between, where 1 is half the sample rate. Higher: less, and purer, is harmonic.
    percussive_threshold : float or (f1, a1, f2, a2)
        The opposite, in ``advanced``.
    stft : STFT, optional
        Default: ``STFT()``. Long transforms suit the harmonic part, short ones the percussive part.

    Returns
    -------
    HPSSParts
        ``harmonic``, ``percussive`` and ``residual``, each an `Audio` of the shape of ``audio``, which they sum to.

    Raises
    ------
    InvalidInput
        A setting is out of range, the transform cannot be inverted, an array has no rate, or the sound is too loud for
        its numbers.

    References
    ----------
    D. FitzGerald, Proc. DAFx 2010. J. Driedger, M. Müller, S. Disch, Proc. ISMIR 2014.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> tone[11025] += 1.0
    >>> parts = hpss(Audio(tone, 22050))
    >>> parts.percussive
    Audio(1 channel, 1.000 s at 22050 Hz, peak -0.1 dB)
    """
    model = HPSSModel(harmonic_size, percussive_size, mode, power, harmonic_threshold, percussive_threshold)
    sound = as_audio(audio, sample_rate)
    out = np.zeros((3, *sound.samples.shape), np.float32)
    position = 0
    for piece in hpss_pieces(sound, model, stft):
        out[..., position : position + piece.shape[2]] = piece
        position += piece.shape[2]
    return HPSSParts(*(Audio(part, sound.sample_rate) for part in out))


def hpss_pieces(audio: Audio, model: HPSSModel = _USUAL, stft: STFT | None = None) -> Iterator[Samples]:
    """The parts piece by piece, float32 ``(3, channels, n)``: for recordings whose parts do not fit into memory."""
    settings = stft or STFT()
    require_center(settings)
    join = OverlapAdd(settings, audio.n_samples)
    ahead, n_frames = model.n_ahead, join.n_frames

    def work(span: tuple[int, int]) -> tuple[Samples, Samples]:
        index = mirrored(span[0] - ahead, span[1] + ahead, n_frames)
        first, last = int(index.min()), int(index.max()) + 1
        values = analysis_block(audio, settings, first, last).values
        values = values if index.size == last - first else values[:, index - first]
        return synthesis_block(model.apply(values), settings)

    # Blocks overlap by the length of the median: long medians need long blocks.
    spans = block_spans(n_frames, max(BLOCK_FRAMES, 2 * model.harmonic_size))
    position = 0
    for span, block in zip(spans, ordered(work, spans), strict=True):
        masked = join.add(block, *span)
        yield _completed(masked, audio.samples[:, position : position + masked.shape[2]])
        position += masked.shape[2]


def _completed(masked: Samples, samples: Samples) -> Samples:
    """All three parts ``(3, channels, n)``: the last of them is what the others leave of the recording."""
    parts = np.zeros((3, *samples.shape), np.float32)
    parts[: len(masked)] = masked
    parts[len(masked)] = samples - masked.sum(axis=0)
    return parts


class HPSS:
    """The twin of `hpss` for sound that comes in blocks: the same samples, `latency` later.

    Parameters
    ----------
    n_channels : int
        How many channels every block has.
    harmonic_size, percussive_size, mode, power, harmonic_threshold, percussive_threshold, stft
        As in `hpss`.

    Raises
    ------
    InvalidInput
        A setting is out of range.

    Examples
    --------
    >>> live = HPSS(2)
    >>> harmonic, percussive, residual = live.process(np.zeros((2, 64), np.float32))
    >>> harmonic.shape, live.latency
    ((2, 64), 6144)
    """

    def __init__(
        self,
        n_channels: int = 1,
        *,
        harmonic_size: int = _USUAL.harmonic_size,
        percussive_size: int = _USUAL.percussive_size,
        mode: Mode = _USUAL.mode,
        power: float = _USUAL.power,
        harmonic_threshold: Threshold = _USUAL.harmonic_threshold,
        percussive_threshold: Threshold = _USUAL.percussive_threshold,
        stft: STFT | None = None,
    ) -> None:
        self._n_channels = channel_count(n_channels)
        self._model = HPSSModel(harmonic_size, percussive_size, mode, power, harmonic_threshold, percussive_threshold)
        self._settings = stft or STFT()
        require_center(self._settings)
        self.reset()

    @property
    def latency(self) -> int:
        """Samples by which what comes out is late: a window, and half the median along time."""
        return self._settings.win_length + self._model.n_ahead * self._settings.hop_length

    def reset(self) -> None:
        """Forget everything: the next block is the beginning of a sound."""
        self._join = OverlapAdd(self._settings, _ENDLESS)
        self._reader = BlockReader(self._settings, self._n_channels)
        self._n_done = 0  # frames that were taken apart
        self._frames = np.zeros((self._n_channels, 0, self._settings.n_bins), np.complex64)
        self._first = 0  # which frame the first of them is
        self._waiting = np.zeros((self._n_channels, 0), np.float32)  # samples whose parts are not known yet
        self._parts = np.zeros((3, self._n_channels, self.latency), np.float32)  # to be handed out

    def process(self, block: ArrayLike) -> tuple[Samples, Samples, Samples]:
        """Take the next samples, and give as many of the three parts.

        Parameters
        ----------
        block : ``(channels, n)``, or ``(n,)`` for one channel
            Any number of samples, in full or none.

        Returns
        -------
        harmonic, percussive, residual : float32 ``(channels, n)``
            The parts of what came in `latency` samples before; zeros at the beginning.

        Raises
        ------
        Incompatible
            The block has another number of channels.
        InvalidInput
            A sample is not finite.
        """
        samples = stream_block(block, self._n_channels)
        self._waiting = np.concatenate([self._waiting, samples], axis=1)
        self._reader.push(samples)
        self._analyse(self._reader.n_complete)
        self._take_apart(self._reader.n_frames - self._model.n_ahead, _ENDLESS)
        return self._taken(samples.shape[1])

    def flush(self) -> tuple[Samples, Samples, Samples]:
        """The sound has ended: give the last `latency` samples of the parts, and begin anew."""
        self._analyse(self._reader.n_left)
        n_frames = self._reader.n_frames
        self._join.n_samples, self._join.n_frames = self._reader.n_samples, n_frames
        self._take_apart(n_frames, n_frames)
        parts = self._taken(self.latency)
        self.reset()
        return parts

    def _analyse(self, count: int) -> None:
        """Transform the next frames."""
        self._frames = np.concatenate([self._frames, *self._reader.spectra(count, max(1, count))], axis=1)

    def _take_apart(self, end: int, n_frames: int) -> None:
        """Take the frames apart that were not, up to ``end``, and forget those that no other will need."""
        ahead = self._model.n_ahead
        if end <= self._n_done:
            return
        index = mirrored(self._n_done - ahead, end + ahead, n_frames) - self._first
        masked = self._join.add(
            synthesis_block(self._model.apply(self._frames[:, index]), self._settings), self._n_done, end
        )
        self._n_done = end
        kept = max(0, end - 2 * ahead)
        self._frames, self._first = self._frames[:, kept - self._first :], kept
        parts = _completed(masked, self._waiting[:, : masked.shape[2]])
        self._waiting = self._waiting[:, masked.shape[2] :]
        self._parts = np.concatenate([self._parts, parts], axis=2)

    def _taken(self, count: int) -> tuple[Samples, Samples, Samples]:
        """The next samples to be handed out."""
        harmonic, percussive, residual = self._parts[..., :count].copy()
        self._parts = self._parts[..., count:]
        return harmonic, percussive, residual
