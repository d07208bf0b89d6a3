"""Magnitude and phase of a recording in buffers, with zeros around it or without, and the way back.

    magnitude[b, i] = |X[b, i]|,    phase[b, i] = ∠X[b, i],    X of the recording with P zeros before and behind it.

P is what a padding stands for:

    none   0                         every frame lies inside of the recording
    half   win_length // 2           frame i has its middle at sample i · hop_length (the default)
    full   win_length - hop_length   every sample lies under as many windows as every other

and there are 1 + (n_samples + 2 P - win_length) // hop_length frames, at least one; with 'full' the length is filled up
to a multiple of the hop first. Back by least squares, as in `unweave.stft`.

What is lost. With 'none' the first and the last samples lie where the only window over them is next to zero, and fade
out on the way back (some 3 in 100 of a window with the Hann window); up to a hop at the end may lie under no window at
all, and is silent. With 'half' this can happen to the end where the hop is longer than a quarter of the window. All
other samples come back, and with 'full' all samples.

Conventions: float32 ``(channels, bins, frames)``; phases in radians, from the start of each frame.

Differences from FluCoMa's BufSTFT. Every channel is transformed, and the one that was asked for, where it always reads
the first. The way back takes the length of the sound, where FluCoMa's leaves the zeros behind it, and its rate, where
FluCoMa's multiplies a rate that was rounded. Magnitudes and phases are the same.

Reference: D. W. Griffin, J. S. Lim, Signal estimation from modified short-time Fourier transform, IEEE Trans. ASSP
32(2), 1984, doi:10.1109/TASSP.1984.1164317.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Complex, Samples
from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT, summed_squares
from unweave.stft import analysis_block, block_spans, synthesis_block
from unweave.threads import ordered

__all__ = ["PADDINGS", "covered_samples", "from_polar", "n_frames", "padding_samples", "to_polar"]

PADDINGS = ("none", "half", "full")
"""The paddings by name, in FluCoMa's order: 0, 1, 2."""


