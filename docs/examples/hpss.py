"""Chords over drums: what sounds in one file, what strikes in another.

    python docs/examples/hpss.py [FOLDER]

Writes input.flac, harmonic.flac, percussive.flac and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save, stft
from unweave.evaluation import si_sdr
from unweave.hpss import hpss
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop

RATE, SECONDS = 16000, 2.7


def chords():
    """Two organ chords."""
    t = np.arange(int(SECONDS * RATE)) / RATE
    out = np.zeros(t.size)
    for begin, keys in ((0.0, (57, 61, 64)), (1.35, (55, 59, 62))):
        inside = (t >= begin) & (t < begin + 1.35)
        level = inside * np.minimum(1, (t - begin) / 0.03).clip(0) * np.minimum(1, (begin + 1.35 - t) / 0.03).clip(0)
        for key in keys:
            f = 440 * 2 ** ((key - 69) / 12)
            out += level * sum(np.sin(2 * np.pi * f * k * t + key * k) / k for k in range(1, 9))
    return 0.05 * out


def drums():
    """Snare and hi-hat."""
    loop = drum_loop(n_bars=2, sample_rate=RATE)
    return (loop["snare"].samples[0] + loop["hihat"].samples[0])[: int(SECONDS * RATE)]


def draw(sounds, path):
    """Spectrograms side by side, to one scale."""
    figure = new_figure(2.6, width=8.4, dpi=60)
    settings = STFT(1024, 256)
    top = stft(sounds["input: chords and drums"], settings).magnitude.max()
    for ax, (title, sound) in zip(figure.subplots(1, 3, sharey=True), sounds.items(), strict=True):
        level = 20 * np.log10(np.maximum(stft(sound, settings).magnitude[0] / top, 1e-3))
        extent = (0, SECONDS, 0, RATE / 2000)
        ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", interpolation="nearest")
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("time (s)")
    figure.axes[0].set_ylabel("kHz")
    plot.save_figure(figure, path)


def main(folder):
    """Make the sounds, take them apart, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    tones, struck = Audio(chords(), RATE), Audio(drums(), RATE)
    mix = Audio(tones.samples + struck.samples, RATE)
    settings = STFT(1024, 256)
    parts = hpss(mix, stft=settings)
    for name, sound in {"input": mix, "harmonic": parts.harmonic, "percussive": parts.percussive}.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(
        {"input: chords and drums": mix, "harmonic": parts.harmonic, "percussive": parts.percussive},
        folder / "picture.png",
    )
    for name, true, found in (("chords", tones, parts.harmonic), ("drums", struck, parts.percussive)):
        print(f"{name}: {si_sdr(true, mix):.1f} dB in the mix, {si_sdr(true, found):.1f} dB in their part")
    minute = Audio(np.tile(mix.samples, 22), RATE)
    began = time.perf_counter()
    hpss(minute, stft=settings)
    print(f"{minute.duration / (time.perf_counter() - began):.0f} times as fast as it plays")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
