"""The sine waves of a recording and the rest: tones that last in one part, noise, clicks and breath in the other.

Every frame of the spectrum is searched for peaks (`unweave.sines.peaks`), peaks of successive frames are joined to
tracks (`unweave.sines.tracking`), and the tracks that last for long enough are drawn into a spectrum S of their own. It
is the mask:

    sines[b, i] = min(1, S[b, i] / |X[b, i]|) · X[b, i],        residual = audio - sines.

Where a track explains all that is there the mask is one; beside its peak it falls as the window's transform does, and
noise stays where it was. The phases are those of the recording, and the two parts sum to it.

Conventions: the settings are those of `unweave.sines.tracking.SineModel`; each channel is taken apart by itself.
Whether a track lasts is known ``min_track_length - 1`` frames later, so the stream is late by that and by one window.

Differences from FluCoMa. There, a spectrum is masked with the peaks of one frame later; here frame and peaks are the
same. Its transform is ``STFT.flucoma()``, 1024 samples with a hop of 512; the default here is the library's. The
residual is what the sines leave of the recording, to the last bit, and the tracks themselves can be had (`tracks`).

References: X. Serra, J. Smith, Spectral modeling synthesis: a sound analysis/synthesis system based on a deterministic
plus stochastic decomposition, Computer Music Journal 14(4), 1990, doi:10.2307/3680788. J. Neri, P. Depalle, Fast
partial tracking of audio with real-time capability through linear programming, Proc. DAFx 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Samples
from unweave.audio import Audio, as_audio
from unweave.framing import STFT
from unweave.listening import channel_count, stream_block
from unweave.listening.hops import BlockReader
from unweave.sines.tonal import BLOCK, Follower, TonalSound
from unweave.sines.tracking import Method, SineModel, Track, TrackedPeaks, joined
from unweave.sound import checked_rate
from unweave.stft import analysis_blocks, require_center

__all__ = ["Sines", "sines", "tracks"]

_USUAL = SineModel()


def sines(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    bandwidth: int = _USUAL.bandwidth,
    detection_threshold: float = _USUAL.detection_threshold,
    birth_low_threshold: float = _USUAL.birth_low_threshold,
    birth_high_threshold: float = _USUAL.birth_high_threshold,
    min_track_length: int = _USUAL.min_track_length,
    tracking: Method = _USUAL.tracking,
    track_magnitude_range: float = _USUAL.track_magnitude_range,
    track_frequency_range: float = _USUAL.track_frequency_range,
    track_probability: float = _USUAL.track_probability,
    stft: STFT | None = None,
) -> tuple[Audio, Audio]:
    """Take a recording apart into its sine waves and the rest.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Any number of channels and samples. Each channel is taken apart by itself.
    sample_rate : float, optional
        Hz; for arrays only.
    bandwidth : int, at least 1
        Bins around a sine wave that may be taken for it. Fewer leave its flanks in the residual, more cost time.
    detection_threshold : float, -144 to 0
        dB. Quieter peaks are not looked at; a higher one leaves faint tones in the residual.
    birth_low_threshold, birth_high_threshold : float, -144 to 0
        How far below the loudest peak of its frame a tone may begin, in dB, at low and at high frequencies. Nearer to
        0, fewer tones are found, and less of the noise is taken for tones.
    min_track_length : int, at least 1
        Frames that a tone must last. Longer ones take in less noise and fewer short notes, and make the stream late.
    tracking : {"greedy", "hungarian"}
        How peaks are joined: the nearest first, or those that are best together, which is slower and steadier where
        tones cross.
    track_magnitude_range : float, 1 to 200
        dB by which a tone may change from one frame to the next, about.
    track_frequency_range : float, 1 to 10000
        Hz by which a tone may move from one frame to the next, about. Wider ranges follow faster slides, and jump
        to other tones sooner.
    track_probability : float, 0 to 1
        Near 1, peaks that lie further away are accepted as well.
    stft : STFT, optional
        Default: ``STFT()``. FluCoMa's is ``STFT.flucoma()``.

    Returns
    -------
    sines, residual : Audio
        Of the shape of ``audio``, which they sum to.

    Raises
    ------
    InvalidInput
        A setting is out of range, the transform cannot be inverted, an array has no rate, or the sound is too loud for
        its numbers.

    References
    ----------
    X. Serra, J. Smith, Computer Music Journal 14(4), 1990, doi:10.2307/3680788.

    Examples
    --------
    >>> time = np.arange(22050) / 22050
    >>> noise = 0.01 * np.random.default_rng(0).standard_normal(22050)
    >>> tone, rest = sines(Audio(0.5 * np.sin(2 * np.pi * 440 * time) + noise, 22050))
    >>> tone
    Audio(1 channel, 1.000 s at 22050 Hz, peak -5.8 dB)
    >>> float(rest.samples[0, 4096:16384].std().round(2))
    0.01
    """
    model = SineModel(
        bandwidth=bandwidth,
        detection_threshold=detection_threshold,
        birth_low_threshold=birth_low_threshold,
        birth_high_threshold=birth_high_threshold,
        min_track_length=min_track_length,
        tracking=tracking,
        track_magnitude_range=track_magnitude_range,
        track_frequency_range=track_frequency_range,
        track_probability=track_probability,
    )
    settings, sound = _checked_settings(stft), as_audio(audio, sample_rate)
    tonal = TonalSound(model, settings, sound.sample_rate, sound.n_channels)
    tonal.expect(sound.n_samples)
    pieces = [tonal.push(block.values) for block in analysis_blocks(sound, settings, BLOCK)]
    found = np.concatenate([*pieces, tonal.finish()], axis=-1)
    return Audio(found, sound.sample_rate), Audio(sound.samples - found, sound.sample_rate)


def tracks(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    detection_threshold: float = _USUAL.detection_threshold,
    birth_low_threshold: float = _USUAL.birth_low_threshold,
    birth_high_threshold: float = _USUAL.birth_high_threshold,
    min_track_length: int = _USUAL.min_track_length,
    tracking: Method = _USUAL.tracking,
    track_magnitude_range: float = _USUAL.track_magnitude_range,
    track_frequency_range: float = _USUAL.track_frequency_range,
    track_probability: float = _USUAL.track_probability,
    stft: STFT | None = None,
) -> tuple[Track, ...]:
    """Follow the partials of a recording: when each begins, and its frequency and level from frame to frame.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Any number of channels and samples; an array needs ``sample_rate``.
    sample_rate, detection_threshold, birth_low_threshold, birth_high_threshold, min_track_length, tracking, \
