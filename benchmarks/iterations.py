"""Time of one Kullback-Leibler iteration beside peers, and how much of the machine's arithmetic it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from clock import in_turn, sgemm
from drawing import INK, label, panels
from material import noise
from page import Section, table, verdict
from peers import KL, Factors, available, divergence, ours
from unweave.rules import Multiplicative

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRODUCT = "large product"
PLAIN = "unweave, plain updates"


class Case(NamedTuple):
    """A size, and what is aimed at there: times faster than scikit-learn, and share of the rate of a large product."""

    n_bins: int
    n_frames: int
    count: int
    ratio: float
    share: float | None = None

    @property
    def name(self) -> str:
        """As it stands in tables."""
        return f"{self.n_bins} × {self.n_frames}, {self.count}"

    @property
    def flops(self) -> float:
        """Floating-point operations of the four products of one iteration."""
        return 8.0 * self.n_bins * self.n_frames * self.count


CASES = (Case(513, 900, 3, 1.8), Case(1025, 12920, 8, 6.0, 0.35), Case(1025, 12920, 64, 2.5, 0.60))
ITERATIONS = 50

TEXT = """Kullback-Leibler, both factors, V float32, the same start for all (but librosa, which takes none): {n}
iterations with what comes before and after them, over {n}; medians of {repeats} runs in turn, in ms. 'plain updates'
are the multiplicative ones that scikit-learn makes, and end at the same divergence: targets are for them. The default
ones go further and have momentum, so that fewer of them are needed. torchnmf looks at the divergence every ten
iterations, which cannot be turned off.

{times}

{n} plain iterations end where scikit-learn's end (the divergence in float64, by one function for all):

{divergences}

An iteration has four products, 8 · bins · frames · components floating-point operations: the model twice (for the
step of the activations, and after it for the step of the bases), and one product for each numerator. Only these are
counted, not the divisions. The rate is held against that of a product of two {size} × {size} float32 matrices with
all threads ({rate:.0f} GFLOP/s), taken in turn with the others. 'Products alone' is the ratio that a solver would have
which makes these four products at that rate and nothing else: no solver with four products can have more.

{shares}"""


def iterations(quick: bool = False) -> Section:
    """One KL iteration beside peers."""
    cases = (Case(65, 90, 3, 1.8, 0.35),) if quick else CASES
    n, repeats, size = (3, 1, 256) if quick else (ITERATIONS, 5, 2048)
    results = {case: _measured(case, n, repeats, size) for case in cases}
    times, ends, shares = [], [], []
    rate = max(found[PRODUCT] for found, _ in results.values())
    for case, (found, divergences) in results.items():
        theirs = found.get("scikit-learn")
        milliseconds = [f"{1e3 * found[name]:.2f}" if name in found else "not installed" for name in _columns()]
        plain, default = (f"{theirs / found[name]:.2f}" if theirs else "–" for name in (PLAIN, "unweave"))
        aim = verdict(theirs / found[PLAIN], case.ratio) if theirs else "–"
        times.append((case.name, *milliseconds, plain, aim, default))
        reference = divergences[PLAIN]
        ends.append((case.name, *(_end(divergences.get(name), reference) for name in _columns())))
        share, usual = (100 * case.flops / found[name] / rate for name in (PLAIN, "unweave"))
        aim = verdict(share, 100 * case.share, " %") if case.share else "–"
        alone = f"{theirs * rate / case.flops:.2f}" if theirs else "–"
        reached = f"{case.flops / found[PLAIN] / 1e9:.0f}"
        shares.append((case.name, reached, f"{share:.0f} %", aim, f"{usual:.0f} %", alone))
    text = TEXT.format(
        n=n,
        repeats=repeats,
        size=size,
        rate=rate / 1e9,
        times=table(
            ("bins × frames, components", *_columns(), "ratio, plain updates", "its target", "ratio, default rule"),
            times,
        ),
        divergences=table(("bins × frames, components", *_columns()), ends),
        shares=table(
            (
                "bins × frames, components",
                "GFLOP/s, plain updates",
                "share",
                "its target",
                "share, default rule",
                "products alone",
            ),
            shares,
        ),
    )
    return text, _picture({case: found for case, (found, _) in results.items()})


def _columns() -> list[str]:
    return [PLAIN, "unweave", *KL]


def _end(value: float | None, reference: float) -> str:
    """A divergence, and how far it is from that of plain updates."""
    return "–" if value is None else f"{value:.6g} ({value / reference - 1:+.1e})"


def _measured(case: Case, n: int, repeats: int, size: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of an iteration, and divergences, by program; and the operations a second of a large product."""
    V, W, H = noise(case.n_bins, case.n_frames, case.count)
    calls: dict[str, Callable[[], Factors]] = {
        PLAIN: partial(ours, V, W, H, n, rule=Multiplicative()),
        "unweave": partial(ours, V, W, H, n),
        **{name: partial(peer, V, W, H, n) for name, (module, peer) in KL.items() if available(module)},
    }
    divergences = {name: divergence(V, call()) for name, call in calls.items()}  # this warms up, too
    product, flops = sgemm(size)
    product()
    taken = in_turn({**calls, PRODUCT: product}, repeats, warm=True)
    return {name: flops / t if name == PRODUCT else t / n for name, t in taken.items()}, divergences


def _picture(results: Mapping[Case, Mapping[str, float]]) -> Figure:
    """Bars of time, as multiples of ours."""
    figure, axes = panels(len(results), 2.6)
    for ax, (case, found) in zip(axes, results.items(), strict=True):
        names = [name for name in ("unweave", PLAIN, *KL) if name in found][::-1]
        bars = ax.barh(names, [1e3 * found[name] for name in names], color=[INK[name] for name in names], height=0.7)
        ax.bar_label(bars, [f"{found[name] / found['unweave']:.1f}×" for name in names], fontsize=8, padding=3)
        ax.margins(x=0.15)
        ax.grid(visible=False, axis="y")
        if ax is not axes[0]:
            ax.set_yticklabels([])
        label(ax, f"{case.n_bins} × {case.n_frames}, {case.count} components", "ms an iteration", "")
    return figure
