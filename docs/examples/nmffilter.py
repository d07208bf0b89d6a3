"""Three drums out of a loop that nothing was learned from, split block by block as it would be on stage.

    python docs/examples/nmffilter.py [FOLDER]

Writes training.flac (the drums one after the other, from which the dictionary was learned), input.flac (another loop),
kick.flac, snare.flac and hihat.flac (what the filter made of it) and picture.png.
"""

import sys
import time
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, Dictionary, decompose, plot, save
from unweave.evaluation import si_sdr
from unweave.plot.figures import new_figure
from unweave.streaming import NMFFilter
from unweave.synthesis import drum_loop

RATE, BLOCK, WINDOW = 22050, 64, STFT(1024, 256)
DRUMS = ("kick", "snare", "hihat")


def learned(drums):
    """Two bases for each drum, from that drum alone."""
    parts = [decompose(drums[name], 2, stft=WINDOW, restarts=3).dictionary.relabel([name] * 2) for name in DRUMS]
    return Dictionary.merge(*parts)


def split(kit, sound):
    """The sounds ``(drums, n)``, and milliseconds for each block of the stream."""
    stream, pieces, spent = NMFFilter(kit), [], []
    for at in range(0, sound.n_samples, BLOCK):
        begin = time.perf_counter()
        pieces.append(stream.process(sound.samples[:, at : at + BLOCK]))
        spent.append(1000 * (time.perf_counter() - begin))
    pieces.append(stream.flush())
    return np.concatenate(pieces, axis=2)[:, 0, stream.latency :], np.array(spent)


def draw(loop, parts, path):
    """The loop, and every drum found over the true one."""
    figure = new_figure(4.6, width=8.0, dpi=66)
    axes = figure.subplots(4, 1, sharex=True, sharey=True)
    seconds = np.arange(loop["mix"].n_samples) / RATE
    axes[0].plot(seconds, loop["mix"].samples[0], color="0.3", linewidth=0.5)
    axes[0].set_title("the loop", loc="left", fontsize=10)
    for ax, name, part in zip(axes[1:], DRUMS, parts, strict=True):
        ax.plot(seconds, loop[name].samples[0], color="0.75", linewidth=1.5, label="true")
        ax.plot(seconds, part, color="tab:blue", linewidth=0.5, label="found")
        ax.set_title(name, loc="left", fontsize=10)
    axes[1].legend(loc="upper right", fontsize=8, ncols=2)
    axes[3].set(xlabel="time (s)", xlim=(0, seconds[-1]))
    plot.save_figure(figure, path)


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    lesson = drum_loop(1, tempo=160, sample_rate=RATE, seed=7)
    loop = drum_loop(1, tempo=96, sample_rate=RATE, seed=0)
    parts, spent = split(learned(lesson), loop["mix"])
    training = Audio(np.concatenate([lesson[name].samples[:, : RATE // 2] for name in DRUMS], axis=1), RATE)
    found = {name: Audio(part, RATE) for name, part in zip(DRUMS, parts, strict=True)}
    for name, sound in {"training": training, "input": loop["mix"], **found}.items():
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(loop, parts, folder / "picture.png")
    scores = ", ".join(f"{name} {si_sdr(loop[name], found[name]):.1f}" for name in DRUMS)
    print(f"SI-SDR in dB: {scores}.")
    wrong = np.abs(parts.sum(axis=0) - loop["mix"].samples[0]).max()
    print(f"The parts sum to the loop but for {20 * np.log10(wrong):.0f} dB of full scale.")
    whole = 1000 * loop["mix"].duration
    print(f"The stream took {100 * spent.sum() / whole:.1f} % of the time that it lasts.")


if __name__ == "__main__":
    main()
