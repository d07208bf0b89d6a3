"""BufNMFCross, BufHPSS, BufSines and BufTransients: the objects that take a whole buffer at once.

Names and numbers are FluCoMa's; the work is done by `unweave.cross`, `unweave.hpss`, `unweave.sines` and
`unweave.transients`, whose pages say how, and what is done otherwise than there and why. Here:

* sizes that need a middle become the next odd number, as in FluCoMa;
* ``bandwidth`` ends at the number of bins, as there; what else is out of range is refused, where it is changed there;
* BufNMFCross plays all channels of the source, and hears all of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from unweave.cross import cross
from unweave.errors import InvalidInput
from unweave.flucoma.buffers import Buffer, Source
from unweave.flucoma.chance import seed_of
from unweave.flucoma.ranges import FFT_SETTINGS, Range, at_least, choice, odd, spoken, transform_of
from unweave.hpss import MODES, hpss
from unweave.sines import sines
from unweave.transients import transients

__all__ = [
    "HPSSBuffers",
    "SinesBuffers",
    "TransientsBuffers",
    "bufhpss",
    "bufnmfcross",
    "bufsines",
    "buftransients",
]


class HPSSBuffers(NamedTuple):
    """What `bufhpss` makes; the three sum to the source, and ``residual`` is silent but in mode 2."""

    harmonic: Buffer
    percussive: Buffer
    residual: Buffer


class SinesBuffers(NamedTuple):
    """What `bufsines` makes; the two sum to the source."""

    sines: Buffer
    residual: Buffer


class TransientsBuffers(NamedTuple):
    """What `buftransients` makes; the two sum to the source."""

    transients: Buffer
    residual: Buffer


def bufnmfcross(
    source: Source,
    target: Source,
    *,
    timesparsity: int = 7,
    polyphony: int = 11,
    continuity: int = 7,
    iterations: int = 50,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> Buffer:
    """Play ``target`` with the frames of ``source``, as BufNMFCross does.

    Parameters
    ----------
    source, target : Buffer, Audio, path, or array ``(frames, channels)``
        What it is made of, and what it imitates.
    timesparsity, continuity : int, at least 1
        Frames within which a frame is played once, and that are wanted in a row. Even ones become odd.
    polyphony : int, at least 1
        Source frames that may sound at a time. Even ones become odd.
    iterations, seed, fftsettings
        As in `bufnmf`.

    Returns
    -------
    Buffer
        As long as the target, with the rate and the channels of the source.

    Raises
    ------
    InvalidInput
        A number is out of range, or a buffer is empty.

    References
    ----------
    J. Driedger, T. Prätzlich, M. Müller, Let it Bee – towards NMF-inspired audio mosaicing, ISMIR 2015.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1, sample_rate=22050)
    >>> bufnmfcross(loop["hihat"], loop["snare"], iterations=5).n_frames == loop["snare"].n_samples
    True
    """
    with spoken(rng="seed"):
        made = cross(
            Range().of(source),
            Range().of(target, "target"),
            time_sparsity=odd("timesparsity", timesparsity),
            polyphony=odd("polyphony", polyphony),
            continuity=odd("continuity", continuity),
            n_iter=at_least("iterations", iterations, 1),
            rng=seed_of(seed),
            stft=transform_of(fftsettings),
        )
    return Buffer.of(made)


def bufhpss(
    source: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    harmfiltersize: int = 17,
    percfiltersize: int = 31,
    maskingmode: int = 0,
    harmthresh: Sequence[float] = (0.0, 1.0, 1.0, 1.0),
    percthresh: Sequence[float] = (0.0, 1.0, 1.0, 1.0),
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> HPSSBuffers:
    """Part what sounds from what strikes, as BufHPSS does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    startframe, numframes, startchan, numchans : int
        Which part of it.
    harmfiltersize, percfiltersize : int, at least 3
        Frames of the median along time, bins of the one along frequency. Even ones become odd.
    maskingmode : {0, 1, 2}
        Classic, coupled, advanced: soft masks, one or the other, or with a residual.
    harmthresh, percthresh : (f1, a1, f2, a2)
        a1 dB up to f1, a2 dB from f2 on, a line between; frequencies from 0 to 1, which is half the rate.
    fftsettings : (window, hop, fft)

    Returns
    -------
    HPSSBuffers
        ``harmonic``, ``percussive``, ``residual``.

    Raises
    ------
    InvalidInput
        A number is out of range.

    References
    ----------
    D. FitzGerald, Proc. DAFx 2010. J. Driedger, M. Müller, S. Disch, Proc. ISMIR 2014.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> bufhpss(drum_loop(n_bars=1)["snare"]).percussive.n_channels
    1
    """
    audio = Range(startframe, numframes, startchan, numchans).of(source)
    with spoken(
        harmonic_size="harmfiltersize",
        percussive_size="percfiltersize",
        harmonic_threshold="harmthresh",
        percussive_threshold="percthresh",
    ):
        parts = hpss(
            audio,
            harmonic_size=odd("harmfiltersize", harmfiltersize, 3),
            percussive_size=odd("percfiltersize", percfiltersize, 3),
            mode=MODES[choice("maskingmode", maskingmode, MODES)],
            power=1.0,
            harmonic_threshold=_threshold("harmthresh", harmthresh),
            percussive_threshold=_threshold("percthresh", percthresh),
            stft=transform_of(fftsettings),
        )
    return HPSSBuffers(*map(Buffer.of, parts))


def _threshold(name: str, values: Sequence[float]) -> tuple[float, float, float, float]:
    try:
        f1, a1, f2, a2 = (float(value) for value in values)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}={values!r}, but four numbers are needed: f1, a1, f2, a2.") from None
    return f1, a1, f2, a2


def bufsines(
    source: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    bandwidth: int = 76,
    detectionthreshold: float = -96.0,
    birthlowthreshold: float = -24.0,
    birthhighthreshold: float = -60.0,
    mintracklen: int = 15,
    trackmethod: int = 0,
    trackmagrange: float = 15.0,
    trackfreqrange: float = 50.0,
    trackprob: float = 0.5,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> SinesBuffers:
    """Part tones that last from all the rest, as BufSines does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    startframe, numframes, startchan, numchans : int
        Which part of it.
    bandwidth, detectionthreshold, birthlowthreshold, birthhighthreshold, mintracklen, trackmagrange, \
