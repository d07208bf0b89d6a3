"""Drums: their notes, and their stems.

    transcribe_drums(loop)        notes of a recording of which nothing is told          `unweave.drums.transcription`
    transcribe_kit(loop, kit)     notes of the sounds that a `Dictionary` describes      `unweave.drums.transcription`
    separate_drums(loop)          kick, snare, hi-hat and others, which sum to the loop  `unweave.drums.stems`

Both stand on the strokes of a recording (`strokes`): what drums sound like in general (`kits`), what the user taught
(`taught`), and how much of each stroke is which drum in this recording (`fit`) make notes of them; what each drum
sounds like here, at every frequency (`model`), puts strokes right that were judged wrongly (`relistening`), and makes
stems.
"""

from __future__ import annotations

from unweave.drums.kits import CLASSES
from unweave.drums.stems import ALWAYS, Drums, drum_pieces, separate_drums
from unweave.drums.transcription import transcribe_drums, transcribe_kit

__all__ = [
    "ALWAYS",
    "CLASSES",
    "Drums",
    "drum_pieces",
    "separate_drums",
    "transcribe_drums",
    "transcribe_kit",
]
