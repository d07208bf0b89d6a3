"""A drum loop that plays a synthesizer: every stroke that is recognised triggers a note.

    python docs/examples/nmfmatch.py [FOLDER]

Writes input.flac (the loop), triggered.flac (the notes that its strokes have triggered), both.flac (loop and notes side
by side) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, Dictionary, decompose, plot, save
from unweave.matching import NMFMatch
from unweave.onsets import OnsetPicker, lead_of
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop

RATE, BLOCK, WINDOW, TEMPO = 22050, 64, STFT(1024, 256), 96
STROKES = {"kick": (0, 6, 8, 11), "snare": (4, 7, 12, 15), "hihat": (0, 2, 4, 6, 8, 10, 12, 14, 15)}
"""Sixteenths of the bar in which each drum is struck."""
NOTES = {"kick": 110.0, "snare": 329.63, "hihat": 880.0}


def heard(kit, sound):
    """Activations and onsets of a stream, as they come."""
    match = NMFMatch(kit, sample_rate=RATE)
    picker = OnsetPicker(match.labels, match.frame_rate, lead=lead_of(match.stft, RATE))
    columns, onsets = [], []
    for at in range(0, sound.n_samples, BLOCK):
        columns.append(match.process(sound.samples[:, at : at + BLOCK]))
        onsets += picker.process(columns[-1])
    columns.append(match.flush())
    onsets += picker.process(columns[-1]) + picker.flush()
    return match, np.concatenate(columns, axis=1), onsets


def played(onsets, n_samples):
    """A note for every onset, as loud as the stroke."""
    out = np.zeros(n_samples + RATE)
    loudest = {name: max(each.volume for each in onsets if each.label == name) for name in NOTES}
    t = np.arange(RATE // 3) / RATE
    for each in onsets:
        tone = np.sin(2 * np.pi * NOTES[each.label] * t) * np.exp(-9 * t) * np.minimum(1, t / 0.003)
        out[round(each.time * RATE) :][: t.size] += 0.25 * each.volume / loudest[each.label] * tone
    return Audio(out[:n_samples], RATE)


def draw(match, columns, onsets, path):
    """Activations with the onsets found, and the true strokes below."""
    figure = new_figure(4.2, width=8.0, dpi=66)
    axes = figure.subplots(3, 1, sharex=True)
    seconds = np.arange(columns.shape[1]) / match.frame_rate
    for ax, name, row in zip(axes, match.labels, columns, strict=True):
        ax.fill_between(seconds, row / row.max(), color="tab:blue", alpha=0.6, linewidth=0)
        ax.vlines([each.time for each in onsets if each.label == name], 0, 1.1, color="tab:red", linewidth=1.2)
        ax.plot(true_times(name), np.full(len(STROKES[name]), -0.12), "k^", markersize=5, clip_on=False)
        ax.set_title(name, loc="left", fontsize=10)
        ax.set(yticks=[], ylim=(-0.2, 1.1))
    axes[2].set(xlabel="time (s); lines: onsets found, triangles: true strokes", xlim=(-0.02, seconds[-1]))
    plot.save_figure(figure, path)


def true_times(name):
    """Seconds at which a drum is struck."""
    return np.array(STROKES[name]) * 60 / TEMPO / 4


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    lesson = drum_loop(1, tempo=160, sample_rate=RATE, seed=7)
    parts = [decompose(lesson[name], 2, stft=WINDOW, restarts=3).dictionary.relabel([name] * 2) for name in NOTES]
    loop = drum_loop(1, tempo=TEMPO, sample_rate=RATE, seed=0)["mix"]
    match, columns, onsets = heard(Dictionary.merge(*parts), loop)
    notes = played(onsets, loop.n_samples)
    both = Audio(np.concatenate([0.7 * loop.samples, notes.samples]), RATE)
    for name, sound in (("input", loop), ("triggered", notes), ("both", both)):
        save(folder / f"{name}.flac", sound, subtype="PCM_16")
    draw(match, columns, onsets, folder / "picture.png")
    errors, false = [], 0
    for name in STROKES:
        times = np.array([each.time for each in onsets if each.label == name])
        nearest = np.abs(times[:, None] - true_times(name)).min(axis=1)
        errors += list(nearest[nearest < 0.03])
        false += int((nearest >= 0.03).sum())
    print(f"Found {len(errors)} of {sum(map(len, STROKES.values()))} strokes, and {false} that are none.")
    print(f"They are {1000 * np.mean(errors):.1f} ms away in the mean.")


if __name__ == "__main__":
    main()
