"""Notes of a piano, and of other instruments that play tones; and how far they lie off 440 Hz.

    x ─bands→ V ─fit→ activations ─evidence, judge→ candidates, how likely each is ─picking→ notes

Each arrow is a module here, and `unweave.pitched.transcription` the chain: `transcribe_piano`, with templates of pianos
that are shipped, and `transcribe_pitched`, with templates that are harmonic and learned from the recording
(`harmonic`). `find_tuning` is that of `unweave.pitched.tuning`.
"""

from __future__ import annotations

from unweave.pitched.transcription import transcribe_piano, transcribe_pitched
from unweave.pitched.tuning import find_tuning

__all__ = ["find_tuning", "transcribe_piano", "transcribe_pitched"]
