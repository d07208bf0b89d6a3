"""Named bases, with the settings of the transform that they belong to.

A basis without its FFT size and sample rate is a row of numbers; with them it is a sound that can be looked for in
another recording. The file is one ``.npz`` that any NumPy opens: ``bases`` float32 ``(channels, bins, components)``
or, where bases last several frames, ``(channels, bins, components, taps)``, and ``settings``, a JSON text. Nothing in
it is pickled, and the same dictionary makes the same bytes.

A dictionary is never changed: what edits it (`Dictionary.select`, `relabel`, `reorder`, `join`, …) makes another. A
label may stand at several bases: a snare drum may need two.

Differences from FluCoMa, where bases are the channels of a bare buffer: they know their settings and names here, and
what does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.npz import saved, write_npz
from unweave.shown import html_of
from unweave.sound import checked_rate
from unweave.words import counted

__all__ = ["LEVELS", "Dictionary", "Level"]

Level = Literal["l2", "l1", "max"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""What a normalised basis has one of: length, sum, or greatest entry."""

_FORMAT = "unweave dictionary"
_HOLD_BASES = (_FORMAT, "unweave decomposition", "unweave seeds")
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """Bases with labels, and the settings under which they mean something.

    Parameters
    ----------
    bases : ``(channels, bins, components)`` or ``(channels, bins, components, taps)``, non-negative
        A matrix ``(bins, components)`` is taken as one channel.
    labels : sequence of str, optional
        A name for each component; several may have the same. Default: '0', '1', …
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
            raise Incompatible(
                f"{len(labels)} labels for {counted(bases.shape[2], 'basis', 'bases')}: one for each is needed."
            )
        object.__setattr__(self, "sample_rate", checked_rate(self.sample_rate))
        object.__setattr__(self, "bases", bases)
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
        taps = f" of {self.n_taps} taps" if self.n_taps > 1 else ""
        settings = f"n_fft={self.stft.n_fft} at {self.sample_rate:g} Hz"
        return f"Dictionary({counted(self.n_components, 'basis', 'bases')}{taps}: {shown}; {settings})"

    def _repr_html_(self) -> str | None:
        return html_of(self)

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

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Hz of the centre of gravity of every basis, of its entries squared; infinite for a basis of zeros.

        All channels and taps count.
        """
        power = np.square(self.bases.astype(np.float64)).sum(axis=0)
        power = power.sum(axis=-1) if power.ndim == 3 else power
        total = power.sum(axis=0)
        found = np.full(self.n_components, np.inf)
        np.divide(self.stft.frequencies(self.sample_rate) @ power, total, out=found, where=total > 0)
        return found

    def select(self, which: Sequence[str | int]) -> Dictionary:
        """Some of the bases, in this order.

        Parameters
        ----------
        which : sequence of str or int
            A label stands for all bases that have it, a number for one, counted from 0.
        """
        return self._picked(self.numbers(which))

    def drop(self, which: Sequence[str | int]) -> Dictionary:
        """All bases but these."""
        gone = set(self.numbers(which))
        return self._picked([k for k in range(self.n_components) if k not in gone])

    def reorder(self, order: Literal["centroid"] | Sequence[str | int]) -> Dictionary:
        """All bases in another order: these first, then the others as they are; or by 'centroid', low to high."""
        if isinstance(order, str):
            if order != "centroid":
                raise InvalidInput(f"order={order!r} is neither 'centroid' nor a sequence of labels or numbers.")
            return self._picked(np.argsort(self.centroids, kind="stable").tolist())
        first = self.numbers(order)
        return self._picked([*first, *(k for k in range(self.n_components) if k not in set(first))])

    def relabel(self, labels: Mapping[str, str] | Sequence[str]) -> Dictionary:
        """The same bases under other names: one for each, or new ones for some old ones."""
        if isinstance(labels, Mapping):
            self.numbers(list(labels))  # refuses what is not there
            labels = [labels.get(label, label) for label in self.labels]
        return self._with(self.bases, tuple(labels))

    def normalize(self, level: Level = "l2") -> Dictionary:
        """The same bases, each with a length ('l2'), sum ('l1') or greatest entry ('max') of one over all channels.

        A basis of zeros stays as it is.
        """
        if level not in LEVELS:
            raise InvalidInput(f"level={level!r} is not one of {', '.join(LEVELS)}.")
        flat = np.moveaxis(self.bases, 2, 0).reshape(self.n_components, -1).astype(np.float64)
        sizes = np.linalg.norm(flat, {"l2": 2, "l1": 1, "max": np.inf}[level], axis=1)
        shape = (1, 1, -1) if self.bases.ndim == 3 else (1, 1, -1, 1)
        return self._with(self.bases / np.where(sizes > 0, sizes, 1.0).reshape(shape), self.labels)

    def join(
        self, which: Sequence[str | int], label: str | None = None, weights: ArrayLike | None = None
    ) -> Dictionary:
        """Sum some bases into one, which stands where the first of them stood.

        Parameters
        ----------
        which : sequence of str or int
            Labels or numbers.
        label : str, optional
            The name of the sum. Default: that of the first.
        weights : one number for each, at least 0, optional
            How much of each there is, such as ``decomposition.activations.sum(axis=1)``. Default: as much of each.
        """
        chosen = self.numbers(which)
        if not chosen:
            raise InvalidInput("which is empty: name one base at least.")
        shares = np.ones(len(chosen)) if weights is None else np.asarray(weights, np.float64)
        if shares.shape != (len(chosen),) or not np.isfinite(shares).all() or shares.min() < 0:
            raise InvalidInput(f"weights must be {len(chosen)} finite numbers of at least 0, one for each base.")
        bases = self.bases.copy()
        first = min(chosen)
        bases[:, :, first] = np.tensordot(shares, np.moveaxis(self.bases[:, :, chosen], 2, 0), axes=1)
        labels = list(self.labels)
        labels[first] = self.labels[chosen[0]] if label is None else str(label)
        gone = set(chosen) - {first}
        return self._with(bases, tuple(labels))._picked([k for k in range(self.n_components) if k not in gone])

    @staticmethod
    def merge(*dictionaries: Dictionary) -> Dictionary:
        """All bases of several dictionaries, in order; those of one channel serve every channel.

        Raises
        ------
        Incompatible
            They were made with other settings, at other rates, of other channels, or of another number of taps.
        """
        if not dictionaries:
            raise InvalidInput("there is nothing to merge: pass one dictionary at least.")
        first = dictionaries[0]
        for other in dictionaries[1:]:
            for name, mine, theirs in (
                ("sample_rate", first.sample_rate, other.sample_rate),
                ("number of taps", first.n_taps, other.n_taps),
                *((name, value, other.stft.settings()[name]) for name, value in first.stft.settings().items()),
            ):
                if mine != theirs:
                    raise Incompatible(
                        f"the dictionaries do not fit together: their {name} is {mine} and {theirs}. Learn both with "
                        "the same settings."
                    )
        n_channels = max(each.n_channels for each in dictionaries)
        bases = np.concatenate([each.fit_channels(n_channels) for each in dictionaries], axis=2)
        return first._with(bases, sum((each.labels for each in dictionaries), ()))

    def numbers(self, which: Sequence[str | int]) -> list[int]:
        """Numbers of the bases that are meant by labels and numbers, none of them twice."""
        if isinstance(which, str):
            raise InvalidInput(f"{which!r} is one label: pass a list of them, [{which!r}].")
        numbers: list[int] = []
        for each in which:
            if isinstance(each, str):
                found = [k for k, label in enumerate(self.labels) if label == each]
                if not found:
                    raise InvalidInput(f"label {each!r} is not among {', '.join(self.labels)}.")
            elif isinstance(each, bool) or not 0 <= each < self.n_components:
                raise InvalidInput(f"base {each!r}: there are {self.n_components}, numbered from 0.")
            else:
                found = [int(each)]
            numbers += found
        if len(set(numbers)) < len(numbers):
            twice = next(k for k in numbers if numbers.count(k) > 1)
            raise InvalidInput(f"base {twice} ({self.labels[twice]}) is named twice.")
        return numbers

    def _picked(self, numbers: Sequence[int]) -> Dictionary:
        if not numbers:
            raise InvalidInput("no base would be left: a dictionary needs one at least.")
        return self._with(self.bases[:, :, list(numbers)], tuple(self.labels[k] for k in numbers))

    def _with(self, bases: Matrix, labels: tuple[str, ...]) -> Dictionary:
        return Dictionary(bases, labels, self.stft, self.sample_rate)

    def fit_channels(self, n_channels: int) -> Matrix:
        """The bases for a recording of so many channels: those of one channel serve every channel alike."""
        if self.n_channels == n_channels:
            return self.bases
        if self.n_channels == 1:
            return np.repeat(self.bases, n_channels, axis=0)
        raise Incompatible(
            f"the dictionary has {counted(self.n_channels, 'channel')}, but the recording has {n_channels}: "
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
        """Read a dictionary, or the bases of a saved decomposition or of seeds."""
        with saved(path, "a dictionary", _HOLD_BASES) as (arrays, settings):
            return cls(arrays["bases"], tuple(settings["labels"]), STFT(**settings["stft"]), settings["sample_rate"])
