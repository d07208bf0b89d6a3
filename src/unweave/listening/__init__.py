"""What all that listens to a stream stands on: its frames, their explanation by given bases, and what may be given.

    samples ─hops→ spectra of single frames ─framewise→ activations, masks ─hops→ samples

Each arrow is a module here, and `unweave.listening.listener` leads through the first two: a `Listener` hears blocks of
any size. What comes of it for a musician: `unweave.streaming`, `unweave.matching`, `unweave.onsets`.
"""

from __future__ import annotations

from unweave.listening.listener import (
    BATCH_FRAMES,
    Listener,
    block_samples,
    channel_count,
    fitting,
    steps_of,
    stream_block,
)

__all__ = ["BATCH_FRAMES", "Listener", "block_samples", "channel_count", "fitting", "steps_of", "stream_block"]
