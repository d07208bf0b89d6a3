"""Bases that last several frames (NMFD): `nmfd`, and `nmfd_steps`, the same as a generator.

    ConvolutiveFactorization         what comes of it                             `unweave.convolutive.tapped`
    sharpened, spread_taps, DECAY    how spectra become a start; a run from it    `unweave.convolutive.search`
    nmfd, nmfd_steps                 the front door                               `unweave.convolutive.factorising`

Runs stand on multiplicative steps of several taps (`unweave.convolutive.delays`), whose pace is given out by
`unweave.convolutive.pacing`. The equations, constraints, differences and references stand at the front door.
"""

from __future__ import annotations

from unweave.convolutive.factorising import MAX_TAPS, nmfd, nmfd_steps
from unweave.convolutive.search import DECAY, ConvolutiveProgress, ConvolutiveState, sharpened, spread_taps
from unweave.convolutive.tapped import ConvolutiveFactorization

__all__ = [
    "DECAY",
    "MAX_TAPS",
    "ConvolutiveFactorization",
    "ConvolutiveProgress",
    "ConvolutiveState",
    "nmfd",
    "nmfd_steps",
    "sharpened",
    "spread_taps",
]
