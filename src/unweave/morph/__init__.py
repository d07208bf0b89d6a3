"""Morphs: the sounds of one recording turn into those of another.

    NMFMorph, morph, morph_steps      a stream and its one-shot twin                     `unweave.morph.morphing`
    Pair, Way, Score, assign_bases    which basis turns into which, and what plays them  `unweave.morph.pairs`
    Transport, distances              one spectrum on its way to another                 `unweave.morph.transport`

The first line stands on the second, and that on the third; phases are those of `unweave.phase_gradient`. What is done
otherwise than in FluCoMa, and why, is said by the first.
"""

from __future__ import annotations

from unweave.morph.morphing import HALF_WAY, NMFMorph, morph, morph_steps

__all__ = ["HALF_WAY", "NMFMorph", "morph", "morph_steps"]