def padding_samples(settings: STFT, padding: str) -> int:
    """Zeros before the recording, and behind it.

    Examples
    --------
    >>> [padding_samples(STFT(1024, 256), padding) for padding in PADDINGS]
    [0, 512, 768]
    """
    if padding not in PADDINGS:
        raise InvalidInput(f"padding={padding!r} is not one of {', '.join(PADDINGS)}.")
    return {"none": 0, "half": settings.win_length // 2, "full": settings.win_length - settings.hop_length}[padding]


def n_frames(settings: STFT, padding: str, n_samples: int) -> int:
    """How many frames a sound of ``n_samples`` has; never less than one.

    Examples
    --------
    >>> [n_frames(STFT(1024, 256), padding, 2000) for padding in PADDINGS]
    [4, 8, 11]
    """
    length = n_samples + 2 * padding_samples(settings, padding)
    if padding == "full":
        length = -(-length // settings.hop_length) * settings.hop_length
    return 1 + max(0, length - settings.win_length) // settings.hop_length


def covered_samples(settings: STFT, padding: str, n_frames: int) -> int:
    """Where the last frame ends: as many samples can be had from so many frames, zeros behind the sound included."""
    return (n_frames - 1) * settings.hop_length + settings.win_length - padding_samples(settings, padding)


def to_polar(audio: Audio, settings: STFT | None = None, *, padding: str = "half") -> tuple[Samples, Samples]:
    """Transform a sound into magnitude and phase.

    Parameters
    ----------
    audio : Audio
        Any number of channels and samples.
    settings : STFT, optional
        Default: ``STFT()``. Its ``center`` is not asked: the padding says where frames lie.
    padding : {"none", "half", "full"}
        Zeros around the sound; see the module.

    Returns
    -------
    magnitude, phase : float32 ``(channels, bins, frames)``
        Phases from -π to π.

    Raises
    ------
    InvalidInput
        The padding is not one of these.

    Examples
    --------
    >>> magnitude, phase = to_polar(Audio(np.ones(2000) / 2, 8000), STFT(1024, 256), padding="none")
    >>> magnitude.shape, float(magnitude[0, 0, 1])
    ((1, 513, 4), 256.0)
    """
    settings = replace(settings or STFT(), center=False)
    count = n_frames(settings, padding, audio.n_samples)
    # The window of frame i begins `lead` samples after its frame: so many zeros more bring it to i hops.
    before = np.zeros((audio.n_channels, padding_samples(settings, padding) + settings.lead), np.float32)
    padded = Audio(np.concatenate([before, audio.samples], axis=1), audio.sample_rate)
    magnitude = np.empty((audio.n_channels, count, settings.n_bins), np.float32)
    phase = np.empty_like(magnitude)

    def work(span: tuple[int, int]) -> None:
        values = analysis_block(padded, settings, *span).values
        np.abs(values, out=magnitude[:, slice(*span)])
        np.arctan2(values.imag, values.real, out=phase[:, slice(*span)])

    for _ in ordered(work, block_spans(count)):
        pass
    return magnitude.transpose(0, 2, 1), phase.transpose(0, 2, 1)


def from_polar(
    magnitude: ArrayLike,
    phase: ArrayLike,
    settings: STFT | None = None,
    *,
    sample_rate: float,
    padding: str = "half",
    n_samples: int | None = None,
) -> Audio:
    """Rebuild the sound from magnitude and phase.

    Parameters
    ----------
    magnitude, phase : ``(channels, bins, frames)``, or ``(bins, frames)`` for one channel
    settings : STFT, optional
        What they were made with.
    sample_rate : number
        Hz, of the sound.
    padding : {"none", "half", "full"}
        What they were made with.
    n_samples : int, optional
        Length of the sound. Default: to the end of the last frame, less the zeros of the padding. FluCoMa keeps these:
        `covered_samples`.

    Returns
    -------
    Audio
        The sound, or the one nearest to it where magnitude or phase were changed.

    Raises
    ------
    InvalidInput
        A number is not finite, or the length is not one.
    Incompatible
        Magnitude, phase, settings and length do not belong together.

    References
    ----------
    D. W. Griffin, J. S. Lim, IEEE Trans. ASSP 32(2), 1984, doi:10.1109/TASSP.1984.1164317.

    Examples
    --------
    >>> sound = Audio(np.sin(np.arange(2000)), 8000)
    >>> back = from_polar(*to_polar(sound, padding="full"), sample_rate=8000, padding="full", n_samples=2000)
    >>> bool(np.allclose(back.samples, sound.samples, atol=1e-6))
    True
    """
    settings = replace(settings or STFT(), center=False)
    lengths, angles = _checked_pair(magnitude, phase, settings)
    count = lengths.shape[1]
    before = padding_samples(settings, padding)
    if n_samples is None:
        n_samples = max(0, covered_samples(settings, padding, count) - before)
    _check_length(n_samples, covered_samples(settings, padding, count), settings.hop_length, count)
    total = np.zeros((lengths.shape[0], before + max(n_samples, covered_samples(settings, padding, count))), np.float32)
    for (begin, _), samples in _rebuilt(lengths, angles, settings):
        first = begin * settings.hop_length
        total[:, first : first + samples.shape[1]] += samples
    weights = summed_squares(settings, count, before + settings.lead, n_samples)
    return Audio(total[:, before : before + n_samples] / weights.astype(np.float32), sample_rate)


def _rebuilt(lengths: Samples, angles: Samples, settings: STFT) -> Iterator[tuple[tuple[int, int], Samples]]:
    """Block after block of frames, added where they overlap."""

    def work(span: tuple[int, int]) -> Samples:
        block = slice(*span)
        values: Complex = lengths[:, block] * np.exp(1j * angles[:, block])
        return synthesis_block(values, settings)[0]

    spans = block_spans(lengths.shape[1])
    return zip(spans, ordered(work, spans), strict=True)


def _checked_pair(magnitude: ArrayLike, phase: ArrayLike, settings: STFT) -> tuple[Samples, Samples]:
    """Both as float32 ``(channels, frames, bins)``."""
    lengths, angles = _checked("magnitude", magnitude, settings), _checked("phase", phase, settings)
    if lengths.shape != angles.shape:
        raise Incompatible(
            f"magnitude has (channels, frames, bins)={lengths.shape}, but phase has {angles.shape}: "
            "were they made from the same recording?"
        )
    return lengths, angles


def _checked(name: str, value: ArrayLike, settings: STFT) -> Samples:
    array: NDArray[Any] = np.asarray(value)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise InvalidInput(
            f"{name} is {array.dtype} of shape {np.shape(value)}, but real numbers (channels, bins, frames) are needed."
        )
    if array.shape[1] != settings.n_bins:
        raise Incompatible(
            f"{name} has {array.shape[1]} bins, but n_fft={settings.n_fft} makes {settings.n_bins}: "
            "was it made with another n_fft, or transposed?"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name} contains NaN or infinity: every entry must be a finite number.")
    return array.transpose(0, 2, 1)


def _check_length(n_samples: int, covered: int, hop: int, count: int) -> None:
    if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 0:
        raise InvalidInput(f"n_samples={n_samples!r} is not a whole number of samples.")
    if n_samples >= max(covered, 0) + hop:
        raise Incompatible(
            f"n_samples={n_samples}, but the {count} frames end at sample {covered}: "
            "does the length belong to another recording?"
        )
