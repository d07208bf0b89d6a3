"""A drum loop taken apart into kick, snare and hi-hat.

    python docs/examples/drumstems.py [FOLDER]

Writes input.flac, kick.flac, snare.flac, hihat.flac and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save, stft
from unweave.drums import separate_drums
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop

RATE = 32000  # at 22050 Hz there would be little of this hi-hat


def draw(sounds, path):
    """Spectrograms side by side, to one scale."""
    figure = new_figure(2.6, width=9.6, dpi=60)
    settings = STFT(1024, 256)
    top = stft(sounds["input"], settings).magnitude.max()
    for ax, (title, sound) in zip(figure.subplots(1, len(sounds), sharey=True), sounds.items(), strict=True):
        level = 20 * np.log10(np.maximum(stft(sound, settings).magnitude[0] / top, 1e-3))
        extent = (0, sound.duration, 0, RATE / 2000)
        ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", interpolation="nearest")
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("time (s)")
    figure.axes[0].set_ylabel("kHz")
    plot.save_figure(figure, path)


def main(folder):
    """Make the loop, take it apart, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    true = drum_loop(n_bars=1, sample_rate=RATE)
    mix = true["mix"]
    begin = time.perf_counter()
    stems = separate_drums(mix, loop=True)
    seconds = time.perf_counter() - begin
    sounds = {"input": mix, **stems}
    for name, sound in sounds.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(sounds, folder / "picture.png")
    for name, stem in stems.items():
        print(f"{name}: {si_sdr(true[name], mix):.1f} dB in the loop, {si_sdr(true[name], stem):.1f} dB as a stem")
    rest = Audio(mix.samples - sum(stem.samples.astype(np.float64) for stem in stems.values()), RATE)
    below = 10 * np.log10(np.sum(np.square(mix.samples)) / max(np.sum(np.square(rest.samples)), 1e-30))
    print(f"The stems sum to the loop, {below:.0f} dB above the error; {seconds:.1f} s for {mix.duration:.1f} s.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
