"""When NMF takes sounds apart, and when it cannot: four pairs of sounds, each in two components.

    python docs/examples/why.py [FOLDER]

Writes, for each pair, what goes in and what comes out as .flac (works-…, same-…, together-…, glide-…) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, decompose, plot, save
from unweave.evaluation import best_permutation
from unweave.plot.figures import new_figure

RATE, SECONDS, WINDOW = 12000, 1.4, STFT(1024, 256)
T = np.arange(int(RATE * SECONDS)) / RATE


def harmonic(hertz, slope=1.0):
    """A tone with partials; ``hertz`` is a number, or one for each sample."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, T.shape)) / RATE
    partials = range(1, int(0.4 * RATE / np.max(hertz)) + 1)
    return sum(np.sin(k * phase) / k**slope for k in partials[:16])


def struck(times, decay):
    """An envelope that rises at some times, within a hundredth of a second, and falls."""
    later = (np.maximum(T - each, 0) for each in times)
    return sum(np.minimum(t / 0.01, 1) * np.exp(-t / decay) for t in later)


def pairs():
    """Name, title, and the two sounds of each pair."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(T.size)
    hiss = noise - np.convolve(noise, np.ones(4) / 4, "same")
    low, high = harmonic(220.0), harmonic(330.0, 1.3)
    often, seldom = struck(np.arange(0, 1.4, 0.2), 0.03), struck([0, 0.5, 1.1], 0.15)
    glide = harmonic(300.0 * 2 ** (0.9 * np.sin(2 * np.pi * 0.5 * T)))
    yield "works", "two spectra, two rhythms", 0.15 * low * seldom, 0.2 * hiss * often
    yield "same", "one spectrum, two players", 0.15 * low * seldom, 0.15 * low * struck([0.25, 0.75, 0.9], 0.1)
    yield "together", "two spectra that always sound together", 0.15 * low * seldom, 0.15 * high * seldom
    yield "glide", "a tone that glides, and noise", 0.12 * glide, 0.2 * hiss * often


def draw(results, path):
    """Every pair, and the two parts that were found in it."""
    figure = new_figure(6.4, width=8.0, dpi=80)
    rows = figure.subplots(4, 3, sharex=True, sharey=True)
    for axes, (title, mixture, parts, scores) in zip(rows, results, strict=True):
        sounds = [
            (title, mixture),
            *((f"part {k}: {s:.0f} dB", p) for k, (s, p) in enumerate(zip(scores, parts, strict=True))),
        ]
        for ax, (name, sound) in zip(axes, sounds, strict=True):
            rows_of_six = np.abs(spectrum_of(sound))[:510].reshape(85, 6, -1).max(axis=1)  # one for each pixel
            values = 6 * np.floor(20 / 6 * np.log10(rows_of_six + 1e-5))
            extent = (0, SECONDS, 0, RATE / 2000)
            colours = {"vmin": -12, "vmax": 24, "cmap": "magma", "interpolation": "nearest"}
            ax.imshow(values, origin="lower", aspect="auto", extent=extent, **colours)
            ax.set_title(name, loc="left", fontsize=8)
            ax.set_ylim(0, 6)
        axes[0].set_ylabel("kHz", fontsize=8)
    for ax in rows[-1]:
        ax.set_xlabel("time (s)", fontsize=8)
    plot.save_figure(figure, path)


def spectrum_of(sound):
    """Complex ``(bins, frames)``."""
    from unweave import stft

    return stft(sound, WINDOW).values[0]


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for name, title, first, second in pairs():
        true = [Audio(sound[None].astype(np.float32), RATE) for sound in (first, second)]
        mixture = Audio(true[0].samples + true[1].samples, RATE)
        found = list(decompose(mixture, 2, stft=WINDOW).components())
        order, scores = best_permutation(true, found)
        parts = [found[k] for k in order]
        results.append((title, mixture, parts, scores))
        for suffix, sound in zip(("mix", "1", "2"), (mixture, *parts), strict=True):
            if suffix == "2" and name != "works":  # one wrong part is enough to hear
                continue
            save(folder / f"{name}-{suffix}.flac", Audio(0.5 * sound.samples, RATE), subtype="PCM_16")
        print(f"{title}: {scores[0]:.1f} and {scores[1]:.1f} dB")
    draw(results, folder / "picture.png")


if __name__ == "__main__":
    main()
