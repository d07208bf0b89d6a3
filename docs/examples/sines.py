"""A flute over a tambourine: the tones that last in one file, breath and jingles in another.

    python docs/examples/sines.py [FOLDER]

Writes input.flac, sines.flac, residual.flac and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save, stft
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.sines import sines, tracks

RATE, SECONDS = 16000, 2.7


def flute():
    """Three notes with vibrato; the second slides into the third."""
    t = np.arange(int(SECONDS * RATE)) / RATE
    key = np.interp(t, [0, 0.88, 0.9, 1.6, 1.9, SECONDS], [67, 67, 71, 71, 74, 74])
    key += 0.12 * np.sin(2 * np.pi * 5 * t)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((key - 69) / 12)) / RATE
    level = np.interp(t, [0, 0.1, 0.8, 0.89, 1.0, 2.5, SECONDS], [0, 1, 0.9, 0.5, 1, 0.9, 0.5])
    return 0.25 * level * sum(np.sin(order * phase) * order**-1.6 for order in range(1, 7))


def tambourine(seed=1):
    """Short bursts of bright noise, and a little breath all along."""
    rng = np.random.default_rng(seed)
    out = 0.002 * rng.standard_normal(int(SECONDS * RATE))
    for start in np.arange(0.25, SECONDS - 0.2, 0.375):
        burst = np.diff(rng.standard_normal(3000)) * np.exp(-np.arange(2999) / 500)
        out[int(start * RATE) :][:2999] += 0.12 * burst
    return out


def draw(sound, parts, found, path):
    """The spectrogram of the sound, its tracks, and the spectrograms of the two parts, to the same scale."""
    figure = new_figure(5.4, width=7.6, dpi=58)
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    titles = ("input: flute and tambourine", "its tracks", "sines: what lasts", "residual: the rest")
    top = stft(sound, STFT(1024, 256)).magnitude.max()
    for ax, title, each in zip(axes.flat, titles, (sound, None, *parts), strict=True):
        ax.set_title(title, loc="left", fontsize=10)
        if each is None:
            for track in found:
                ax.plot(track.times, track.frequencies / 1000, lw=1.2)
            continue
        level = 20 * np.log10(np.maximum(stft(each, STFT(1024, 256)).magnitude[0] / top, 1e-3))
        extent = (0, SECONDS, 0, RATE / 2000)
        ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", interpolation="nearest")
    for ax in axes[1]:
        ax.set_xlabel("time (s)")
    for ax in axes[:, 0]:
        ax.set_ylabel("kHz")
    plot.save_figure(figure, path)


def main(folder):
    """Make the sounds and the picture; say how near the parts are to what was mixed."""
    folder.mkdir(parents=True, exist_ok=True)
    true = [Audio(flute(), RATE), Audio(tambourine(), RATE)]
    sound = Audio(true[0].samples + true[1].samples, RATE)
    settings = {"stft": STFT(1024, 256), "track_frequency_range": 30, "min_track_length": 30}
    parts = sines(sound, **settings)
    found = tracks(sound, **settings)
    for name, audio in zip(("input", "sines", "residual"), (sound, *parts), strict=True):
        save(folder / f"{name}.flac", audio, subtype="PCM_16")
    draw(sound, parts, found, folder / "picture.png")

    for name, one, part in zip(("flute", "tambourine"), true, parts, strict=True):
        print(f"{name}: SI-SDR {si_sdr(one, sound):.1f} dB in the input, {si_sdr(one, part):.1f} dB in its part")
    longest = max(found, key=lambda track: track.end - track.start)
    print(f"{len(found)} tracks; the longest lasts {longest.end - longest.start:.2f} s")
    whole = Audio(np.tile(sound.samples, 40), 44100)
    began = time.perf_counter()
    sines(whole, stft=STFT.flucoma())
    pace = whole.duration / (time.perf_counter() - began)
    print(f"speed: {pace:.0f} times as fast as the sound lasts (1024 samples, hop 512, 44100 Hz)")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
