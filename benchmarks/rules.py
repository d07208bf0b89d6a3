"""Update rules beside each other: `python benchmarks/bench.py rules`.

Time and iterations from the same start to the same divergence, over seeds and real recordings, V float32. First each
rule is watched to see how many iterations it needs; then a run of just so many is timed without looking, the rules
taken in turn. A figure is the median over seeds. (Beside peers: `reach.py`.)
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import unweave as uw
from clock import in_turn
from material import starts
from page import SHARED, table
from peers import Factors, ours
from reach import EXACT, watch
from unweave.arrays import Matrix
from unweave.decomposition import magnitudes
from unweave.divergence import ITAKURA_SAITO
from unweave.loop import iterate
from unweave.rules import RULES, Multiplicative
from unweave.synthesis import drum_loop

RECORDINGS = ("audio/prelude_cmaj.wav", "data/drums_1/mix.flac", "data/song_0/mix.flac")
SECONDS = 6.0
CASES = ((2.0, 8), (2.0, 64), (1.0, 3), (1.0, 8), (ITAKURA_SAITO, 8))  # β, components
SEEDS = 5
TARGET = 200  # plain iterations, whose divergence is to be reached
MOST = 600  # iterations after which a rule is said not to have reached it

TEXT = """Iterations and time to the divergence that {target} multiplicative iterations reach, from the same start, on
{seconds:g} s of each recording; medians of {seeds} seeds, V float32 (magnitudes; powers for β = 0).

{table}"""


def rules(quick: bool = False) -> str:
    """Each rule to the divergence of plain updates, as Markdown."""
    seconds, seeds, target, cases = (0.5, 2, 5, ((2.0, 3), (1.0, 3))) if quick else (SECONDS, SEEDS, TARGET, CASES)
    sounds = _recordings(seconds)
    rows = [
        _row(name, magnitude**2 if beta <= 0 else magnitude, (beta, count), seeds, target)
        for (beta, count), (name, magnitude) in itertools.product(cases, sounds.items())
    ]
    cells = table(("β", "recording", "components", *RULES), rows)
    return TEXT.format(target=target, seconds=seconds, seeds=seeds, table=cells)


def _recordings(seconds: float) -> dict[str, Matrix]:
    """Magnitudes of real recordings, where they are to be had; else of a drum loop."""
    sounds = {name: uw.load(SHARED / name, duration=seconds) for name in RECORDINGS if (SHARED / name).exists()} or {
        "drum loop": drum_loop()["mix"]
    }
    return {name: magnitudes(sound, uw.STFT(2048, 512)) for name, sound in sounds.items()}


def _row(name: str, V: Matrix, case: tuple[float, int], n_seeds: int, plain: int) -> tuple[object, ...]:
    beta, count = case
    able = [rule for rule in RULES.values() if rule.supports(beta)]
    needed: dict[str, list[int | None]] = {rule.name: [] for rule in able}
    taken: dict[str, list[float | None]] = {rule.name: [] for rule in able}
    for start in starts(V, count, n_seeds):
        state = next(itertools.islice(iterate(V, *start, Multiplicative(), beta=beta), plain, None))
        target = state.divergence() * (1 + EXACT)
        found = {rule.name: watch(target, V, start, rule=rule, beta=beta, most=MOST)[0] for rule in able}
        seconds = in_turn(_tasks(V, start, beta, found), 3)
        for rule in able:
            needed[rule.name].append(found[rule.name])
            taken[rule.name].append(seconds.get(rule.name))
    cells = [_cell(needed[each], taken[each]) if each in needed else "–" for each in RULES]
    return f"{beta:g}", f"{name}, {V.shape[0]} × {V.shape[1]}", count, *cells


def _tasks(V: Matrix, start: Factors, beta: float, found: dict[str, int | None]) -> dict[str, Callable[[], Factors]]:
    able = {name: n for name, n in found.items() if n is not None}
    return {name: partial(ours, V, *start, n, rule=RULES[name], beta=beta) for name, n in able.items()}


def _cell(iterations: Sequence[int | None], seconds: Sequence[float | None]) -> str:
    """Medians over seeds, and how many seeds did not get there; these count as infinitely long."""
    missing = sum(each is None for each in iterations)
    if 2 * missing > len(iterations):
        return f"not in {MOST}"
    middle = statistics.median(float("inf") if each is None else each for each in iterations)
    length = statistics.median(float("inf") if each is None else each for each in seconds)
    return f"{middle:.0f} / {1e3 * length:.0f} ms" + (f" ({missing} of {len(iterations)} not)" if missing else "")


if __name__ == "__main__":
    print(rules())
