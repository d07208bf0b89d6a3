"""Stems by example, better for a rehearsal: `rehearse`.

    examples ─sum→ a recording whose stems are known ─separate→ opinions ─evidence→ blend ⟵ the true stems
    recording ─separate→ opinions ─evidence→ blend → masks → stems

Examples that are stems of one recording are more than sounds: their sum is a recording of the same music, and how far
each way of separation is to be believed can be tried out on it. Each arrow is a module here.
"""

from __future__ import annotations

from unweave.rehearsal.blend import Blend, learn_blend
from unweave.rehearsal.evidence import Evidence
from unweave.rehearsal.stage import are_drums, rehearse, stems_of_one_recording

__all__ = ["Blend", "Evidence", "are_drums", "learn_blend", "rehearse", "stems_of_one_recording"]
