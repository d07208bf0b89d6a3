"""How well transcribers do on pieces as in the lessons, played by a font that nothing was learned from.

    python templates/hear_piano.py TimGM6mb.sf2 --scores scores.json
    python templates/hear_piano.py TimGM6mb.sf2 --scores scores.json --pitched --takes 1

Programs 0 to 3, or all of `learn_piano.PROGRAMS`, play in rooms, equalised, retuned, with noise; means are printed.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path

import numpy as np
from learn_piano import PROGRAMS
from pianos import font_player
from pieces import RATE, Performance, perform, recorded, within, written

from unweave.audio import Audio
from unweave.evaluation import score_pitches
from unweave.notes import Note
from unweave.pitched import transcribe_piano, transcribe_pitched

SECONDS = 25.0


def main() -> None:
    """Play, transcribe, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("font")
    parser.add_argument("--scores", required=True)
    parser.add_argument("--takes", type=int, default=5, help="of each program")
    parser.add_argument("--pitched", action="store_true", help="transcribe_pitched instead")
    asked = parser.parse_args()
    scores = json.loads(Path(asked.scores).read_text())
    rows = []
    for program in PROGRAMS if asked.pitched else range(4):
        for take in range(asked.takes):
            rng = np.random.default_rng(zlib.crc32(f"heard {program} {take}".encode()))
            piece = written(rng) if rng.random() < 0.45 else scores[str(rng.choice(sorted(scores)))]
            performance = perform(piece, rng, SECONDS)
            if asked.pitched:
                performance = Performance(within(performance.notes, *PROGRAMS[program]), [])
            sound, faster = recorded(font_player(asked.font, program)(performance, SECONDS, rng), rng, -6.0)
            true = [
                Note(onset=on / faster, offset=off / faster, pitch=pitch, velocity=force / 127)
                for on, off, pitch, force in performance.notes
            ]
            found = (transcribe_pitched if asked.pitched else transcribe_piano)(Audio(sound.astype(np.float32), RATE))
            score = score_pitches(true, found)
            error = np.nan if score.median_error is None else 1000 * score.median_error
            rows.append((score.precision, score.recall, score.f_measure, score.velocity_correlation, error))
    means = np.nanmean(np.array(rows, float), axis=0)
    names = ("precision", "recall", "F", "rank correlation of velocity", "median error in ms")
    told = ", ".join(f"{name} {value:.3f}" for name, value in zip(names, means, strict=True))
    print(f"{len(rows)} pieces: {told}")  # noqa: T201


if __name__ == "__main__":
    main()
