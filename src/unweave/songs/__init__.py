"""Songs taken apart into drums, bass, vocals and the rest, blind: `separate_song`, or `song_pieces` as they come.

    x ─cells→ spectrogram on a grid ─cues→ evidence ─judge→ first masks ─melody, context→ evidence ─judge→ masks
    masks, x ─places→ filters → stems

Each arrow is a module here, and `unweave.songs.stems` the chain.
"""

from __future__ import annotations

from unweave.songs.judge import SOURCES
from unweave.songs.stems import Source, separate_song, song_masks, song_names, song_pieces

__all__ = ["SOURCES", "Source", "separate_song", "song_masks", "song_names", "song_pieces"]
