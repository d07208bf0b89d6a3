"""Two sets of bases of which one turns into the other, and what plays them: who fits whom, and how loud.

Which basis turns into which is the assignment problem on the work of transport: of all ways to give each source basis
a target basis of its own, the one with the least work in all,

    min over permutations σ of  Σ_k d(source_k, target_σ(k)),    d as in `unweave.morph.transport`, in bins squared.

Each target basis is then brought to the energy of the source basis that turns into it: activations speak of the
source's scale, at whatever scale the target was stored. The energy stays on the way (`Way`).

Reference: H. W. Kuhn, The Hungarian method for the assignment problem, 1955, doi:10.1002/nav.3800020109.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, nonnegative_matrix
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.morph.transport import Transport, distances
from unweave.parts import Decomposition
from unweave.sound import Audio
from unweave.stft import require_center
from unweave.words import counted

__all__ = ["OVERLAP", "Bases", "Pair", "Score", "Way", "assign_bases", "rate_of_all"]

Bases = Dictionary | Decomposition | ArrayLike
"""Where bases come from; an array is ``(bins, components)`` or ``(channels, bins, components)``."""

OVERLAP = 8
"""Frames over a sample that phases made from magnitudes need to be clean."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Source and target bases, one for one, of one transform.

    Parameters
    ----------
    source, target : float64 ``(channels, bins, components)``
        Of the same shape, and each pair of the same energy.
    assignment : ``(components,)``
        The number that each target basis had.
    stft : STFT
        Settings of the sound that is made.
    hop_length : int
        Samples from one frame of the activations to the next, where they do not bring their own.
    sample_rate : float or None
        Hz; None where nobody has said.
    is_power : bool
        Whether bases times activations are powers, and not magnitudes.
    """

    source: Floats
    target: Floats
    assignment: NDArray[np.intp]
    stft: STFT
    hop_length: int
    sample_rate: float | None
    is_power: bool

    @classmethod
    def of(
        cls,
        source: Bases,
        target: Bases,
        *,
        assign: bool | Sequence[int] = True,
        stft: STFT | None = None,
        activations: object = None,
    ) -> Pair:
        """Check that they fit, and assign them; `Decomposition` in any place says whether they are powers."""
        known = [each.dictionary if isinstance(each, Decomposition) else each for each in (source, target)]
        settings = _settings(known, stft)
        a, b = (_by_channel(name, each, settings) for name, each in zip(("source", "target"), known, strict=True))
        channels = max(a.shape[0], b.shape[0])
        if {a.shape[0], b.shape[0]} - {1, channels}:
            raise Incompatible(
                f"source has {counted(a.shape[0], 'channel')}, "
                f"but target has {b.shape[0]}: only bases of one channel fit any."
            )
        a, b = (np.repeat(each, channels // each.shape[0], axis=0) for each in (a, b))
        order = _order(assign, a, b)
        is_power = _is_power([source, target, activations])
        rates = [each.sample_rate for each in known if isinstance(each, Dictionary)]
        hop = next((each.stft.hop_length for each in known[:1] if isinstance(each, Dictionary)), settings.hop_length)
        synthesis = stft or replace(
            settings, hop_length=min(settings.hop_length, max(1, settings.win_length // OVERLAP))
        )
        fitted = _as_loud(a, b[..., order], 1 if is_power else 2)
        return cls(a, fitted, order, synthesis, hop, rates[0] if rates else None, is_power)


class Way:
    """The way from the source bases of a `Pair` to its target bases."""

    def __init__(self, pair: Pair) -> None:
        self._shape = pair.source.shape
        # All components of a channel side by side.
        columns = (each.transpose(1, 0, 2).reshape(self._shape[1], -1) for each in (pair.source, pair.target))
        self._transport = Transport(*columns)
        self._exponent = 1 if pair.is_power else 2
        self._energies = [_energies(each, self._exponent) for each in (pair.source, pair.target)]

    def at(self, interpolation: float) -> Floats:
        """The bases ``(channels, bins, components)``, 0 to 1 of the way, with the energy of their ends.

        Transport keeps sums of magnitudes. What was one peak may be several on the way, and has less energy then: by
        3 dB, at once where the way begins. So each basis is brought to the energy between those of its ends.
        """
        channels, bins, count = self._shape
        moved = self._transport.at(interpolation).reshape(bins, channels, count).transpose(1, 0, 2)
        if interpolation in (0, 1):
            return np.ascontiguousarray(moved)
        wanted = (1 - interpolation) * self._energies[0] + interpolation * self._energies[1]
        found = _energies(moved, self._exponent)
        ratio = np.divide(wanted, found, out=np.zeros(count), where=found > 0)
        bases: Floats = np.ascontiguousarray(moved * ratio ** (1 / self._exponent))
        return bases


def _settings(known: Sequence[Dictionary | ArrayLike], stft: STFT | None) -> STFT:
    """The transform that all bases belong to."""
    dictionaries = [each for each in known if isinstance(each, Dictionary)]
    if not dictionaries and stft is None:
        raise InvalidInput(
            "source and target are arrays, which do not know their transform: pass stft=STFT(…), or a Dictionary."
        )
    if len(dictionaries) == 2:
        (n_fft, rate), (other, other_rate) = ((each.stft.n_fft, each.sample_rate) for each in dictionaries)
        if n_fft != other:
            raise Incompatible(
                f"source was made with n_fft={n_fft}, but target with n_fft={other}: "
                "their bins are other frequencies; decompose both with the same n_fft."
            )
        if rate != other_rate:
            raise Incompatible(
                f"source was made at {rate:g} Hz, but target at {other_rate:g} Hz: "
                "their bins are other frequencies; decompose both at the same rate."
            )
    settings = stft or dictionaries[0].stft
    for each in dictionaries:
        if each.stft.n_fft != settings.n_fft:
            raise Incompatible(
                f"stft has n_fft={settings.n_fft}, but the bases were made with n_fft={each.stft.n_fft}: use that."
            )
    require_center(settings)
    return settings


def _by_channel(name: str, value: Dictionary | ArrayLike, stft: STFT | None = None) -> Floats:
    """Bases as float64 ``(channels, bins, components)``."""
    array: Matrix = np.asarray(value.bases if isinstance(value, Dictionary) else value)
    array = array[None] if array.ndim == 2 else array
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 4:
        raise InvalidInput(
            f"{name} has bases of {array.shape[3]} taps, but only spectra can be morphed: decompose with taps=1."
        )
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise InvalidInput(
            f"{name}.shape={array.shape} of {array.dtype}, but bases (bins, components) or (channels, bins, "
            "components) are needed."
        )
    if stft is not None and array.shape[1] != stft.n_bins:
        raise Incompatible(
            f"{name} has {array.shape[1]} bins, but n_fft={stft.n_fft} makes {stft.n_bins}: "
            "was it made with another n_fft, or transposed?"
        )
    values: Floats = array.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise InvalidInput(f"{name} must be finite and not negative.")
    return values


def _is_power(values: Sequence[object]) -> bool:
    known = {each.is_power for each in values if isinstance(each, Decomposition)}
    if len(known) > 1:
        raise Incompatible(
            "one decomposition is of powers (beta=0), another of magnitudes: decompose both with the same beta."
        )
    return known == {True}


def assign_bases(source: ArrayLike, target: ArrayLike) -> NDArray[np.intp]:
    """Find which target basis each source basis turns into, with the least work in all.

    Parameters
    ----------
    source : non-negative ``(channels, bins, n)`` or ``(bins, n)``
    target : non-negative ``(channels, bins, m)`` or ``(bins, m)``, m ≥ n

    Returns
    -------
    ``(n,)``
        Numbers of target bases, none twice.

    Raises
    ------
    InvalidInput, Incompatible
        Negative entries, NaN, shapes that do not fit.

    References
    ----------
    H. W. Kuhn, 1955, doi:10.1002/nav.3800020109.

    Examples
    --------
    >>> assign_bases(np.eye(9)[:, [1, 5]], np.eye(9)[:, [8, 6, 2]]).tolist()
    [2, 1]
    """
    from scipy.optimize import linear_sum_assignment

    a, b = _by_channel("source", source), _by_channel("target", target)
    if a.shape[:2] != b.shape[:2]:
        raise Incompatible(
            f"source has {counted(a.shape[0], 'channel')} of {counted(a.shape[1], 'bin')}, "
            f"but target {b.shape[0]} of {b.shape[1]}."
        )
    _require_partners(a, b)
    work = np.zeros((a.shape[2], b.shape[2]))
    for channel, (weight_a, weight_b) in enumerate(zip(_weights(a), _weights(b), strict=True)):
        # A channel counts by how much of the two sounds is in it.
        work += (weight_a[:, None] + weight_b[None]) / 2 * distances(a[channel], b[channel])
    return np.asarray(linear_sum_assignment(work)[1], np.intp)


def _weights(bases: Floats) -> Floats:
    """What part of each basis is in each channel, ``(channels, components)``."""
    sums: Floats = bases.sum(axis=1)
    whole = sums.sum(axis=0)
    shares: Floats = np.divide(sums, whole, out=np.zeros_like(sums), where=whole > 0)
    return shares


def _require_partners(a: Floats, b: Floats) -> None:
    if a.shape[2] > b.shape[2]:
        raise Incompatible(
            f"source has {counted(a.shape[2], 'component')}, "
            f"but target has only {b.shape[2]}: each needs one that it turns "
            "into; decompose the target with at least as many components."
        )


def _order(assign: bool | Sequence[int], a: Floats, b: Floats) -> NDArray[np.intp]:
    """Which target basis each source basis turns into."""
    _require_partners(a, b)
    if isinstance(assign, (bool, np.bool_)):
        return assign_bases(a, b) if assign else np.arange(a.shape[2])
    numbers = np.asarray(assign)
    if numbers.shape != (a.shape[2],) or numbers.dtype.kind not in "iu":
        raise InvalidInput(
            f"assign={assign!r}, but True, False, or the number of a target component for each of the {a.shape[2]} "
            "of the source is needed."
        )
    if numbers.min() < 0 or numbers.max() >= b.shape[2]:
        raise InvalidInput(f"assign={assign!r}, but the target's components are 0 to {b.shape[2] - 1}.")
    return numbers.astype(np.intp)


def _energies(bases: Floats, exponent: int) -> Floats:
    """The energy of each basis: the sum of its magnitudes squared, or of its powers."""
    sums: Floats = np.sum(bases**exponent, axis=(0, 1))
    return sums


def _as_loud(source: Floats, target: Floats, exponent: int) -> Floats:
    """The target with each basis at the energy of its source; silent ones stay as they are."""
    wanted, found = (_energies(each, exponent) for each in (source, target))
    ratio = np.divide(wanted, found, out=np.ones(found.size), where=(wanted > 0) & (found > 0))
    fitted: Floats = target * ratio ** (1 / exponent)
    return fitted


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Stored activations, asked for at any sample.

    Parameters
    ----------
    activations : float64 ``(components, frames)``
    hop_length : int
        Samples from one frame to the next.
    loop : bool
        Whether the first frame follows the last; else silence does.
    n_samples : int
        How long they play, once.
    """

    activations: Floats
    hop_length: int
    loop: bool
    n_samples: int

    @classmethod
    def of(cls, value: Decomposition | ArrayLike, pair: Pair, *, loop: bool) -> Score:
        """Check that they belong to the source bases."""
        hop, count = pair.hop_length, None
        if isinstance(value, Decomposition):
            hop, count = value.stft.hop_length, value.audio.n_samples
            if pair.sample_rate is not None and value.audio.sample_rate != pair.sample_rate:
                raise Incompatible(
                    f"the activations are from a recording at {value.audio.sample_rate:g} Hz, but the bases were made "
                    f"at {pair.sample_rate:g} Hz: decompose both at the same rate."
                )
            value = value.activations
        activations = nonnegative_matrix("activations", value).astype(np.float64)
        if activations.shape[0] != pair.source.shape[2] or activations.shape[1] == 0:
            raise Incompatible(
                f"activations.shape={activations.shape}, but one row for each of the {pair.source.shape[2]} components "
                "and at least one frame are needed."
            )
        return cls(activations, hop, bool(loop), (activations.shape[1] - 1) * hop if count is None else count)

    def at(self, sample: int) -> Floats:
        """Between the two frames around a sample, in a straight line."""
        frame, part = divmod(sample, self.hop_length)
        share = part / self.hop_length
        between: Floats = (1 - share) * self._frame(frame) + share * self._frame(frame + 1)
        return between

    def _frame(self, number: int) -> Floats:
        n_frames = self.activations.shape[1]
        if not self.loop and number >= n_frames:
            return np.zeros(self.activations.shape[0])
        return self.activations[:, number % n_frames]


def rate_of_all(known: float | None, drive: Audio | None) -> float:
    """The rate of bases, activations and a recording that plays them, in Hz.

    Raises
    ------
    InvalidInput, Incompatible
        Nobody knows it, or the recording has another.
    """
    rate = known or (drive.sample_rate if drive is not None else None)
    if rate is None:
        raise InvalidInput(
            "neither bases nor activations know their rate: pass Dictionary(bases, stft=…, sample_rate=…) as source."
        )
    if drive is not None and drive.sample_rate != rate:
        raise Incompatible(
            f"the recording has {drive.sample_rate:g} Hz, but the bases were made at {rate:g} Hz: load it with "
            f"sample_rate={rate:g}."
        )
    return rate
