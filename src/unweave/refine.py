"""Phases that fit the magnitudes of stems, while the stems go on summing to the recording.

Masks give every stem the phases of the recording, which are those of all stems together. Wanted are stems s_j whose
spectrograms have the magnitudes A_j, and whose sum is the recording X. Griffin & Lim's walk to and fro between the
spectrograms of sounds and those with these magnitudes would lose the sum; here what is missing is given back each time:

    Z_j = STFT(s_j),    Y_j = A_j Z_j / |Z_j|,    s_j ← ISTFT( Y_j + μ_j (X - Σ_i Y_i) ),    μ_j = A_j² / Σ_i A_i².

A stem gets of the error what it has of the power, so that one that is silent stays silent. (MISI gives all the same;
these shares are a little better with the magnitudes of an ideal mask, and worse with the true ones.) The stems sum to
the recording after every step.

What it brings stands and falls with the magnitudes. With ideal ones, of a ratio mask, four steps bring about a decibel,
with the true ones more. Those of real separations are wrong by more than their phases: there it brings nothing, or a
little less, so nothing in this library does it unless it is asked.

Differences. FluCoMa has none. Memory: the stems and some blocks of frames.

References: D. Gunawan, D. Sen, Iterative phase estimation for the synthesis of separated sources from single-channel
mixtures, IEEE Signal Processing Letters 17(5), 2010, doi:10.1109/LSP.2010.2042530. J. Le Roux, E. Vincent, Consistent
Wiener filtering for audio source separation, IEEE Signal Processing Letters 20(3), 2013, doi:10.1109/LSP.2012.2225617.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.plan import require_count
from unweave.stft import FrameBlock, analysis_block, rebuild

__all__ = ["MOST_STEPS", "refine"]

MOST_STEPS = 1000
_NOTHING = 1e-20
"""A length below which a complex number has no phase that means anything."""


def refine(
    audio: Audio,
    stems: Sequence[Audio],
    *,
    n_iter: int = 4,
    like: Sequence[Audio] | None = None,
    stft: STFT | None = None,
) -> list[Audio]:
    """Give stems phases that fit their magnitudes.

    Parameters
    ----------
    audio : Audio
        The recording.
    stems : sequence of Audio
        Of it, one at least: as long, with its rate and its channels. They need not sum to it.
    n_iter : int, 0 to 1000
        Steps. 0 gives the stems back; after some ten more of them change little.
    like : sequence of Audio, optional
        For each stem a sound that has the magnitudes wanted. Default: the stems' own shares of those of the recording.
    stft : STFT, optional
        Settings of the transform, best those of the masks that made the stems. Default: ``STFT(4096)``.

    Returns
    -------
    list of Audio
        The stems; after one step and more they sum to the recording.

    Raises
    ------
    InvalidInput, Incompatible
        No stems; sounds of different lengths, rates or channels; ``n_iter`` out of range.

    References
    ----------
    D. Gunawan, D. Sen, IEEE Signal Processing Letters 17(5), 2010, doi:10.1109/LSP.2010.2042530.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> rest = Audio(loop["mix"].samples - loop["kick"].samples, loop["mix"].sample_rate)
    >>> found = refine(loop["mix"], [loop["kick"], rest], stft=STFT(1024))
    >>> bool(np.abs(found[0].samples + found[1].samples - loop["mix"].samples).max() < 1e-6)
    True
    """
    require_count("n_iter", n_iter, 0, MOST_STEPS)
    wanted = list(stems if like is None else like)
    _require_fit(audio, stems, wanted)
    settings, now = stft or STFT(4096), list(stems)
    for _ in range(n_iter):
        now = _step(audio, now, wanted, settings, own=like is None)
    return now


def _require_fit(audio: Audio, stems: Sequence[Audio], wanted: Sequence[Audio]) -> None:
    if not stems:
        raise InvalidInput("stems is empty: one at least is needed.")
    if len(wanted) != len(stems):
        raise Incompatible(f"like has {len(wanted)} sounds, but there are {len(stems)} stems: one is needed for each.")
    facts = (audio.n_channels, audio.n_samples, audio.sample_rate)
    for each in (*stems, *wanted):
        if (each.n_channels, each.n_samples, each.sample_rate) != facts:
            raise Incompatible(f"{each!r} does not fit {audio!r}: length, channels and rate must be the same.")


def _step(audio: Audio, stems: list[Audio], wanted: list[Audio], stft: STFT, *, own: bool) -> list[Audio]:
    """Once there and back."""

    def change(block: FrameBlock) -> Complex:
        now, aims = (
            np.stack([analysis_block(each, stft, block.frames.start, block.frames.stop).values for each in sounds])
            for sounds in (stems, wanted)
        )
        aim = np.abs(aims)
        if own:
            aim *= np.abs(block.values) / np.maximum(aim.sum(axis=0), np.float32(_NOTHING))
        return _given_back(_turned(now, block.values, aim), aim, block.values)

    out = np.empty((len(stems), *audio.samples.shape), np.float32)
    position = 0
    for piece in rebuild(audio, stft, change, _frames(stft, audio.n_channels * len(stems))):
        out[..., position : position + piece.shape[-1]] = piece
        position += piece.shape[-1]
    return [Audio(each, audio.sample_rate) for each in out]


def _frames(stft: STFT, count: int) -> int:
    """Frames at a time: a few megabytes."""
    return int(np.clip(2**20 // (stft.n_bins * count), 8, 256))


def _turned(now: Complex, mixture: Complex, aim: Matrix) -> Complex:
    """Magnitudes with the phases of some spectra, and with those of the mixture where these have none."""
    length = np.abs(now)
    whole = np.abs(mixture)
    phase = np.where(
        length > _NOTHING,
        now / np.maximum(length, np.float32(_NOTHING)),
        mixture / np.maximum(whole, np.float32(_NOTHING)),
    )
    out: Complex = (aim * phase).astype(np.complex64, copy=False)
    return out


def _given_back(values: Complex, aim: Matrix, mixture: Complex) -> Complex:
    """Spectra to each of which its share is added of what they lack to be the mixture."""
    largest = aim.max(axis=0)
    shares = np.square(np.divide(aim, largest, out=np.ones_like(aim), where=largest > 0))
    shares /= shares.sum(axis=0)
    out: Complex = values + shares * (mixture - values.sum(axis=0))
    return out
