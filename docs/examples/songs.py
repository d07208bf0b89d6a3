"""A song of four synthesised parts, taken apart again without being told anything.

    python docs/examples/songs.py [FOLDER]

Writes input.flac, drums.flac, bass.flac, vocals.flac, other.flac and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save, stft
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.songs import separate_song
from unweave.synthesis import drum_loop

RATE, SECONDS = 16000, 2.32
TIME = np.arange(int(SECONDS * RATE)) / RATE


def notes(semitones, seconds):
    """Which of some notes sounds at each moment, and how long it has sounded."""
    place = (TIME / seconds).astype(int)
    return np.array(semitones)[place % len(semitones)], TIME - place * seconds


def bass():
    """Plucked notes."""
    keys, since = notes([33, 33, 36, 31], 0.58)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((keys - 69) / 12)) / RATE
    return 0.3 * np.exp(-2 * since) * sum(np.sin(k * phase) / k**1.5 for k in range(1, 6))


def voice():
    """Notes with a vibrato, through the formants of an a; a hiss before each."""
    keys, since = notes([64, 67, 69, 67, 72], 0.76)
    pitch = 440 * 2 ** ((keys + 0.4 * np.sin(2 * np.pi * 5.5 * TIME) * (since > 0.2) - 69) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = ((730, 90, 1.0), (1090, 110, 0.5), (2440, 170, 0.2))
    level = np.minimum(1, since / 0.03) * np.minimum(1, (0.74 - since).clip(0) / 0.05)
    out = np.zeros(TIME.size)
    for k in range(1, 26):
        gain = sum(g / (1 + ((k * pitch - f) / width) ** 2) for f, width, g in formants) ** 0.5 / k**0.4
        out += (k * pitch < RATE / 2) * gain * np.sin(k * phase)
    hiss = np.diff(np.random.default_rng(0).normal(size=TIME.size + 1)) * np.exp(-(((since - 0.02) / 0.02) ** 2))
    return 0.25 * level * out + 0.05 * hiss


def chords():
    """An organ."""
    out = np.zeros(TIME.size)
    for keys in ([57, 60, 64], [55, 59, 62]):
        inside = (TIME % 2.32 < 1.16) == (keys[0] == 57)
        for key in keys:
            angle = 2 * np.pi * 440 * 2 ** ((key - 69) / 12) * TIME + key
            out += 0.08 * inside * sum(np.sin(h * angle) / h for h in (1, 2, 3, 4, 6))
    return out


def draw(sounds, path):
    """Spectrograms side by side, to one scale."""
    figure = new_figure(2.6, width=9, dpi=80)
    settings = STFT(1024, 256)
    top = stft(next(iter(sounds.values())), settings).magnitude.max()
    for ax, (title, sound) in zip(figure.subplots(1, len(sounds), sharey=True), sounds.items(), strict=True):
        # A row for each pixel, in steps of 6 dB: the file is half as large then.
        rows = stft(sound, settings).magnitude[0, :512].reshape(256, 2, -1).max(axis=1)
        level = 6 * np.round(20 / 6 * np.log10(np.maximum(rows / top, 1e-3)))
        extent = (0, SECONDS, 0, RATE / 2000)
        ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", interpolation="nearest")
        ax.set_ylim(0, 6)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("time (s)")
    figure.axes[0].set_ylabel("kHz")
    plot.save_figure(figure, path)


def main(folder):
    """Make the song, take it apart, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    drums = drum_loop(n_bars=2, tempo=126, sample_rate=RATE)["mix"].samples[0]
    true = {"drums": 1.4 * np.resize(drums, TIME.size), "bass": bass(), "vocals": voice(), "other": chords()}
    song = Audio(sum(true.values()) * 0.6, RATE)
    start = time.perf_counter()
    stems = separate_song(song)
    print(f"{SECONDS} s of song taken apart in {time.perf_counter() - start:.1f} s")
    for name, sound in true.items():
        reference = Audio(sound, RATE)
        print(f"{name}: {si_sdr(reference, stems[name]):.1f} dB (the song itself {si_sdr(reference, song):.1f} dB)")
    for name, sound in {"input": song, **stems}.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw({"the song": song, **stems}, folder / "picture.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
