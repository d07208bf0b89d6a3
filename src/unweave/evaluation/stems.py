"""How near stems are to the true ones: SI-SDR, SDR, SIR and SAR of each, by name or under the best permutation.

Sounds go by in blocks, from memory or from files: an hour needs no more memory than a minute. SI-SDR needs nothing but
three inner products,

    SI-SDR = 10 log10( a / (<e, e> - a) ),    a = <s, e>² / <s, s>

and where that difference has lost its digits (above 80 dB) the sounds go by a second time. SDR, SIR and SAR are those
of `unweave.evaluation.bsseval`.

References: those of `unweave.evaluation.sisdr` and `unweave.evaluation.bsseval`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio, load, read_blocks
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation.bsseval import BSSEval, Correlations
from unweave.evaluation.sisdr import CEILING, FLOOR
from unweave.words import counted

__all__ = ["MATCHES", "Match", "StemScore", "score_stems"]

Sound = Audio | str | PathLike[str]
"""A sound, or the path of one."""

Match = Literal["name", "best"]
MATCHES: tuple[Match, ...] = get_args(Match)
"""Which estimate is held against which true stem: the one of its name, or the one that suits best."""

Array = NDArray[np.float64]

_BLOCK = 2**17
_LOST = 1e-8  # share of what is wrong below which a difference of sums has lost its digits


@dataclass(frozen=True, slots=True)
class StemScore:
    """Scores of one stem in dB; None where they were not asked for.

    ``sdr``, ``sir`` and ``sar`` allow a filter of 512 taps, ``si_sdr`` a gain.
    """

    name: str
    estimate: str
    si_sdr: float
    sdr: float | None = None
    sir: float | None = None
    sar: float | None = None


def score_stems(
    references: Mapping[str, Sound],
    estimates: Mapping[str, Sound],
    *,
    match: Match = "name",
    bss: bool = True,
    filter_length: int = 512,
) -> tuple[StemScore, ...]:
    """Score stems against the true ones.

    Parameters
    ----------
    references, estimates : mapping of name to Audio or path
        All of one length, rate and number of channels.
    match : {"name", "best"}
        Hold against each true stem the estimate of its name, or find the assignment with the greatest mean SI-SDR.
    bss : bool
        Also SDR, SIR and SAR, which take longer.
    filter_length : int, 1 to 4096
        Taps that these allow.

    Returns
    -------
    tuple of StemScore
        One for each true stem, in order.

    Raises
    ------
    InvalidInput, Incompatible, ReadError
        A stem without estimate, sounds of several sizes, a file that cannot be read.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> true = {"kick": loop["kick"], "snare": loop["snare"]}
    >>> [
    ...     score.estimate
    ...     for score in score_stems(true, {"0": loop["snare"], "1": loop["kick"]}, match="best", bss=False)
    ... ]
    ['1', '0']
    """
    if match not in MATCHES:
        raise InvalidInput(f"match={match!r} is not one of {', '.join(MATCHES)}.")
    names, found = list(references), list(estimates)
    missing = [name for name in names if name not in estimates] if match == "name" else []
    if missing:
        raise InvalidInput(f"there is no estimate of {missing[0]!r}: there are {', '.join(found) or 'none'}.")
    if len(found) < len(names):
        raise Incompatible(f"{len(found)} estimates for {len(names)} references: one for each is needed.")
    if not names:
        return ()
    if match == "name":
        found = names  # the others count for nothing
    sounds = [*references.values(), *(estimates[name] for name in found)]
    n_channels = _agreed(sounds)
    sums, filtered = _gathered(sounds, len(names), n_channels, filter_length if bss else None)
    chosen = list(range(len(names))) if match == "name" else _best(sums.scores())
    exact = sums.exactly(sounds, chosen)
    return tuple(
        StemScore(name, found[chosen[j]], exact[j], *_of(filtered, j, chosen[j])) for j, name in enumerate(names)
    )


def _of(filtered: BSSEval | None, j: int, k: int) -> tuple[float | None, float | None, float | None]:
    if filtered is None:
        return None, None, None
    return float(filtered.sdr[j, k]), float(filtered.sir[j, k]), float(filtered.sar[j, k])


def _best(scores: Array) -> list[int]:
    from scipy.optimize import linear_sum_assignment  # heavy, and needed here only

    return [int(k) for k in linear_sum_assignment(-scores)[1]]


def _agreed(sounds: Sequence[Sound]) -> int:
    """The number of channels of all sounds; refused where rates or channels differ. Lengths show as they go by."""
    facts = [(_name(each), *_facts(each)) for each in sounds]
    first, rate, n_channels = facts[0]
    for name, other, channels in facts[1:]:
        if (other, channels) != (rate, n_channels):
            raise Incompatible(
                f"{name} has {counted(channels, 'channel')} at {other:g} Hz, "
                f"but {first} has {n_channels} at {rate:g} Hz: length, "
                "channels and rate must agree."
            )
    return n_channels


def _name(sound: Sound) -> str:
    return f"a sound of {sound.duration:.3g} s" if isinstance(sound, Audio) else fspath(sound)


def _facts(sound: Sound) -> tuple[float, int]:
    head = sound if isinstance(sound, Audio) else load(sound, duration=0)
    return head.sample_rate, head.n_channels


def _blocks(sound: Sound) -> Iterator[NDArray[np.float32]]:
    if isinstance(sound, Audio):
        return (sound.samples[:, at : at + _BLOCK] for at in range(0, sound.n_samples, _BLOCK))
    return read_blocks(sound, n_block=_BLOCK)


def _together(sounds: Sequence[Sound]) -> Iterator[NDArray[np.float32]]:
    """The same samples of all sounds, ``(sounds, channels, n)``; refused where one ends before the others."""
    streams = [_blocks(each) for each in sounds]
    while True:
        blocks = [next(stream, None) for stream in streams]
        lengths = [0 if block is None else block.shape[1] for block in blocks]
        if len(set(lengths)) > 1:
            short, long = _name(sounds[int(np.argmin(lengths))]), _name(sounds[int(np.argmax(lengths))])
            raise Incompatible(f"{short} is shorter than {long}: length, channels and rate must agree.")
        if not lengths[0]:
            return
        yield np.stack([block for block in blocks if block is not None])


class _Sums:
    """Inner products of true stems and estimates, from float64."""

    def __init__(self, n_true: int, n_found: int) -> None:
        self.true, self.found = np.zeros(n_true), np.zeros(n_found)
        self.cross = np.zeros((n_true, n_found))

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples ``(true stems and estimates, channels, n)``."""
        flat = block.reshape(len(block), -1).astype(np.float64)
        true, found = flat[: self.true.size], flat[self.true.size :]
        self.cross += true @ found.T
        self.true += np.einsum("jn,jn->j", true, true)
        self.found += np.einsum("kn,kn->k", found, found)

    def scores(self) -> Array:
        """SI-SDR of all pairs."""
        right = self.cross**2 / np.where(self.true > 0, self.true, 1)[:, None]
        wrong = np.maximum(self.found - right, _LOST * 1e-6 * self.found)
        return np.array(
            [[_decibels(a, b) for a, b in zip(*row, strict=True)] for row in zip(right, wrong, strict=True)]
        )

    def exactly(self, sounds: Sequence[Sound], chosen: Sequence[int]) -> list[float]:
        """SI-SDR of the chosen pairs; what is nearly right is looked at once more."""
        gains = self.cross[range(len(chosen)), list(chosen)] / np.where(self.true > 0, self.true, 1)
        right = gains**2 * self.true
        wrong = self.found[list(chosen)] - right
        if (wrong < _LOST * right).any():
            wrong = np.zeros(len(chosen))
            for block in _together([*sounds[: len(chosen)], *(sounds[len(chosen) + k] for k in chosen)]):
                true, found = block[: len(chosen)].astype(np.float64), block[len(chosen) :]
                wrong += np.square(found - gains[:, None, None] * true).sum(axis=(1, 2))
        return [_decibels(a, b) for a, b in zip(right, wrong, strict=True)]


def _decibels(right: float, wrong: float) -> float:
    if right <= 0:
        return FLOOR
    return float(np.clip(10 * np.log10(right / wrong), FLOOR, CEILING)) if wrong > 0 else CEILING


def _gathered(
    sounds: Sequence[Sound], n_true: int, n_channels: int, filter_length: int | None
) -> tuple[_Sums, BSSEval | None]:
    """All that one pass over the sounds tells."""
    sums = _Sums(n_true, len(sounds) - n_true)
    filtered = None if filter_length is None else Correlations(n_true, len(sounds) - n_true, n_channels, filter_length)
    for block in _together(sounds):
        sums.add(block)
        if filtered is not None:
            filtered.add(block[:n_true], block[n_true:])
    return sums, None if filtered is None else filtered.finish()
