"""Time from a start to the divergence that a peer ends at, over seeds and real recordings.

First a run is watched to see how many iterations it needs; then a run of just so many is timed without looking, in
turn with the peer, which does not look either.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from clock import once
from drawing import aim, label, panels
from material import spectrograms, starts
from page import Section, table, verdict
from peers import Factors, available, coordinate_descent, divergence, librosa_default, ours, scikit_learn
from unweave.arrays import Matrix
from unweave.loop import iterate
from unweave.plot.colors import COLORS
from unweave.rules import Multiplicative, Rule, default_rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 1000  # iterations after which a rule is said not to have reached it
WINDOW, SETTLED = 100, 1e-7  # a run that gained less than this share in so many iterations has settled
EXACT = 1e-6  # what float32 knows of a divergence, as a share of it


class Case(NamedTuple):
    """Settings, a size and the ratio that is aimed at."""

    n_fft: int
    n_frames: int
    count: int
    ratio: float

    @property
    def name(self) -> str:
        """As it stands in tables."""
        return f"{self.n_fft // 2 + 1} × {self.n_frames}, {self.count}"


class Run(NamedTuple):
    """What one seed gave: our iterations (None where we ended above), seconds, and how far above at the least."""

    n: int | None
    ours: float
    plain: float
    theirs: float
    above: float = 0.0

    @property
    def ratio(self) -> float:
        """Their time over ours; 0 where we did not get there."""
        return self.theirs / self.ours


CASES = (Case(1024, 900, 3, 3.6), Case(2048, 12920, 8, 12.0), Case(2048, 12920, 64, 5.0))
EUCLIDEAN_CASES = (Case(2048, 2584, 8, 3.0), Case(2048, 2584, 64, 3.0))
TARGET = 200  # iterations of the peer
SEEDS = 10
TINY = Case(256, 60, 3, 1.0)

Found = dict[tuple[Case, str], list[Run]]

REACH = """Kullback-Leibler, V float32: the time to the divergence that {target} iterations of scikit-learn's
multiplicative updates reach from the same start (in float64, by one function for both). Neither looks at the
divergence while it is timed. Three recordings, each with the hop that gives so many frames; {seeds} random starts
each; one run each, in turn. '{target} plain ones' is the time of {target} of our multiplicative updates, which end at
the same divergence; from the first start only.

{table}

{above}

Over all starts and recordings:

{verdicts}"""

ABOVE = """A start from which we end in a higher local minimum than the peer counts as a ratio of 0 in the median, and
is not among 'least' and 'greatest'. (Where the peer ends in the higher one, we are there early.)"""

DESCENT = """Euclidean, V float32: the time to the error at which scikit-learn's coordinate descent (float32) stops by
its own defaults, from the same start, by our default rule (`{rule}`). Three recordings, {seeds} random starts each;
one run each, in turn. `librosa.decompose` as it comes makes the same descent from a start of its own, so its time is
to its own error.

{table}

{above}

Over all starts and recordings:

{verdicts}"""


def reach(quick: bool = False) -> Section:
    """Time to the divergence of scikit-learn's multiplicative updates."""
    if not available("sklearn"):
        return "scikit-learn is not installed.", None
    target, seeds, cases = (5, 2, (TINY,)) if quick else (TARGET, SEEDS, CASES)
    found = _all(cases, seeds, partial(_against, peer=partial(scikit_learn, n=target), beta=1.0, plain=target))
    head = ("recording, bins × frames, components", "iterations", "unweave", f"{target} plain ones", "scikit-learn")
    rows = [_row(case, name, runs, plain=True) for (case, name), runs in found.items()]
    text = REACH.format(
        target=target,
        seeds=seeds,
        above=ABOVE,
        table=table((*head, "ratio, median", "least", "greatest", "ended above"), rows),
        verdicts=_verdicts(found),
    )
    return text, _picture(found)


def euclidean(quick: bool = False) -> Section:
    """Time to the error of scikit-learn's coordinate descent."""
    if not available("sklearn"):
        return "scikit-learn is not installed.", None
    seeds, cases = (2, (TINY,)) if quick else (SEEDS, EUCLIDEAN_CASES)
    found = _all(cases, seeds, partial(_against, peer=coordinate_descent, beta=2.0, plain=0))
    head = ("recording, bins × frames, components", "iterations", "unweave", "scikit-learn")
    rows = []
    for (case, name), runs in found.items():
        V = spectrograms(case.n_fft, case.n_frames)[name]
        start = next(starts(V, case.count, 1))
        seconds = _librosa(V, start[0]) if available("librosa") else None
        rows.append((*_row(case, name, runs, plain=False), f"{1e3 * seconds:.0f} ms" if seconds else "not installed"))
    text = DESCENT.format(
        rule=default_rule(2.0).name,
        seeds=seeds,
        above=ABOVE,
        table=table((*head, "ratio, median", "least", "greatest", "ended above", "librosa.decompose"), rows),
        verdicts=_verdicts(found),
    )
    return text, _picture(found)


def _librosa(V: Matrix, W: Matrix) -> float:
    """Seconds of librosa as it comes, after a warm-up."""
    librosa_default(V[:, :50].copy(), W)
    return once(lambda: librosa_default(V, W))


