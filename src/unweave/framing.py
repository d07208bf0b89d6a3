"""Settings of a short-time Fourier transform, and everything that follows from them alone.

One object owns both directions, so that the transform and its inverse cannot disagree. It answers how many bins and
frames there are, where they lie in Hz and seconds, and it refuses by name what could not be inverted.

Frames. With ``center`` (the default) frame ``i`` has its middle at sample ``i * hop_length`` and zeros are assumed
outside of the sound. There are ``n_samples // hop_length + 1`` frames, as in librosa and in FluCoMa; one more where the
last samples would otherwise lie so near to a window's end that they could not be rebuilt (possible only with hops
longer than a quarter of the window). Without ``center`` frame ``i`` begins at ``i * hop_length``: analysis only.

Windows are periodic, as spectral analysis needs them (scipy's ``get_window`` with ``fftbins=True``).

Reference: A. Nuttall, Some windows with very good sidelobe behavior, IEEE Trans. ASSP 29(1), 1981,
doi:10.1109/TASSP.1981.1163506.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.errors import InvalidInput

__all__ = ["STFT", "WINDOWS", "summed_squares", "window_values"]

WINDOWS: dict[str, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "boxcar": (1.0,),
    "cosine": (),
}
"""Periodic windows by name: w[n] = Σ_j (-1)^j a_j cos(2πjn / win_length); 'cosine' is the half sine wave."""

_COVERED = 1e-4
"""Least share of the greatest summed squared window that a sample needs so that float32 gives it back."""

_DENSE = 6e-4
"""The same where it holds for every sample between two frames, and not for a few at the end."""


@dataclass(frozen=True, slots=True)
class STFT:
    """Settings of a short-time Fourier transform, and what follows from them.

    Parameters
    ----------
    n_fft : int, at least 2
        Samples of a transform. More bins tell closer pitches apart; they do not make time any sharper.
    hop_length : int, default -1, which stands for ``n_fft // 4``
        Samples from one frame to the next. Shorter hops follow faster changes and cost more.
    win_length : int, default -1, which stands for ``n_fft``
        Samples under the window, at most ``n_fft``; the rest of the frame is zeros. Longer windows tell pitches
        apart, shorter ones keep drums sharp.
    window : str
        One of `WINDOWS`.
    center : bool
        Frame ``i`` has its middle at ``i * hop_length`` (True), or begins there (False: analysis only).
    zeros_after : bool
        Where the zeros go when ``win_length < n_fft``: around the window as in librosa (False), or all after it as
        in FluCoMa (True). Magnitudes are the same; phases count from another sample.

    Raises
    ------
    InvalidInput
        When a number is out of range, or when samples would be lost between windows.

    Examples
    --------
    >>> STFT(n_fft=1024).hop_length
    256
    >>> STFT().n_frames(44100)
    87
    """

    n_fft: int = 2048
    hop_length: int = -1
    win_length: int = -1
    window: str = "hann"
    center: bool = True
    zeros_after: bool = False

    def __post_init__(self) -> None:
        for name in ("n_fft", "hop_length", "win_length"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise InvalidInput(f"{name}={value!r} is not a whole number of samples.")
            object.__setattr__(self, name, int(value))
        if not 2 <= self.n_fft <= 2**20:
            raise InvalidInput(f"n_fft={self.n_fft} is not between 2 and {2**20} samples.")
        # -1 stands for "not given"; the settings always hold the number that is meant.
        object.__setattr__(self, "hop_length", max(1, self.n_fft // 4) if self.hop_length == -1 else self.hop_length)
        object.__setattr__(self, "win_length", self.n_fft if self.win_length == -1 else self.win_length)
        self._validate()

    def _validate(self) -> None:
        if self.window not in WINDOWS:
            raise InvalidInput(f"window={self.window!r} is not one of {', '.join(WINDOWS)}.")
        if not 2 <= self.win_length <= self.n_fft:
            raise InvalidInput(
                f"win_length={self.win_length} is not between 2 and n_fft={self.n_fft}: "
                "a transform cannot hold more samples than its own length."
            )
        if self.hop_length < 1:
            raise InvalidInput(f"hop_length={self.hop_length} is not at least 1 sample.")
        if self.hop_length > self.win_length:
            raise InvalidInput(
                f"hop_length={self.hop_length} is longer than win_length={self.win_length}: "
                "samples between windows would be lost, and the sound could not be rebuilt."
            )
        if _least_coverage(self.window, self.win_length, self.hop_length) < _DENSE:
            raise InvalidInput(
                f"hop_length={self.hop_length} leaves samples where the {self.window} window of "
                f"win_length={self.win_length} is next to zero, and the sound could not be rebuilt: "
                f"use a hop_length of {self.win_length // 2} or less."
            )

    @classmethod
    def flucoma(cls, window_size: int = 1024, hop_size: int = -1, fft_size: int = -1) -> STFT:
        """Settings from FluCoMa's ``fftSettings``: -1 means half a window, and the next power of two."""
        if window_size < 2:
            raise InvalidInput(f"window_size={window_size} is not at least 2 samples.")
        power_of_two = 1 << max(1, math.ceil(math.log2(max(window_size, fft_size, 2))))
        return cls(power_of_two, hop_size if hop_size > 0 else window_size // 2, window_size, zeros_after=True)

    @property
    def n_bins(self) -> int:
        """How many frequencies there are, 0 Hz and half the sample rate included."""
        return self.n_fft // 2 + 1

    @property
    def offset(self) -> int:
        """Sample at which the window of frame 0 begins: negative when frames are centred."""
        if not self.center:
            return self.lead
        return -(self.win_length // 2) if self.zeros_after else self.lead - self.n_fft // 2

    @property
    def lead(self) -> int:
        """Zeros before the window in its frame."""
        return 0 if self.zeros_after else (self.n_fft - self.win_length) // 2

    def n_frames(self, n_samples: int) -> int:
        """How many frames a sound of ``n_samples`` has; never less than one."""
        if not self.center:
            return 1 + max(0, n_samples - self.n_fft) // self.hop_length
        count = n_samples // self.hop_length + 1
        return count + (self._tail_coverage(n_samples, count) < _COVERED)

    def _tail_coverage(self, n_samples: int, count: int) -> float:
        """Least summed squared window over the samples after the last frame's middle, relative to its greatest."""
        last = (count - 1) * self.hop_length
        if n_samples <= last:
            return 1.0
        squared = window_values(self) ** 2
        total = np.zeros(n_samples - last)
        first = last + self.offset
        for begin in range(first, max(first - self.win_length, self.offset - 1), -self.hop_length):
            covered = squared[last - begin : n_samples - begin]
            total[: covered.size] += covered
        return float(total.min() / _greatest_coverage(self.window, self.win_length, self.hop_length))

    def frequencies(self, sample_rate: float) -> NDArray[np.float64]:
        """Hz of every bin, shape ``(n_bins,)``."""
        return np.arange(self.n_bins, dtype=np.float64) * (sample_rate / self.n_fft)

    def times(self, n_frames: int, sample_rate: float) -> NDArray[np.float64]:
        """Seconds at the middle of every frame, shape ``(n_frames,)``."""
        middle = 0.0 if self.center else self.n_fft / 2
        return (np.arange(n_frames, dtype=np.float64) * self.hop_length + middle) / sample_rate

    def settings(self) -> dict[str, Any]:
        """All settings by name, as they are stored in files."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@lru_cache(maxsize=32)
def _window(name: str, length: int) -> NDArray[np.float64]:
    if name == "cosine":
        values = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    else:
        angle = 2 * np.pi * np.arange(length) / length
        values = np.zeros(length)
        for order, weight in enumerate(WINDOWS[name]):
            values += (-1) ** order * weight * np.cos(order * angle)
    values.setflags(write=False)
    return values


def window_values(stft: STFT) -> NDArray[np.float64]:
    """The window, shape ``(win_length,)``."""
    return _window(stft.window, stft.win_length)


@lru_cache(maxsize=32)
def _coverage(name: str, length: int, hop: int) -> NDArray[np.float64]:
    """Sum of the squared windows over one hop of an endless sound."""
    squared = np.zeros(-(-length // hop) * hop)
    squared[:length] = _window(name, length) ** 2
    total: NDArray[np.float64] = squared.reshape(-1, hop).sum(axis=0)
    return total


def _greatest_coverage(name: str, length: int, hop: int) -> float:
    return float(_coverage(name, length, hop).max())


def _least_coverage(name: str, length: int, hop: int) -> float:
    return float(_coverage(name, length, hop).min()) / _greatest_coverage(name, length, hop)


def summed_squares(stft: STFT, n_frames: int, first: int, count: int) -> NDArray[np.float64]:
    """Sum over all frames of the squared window, for ``count`` samples from sample ``first`` on."""
    hop, length = stft.hop_length, stft.win_length
    inner = _coverage(stft.window, length, hop)
    positions = np.arange(first - stft.offset, first - stft.offset + count)
    total = inner[positions % hop]
    # Near the two ends frames are missing: subtract what an endless sound would have there.
    squared = _window(stft.window, length) ** 2
    for missing in range(1, -(-length // hop)):
        for frame in (-missing, n_frames - 1 + missing):
            index = positions - frame * hop
            inside = (index >= 0) & (index < length)
            if inside.any():
                total[inside] -= squared[index[inside]]
    greatest = _greatest_coverage(stft.window, length, hop)
    return np.maximum(total, _COVERED * 0.5 * greatest)
