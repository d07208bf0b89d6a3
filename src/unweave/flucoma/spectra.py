"""BufSTFT: magnitude and phase of one channel in buffers, and the way back; see `unweave.polar`.

Buffers: a frame for each frame of the transform and a channel for each bin, at the rate of the frames.

Differences from FluCoMa. The channel that ``startchan`` says is taken, where FluCoMa reads the first one always. The
way back knows the rate of the sound: the usual one that a rounded rate of frames stands for (44032 Hz there, 44100
here).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unweave.errors import InvalidInput
from unweave.flucoma.buffers import Buffer, Source, as_buffer
from unweave.flucoma.ranges import FFT_SETTINGS, Range, choice, rate_of_sound, transform_of, whole
from unweave.framing import STFT
from unweave.polar import PADDINGS, covered_samples, from_polar, to_polar

__all__ = ["STFTBuffers", "bufstft"]


class STFTBuffers(NamedTuple):
    """What `bufstft` makes: magnitude and phase or, with ``inverse=1``, the sound; the others have no frames."""

    magnitude: Buffer
    phase: Buffer
    resynth: Buffer


def bufstft(
    source: Source | None = None,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    magnitude: Source | None = None,
    phase: Source | None = None,
    inverse: int = 0,
    padding: int = 1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> STFTBuffers:
    """Magnitude and phase of one channel of a buffer, or the way back, as BufSTFT does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
        Needed with ``inverse=0``.
    startframe, numframes, startchan : int
        Which part of it. With ``inverse=1``, ``numframes`` is the length of the sound; -1: all that the frames hold,
        the zeros behind the sound included, as in FluCoMa.
    magnitude, phase : Buffer, path, or array ``(frames, fft / 2 + 1)``
        Needed with ``inverse=1``.
    inverse : {0, 1}
        Which way.
    padding : {0, 1, 2}
        Zeros at each end: none, half a window, a window less a hop.
    fftsettings : (window, hop, fft)

    Returns
    -------
    STFTBuffers
        ``magnitude`` and ``phase`` with a frame for each frame of the transform and a channel for each bin; or
        ``resynth``.

    Raises
    ------
    InvalidInput, Incompatible
        Something is missing, out of range, or does not fit.

    References
    ----------
    D. W. Griffin, J. S. Lim, IEEE Trans. ASSP 32(2), 1984, doi:10.1109/TASSP.1984.1164317.

    Examples
    --------
    >>> sound = Buffer(np.sin(np.arange(2000)), 8000)
    >>> there = bufstft(sound, fftsettings=(256, 64, -1))
    >>> there.magnitude
    Buffer(32 frames, 129 channels, 125 Hz)
    >>> back = bufstft(magnitude=there.magnitude, phase=there.phase, inverse=1, numframes=2000, fftsettings=(256, 64))
    >>> bool(np.allclose(back.resynth.frames, sound.frames, atol=1e-6)), back.resynth.sample_rate
    (True, 8000)
    """
    settings = transform_of(fftsettings)
    way = PADDINGS[choice("padding", padding, PADDINGS)]
    nothing = Buffer(np.zeros(0))
    if choice("inverse", inverse, ("forward", "back")):
        sound = _sound_of(magnitude, phase, settings, way, whole("numframes", numframes))
        return STFTBuffers(nothing, nothing, sound)
    if source is None:
        raise InvalidInput("inverse=0 needs a source, but none is given.")
    audio = Range(startframe, numframes, startchan, 1).of(source)
    rate = audio.sample_rate / settings.hop_length
    lengths, angles = to_polar(audio, settings, padding=way)
    return STFTBuffers(Buffer(lengths[0].T, rate), Buffer(angles[0].T, rate), nothing)


def _sound_of(magnitude: Source | None, phase: Source | None, settings: STFT, padding: str, length: int) -> Buffer:
    """The sound of magnitude and phase."""
    if magnitude is None or phase is None:
        raise InvalidInput(f"inverse=1 needs magnitude and phase, but no {'phase' if phase is None else 'magnitude'}.")
    lengths, angles = as_buffer("magnitude", magnitude), as_buffer("phase", phase)
    if length < -1:
        raise InvalidInput(f"numframes={length} is neither a length nor -1.")
    n_samples = covered_samples(settings, padding, lengths.n_frames) if length == -1 else length
    rate = rate_of_sound(lengths.sample_rate, settings.hop_length)
    made = from_polar(
        *(lengths.frames.T, angles.frames.T, settings), sample_rate=rate, padding=padding, n_samples=n_samples
    )
    return Buffer.of(made)