track_magnitude_range, track_frequency_range, track_probability, stft
        As in `sines`, which masks with these tracks.

    Returns
    -------
    tuple of Track
        Channel by channel, by their beginnings, low to high.

    Raises
    ------
    InvalidInput
        As in `sines`.

    Examples
    --------
    >>> time = np.arange(22050) / 22050
    >>> tracks(Audio(0.5 * np.sin(2 * np.pi * 440 * time), 22050))[0]
    Track(0.000 to 0.998 s, 440 to 440 Hz, up to -6.0 dB)
    """
    model = SineModel(
        detection_threshold=detection_threshold,
        birth_low_threshold=birth_low_threshold,
        birth_high_threshold=birth_high_threshold,
        min_track_length=min_track_length,
        tracking=tracking,
        track_magnitude_range=track_magnitude_range,
        track_frequency_range=track_frequency_range,
        track_probability=track_probability,
    )
    settings, sound = _checked_settings(stft), as_audio(audio, sample_rate)
    follower = Follower(model, settings, sound.sample_rate, sound.n_channels)
    frames: list[list[TrackedPeaks]] = [[] for _ in range(sound.n_channels)]
    for block in analysis_blocks(sound, settings, BLOCK):
        _extend(frames, follower.push(block.values))
    _extend(frames, follower.finish())
    bin_width, step = sound.sample_rate / settings.n_fft, settings.hop_length / sound.sample_rate
    return tuple(track for k, each in enumerate(frames) for track in joined(each, k, bin_width, step))


def _extend(frames: list[list[TrackedPeaks]], more: Sequence[Sequence[TrackedPeaks]]) -> None:
    for channel, decided in zip(frames, more, strict=True):
        channel.extend(decided)


def _checked_settings(stft: STFT | None) -> STFT:
    settings = stft or STFT()
    require_center(settings)
    return settings


class Sines:
    """The twin of `sines` for sound that comes in blocks: the same samples, `latency` later.

    Parameters
    ----------
    sample_rate : number
        Hz.
    n_channels : int
        How many channels every block has.
    bandwidth, detection_threshold, birth_low_threshold, birth_high_threshold, min_track_length, tracking, \
