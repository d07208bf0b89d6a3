"""Factorisation of more frames than fit into memory: `learn`; and of streams that never end: `OnlineNMF`.

    V ─majorizer→ two sums for each group of frames ─incremental→ bases that move many times in a pass ─learning→ W, H

Each arrow is a module here, and `piecewise` has penalties for frames that come in pieces. The equations, what is done
otherwise than in scikit-learn, and the references stand in `unweave.online.learning`. How V comes in pieces:
`unweave.pieces`.
"""

from __future__ import annotations

from unweave.online.incremental import GROUPS
from unweave.online.learning import SAMPLE_FRAMES, OnlineNMF, learn

__all__ = ["GROUPS", "SAMPLE_FRAMES", "OnlineNMF", "learn"]