trackfreqrange, trackprob
        What counts as a tone: the parameters of `unweave.sines.sines`, in its order.
    trackmethod : {0, 1}
        Greedy, Hungarian.
    fftsettings : (window, hop, fft)

    Returns
    -------
    SinesBuffers
        ``sines``, ``residual``.

    Raises
    ------
    InvalidInput
        A number is out of range.

    References
    ----------
    X. Serra, J. Smith, Computer Music Journal 14(4), 1990, doi:10.2307/3680788.

    Examples
    --------
    >>> import numpy as np
    >>> tone = Buffer(0.5 * np.sin(np.arange(22050) / 10), 22050)
    >>> bufsines(tone).sines
    Buffer(22050 frames, 1 channel, 22050 Hz)
    """
    audio, settings = Range(startframe, numframes, startchan, numchans).of(source), transform_of(fftsettings)
    with spoken(
        detection_threshold="detectionthreshold",
        birth_low_threshold="birthlowthreshold",
        birth_high_threshold="birthhighthreshold",
        min_track_length="mintracklen",
        track_magnitude_range="trackmagrange",
        track_frequency_range="trackfreqrange",
        track_probability="trackprob",
    ):
        parts = sines(
            audio,
            bandwidth=min(at_least("bandwidth", bandwidth, 1), settings.n_bins),
            detection_threshold=detectionthreshold,
            birth_low_threshold=birthlowthreshold,
            birth_high_threshold=birthhighthreshold,
            min_track_length=at_least("mintracklen", mintracklen, 1),
            tracking="hungarian" if choice("trackmethod", trackmethod, ("greedy", "hungarian")) else "greedy",
            track_magnitude_range=trackmagrange,
            track_frequency_range=trackfreqrange,
            track_probability=trackprob,
            stft=settings,
        )
    return SinesBuffers(*map(Buffer.of, parts))


def buftransients(
    source: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    order: int = 20,
    blocksize: int = 256,
    padsize: int = 128,
    skew: float = 0.0,
    threshfwd: float = 2.0,
    threshback: float = 1.1,
    windowsize: int = 14,
    clumplength: int = 25,
) -> TransientsBuffers:
    """Part clicks and strokes from the sound without them, as BufTransients does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    startframe, numframes, startchan, numchans : int
        Which part of it.
    order, blocksize, padsize, skew, threshfwd, threshback, windowsize, clumplength
        The model and what is found by it: the parameters of `unweave.transients.transients`, in its order.

    Returns
    -------
    TransientsBuffers
        ``transients``, ``residual``.

    Raises
    ------
    InvalidInput
        A number is out of range.

    References
    ----------
    S. J. Godsill, P. J. W. Rayner, Digital Audio Restoration, Springer 1998, doi:10.1007/978-1-4471-1561-8.

    Examples
    --------
    >>> import numpy as np
    >>> buftransients(np.sin(np.arange(3000))).residual
    Buffer(3000 frames, 1 channel, 44100 Hz)
    """
    with spoken(
        block_size="blocksize",
        padding="padsize",
        threshold_forward="threshfwd",
        threshold_back="threshback",
        window_size="windowsize",
        clump_length="clumplength",
    ):
        parts = transients(
            Range(startframe, numframes, startchan, numchans).of(source),
            order=order,
            block_size=blocksize,
            padding=padsize,
            skew=skew,
            threshold_forward=threshfwd,
            threshold_back=threshback,
            window_size=windowsize,
            clump_length=clumplength,
        )
    return TransientsBuffers(*map(Buffer.of, parts))
