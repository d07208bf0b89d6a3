"""NMFFilter, NMFMatch and NMFMorph over a whole buffer: the objects for live sound, run offline.

What comes out lies where it belongs in time: the delay that the live objects have is taken away. Names and numbers are
FluCoMa's; the work is done by `unweave.streaming`, `unweave.matching` and `unweave.morph`, whose live twins are
`unweave.streaming.NMFFilter` and its like.

Differences from FluCoMa. Bases that do not fit are refused in a sentence, where the objects there are silent and say
nothing. Every frame begins where the last one ended, so that ``seed`` means nothing here and ``iterations`` go further;
NMFMatch makes as many of them as it is told, there always ten. Bases keep their levels. Each channel of the source is
taken by itself. NMFMorph is as loud as its bases and activations say, costs of the assignment are not added up over the
pairs, and the sound is made with a hop of an eighth of the window where the activations have a longer one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.flucoma.buffers import USUAL_RATE, Buffer, Source, as_buffer
from unweave.flucoma.chance import seed_of
from unweave.flucoma.ranges import FFT_SETTINGS, Range, at_least, choice, rate_of_sound, transform_of
from unweave.framing import STFT
from unweave.matching import match_by
from unweave.morph import morph
from unweave.streaming import NMFFilter, filtered
from unweave.words import counted

__all__ = ["nmffilter", "nmfmatch", "nmfmorph"]


def nmffilter(
    source: Source,
    bases: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    maxcomponents: int = 20,
    iterations: int = 10,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> Buffer:
    """Split a buffer by given bases, as NMFFilter does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    bases : Buffer, path, or array ``(fft / 2 + 1, components)``
        The sounds to look for.
    startframe, numframes, startchan, numchans : int
        Which part of the source.
    maxcomponents : int, at least 1
        Bases beyond so many are left out.
    iterations : int, at least 1
        Steps for each frame. More: nearer to the best explanation, and as much slower.
    seed : int
        Without meaning: no number is drawn.
    fftsettings : (window, hop, fft)

    Returns
    -------
    Buffer
        As long as the source, of channels × components channels, which sum to it: channel c · K + k is component k of
        source channel c.

    Raises
    ------
    InvalidInput, Incompatible
        A number is out of range, or bases do not fit the transform.

    References
    ----------
    P. Smaragdis, B. Raj, M. Shashanka, ICA 2007, doi:10.1007/978-3-540-74494-8_52.

    Examples
    --------
    >>> nmffilter(np.sin(np.arange(3000)), np.eye(33)[:, :2], fftsettings=(64, -1, -1))
    Buffer(3000 frames, 2 channels, 44100 Hz)
    """
    settings, audio = transform_of(fftsettings), Range(startframe, numframes, startchan, numchans).of(source)
    known = _known(bases, settings, maxcomponents)
    seed_of(seed)
    out = np.empty((audio.n_samples, audio.n_channels * known.shape[1]), np.float32)
    for channel, samples in enumerate(audio.samples):
        splitter = NMFFilter(known, stft=settings, n_iter=at_least("iterations", iterations, 1))
        columns = out[:, channel * known.shape[1] : (channel + 1) * known.shape[1]]
        position = 0
        for piece in filtered(Audio(samples, audio.sample_rate), splitter):
            columns[position : position + piece.shape[2]] = piece[:, 0].T
            position += piece.shape[2]
    return Buffer(out, audio.sample_rate)


def nmfmatch(
    source: Source,
    bases: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    maxcomponents: int = 20,
    iterations: int = 10,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> Buffer:
    """Say how much of each basis there is in every frame of a buffer, as NMFMatch does.

    Parameters
    ----------
    source, bases, startframe, numframes, startchan, numchans, maxcomponents, iterations, seed, fftsettings
        As in `nmffilter`.

    Returns
    -------
    Buffer
        ``n // hop + 1`` frames of channels × components channels, in units of the bases.

    Raises
    ------
    InvalidInput, Incompatible
        A number is out of range, or bases do not fit the transform.

    Examples
    --------
    >>> nmfmatch(np.sin(np.arange(3200)), np.eye(33)[:, :2], fftsettings=(64, -1, -1))
    Buffer(101 frames, 2 channels, 1378.12 Hz)
    """
    settings, audio = transform_of(fftsettings), Range(startframe, numframes, startchan, numchans).of(source)
    known = _known(bases, settings, maxcomponents)
    seed_of(seed)
    n_iter, n_frames = at_least("iterations", iterations, 1), audio.n_samples // settings.hop_length + 1
    found = [
        match_by(samples, known, sample_rate=audio.sample_rate, stft=settings, n_iter=n_iter)[:, :n_frames]
        for samples in audio.samples
    ]
    return Buffer(np.concatenate(found).T, audio.sample_rate / settings.hop_length)


def _known(bases: Source, settings: STFT, maxcomponents: int) -> NDArray[np.float32]:
    """Bases ``(bins, components)``, checked."""
    buffer = as_buffer("bases", bases)
    if buffer.n_frames != settings.n_bins:
        raise Incompatible(
            f"bases has {buffer.n_frames} frames, but {settings.n_bins} are needed: (fft / 2) + 1. "
            "Were they made with other fftsettings?"
        )
    frames: NDArray[np.float32] = buffer.frames[:, : at_least("maxcomponents", maxcomponents, 1)]
    if frames.min() < 0:
        raise InvalidInput(f"bases contains {frames.min():.4g}, but no entry may be negative.")
    return frames


def nmfmorph(
    source: Source,
    target: Source,
    activations: Source,
    *,
    autoassign: int = 1,
    interpolation: float = 0.0,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
    samplerate: float | None = None,
) -> Buffer:
    """Play activations with bases on their way from one set to another, as NMFMorph does.

    Parameters
    ----------
    source, target : Buffer, path, or array ``(fft / 2 + 1, components)``
        The bases at interpolation 0 and at 1.
    activations : Buffer, path, or array ``(frames, components)``
        Of the source's bases.
    autoassign : {1, 0}
        Whether each source basis turns into the target basis that is nearest, over all; or first into first.
    interpolation : float, 0 to 1
        Where on the way.
    seed : int
        Of the phases of faint bins.
    fftsettings : (window, hop, fft)
        Of the bases and the activations.
    samplerate : number, optional
        Hz of the sound. Default: hop times the rate of the activations, as that of a sound.

    Returns
    -------
    Buffer
        One channel, from the first frame of the activations to the last, once.

    Raises
    ------
    InvalidInput, Incompatible
        A number is out of range, or buffers do not fit each other.

    References
    ----------
    G. Roma, O. Green, P. A. Tremblay, DAFx 2020.

    Examples
    --------
    >>> low, high = np.eye(257)[:, [20]], np.eye(257)[:, [40]]
    >>> nmfmorph(low, high, np.full((101, 1), 50.0), interpolation=0.5, fftsettings=(512, -1, -1), samplerate=8000)
    Buffer(25600 frames, 1 channel, 8000 Hz)
    """
    settings, playing = transform_of(fftsettings), as_buffer("activations", activations)
    rate = samplerate or (
        rate_of_sound(playing.sample_rate, settings.hop_length) if isinstance(activations, Buffer) else USUAL_RATE
    )
    ends = [_known(bases, settings, 2**31) for bases in (source, target)]
    if playing.n_channels != ends[0].shape[1]:
        raise Incompatible(
            f"activations has {counted(playing.n_channels, 'channel')}, "
            f"but the source {ends[0].shape[1]}: one for each basis."
        )
    begin, end = (Dictionary(bases, (), settings, rate) for bases in ends)
    made = morph(
        begin,
        end,
        playing.frames.T,
        interpolation,
        assign=bool(choice("autoassign", autoassign, ("first to first", "the nearest"))),
        rng=seed_of(seed),
    )
    return Buffer.of(made)
