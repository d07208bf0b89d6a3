"""Drums under a melody: the first half shows how the drums sound, the second half is taken apart.

    python docs/examples/stems.py [FOLDER]

Writes input.flac, drums.flac, rest.flac and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save, stft
from unweave.evaluation import si_sdr
from unweave.guide import Guide
from unweave.plot.figures import new_figure
from unweave.stems import Examples, separate
from unweave.synthesis import drum_loop

RATE, HALF = 16000, 2.3


def melody(seconds):
    """A plucked tune."""
    t = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros(t.size)
    for k, key in enumerate((57, 64, 60, 65, 62, 69, 67, 64) * 2):
        since = t - 0.29 * k
        inside = (since >= 0) & (since < 0.6)
        f = 440 * 2 ** ((key - 69) / 12)
        out += inside * np.exp(-6 * since.clip(0)) * sum(np.sin(2 * np.pi * f * n * since) / n for n in range(1, 7))
    return 0.15 * out


def draw(sounds, path):
    """Spectrograms side by side, to one scale."""
    figure = new_figure(2.6, width=8.4, dpi=60)
    settings = STFT(1024, 256)
    top = stft(next(iter(sounds.values())), settings).magnitude.max()
    for ax, (title, sound) in zip(figure.subplots(1, len(sounds), sharey=True), sounds.items(), strict=True):
        level = 20 * np.log10(np.maximum(stft(sound, settings).magnitude[0] / top, 1e-3))
        extent = (0, sound.duration, 0, RATE / 2000)
        ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", interpolation="nearest")
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("time (s)")
    figure.axes[0].set_ylabel("kHz")
    plot.save_figure(figure, path)


def main(folder):
    """Make the sounds, take them apart, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    n = int(HALF * RATE)
    drums = np.tile(drum_loop(n_bars=1, sample_rate=RATE)["mix"].samples[0], 3)[: 2 * n]
    tune = melody(2 * HALF)[: 2 * n]
    true, rest = Audio(drums[n:], RATE), Audio(tune[n:], RATE)
    mix = Audio(true.samples + rest.samples, RATE)
    stems = separate(mix, Examples({"drums": Audio(drums[:n], RATE)}, stft=STFT(2048)))
    sounds = {"input": mix, "drums": stems["drums"].audio, "rest": stems["rest"].audio}
    for name, sound in sounds.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(sounds, folder / "picture.png")
    print(f"drums: {si_sdr(true, mix):.1f} dB in the mix, {si_sdr(true, stems['drums'].audio):.1f} dB in their stem")
    # Nothing but a hint: the drums begin alone.
    whole = Audio(drums + np.concatenate([np.zeros(n), tune[n:]]), RATE)
    hinted = separate(whole, Examples({}, stft=STFT(2048)), guide=Guide(alone={"drums": (0, HALF)}))["drums"].audio
    print(f"with a hint alone: {si_sdr(true, Audio(hinted.samples[:, n:], RATE)):.1f} dB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
