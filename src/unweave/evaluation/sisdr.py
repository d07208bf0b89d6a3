"""How near estimated parts are to the true ones.

    SI-SDR = 10 log10( |α s|² / |e - α s|² ),   α = <e, s> / <s, s>

for a true part s and an estimate e, over all channels and samples: the level of what is right against all that is
wrong, whatever the gain. It is floored at -30 dB, so that one silent estimate cannot decide a mean.

Differences. ``mir_eval.separation`` computes SDR, which allows a filter of 512 taps; `si_sdr` allows a gain only and
is the stricter score.

Reference: J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, SDR - half-baked or well done?, ICASSP 2019,
doi:10.1109/ICASSP.2019.8683855.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.errors import Incompatible

__all__ = ["CEILING", "FLOOR", "best_permutation", "si_sdr"]

FLOOR = -30.0
"""dB; the score of silence, and the least there is."""

CEILING = 300.0
"""dB; the score of the truth itself, and the most there is."""


def si_sdr(reference: Audio, estimate: Audio) -> float:
    """Scale-invariant signal-to-distortion ratio in dB.

    Parameters
    ----------
    reference, estimate : Audio
        Of the same shape and sample rate.

    Returns
    -------
    float
        `FLOOR` to 300; an exact multiple of the reference scores 300. A silent reference scores `FLOOR`.

    Raises
    ------
    Incompatible
        The two differ in channels, length or sample rate.

    Examples
    --------
    >>> tone = Audio(np.sin(np.arange(4410) / 10), 44100)
    >>> round(si_sdr(tone, Audio(tone.samples + 0.1 * np.cos(np.arange(4410) / 10), 44100)))
    20
    """
    if reference.samples.shape != estimate.samples.shape or reference.sample_rate != estimate.sample_rate:
        raise Incompatible(f"{estimate!r} cannot be compared with {reference!r}: length, channels and rate must agree.")
    true, found = reference.samples.ravel().astype(np.float64), estimate.samples.ravel().astype(np.float64)
    energy = float(true @ true)
    if energy == 0:
        return FLOOR
    target = true * (float(found @ true) / energy)
    right, wrong = float(target @ target), float(np.square(found - target).sum())
    if right == 0:
        return FLOOR
    return float(np.clip(10 * np.log10(right / wrong), FLOOR, CEILING)) if wrong > 0 else CEILING


def best_permutation(references: Sequence[Audio], estimates: Sequence[Audio]) -> tuple[list[int], NDArray[np.float64]]:
    """The assignment of estimates to references with the greatest mean SI-SDR.

    Returns
    -------
    list of int
        For every reference the number of its estimate.
    float64 ``(len(references),)``
        Its SI-SDR.

    Raises
    ------
    Incompatible
        There are fewer estimates than references.
    """
    from scipy.optimize import linear_sum_assignment  # heavy, and needed here only

    if len(estimates) < len(references):
        raise Incompatible(f"{len(estimates)} estimates for {len(references)} references: one for each is needed.")
    scores = np.array([[si_sdr(reference, estimate) for estimate in estimates] for reference in references])
    if scores.size == 0:
        return [], np.zeros(0)
    rows, columns = linear_sum_assignment(-scores)
    return columns.tolist(), scores[rows, columns]
