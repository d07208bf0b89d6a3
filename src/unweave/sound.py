"""The value `Audio`: a sound as numbers, checked once.

The problem: libraries disagree on the shape and the scale of a sound: (n,), (n, channels), (channels, n),
integers or floats. Here it is float32 ``(channels, samples)``, always two axes, full scale 1.0, every sample
finite.

Differences. From librosa: mono is ``(1, n)``. From soundfile, scipy.io and FluCoMa's buffers, which are
frames by channels: ``samples.T``.
"""

from __future__ import annotations

import math
import numbers
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Samples
from unweave.errors import InvalidInput, ReadError
from unweave.shown import html_of
from unweave.words import counted

__all__ = ["Audio", "as_audio", "checked_rate", "peak_of", "refuse_non_finite"]

_INTEGER_SCALES = {"int16": (0, 2.0**15), "int32": (0, 2.0**31), "uint8": (128, 2.0**7)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Audio:
    """A sound: float32 samples ``(channels, samples)``, read-only, and their rate in Hz.

    Parameters
    ----------
    samples : array (channels, n_samples) or (n_samples,)
        Full scale is 1.0. float64 is rounded to float32; int16, int32 and uint8 are scaled as in sound files
        (divided by 2^15, by 2^31, and by 2^7 around 128). Zero samples are allowed. The array is shared where
        no conversion is needed, and never changed.
    sample_rate : number
        Hz, above zero.

    Raises
    ------
    InvalidInput
        A sample is not finite; the array is no sound; the rate is no rate.

    Examples
    --------
    >>> Audio(np.zeros(22050), 44100)
    Audio(1 channel, 0.500 s at 44100 Hz, silent)
    >>> Audio([[0.5, -0.7], [0.1, 0.2]], 8000).samples.shape
    (2, 2)
    """

    samples: NDArray[Any]
    sample_rate: int | float

    def __post_init__(self) -> None:
        rate = checked_rate(self.sample_rate)
        samples = _checked_samples(self.samples, rate)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", rate)

    @property
    def n_channels(self) -> int:
        """How many channels."""
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        """How many samples in each channel."""
        return int(self.samples.shape[1])

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def peak(self) -> float:
        """The greatest absolute sample; 0.0 where there is none."""
        return peak_of(self.samples)

    def __repr__(self) -> str:
        channels = counted(self.n_channels, "channel")
        peak = self.peak
        level = f"peak {20 * math.log10(peak):.1f} dB" if peak > 0 else "silent"
        return f"Audio({channels}, {self.duration:.3f} s at {self.sample_rate} Hz, {level})".replace("-0.0", "0.0")

    def _repr_html_(self) -> str | None:
        return html_of(self)


def peak_of(samples: Samples) -> float:
    """The greatest absolute sample; 0.0 where there is none."""
    # Two passes without a temporary array, instead of one for abs.
    return max(float(samples.max()), -float(samples.min()), 0.0) if samples.size else 0.0


def checked_rate(rate: object) -> int | float:
    """The rate as int where it is whole, else as float; refused where it is no rate."""
    number = float(rate) if isinstance(rate, numbers.Real) and not isinstance(rate, bool) else math.nan
    if not 0 < number < math.inf:
        raise InvalidInput(f"sample_rate={rate!r}, but it must be a number of Hz above zero, such as 44100.")
    return int(number) if number.is_integer() else number


def _checked_samples(value: ArrayLike, rate: float) -> Samples:
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidInput("samples has rows of different lengths: every channel needs as many.") from None
    if array.ndim not in (1, 2):
        raise InvalidInput(f"samples.shape={array.shape}, but (channels, samples) or (samples,) is needed.")
    if array.ndim == 2 and array.shape[0] == 0:
        raise InvalidInput(f"samples.shape={array.shape}: a sound needs at least one channel.")
    if array.dtype.kind != "f" and array.dtype.name not in _INTEGER_SCALES:
        raise InvalidInput(
            f"samples.dtype={array.dtype}, but a sound is of real numbers: float32 or float64 with full scale "
            "at 1.0, or int16, int32 or uint8 as sound files have them."
        )
    if array.dtype.kind != "f":
        offset, scale = _INTEGER_SCALES[array.dtype.name]
        array = (array.astype(np.float64) - offset) / scale
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused below
        samples = np.ascontiguousarray(array, dtype=np.float32)
    samples = samples.reshape(1, -1) if array.ndim == 1 else samples.view()
    refuse_non_finite(samples, rate, "samples", InvalidInput)
    samples.setflags(write=False)  # of our view: the caller's array keeps its flags
    return samples


def refuse_non_finite(
    samples: Samples, rate: float, name: str, error: type[InvalidInput | ReadError], first: int = 0
) -> None:
    """Raise ``error`` at the first sample that is NaN or infinite; ``first`` is their place in the whole."""
    if not samples.size or (np.isfinite(samples.min()) and np.isfinite(samples.max())):
        return
    wrong = ~np.isfinite(samples)
    at = int(wrong.any(axis=0).argmax())
    channel = int(wrong[:, at].argmax())
    what = "NaN" if np.isnan(samples[channel, at]) else "infinity"
    raise error(
        f"{name} contains {what}, first at {(first + at) / rate:.6g} s in channel {channel} (counted from 0): "
        "every sample must be a finite number."
    )


def as_audio(value: Audio | ArrayLike, sample_rate: float | None = None) -> Audio:
    """Return ``value`` as `Audio`: one is handed back as it is, an array needs its rate.

    Parameters
    ----------
    value : Audio or array (channels, n_samples) or (n_samples,)
    sample_rate : number, optional
        Hz. For an `Audio` it may be left out, and must be its own.

    Returns
    -------
    Audio

    Raises
    ------
    InvalidInput
        There is no rate, another rate, a file's name, or an array that seems to lie on its side.

    Examples
    --------
    >>> as_audio([0.0, 0.5, 0.0], sample_rate=4)
    Audio(1 channel, 0.750 s at 4 Hz, peak -6.0 dB)
    """
    if isinstance(value, Audio):
        if sample_rate is not None and sample_rate != value.sample_rate:
            raise InvalidInput(
                f"sample_rate={sample_rate}, but the audio has {value.sample_rate} Hz: leave it out, or convert "
                "the sound with unweave.audio.resample."
            )
        return value
    if isinstance(value, str | bytes | os.PathLike):
        raise InvalidInput(f"{value!r} is the name of a file: read it with unweave.load first.")
    if sample_rate is None:
        raise InvalidInput("An array does not say its rate: give sample_rate= in Hz, such as 44100.")
    shape = np.shape(value)
    if len(shape) == 2 and shape[0] >= 1000 and shape[1] <= 8:
        raise InvalidInput(
            f"The array's shape is {shape}, but (channels, samples) is needed: pass array.T (if it really has "
            f"{shape[0]} channels, pass Audio(array, sample_rate))."
        )
    return Audio(value, sample_rate)  # type: ignore[arg-type]  # whatever it is, Audio checks and converts it
