"""A complex spectrogram that knows its axes.

``values`` is complex64 ``(channels, bins, frames)``. In memory the bins of a frame lie side by side (the array is a
transposed view), because everything here works frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Complex, Samples
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.shown import html_of
from unweave.sound import checked_rate
from unweave.words import counted

__all__ = ["Spectrogram"]


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    """Complex values over frequency and time, with the settings that they were made with.

    Parameters
    ----------
    values : complex64 ``(channels, bins, frames)``
        A matrix ``(bins, frames)``, as librosa makes of one channel, is taken as one channel.
    stft : STFT
        Settings that the values were made with; ``values`` must have ``stft.n_bins`` bins.
    sample_rate : float
        Hz.
    n_samples : int, optional
        Length of the sound. If it is not given, the shortest length that has this many frames, as librosa's inverse
        assumes.
    """

    values: Complex
    stft: STFT
    sample_rate: float
    n_samples: int = -1

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim == 2:
            values = values[None]
        if values.ndim != 3 or 0 in values.shape:
            raise InvalidInput(f"values.shape={values.shape}, but (channels, bins, frames) is needed.")
        if values.shape[1] != self.stft.n_bins:
            raise Incompatible(
                f"values has {values.shape[1]} bins, but n_fft={self.stft.n_fft} makes {self.stft.n_bins}: "
                "was it made with another n_fft, or transposed?"
            )
        if values.dtype.kind not in "fciu":
            raise InvalidInput(f"values.dtype={values.dtype}, but complex numbers are needed.")
        with np.errstate(over="ignore"):  # what complex64 cannot hold becomes infinity, and is refused
            values = values.astype(np.complex64, copy=False).view()
        if not np.isfinite(values).all():
            raise InvalidInput("values contains NaN or infinity.")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "sample_rate", checked_rate(self.sample_rate))
        if isinstance(self.n_samples, bool) or not isinstance(self.n_samples, (int, np.integer)):
            raise InvalidInput(f"n_samples={self.n_samples!r} is not a whole number.")
        object.__setattr__(self, "n_samples", int(self.n_samples))
        if self.n_samples < 0:
            shortest = 0 if self.stft.center else self.stft.n_fft
            object.__setattr__(self, "n_samples", (values.shape[2] - 1) * self.stft.hop_length + shortest)
        needed = self.stft.n_frames(self.n_samples)
        if values.shape[2] != needed:
            raise Incompatible(
                f"values has {counted(values.shape[2], 'frame')}, but {self.n_samples} samples make {needed} "
                f"with hop_length={self.stft.hop_length}: was it made with another hop_length?"
            )

    def __repr__(self) -> str:
        channels, bins, frames = self.values.shape
        return (
            f"Spectrogram({counted(channels, 'channel')}, {bins} bins to {self.sample_rate / 2:g} Hz, "
            f"{counted(frames, 'frame')}, {self.n_samples / self.sample_rate:.3f} s)"
        )

    def _repr_html_(self) -> str | None:
        return html_of(self)

    @property
    def magnitude(self) -> Samples:
        """Absolute values, float32 ``(channels, bins, frames)``."""
        return np.abs(self.values)

    @property
    def power(self) -> Samples:
        """Squared absolute values, float32 ``(channels, bins, frames)``."""
        return np.square(np.abs(self.values))

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Hz of every bin."""
        return self.stft.frequencies(self.sample_rate)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds at the middle of every frame."""
        return self.stft.times(self.values.shape[2], self.sample_rate)
