"""Clicks and strokes, and the sound without them: `transients`, in pieces `transient_pieces`, for streams `Transients`.

    block ─autoregression→ its model and what that leaves ─parting→ where it is large ─autoregression→ filled in

Each arrow is a module here. The equations, what is done otherwise than in FluCoMa, and the references stand in
`unweave.transients.parting`; the settings are those of `TransientModel`.
"""

from __future__ import annotations

from unweave.transients.parting import TransientModel, Transients, transient_pieces, transients

__all__ = ["TransientModel", "Transients", "transient_pieces", "transients"]
