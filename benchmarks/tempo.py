"""Tempo: how often it is found, and what is found instead.

    python benchmarks/tempo.py

Thirty takes of each of fourteen rhythms: any tempo that suits the rhythm, errors of 7 ms, one stroke in twenty left
out, a third of those in sixteenths swung, a third with a tempo that drifts.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from page import table
from unweave.notes import Note
from unweave.notes.tempo import find_tempo

TAKES = 30

# Steps of a beat, tempi, and a bar for each drum: a digit is the force of a stroke, a dot is silence.
RHYTHMS: dict[str, tuple[int, tuple[int, int], dict[str, str]]] = {
    "rock": (4, (90, 150), {"hihat": "7.5.7.5.7.5.7.5.", "kick": "9.....8.9.......", "snare": "....9.......9..."}),
    "sixteenths": (
        4,
        (75, 140),
        {"hihat": "7535753575357535", "kick": "9..6..8.9.....5.", "snare": "....9..3....9..."},
    ),
    "funk": (4, (75, 140), {"hihat": "7.757.757.757.75", "kick": "9.9...7..89.....", "snare": "....9..3.3..9..3"}),
    "disco": (4, (115, 135), {"hihat": "..9...9...9...9.", "kick": "9...9...9...9...", "snare": "....8.......8..."}),
    "half time": (
        4,
        (120, 160),
        {"hihat": "7.5.7.5.7.5.7.5.", "kick": "9.....6.........", "snare": "........9......."},
    ),
    "shuffle": (3, (75, 140), {"hihat": "7.57.57.57.5", "kick": "9.....8.5...", "snare": "...9.....9.."}),
    "jazz": (3, (100, 200), {"ride": "9..9.69..9.6", "kick": "4..4..4..4..", "hihat": "...7.....7.."}),
    "waltz": (2, (90, 180), {"kick": "9.....", "snare": "..6.6.", "hihat": "7.5.5."}),
    "six eighths": (3, (75, 140), {"hihat": "955955", "kick": "9....5", "snare": "...9.."}),
    "bossa nova": (4, (100, 140), {"hihat": "7575757575757575", "kick": "9..79..79..79..7", "rim": "9..9..9...9..9.."}),
    "drum and bass": (
        4,
        (160, 180),
        {"hihat": "7.5.7.5.7.5.7.5.", "kick": "9.........9.....", "snare": "....9..4.4..9..."},
    ),
    "eighths": (2, (75, 140), {"tone": "98979897"}),
    "quarters": (1, (70, 160), {"tone": "9797"}),
    "a tune": (4, (75, 140), {"tone": "9...8.7.8.......9.7.8.7.9......."}),
}
NAMES = {1: "right", 2: "twice", 0.5: "half", 1.5: "3/2", 2 / 3: "2/3"}


def take(steps: int, bpm: float, bars: dict[str, str], rng: np.random.Generator) -> list[Note]:
    """Ten seconds of a rhythm, as somebody plays it."""
    step = 60 / bpm / steps
    length = len(next(iter(bars.values())))
    total = max(2, int(10 / (length * step))) * length
    swing = rng.choice([0, 0, 0.2]) if steps == 4 else 0
    drift = rng.choice([0, 0, 0.03])
    start = rng.uniform(0, 1)
    notes = []
    for label, bar in bars.items():
        for place in range(total):
            mark = bar[place % length]
            if mark == "." or rng.random() < 0.05:
                continue
            share = (place + swing * (place % 2)) / total
            at = start + step * total * (share + drift * (share * share - share)) + rng.normal(0, 0.007)
            onset = max(at, 0.0)
            force = min(1, int(mark) / 9 * rng.uniform(0.8, 1))
            notes.append(Note(onset=onset, offset=onset + 0.1, label=label, velocity=force))
    return notes


def verdict(found: float, true: float) -> str:
    """What the tempo that was found is of the true one."""
    return next((name for share, name in NAMES.items() if abs(found / true / share - 1) < 0.02), "other")


def main() -> None:
    """Print a row for every rhythm, and the sum."""
    rng = np.random.default_rng(1)
    total: Counter[str] = Counter()
    rows = []
    for name, (steps, tempi, bars) in RHYTHMS.items():
        seen: Counter[str] = Counter()
        for _ in range(TAKES):
            bpm = rng.uniform(*tempi)
            tempo = find_tempo(take(steps, bpm, bars, rng))
            seen["none" if tempo is None else verdict(tempo.bpm, bpm)] += 1
        total += seen
        rows.append([name, *(str(seen[each]) for each in (*NAMES.values(), "other", "none"))])
    heads = ["rhythm", *NAMES.values(), "other", "none"]
    print(table(heads, [*rows, ["all", *(str(total[each]) for each in heads[1:])]]))


if __name__ == "__main__":
    main()