def watch(
    target: float, V: Matrix, start: Factors, *, rule: Rule | None = None, beta: float = 1.0, most: int = MOST
) -> tuple[int | None, float]:
    """How many iterations a rule needs to a divergence, and the lowest that it had.

    None where it does not get there in ``most`` iterations, or has settled above: in another local minimum.
    """
    lowest: list[float] = []
    for state in itertools.islice(iterate(V, *start, rule, beta=beta), most + 1):
        lowest.append(min(state.divergence(), lowest[-1] if lowest else float("inf")))
        if lowest[-1] <= target:
            return state.iteration, lowest[-1]
        if len(lowest) > WINDOW and lowest[-WINDOW] - lowest[-1] < SETTLED * lowest[-1]:
            break
    return None, lowest[-1]


def _all(cases: Sequence[Case], seeds: int, against: Callable[..., Run]) -> Found:
    """Every case on every recording with every seed, after a warm-up; plain updates from the first start only."""
    found: Found = {}
    for case in cases:
        for name, V in spectrograms(case.n_fft, case.n_frames).items():
            begin, *others = starts(V, case.count, seeds)
            against(V[:, :100].copy(), (begin[0], begin[1][:, :100].copy()))
            found[case, name] = [against(V, begin), *(against(V, start, plain=0) for start in others)]
    return found


def _against(V: Matrix, start: Factors, *, peer: Callable[..., Factors], beta: float, plain: int) -> Run:
    """One start: the peer to its end, and ours to the divergence that it had there."""
    ends: list[Factors] = []
    theirs = once(lambda: ends.append(peer(V, *start)))
    target = divergence(V, ends[0], beta) * (1 + EXACT)
    n, lowest = watch(target, V, start, beta=beta)
    taken = once(lambda: ours(V, *start, n, beta=beta)) if n is not None else float("inf")
    slow = once(lambda: ours(V, *start, plain, rule=Multiplicative(), beta=beta)) if plain else float("nan")
    return Run(n, max(taken, 1e-9), slow, theirs, max(lowest / target - 1, 0.0))


def _row(case: Case, name: str, runs: Sequence[Run], *, plain: bool) -> tuple[str, ...]:
    """Medians over the starts; the times are of those that got there."""
    there = [run for run in runs if run.n is not None]
    columns = ("n", "ours", "plain", "theirs") if plain else ("n", "ours", "theirs")
    cells = ["–"] * len(columns)
    if there:
        middle = [statistics.median(_known(getattr(run, column) for run in there)) for column in columns]
        cells = [f"{middle[0]:.0f}", *(f"{1e3 * value:.0f} ms" for value in middle[1:])]
    ratios = [run.ratio for run in runs]
    return (
        f"{name}, {case.name}",
        *cells,
        f"{statistics.median(ratios):.1f}",
        *(f"{of(run.ratio for run in there):.1f}" if there else "–" for of in (min, max)),
        _missing(runs),
    )


def _known(values: Iterable[float]) -> list[float]:
    """Those that were measured; NaN where none was."""
    return [value for value in values if not math.isnan(value)] or [math.nan]


def _missing(runs: Sequence[Run]) -> str:
    """How many starts ended above the peer, and how far."""
    above = [100 * run.above for run in runs if run.n is None]
    return f"{len(above)} of {len(runs)}, by at most {max(above):.2g} %" if above else "none"


def _verdicts(found: Mapping[tuple[Case, str], Sequence[Run]]) -> str:
    rows = []
    for case in dict.fromkeys(case for case, _ in found):
        runs = [run for (other, _), each in found.items() if other == case for run in each]
        middle, least = statistics.median(run.ratio for run in runs), min(run.ratio for run in runs)
        there = [run.ratio for run in runs if run.n is not None]
        rows.append(
            (
                case.name,
                len(runs),
                f"{middle:.1f}",
                verdict(middle, case.ratio),
                f"{min(there):.1f}" if there else "–",
                _missing(runs),
                f"never slower: **{'met' if least >= 1 else 'not met'}**",
            )
        )
    head = ("bins × frames, components", "runs", "median ratio", "target", "least ratio", "ended above", "target")
    return table(head, rows)


def _picture(found: Mapping[tuple[Case, str], Sequence[Run]]) -> Figure:
    """Every start as a point."""
    cases = list(dict.fromkeys(case for case, _ in found))
    figure, axes = panels(len(cases), 3.2)
    for ax, case in zip(axes, cases, strict=True):
        rows = {name: [run.ratio for run in runs] for (other, name), runs in found.items() if other == case}
        for k, ratios in enumerate(rows.values()):
            places = [k + 0.5 * (i / max(len(ratios) - 1, 1) - 0.5) for i in range(len(ratios))]
            ax.plot(places, ratios, "o", color=COLORS[0], markersize=4, alpha=0.7)
            ax.plot([k - 0.3, k + 0.3], [statistics.median(ratios)] * 2, color=COLORS[0], linewidth=2)
        aim(ax, case.ratio, "target")
        aim(ax, 1, "as fast")
        ax.set_xticks(range(len(rows)), list(rows))
        ax.set_ylim(0, 1.1 * max(case.ratio, *(max(ratios) for ratios in rows.values())))
        ax.grid(visible=False, axis="x")
        label(ax, f"{case.n_fft // 2 + 1} × {case.n_frames}, {case.count} components", "", "their time / ours")
    return figure