track_magnitude_range, track_frequency_range, track_probability, stft
        As in `sines`.

    Raises
    ------
    InvalidInput
        A setting is out of range.

    Examples
    --------
    >>> live = Sines(22050)
    >>> tone, rest = live.process(np.zeros((1, 64), np.float32))
    >>> tone.shape, live.latency
    ((1, 64), 9216)
    """

    def __init__(
        self,
        sample_rate: float,
        n_channels: int = 1,
        *,
        bandwidth: int = _USUAL.bandwidth,
        detection_threshold: float = _USUAL.detection_threshold,
        birth_low_threshold: float = _USUAL.birth_low_threshold,
        birth_high_threshold: float = _USUAL.birth_high_threshold,
        min_track_length: int = _USUAL.min_track_length,
        tracking: Method = _USUAL.tracking,
        track_magnitude_range: float = _USUAL.track_magnitude_range,
        track_frequency_range: float = _USUAL.track_frequency_range,
        track_probability: float = _USUAL.track_probability,
        stft: STFT | None = None,
    ) -> None:
        self._model = SineModel(
            bandwidth=bandwidth,
            detection_threshold=detection_threshold,
            birth_low_threshold=birth_low_threshold,
            birth_high_threshold=birth_high_threshold,
            min_track_length=min_track_length,
            tracking=tracking,
            track_magnitude_range=track_magnitude_range,
            track_frequency_range=track_frequency_range,
            track_probability=track_probability,
        )
        self._settings = _checked_settings(stft)
        self._sample_rate, self._n_channels = checked_rate(sample_rate), channel_count(n_channels)
        self.reset()

    @property
    def latency(self) -> int:
        """Samples by which what comes out is late."""
        return self._settings.win_length + (self._model.min_track_length - 1) * self._settings.hop_length

    def reset(self) -> None:
        """Forget everything: the next block is the beginning of a sound."""
        self._tonal = TonalSound(self._model, self._settings, self._sample_rate, self._n_channels)
        self._reader = BlockReader(self._settings, self._n_channels)
        self._audio = np.zeros((self._n_channels, self.latency), np.float32)
        self._sines = self._audio.copy()

    def process(self, block: ArrayLike) -> tuple[Samples, Samples]:
        """Take the next samples, and give as many of the two parts.

        Parameters
        ----------
        block : ``(channels, n)``, or ``(n,)`` for one channel
            Any number of samples, in full or none.

        Returns
        -------
        sines, residual : float32 ``(channels, n)``
            The two parts of what came in `latency` samples before; zeros at the beginning.

        Raises
        ------
        Incompatible
            The block has another number of channels.
        InvalidInput
            A sample is not finite.
        """
        samples = stream_block(block, self._n_channels)
        self._reader.push(samples)
        self._sines = np.concatenate([self._sines, *self._analysed(self._reader.n_complete)], axis=1)
        self._audio = np.concatenate([self._audio, samples], axis=1)
        return self._taken(samples.shape[1])

    def flush(self) -> tuple[Samples, Samples]:
        """The sound has ended: give the last `latency` samples of the two parts, and begin anew."""
        self._tonal.expect(self._reader.n_samples)
        tail = [*self._analysed(self._reader.n_left), self._tonal.finish()]
        self._sines = np.concatenate([self._sines, *tail], axis=1)
        parts = self._taken(self.latency)
        self.reset()
        return parts

    def _analysed(self, count: int) -> list[Samples]:
        """Let the next frames pass; return the samples of the sine waves that are complete."""
        return [self._tonal.push(values) for values in self._reader.spectra(count, BLOCK)]

    def _taken(self, count: int) -> tuple[Samples, Samples]:
        """The oldest samples of the sine waves, and what they leave of the sound."""
        found, audio = self._sines[:, :count].copy(), self._audio[:, :count]
        self._sines, self._audio = self._sines[:, count:], self._audio[:, count:]
        return found, audio - found
