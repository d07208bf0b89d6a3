"""A melody, played by a swarm of bees.

    python docs/examples/nmfcross.py [FOLDER]

Writes target.flac (a plucked melody), source.flac (bees), result.flac (the melody buzzed by the bees) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import Audio, plot, save, stft
from unweave.cross import CROSS_STFT, cross
from unweave.loop import run
from unweave.mosaic import activation_steps
from unweave.plot.figures import new_figure

RATE, SECONDS = 16000, 2.7
NOTES = [(0.0, 64, 0.4), (0.4, 62, 0.4), (0.8, 60, 0.4), (1.2, 62, 0.4), (1.6, 64, 0.3), (1.9, 64, 0.3), (2.2, 64, 0.5)]
"""When, which key of a piano, how long."""


def hertz(key):
    """Frequency of a key of a piano, counted as in MIDI."""
    return 440 * 2 ** ((key - 69) / 12)


def melody():
    """Plucked strings, one after the other."""
    out = np.zeros(int(SECONDS * RATE))
    for start, key, length in NOTES:
        t = np.arange(int(length * RATE)) / RATE
        orders = np.arange(1, 13)[:, None]
        waves = np.sin(2 * np.pi * hertz(key) * orders * t) * np.exp(-3 * t * np.sqrt(orders)) / orders
        out[int(start * RATE) :][: t.size] += (
            waves.sum(axis=0) * np.minimum(1, (length - t) / 0.02) * np.minimum(1, t / 0.005)
        )
    return Audio(0.25 * out, RATE)


def bees(seconds=SECONDS, seed=4):
    """Two bees: pitches that wander, wings that make a buzz of many partials, now nearer and now farther."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    out = 0.002 * rng.standard_normal(t.size)
    for lowest, slowness in ((58, 2.3), (57, 1.1)):
        key = lowest + 9 * np.abs(2 * (t / slowness % 1) - 1) + 0.3 * np.sin(2 * np.pi * 7 * t)
        near = np.interp(t, np.linspace(0, seconds, 12), rng.uniform(0, 1, 12) ** 2)
        phase = 2 * np.pi * np.cumsum(hertz(key)) / RATE
        out += near * sum(np.sin(order * phase) * order**-0.6 for order in range(1, 20))
    return Audio(out * 0.5 / np.abs(out).max(), RATE)


def loudness(sound):
    """Magnitudes as the mosaic sees them, ``(bins, frames)``."""
    return stft(sound, CROSS_STFT).magnitude[0].astype(float)


def divergence(found, wanted):
    """Kullback-Leibler after the levels are fitted, relative to the sum of what is wanted."""
    found, floor = found * (wanted.sum() / found.sum()), 1e-6 * wanted.mean()
    return (wanted * np.log((wanted + floor) / (found + floor)) - wanted + found).sum() / wanted.sum()


def draw(source, target, result, path):
    """Three spectrograms up to 4 kHz, and the activations."""
    figure, hop = new_figure(5.2, width=8.0, dpi=66), CROSS_STFT.hop_length / RATE
    axes = figure.subplots(2, 2)
    for ax, sound, title in (
        (axes[0, 0], target, "target: a melody"),
        (axes[0, 1], source, "source: bees"),
        (axes[1, 0], result, "result: the melody, buzzed by the bees"),
    ):
        M = loudness(sound)[: 4000 * CROSS_STFT.n_fft // RATE]
        show(ax, 20 * np.log10(np.maximum(M / M.max(), 1e-3)), title, hop, 4)
        ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    H = run(activation_steps(loudness(source), loudness(target)))
    show(axes[1, 1], np.sqrt(H / H.max(axis=0)), "which source frames are heard when", hop, H.shape[0] * hop)
    axes[1, 1].set(xlabel="time in the target (s)", ylabel="time in the source (s)")
    plot.save_figure(figure, path)


def show(ax, values, title, hop, top):
    """A matrix as a picture."""
    extent = (0, values.shape[1] * hop, 0, top)
    ax.imshow(values, aspect="auto", origin="lower", cmap="magma", extent=extent, interpolation="nearest")
    ax.set_title(title, loc="left", fontsize=10)


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    source, target = bees(), melody()
    result = cross(source, target)
    for name, sound in (("source", source), ("target", target), ("result", result)):
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(source, target, result, folder / "picture.png")
    frames, wanted = loudness(source), loudness(target)
    chance = frames[:, np.random.default_rng(0).permutation(frames.shape[1])[: wanted.shape[1]]]
    chance *= wanted.sum(axis=0) / chance.sum(axis=0)
    print("Divergence from the target, relative to its magnitudes (0 is the target itself):")
    print(f"  the bees in a random order, each frame at the target's level  {divergence(chance, wanted):.2f}")
    print(f"  the mosaic                                                    {divergence(loudness(result), wanted):.2f}")


if __name__ == "__main__":
    main()
