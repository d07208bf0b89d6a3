"""Scores to learn from, out of music21's corpus: a JSON file {name: [[onset, length, pitch], …]} in quarter notes.

    python templates/scores.py scores.json

music21 must be installed; it brings the scores, most of them in the public domain. Only onsets, lengths and pitches are
taken, to make performances from; nothing of them is shipped.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

COUNTS = {
    "bach": 30,
    "mozart": 14,
    "haydn": 6,
    "beethoven": 14,
    "schumann_robert": 6,
    "schumann_clara": 6,
    "joplin": 3,
    "chopin": 4,
    "handel": 4,
    "schubert": 8,
    "verdi": 2,
    "weber": 2,
    "corelli": 3,
    "beach": 4,
}
FEWEST = 40
"""Notes."""

LARGEST = 60_000
"""Bytes of a packed score; those of the longest movements take minutes to read."""


def notes_of(path: str) -> list[tuple[float, float, int]]:
    """The notes of a score, without ties and ornaments."""
    from music21 import corpus

    score = corpus.parse(path).stripTies()
    found = {
        (float(each.offset), float(each.quarterLength), int(pitch.midi))
        for each in score.flatten().notes
        if each.quarterLength > 0
        for pitch in each.pitches
    }
    return sorted(found)


def main(target: str) -> None:
    """Choose, read, write."""
    from music21 import corpus

    random.seed(0)
    scores = {}
    for composer, count in COUNTS.items():
        paths = [path for path in map(str, corpus.getComposer(composer)) if not path.endswith((".abc", ".txt", "ntxt"))]
        random.shuffle(paths)
        paths = [path for path in paths if not path.endswith(".mxl") or Path(path).stat().st_size < LARGEST]
        for path in paths[:count]:
            notes = notes_of(path)
            if len(notes) >= FEWEST:
                scores["/".join(Path(path).parts[-2:])] = notes
    Path(target).write_text(json.dumps(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])
