"""Known sounds in what was never heard: a kit learned on the first half of a loop splits the second half.

    python benchmarks/filtering.py [DIR]

DIR holds folders ``drums*`` with mix.flac and its stems. The stems' first halves are the examples from which bases are
learned, one recording a label; `unweave.streaming.filter_by` then splits the second half of the mixture, which no
learning has met. Then once more with the kit of another loop. Prints a Markdown table of SI-SDR in dB.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import unweave as uw
from page import SHARED, machine, table
from unweave.evaluation import si_sdr
from unweave.streaming import filter_by
from unweave.training import learn_examples

STEMS = ("kick", "snare", "hihat")
BASES_EACH = (1, 3)
WAYS: dict[str, dict[str, float | bool]] = {
    "as it comes": {},
    "from a flat start": {"warm_start": False},
    "100 iterations": {"n_iter": 100},
    "power 2": {"power": 2.0},
    "bases learn": {"learn_bases": True},
}

Sounds = dict[str, uw.Audio]


def halves(data: Path) -> Iterator[tuple[str, Sounds, Sounds]]:
    """Name of every loop, and its first and its second half: mixture and stems."""
    for folder in sorted(data.glob("drums*")):
        paths = {name: next(iter(folder.glob(f"{name}.*")), None) for name in ("mix", *STEMS)}
        if all(paths.values()):
            sounds = {name: uw.load(str(path)) for name, path in paths.items()}
            middle = sounds["mix"].n_samples // 2
            first, second = (
                {name: uw.Audio(sound.samples[:, part], sound.sample_rate) for name, sound in sounds.items()}
                for part in (slice(0, middle), slice(middle, None))
            )
            yield folder.name, first, second


def score(truth: Sounds, found: Sounds) -> float:
    """Mean SI-SDR of the stems."""
    return float(np.mean([si_sdr(truth[name], found[name]) for name in STEMS]))


def filtering(data: Path = SHARED / "data") -> str:
    """Mean SI-SDR of kick, snare and hi-hat in the second half of every loop, as a Markdown table."""
    loops = list(halves(data))
    if not loops:
        return "skipped: there were no recordings with ground truth."
    rows = [row("the mixture", [score(second, dict.fromkeys(STEMS, second["mix"])) for _, _, second in loops])]
    for count in BASES_EACH:
        kits = [learn_examples({name: first[name] for name in STEMS}, count) for _, first, _ in loops]
        for way, options in WAYS.items() if count == BASES_EACH[-1] else [("as it comes", {})]:
            scores = [
                score(second, filter_by(second["mix"], kit, **options))  # type: ignore[arg-type]
                for kit, (_, _, second) in zip(kits, loops, strict=True)
            ]
            rows.append(row(f"{count} {'base' if count == 1 else 'bases'} a drum, {way}", scores))
    for way, learns in (("", False), (", bases learn", True)):
        strange = [
            score(second, filter_by(second["mix"], kits[place - 1], learn_bases=learns))
            for place, (_, _, second) in enumerate(loops)
        ]
        rows.append(row(f"{BASES_EACH[-1]} bases a drum of the loop before{way}", strange))
    return table(("`unweave filter`", *(name for name, _, _ in loops), "mean"), rows)


def row(name: str, scores: list[float]) -> tuple[str, ...]:
    """Cells of a row."""
    return (name, *(f"{each:.2f}" for each in scores), f"{np.mean(scores):.2f}")


if __name__ == "__main__":
    print(filtering(*(Path(word) for word in sys.argv[1:2])))
    print(f"\nMeasured on: {machine()}")
