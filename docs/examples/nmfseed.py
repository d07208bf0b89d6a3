"""How many sounds a drum loop has, and a start for them.

    python docs/examples/nmfseed.py [FOLDER]

Writes loop.flac, what the seeds alone make of it (seed-kick.flac, …), what comes of it after 100 iterations
(kick.flac, …) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import Decomposition, Factorization, decompose, plot, save
from unweave.decomposition import magnitudes
from unweave.evaluation import best_permutation
from unweave.plot.figures import new_figure
from unweave.seeds import seed
from unweave.starts import coverage_curve
from unweave.synthesis import drum_loop

ITERATIONS = 100
DRUMS = ("kick", "snare", "hihat")


def history(parts):
    """Divergences from iteration to iteration, in per cent of all magnitudes."""
    return parts.factorization.iterations, 100 * parts.divergences / magnitudes(parts.audio, parts.stft).sum()


def draw(found, started, others, path):
    """The coverage, the bases, and how the divergence falls."""
    figure = new_figure(3.6, width=9.2, dpi=80)
    left, middle, right = figure.subplots(1, 3)
    counts = np.arange(1, 26)
    for count, shade in (("values", plot.color(0)), ("energy", plot.color(1))):
        left.plot(counts, 100 * coverage_curve(found.values, count)[:25], color=shade, label=f"of the {count}")
        left.plot(found.n_components, 100 * found.covered(count), "o", color=shade)
    left.set(xlabel="components", ylabel="coverage / %", ylim=(0, 103), xlim=(0, 25))
    left.legend(loc="lower right")
    left.set_title("how many", loc="left")
    plot.bases(found.dictionary, ax=middle)
    middle.set_title("seeds", loc="left")
    for k, other in enumerate(others):
        right.plot(*other, color="0.7", label="" if k else "from random numbers")
    right.plot(*started, color=plot.color(0), lw=2, label="from seeds")
    right.set(xscale="symlog", xlabel="iterations", ylabel="divergence / %", xlim=(0, ITERATIONS))
    right.legend()
    right.set_title("the way from there", loc="left")
    plot.save_figure(figure, path)


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    truth = drum_loop(n_bars=1, tempo=156, sample_rate=22050)
    loop = truth.pop("mix")
    found = seed(loop, coverage=0.93, count="energy")
    print(f"{found.sentence} FluCoMa's count, half of the values: {found.needed(0.5)}.")
    bases, activations = found.dictionary.bases, found.activations
    alone = Decomposition(loop, found.dictionary.stft, Factorization(bases[0], activations))
    limits = {"max_iter": ITERATIONS, "tol": 0}
    after = decompose(loop, found.n_components, bases=found.dictionary, activations=activations, **limits)
    for name, parts, before in (("seeds alone", alone, "seed-"), (f"{ITERATIONS} iterations on", after, "")):
        order, scores = best_permutation([truth[drum] for drum in DRUMS], list(parts.components()))
        for drum, k in zip(DRUMS, order, strict=True):
            save(folder / f"{before}{drum}.flac", parts.component(k), subtype="PCM_16")
        told = ", ".join(f"{drum} {score:.1f}" for drum, score in zip(DRUMS, scores, strict=True))
        print(f"SI-SDR in dB, {name:18} {told}")
    save(folder / "loop.flac", loop, subtype="PCM_16")
    random = [
        history(decompose(loop, found.n_components, start="random", restarts=1, rng=number, order="none", **limits))
        for number in range(6)
    ]
    draw(found, history(after), random, folder / "picture.png")


if __name__ == "__main__":
    main()
