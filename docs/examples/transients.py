"""A scratched record: the scratches in one file, the music without them in another.

    python docs/examples/transients.py [FOLDER]

Writes input.flac, transients.flac, residual.flac and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import Audio, plot, save
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.transients import transients

RATE, SECONDS = 22050, 2.5
SETTINGS = {"threshold_forward": 3, "clump_length": 12}


def music():
    """A slow melody with a little noise."""
    t = np.arange(int(SECONDS * RATE)) / RATE
    out = 1e-3 * np.random.default_rng(1).standard_normal(t.size)
    for begin, key in ((0.0, 57), (0.6, 60), (1.2, 64), (1.8, 62)):
        f, since = 440 * 2 ** ((key - 69) / 12), np.maximum(t - begin, 0)
        level = np.minimum(1, since / 0.05) * np.exp(-1.5 * since)
        out += 0.12 * level * sum(np.sin(2 * np.pi * f * k * since) / k**1.3 for k in range(1, 8))
    return out


def scratches(n):
    """Short clicks at random places, of random force."""
    rng = np.random.default_rng(2)
    out = np.zeros(n)
    for place in rng.integers(1000, n - 1000, 30):
        length = int(rng.integers(2, 12))
        out[place : place + length] += rng.uniform(0.1, 0.5) * rng.standard_normal(length)
    return np.clip(out, -0.5, 0.5)


def draw(sounds, path):
    """Waves below each other, to one scale."""
    figure = new_figure(4.2, width=7.6, dpi=70)
    axes = figure.subplots(3, 1, sharex=True, sharey=True)
    for ax, (title, sound) in zip(axes, sounds.items(), strict=True):
        ax.plot(np.arange(sound.n_samples) / RATE, sound.samples[0], lw=0.5)
        ax.set_title(title, loc="left", fontsize=10)
    axes[-1].set_xlabel("time (s)")
    plot.save_figure(figure, path)


def main(folder):
    """Scratch the record, restore it, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = music()
    record = Audio(clean + scratches(clean.size), RATE)
    transients(Audio(clean[:1000], RATE))  # loads what it needs
    began = time.perf_counter()
    clicks, rest = transients(record, **SETTINGS)
    seconds = time.perf_counter() - began
    for name, sound in {"input": record, "transients": clicks, "residual": rest}.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(
        {"input: a scratched record": record, "transients: the scratches": clicks, "residual: the music": rest},
        folder / "picture.png",
    )
    true = Audio(clean, RATE)
    print(f"music: {si_sdr(true, record):.1f} dB with its scratches, {si_sdr(true, rest):.1f} dB without them")
    speed = record.n_samples / seconds / 44100
    print(f"{speed:.0f} times as fast as it would play at 44100 Hz: an hour of one channel in {60 / speed:.0f} minutes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
