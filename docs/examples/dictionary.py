"""A kit learned from single drums, and found again in another loop.

    python docs/examples/dictionary.py [FOLDER]

Writes example-kick.flac, … (what is learned from), loop.flac (what is looked through), found-kick.flac, … and
picture.png.
"""

import sys
from pathlib import Path

from unweave import Audio, decompose, plot, save
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE = 22050
DRUMS = ("kick", "snare", "hihat")
STROKE = 0.55
"""Seconds of a drum that are enough to learn it."""


def draw(kit, loop, parts, path):
    """The bases, and what was found."""
    figure = new_figure(4.4, width=9.2, dpi=75)
    grid = figure.add_gridspec(4, 2, width_ratios=(2, 3))
    ax = figure.add_subplot(grid[:, 0])
    plot.bases(kit, ax=ax)
    ax.set_title("the kit: one base for each drum", loc="left")
    rows = [figure.add_subplot(grid[row, 1]) for row in range(4)]
    for ax, sound, name in zip(rows, [loop, *parts], ["the loop", *DRUMS], strict=True):
        shade = "0.4" if name == "the loop" else plot.color(DRUMS.index(name))
        times = [k / RATE for k in range(sound.n_samples)]
        ax.plot(times, sound.samples[0], color=shade, lw=0.6)
        ax.set(ylim=(-0.7, 0.7), xlim=(0, loop.duration), yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.tick_params(labelbottom=ax is rows[-1])
    rows[-1].set_xlabel("time / s")
    plot.save_figure(figure, path)


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    alone = drum_loop(n_bars=1, sample_rate=RATE, seed=1)
    begins = {"kick": 0.0, "snare": 4 * 60 / 104 / 4, "hihat": 0.0}
    examples = {}
    for name in DRUMS:
        first = round(begins[name] * RATE)
        examples[name] = Audio(alone[name].samples[:, first : first + round(STROKE * RATE)], RATE)
        save(folder / f"example-{name}.flac", examples[name], subtype="PCM_16")
    kit = learn_examples(examples)
    kit.save(folder / "kit.npz")
    truth = drum_loop(n_bars=1, tempo=126, sample_rate=RATE, seed=7)
    loop = truth["mix"]
    parts = decompose(loop, kit.n_components, bases=kit, learn_bases=False)
    save(folder / "loop.flac", loop, subtype="PCM_16")
    print(f"{kit}, learned from {STROKE:g} s of each")
    for k, name in enumerate(kit.labels):
        save(folder / f"found-{name}.flac", parts.component(k), subtype="PCM_16")
        score = si_sdr(truth[name], parts.component(k))
        print(f"SI-SDR of the {name:5} in another loop, at another tempo: {score:.1f} dB")
    draw(kit, loop, list(parts.components()), folder / "picture.png")


if __name__ == "__main__":
    main()
