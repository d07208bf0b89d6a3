"""Values of librosa's shapes, both ways: sounds, spectrograms, and what its `decompose` gives.

librosa has bare arrays: ``y`` is ``(n,)`` or ``(channels, n)`` beside its ``sr``, a spectrogram ``(…, bins, frames)``
whose settings are known to the caller only. Here values know them, so on the way in they are told once.

    Audio(y, sr)                    ← librosa.load             to_librosa(audio)       → (y, sr)
    from_librosa(D, sr=sr)          ← D = librosa.stft(y)      to_librosa(spectrogram) → D
    decompose(y, 8, sample_rate=sr)                            to_librosa(parts)       → (components, activations)

Nothing is computed on the way: arrays are shared, or rounded to float32 and complex64 where they are wider, and the way
there and back changes no bit. librosa itself is not needed.

Conventions. Axes are the same; one channel has no axis of its own in librosa. `unweave.stft` and librosa's
``stft(center=True, pad_mode="constant")``, its default since 0.10, give the same values up to rounding: frame ``i`` has
its middle at sample ``i * hop_length``, with zeros outside of the sound, the window is periodic, and a ``win_length``
below ``n_fft`` is padded on both sides. With another ``pad_mode`` the frames at the two ends differ, and components sum
to what librosa's ``istft`` makes of them. A spectrogram does not say how long its sound was: without ``length`` it has
``(frames - 1) * hop_length`` samples, as ``librosa.istft`` returns; with it, all of them.

Differences from librosa. Hops that leave the end of a sound without a window have one frame more here (longer than a
quarter of the window only), and so has an odd ``n_fft`` where the hop divides the length: `from_librosa` with
``length=`` then says what does not fit. Windows go by their names.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Complex, Matrix, Samples
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.parts import Decomposition
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram

Array = TypeVar("Array", bound=NDArray[Any])

__all__ = ["from_librosa", "to_librosa"]


def from_librosa(
    D: ArrayLike,
    *,
    sr: float = 22050,
    n_fft: int | None = None,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    length: int | None = None,
) -> Spectrogram:
    """Take a complex spectrogram of ``librosa.stft``, under librosa's names and with its defaults.

    Parameters
    ----------
    D : complex ``(bins, frames)`` or ``(channels, bins, frames)``
        Shared, not copied, where it is complex64.
    sr : float
        Hz; librosa's own default.
    n_fft, hop_length, win_length, window, center
        As given to ``librosa.stft``. Defaults: ``2 * (bins - 1)``, a quarter of the window, ``n_fft``, 'hann', True.
    length : int, optional
        Samples of the sound, as for ``librosa.istft``. Default: ``(frames - 1) * hop_length``.

    Returns
    -------
    Spectrogram

    Raises
    ------
    InvalidInput
        Magnitudes, which have no phase, or numbers out of range.
    Incompatible
        Settings that this spectrogram was not made with.

    Examples
    --------
    >>> D = np.zeros((1025, 44), np.complex64)  # librosa.stft(y) of a second
    >>> from_librosa(D, length=22050)
    Spectrogram(1 channel, 1025 bins to 11025 Hz, 44 frames, 1.000 s)
    >>> to_librosa(from_librosa(D)).shape
    (1025, 44)
    """
    values = np.asarray(D)
    if values.dtype.kind != "c":
        raise InvalidInput(
            f"D.dtype={values.dtype}, but the complex values of librosa.stft are needed: magnitudes have no phase. "
            "A sound is Audio(y, sr); for magnitudes alone there is unweave.nmf(S, n_components)."
        )
    if values.ndim not in (2, 3):
        raise InvalidInput(f"D.shape={values.shape}, but (bins, frames) or (channels, bins, frames) is needed.")
    n_fft = 2 * (values.shape[-2] - 1) if n_fft is None else n_fft
    win_length = n_fft if win_length is None else win_length
    hop_length = win_length // 4 if hop_length is None else hop_length
    stft = STFT(n_fft, hop_length, win_length, window, center)
    return Spectrogram(values, stft, sr, -1 if length is None else length)


@overload
def to_librosa(value: Audio) -> tuple[Samples, int | float]: ...


@overload
def to_librosa(value: Spectrogram) -> Complex: ...


@overload
def to_librosa(value: Decomposition) -> tuple[Matrix, Matrix]: ...


def to_librosa(
    value: Audio | Spectrogram | Decomposition,
) -> tuple[Samples, int | float] | Complex | tuple[Matrix, Matrix]:
    """Give a value in librosa's shapes, without an axis for a single channel.

    Parameters
    ----------
    value : Audio, Spectrogram, or Decomposition

    Returns
    -------
    (y, sr), D, or (components, activations)
        As ``librosa.load(…, mono=False)``, ``librosa.stft`` and ``librosa.decompose.decompose`` return them; read-only.

    Raises
    ------
    InvalidInput
        Something else, or bases with several taps, which librosa does not know.

    Examples
    --------
    >>> y, sr = to_librosa(Audio(np.zeros((1, 4)), 22050))
    >>> y.shape, sr
    ((4,), 22050)
    """
    if isinstance(value, Audio):
        return _without_axis(value.samples), value.sample_rate
    if isinstance(value, Spectrogram):
        return _without_axis(value.values)
    if isinstance(value, Decomposition):
        if value.factorization.n_taps > 1:
            raise InvalidInput(
                f"the bases last {value.factorization.n_taps} frames, which librosa does not know: take parts.spectra."
            )
        return _without_axis(value.bases), value.activations
    raise InvalidInput(f"{type(value).__name__} has no shape in librosa: pass an Audio, Spectrogram or Decomposition.")


def _without_axis(values: Array) -> Array:
    """The only channel, or all of them."""
    return values[0] if len(values) == 1 else values
