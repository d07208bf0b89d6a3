"""SDR, SIR and SAR, as BSS Eval defines them: what of an estimate is target, other sources, and neither.

An estimate e is taken apart by projections onto the true sources, each allowed a filter of L taps in every channel:

    e = s + e_spat + e_interf + e_artif,    P_j e = s + e_spat,    P e = s + e_spat + e_interf

with P_j onto the delayed channels of source j alone and P onto those of all sources. In dB, of energies |·|²:

    SDR = |P_j e|² / |e - P_j e|²       SIR = |P_j e|² / |P e - P_j e|²       SAR = |P e|² / |e - P e|²

P_j e lies in the space of P, so all energies follow from inner products: |P e|² = d · c, where c are the correlations
of the estimate with the delayed sources and G d = c, G the (block) Toeplitz matrix of theirs. No filtered signal is
ever made, and correlations are summed block by block by FFT: memory does not grow with the length of the sound.

For images (several channels, where a filter that moves the sound is an error) SDR = |s|² / |e - s|² and
ISR = |s|² / |P_j e - s|², and SIR and SAR are the same: ``sdr_image`` and ``isr``.

Differences. From ``mir_eval.separation``: `bss_eval` gives the figures of its ``bss_eval_sources`` (sdr, sir, sar) and
of its ``bss_eval_images`` (sdr_image, isr, sir, sar) at once; scores are held between `FLOOR` and `CEILING`, and a
silent source scores `FLOOR`. museval's figures are those for images, but medians over windows of a second.

Reference: E. Vincent, R. Gribonval, C. Févotte, Performance measurement in blind audio source separation, IEEE Trans.
ASLP 14(4), 2006, doi:10.1109/TSA.2005.858005. E. Vincent et al., The signal separation evaluation campaign, Signal
Processing 92(8), 2012, doi:10.1016/j.sigpro.2011.10.007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation.sisdr import CEILING, FLOOR

__all__ = ["BSSEval", "Correlations", "bss_eval"]

Array = NDArray[np.float64]

_BLOCK = 2**16
_FEWEST, _MOST = 1, 4096
_RIDGES = (1e-13, 1e-10, 1e-7, 1e-4)  # of the mean energy of the sources


@dataclass(frozen=True, slots=True, eq=False)
class BSSEval:
    """Scores of every estimate against every source, float64 ``(sources, estimates)``, in dB.

    ``sdr``, ``sir``, ``sar`` allow a filter; ``sdr_image`` and ``isr`` do not.
    """

    sdr: Array
    sir: Array
    sar: Array
    sdr_image: Array
    isr: Array

    def permutation(self) -> list[int]:
        """For every source the number of its estimate: the assignment with the greatest mean SIR."""
        from scipy.optimize import linear_sum_assignment  # heavy, and needed here only

        return [int(k) for k in linear_sum_assignment(-self.sir)[1]]


def bss_eval(references: Sequence[Audio], estimates: Sequence[Audio], *, filter_length: int = 512) -> BSSEval:
    """SDR, SIR and SAR of every estimate against every source.

    Parameters
    ----------
    references, estimates : sequence of Audio
        All of one shape and rate; as many estimates as references, or more.
    filter_length : int, 1 to 4096
        Taps that count as no error. 512 is what everybody reports; 1 allows a gain in each channel.

    Returns
    -------
    BSSEval
        The figures for named stems are on its diagonals.

    Raises
    ------
    Incompatible
        Sounds of several shapes or rates, or too few estimates.
    InvalidInput
        ``filter_length`` out of range.

    References
    ----------
    doi:10.1109/TSA.2005.858005.

    Examples
    --------
    >>> noise = np.random.default_rng(0)
    >>> a, b = (Audio(noise.standard_normal(4000) / 8, 8000) for _ in range(2))
    >>> mixed = Audio(a.samples + 0.1 * b.samples, 8000)
    >>> bss_eval([a, b], [mixed, b], filter_length=8).sir[0, 0].round()
    np.float64(20.0)
    """
    every = [*references, *estimates]
    if len(estimates) < len(references):
        raise Incompatible(f"{len(estimates)} estimates for {len(references)} references: one for each is needed.")
    for each in every:
        if each.samples.shape != every[0].samples.shape or each.sample_rate != every[0].sample_rate:
            raise Incompatible(f"{each!r} cannot be compared with {every[0]!r}: length, channels and rate must agree.")
    n_channels = every[0].n_channels if every else 1
    sums = Correlations(len(references), len(estimates), n_channels, filter_length)
    for at in range(0, every[0].n_samples if every else 0, _BLOCK):
        part = slice(at, at + _BLOCK)
        sums.add(
            np.stack([each.samples[:, part] for each in references]) if references else np.zeros((0, n_channels, 0)),
            np.stack([each.samples[:, part] for each in estimates]),
        )
    return sums.finish()


class Correlations:
    """What BSS Eval needs to know of sources and estimates, gathered block by block.

    Parameters
    ----------
    n_references, n_estimates, n_channels : int
    filter_length : int
        Taps.
    """

    def __init__(self, n_references: int, n_estimates: int, n_channels: int, filter_length: int = 512) -> None:
        whole = isinstance(filter_length, int | np.integer) and not isinstance(filter_length, bool)
        if not whole or not _FEWEST <= filter_length <= _MOST:
            raise InvalidInput(f"filter_length={filter_length!r} is not a whole number from {_FEWEST} to {_MOST}.")
        self.shape = (n_references, n_estimates, n_channels)
        self.taps = int(filter_length)
        rows, found = n_references * n_channels, n_estimates * n_channels
        self._size = scipy.fft.next_fast_len(_BLOCK + 2 * self.taps, real=True)
        self._cross = np.zeros((rows, rows + found, self._size // 2 + 1), np.complex128)
        self._before: Array = np.zeros((rows, self.taps - 1))
        self._held: list[tuple[Array, Array]] = []
        self.energy = np.zeros(found)
        self.plain = np.zeros((rows, found))

    def add(self, references: NDArray[np.floating], estimates: NDArray[np.floating]) -> None:
        """Take the next samples ``(references, channels, n)`` and ``(estimates, channels, n)``."""
        n = estimates.shape[-1]
        self._held.append(tuple(each.reshape(-1, n).astype(np.float64) for each in (references, estimates)))  # type: ignore[arg-type]
        if sum(found.shape[1] for _, found in self._held) >= _BLOCK:
            true, found = self._taken()
            whole = found.shape[1] - found.shape[1] % _BLOCK
            for at in range(0, whole, _BLOCK):
                self._add(true[:, at : at + _BLOCK], found[:, at : at + _BLOCK])
            self._held = [(true[:, whole:], found[:, whole:])]

    def _taken(self) -> tuple[Array, Array]:
        """All samples that wait for a whole block."""
        pieces, self._held = self._held, []
        true, found = ([piece[k] for piece in pieces] for k in (0, 1))
        return np.concatenate(true, axis=1), np.concatenate(found, axis=1)

    def _add(self, true: Array, found: Array) -> None:
        self.energy += np.square(found).sum(axis=1)
        self.plain += true @ found.T
        # A source delayed by 0 to L - 1 samples meets what comes later: its own last samples reach into this block.
        delayed = np.concatenate([self._before, true], axis=1)
        now = np.concatenate(
            [np.zeros((true.shape[0] + found.shape[0], self.taps - 1)), np.concatenate([true, found])], 1
        )
        spectra, others = (scipy.fft.rfft(each, self._size, axis=1) for each in (delayed, now))
        self._cross += spectra.conj()[:, None] * others[None]
        self._before = delayed[:, max(0, delayed.shape[1] - self.taps + 1) :]

    def finish(self) -> BSSEval:
        """The scores of all pairs."""
        n_true, n_found, n_channels = self.shape
        if self._held:
            self._add(*self._taken())
        lags = scipy.fft.irfft(self._cross, self._size, axis=2)[:, :, : self.taps]
        rows = n_true * n_channels
        gram = _gram(lags[:, :rows])
        hits = lags[:, rows:].transpose(0, 2, 1).reshape(rows * self.taps, n_found * n_channels)
        whole = _projected(gram, hits).reshape(n_found, n_channels).sum(axis=1)
        energy = self.energy.reshape(n_found, n_channels).sum(axis=1)
        own = np.zeros((n_true, n_found))
        truth, inner = np.zeros(n_true), np.zeros((n_true, n_found))
        wide = n_channels * self.taps
        for j in range(n_true):
            part = slice(j * wide, (j + 1) * wide)
            own[j] = _projected(gram[part, part], hits[part]).reshape(n_found, n_channels).sum(axis=1)
            of = [j * n_channels + c for c in range(n_channels)]
            truth[j] = sum(lags[r, r, 0] for r in of)
            inner[j] = np.add.reduce([self.plain[r].reshape(n_found, n_channels)[:, c] for c, r in enumerate(of)])
        return _scores(truth, inner, energy, own, np.maximum(whole, own))


def _gram(lags: Array) -> Array:
    """Inner products of all delayed channels, ``(rows * taps, rows * taps)``, of correlations ``(rows, rows, taps)``.

    ``lags[a, b, t]`` is the sum of a(n) b(n + t): channel a, delayed by t, with channel b.
    """
    rows, _, taps = lags.shape
    steps = np.arange(taps)
    difference = steps[:, None] - steps[None, :]
    gram = np.empty((rows, taps, rows, taps))
    for a in range(rows):
        for b in range(rows):
            later, earlier = lags[a, b][np.maximum(difference, 0)], lags[b, a][np.maximum(-difference, 0)]
            gram[a, :, b, :] = np.where(difference >= 0, later, earlier)
    return gram.reshape(rows * taps, rows * taps)


def _projected(gram: Array, hits: Array) -> Array:
    """Energy of the projection of each column: c · G⁻¹ c."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve  # heavy, and needed here only

    if not gram.size or not hits.size or not gram.any():
        return np.zeros(hits.shape[1])
    # Silent, equal or band-limited sources leave G without an inverse: a ridge far below what is heard gives one.
    level = float(np.trace(gram)) / len(gram)
    for ridge in _RIDGES:
        try:
            factor = cho_factor(gram + ridge * level * np.eye(len(gram)), lower=True, check_finite=False)
            break
        except LinAlgError:
            continue
    solved = cho_solve(factor, hits, check_finite=False)
    found: Array = np.maximum((solved * hits).sum(axis=0), 0)
    return found


def _scores(truth: Array, inner: Array, energy: Array, own: Array, whole: Array) -> BSSEval:
    """Decibels of the energies of all pairs."""
    own, whole = np.minimum(own, energy), np.minimum(whole, energy)
    true = np.broadcast_to(truth[:, None], own.shape)
    return BSSEval(
        sdr=_decibels(own, energy - own),
        sir=_decibels(own, whole - own),
        sar=_decibels(whole, energy - whole),
        sdr_image=_decibels(true, energy - 2 * inner + true),
        isr=_decibels(true, own - 2 * inner + true),
    )


def _decibels(right: Array, wrong: Array) -> Array:
    """10 log10(right / wrong), from `FLOOR` to `CEILING`; `FLOOR` where nothing is right."""
    wrong = np.maximum(wrong, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 10 * np.log10(right / wrong)
    found: Array = np.where(right > 0, np.clip(np.nan_to_num(ratio, nan=FLOOR, posinf=CEILING), FLOOR, CEILING), FLOOR)
    return found
