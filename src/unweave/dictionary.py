"""Named bases, with the settings of the transform that they belong to.

A basis without its FFT size and sample rate is a row of numbers; with them it is a sound that can be looked for in
another recording. The file is one ``.npz`` that any NumPy opens: ``bases`` float32 ``(channels, bins, components)``
or, where bases last several frames, ``(channels, bins, components, taps)``, and ``settings``, a JSON text. Nothing in
it is pickled, and the same dictionary makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np

from unweave.arrays import Matrix
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.framing import STFT
from unweave.npz import read_npz, understood, write_npz
from unweave.sound import checked_rate

__all__ = ["Dictionary"]

_FORMAT = "unweave dictionary"
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """Bases with labels, and the settings under which they mean something.

    Parameters
    ----------
    bases : ``(channels, bins, components)`` or ``(channels, bins, components, taps)``, non-negative
        A matrix ``(bins, components)`` is taken as one channel.
    labels : sequence of str, optional
        A name for each component. Default: '0', '1', …
    stft : STFT
        Settings of the transform; ``bases`` has its number of bins.
    sample_rate : float
        Hz.
    """

    bases: Matrix
    labels: tuple[str, ...] = ()
    stft: STFT = field(default_factory=STFT)
    sample_rate: float = 44100

    def __post_init__(self) -> None:
        bases = np.asarray(self.bases)
        bases = bases[None] if bases.ndim == 2 else bases
        if bases.ndim not in (3, 4) or 0 in bases.shape or bases.dtype.kind not in "fiu":
            raise InvalidInput(
                f"bases.shape={bases.shape} of {bases.dtype}, but (channels, bins, components) is needed, or with a "
                "fourth axis of taps."
            )
        if bases.shape[1] != self.stft.n_bins:
            raise Incompatible(
                f"bases has {bases.shape[1]} bins, but n_fft={self.stft.n_fft} makes {self.stft.n_bins}: "
                "were they made with another n_fft?"
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused
            bases = bases.astype(np.float32)
        if not np.isfinite(bases).all() or bases.min() < 0:
            raise InvalidInput("bases must be finite and not negative.")
        bases.setflags(write=False)
        labels = tuple(str(label) for label in self.labels) or tuple(str(k) for k in range(bases.shape[2]))
        if len(labels) != bases.shape[2]:
            raise Incompatible(f"{len(labels)} labels for {bases.shape[2]} bases: one for each is needed.")
        object.__setattr__(self, "sample_rate", checked_rate(self.sample_rate))
        object.__setattr__(self, "bases", bases)
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
        taps = f" of {self.n_taps} taps" if self.n_taps > 1 else ""
        settings = f"n_fft={self.stft.n_fft} at {self.sample_rate:g} Hz"
        return f"Dictionary({self.n_components} bases{taps}: {shown}; {settings})"

    @property
    def n_components(self) -> int:
        """How many bases there are."""
        return int(self.bases.shape[2])

    @property
    def n_channels(self) -> int:
        """How many channels each basis has."""
        return int(self.bases.shape[0])

    @property
    def n_taps(self) -> int:
        """How many frames each basis lasts."""
        return int(self.bases.shape[3]) if self.bases.ndim == 4 else 1

    def select(self, labels: Sequence[str]) -> Dictionary:
        """The bases with these labels, in this order."""
        missing = [label for label in labels if label not in self.labels]
        if missing:
            raise InvalidInput(f"label {missing[0]!r} is not among {', '.join(self.labels)}.")
        index = [self.labels.index(label) for label in labels]
        return Dictionary(self.bases[:, :, index], tuple(labels), self.stft, self.sample_rate)

    def fit_channels(self, n_channels: int) -> Matrix:
        """The bases for a recording of so many channels: those of one channel serve every channel alike."""
        if self.n_channels == n_channels:
            return self.bases
        if self.n_channels == 1:
            return np.repeat(self.bases, n_channels, axis=0)
        raise Incompatible(
            f"the dictionary has {self.n_channels} channels, but the recording has {n_channels}: "
            "only a dictionary of one channel fits any recording."
        )

    def require_fit(self, stft: STFT, sample_rate: float) -> None:
        """Refuse a transform in which these bases would mean other sounds."""
        if stft.n_fft != self.stft.n_fft:
            raise Incompatible(
                f"the dictionary was made with n_fft={self.stft.n_fft}, but this transform has n_fft={stft.n_fft}: "
                f"use n_fft={self.stft.n_fft}."
            )
        if sample_rate != self.sample_rate:
            raise Incompatible(
                f"the dictionary was made at {self.sample_rate:g} Hz, but this recording has {sample_rate:g} Hz: "
                f"load it with sample_rate={self.sample_rate:g}."
            )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the dictionary as one ``.npz``."""
        settings = {
            "format": _FORMAT,
            "version": _VERSION,
            "labels": list(self.labels),
            "stft": self.stft.settings(),
            "sample_rate": self.sample_rate,
        }
        write_npz(path, {"bases": self.bases}, settings)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Dictionary:
        """Read a dictionary, or the bases of a saved decomposition."""
        arrays, settings = read_npz(path, "a dictionary")
        if settings.get("format") not in (_FORMAT, "unweave decomposition") or "bases" not in arrays:
            raise ReadError(
                f"{path} is not a dictionary of unweave: it holds {', '.join(sorted(arrays)) or 'nothing'}."
            )
        with understood(path):
            return cls(arrays["bases"], tuple(settings["labels"]), STFT(**settings["stft"]), settings["sample_rate"])
