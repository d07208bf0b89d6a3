"""What sounds and what strikes: `hpss`, in pieces `hpss_pieces`, for streams `HPSS`; the masks alone: `hpss_masks`.

    |X| ─medians→ medians along time, along frequency ─masks→ masks ─parting→ harmonic, percussive, residual

Each arrow is a module here. The equations, what is done otherwise than in FluCoMa and librosa, and the references stand
in `unweave.hpss.parting`; the settings are those of `HPSSModel`.
"""

from __future__ import annotations

from unweave.hpss.masks import MODES, HPSSModel, Mode, Threshold, hpss_masks
from unweave.hpss.parting import HPSS, HPSSParts, hpss, hpss_pieces

__all__ = ["HPSS", "MODES", "HPSSModel", "HPSSParts", "Mode", "Threshold", "hpss", "hpss_masks", "hpss_pieces"]
