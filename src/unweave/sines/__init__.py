"""Tones that last, and the rest: `sines`; the tracks themselves: `tracks`; the same for a stream: `Sines`.

    X ─peaks→ peaks of a frame ─tracking→ tracks, of which some last ─tonal→ their sound ─parting→ sines, residual

Each arrow is a module here. The equation, what is done otherwise than in FluCoMa, and the references stand in
`unweave.sines.parting`; the settings are those of `SineModel`.
"""

from __future__ import annotations

from unweave.sines.parting import Sines, sines, tracks
from unweave.sines.tracking import SineModel, Track

__all__ = ["SineModel", "Sines", "Track", "sines", "tracks"]
