"""Drums as notes: a loop of which nothing is known, and one whose sounds were taught.

    python docs/examples/drums.py [FOLDER]

Writes input.flac, clicks.flac (a click for every note, each class at its own pitch) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import Audio, plot, save
from unweave.drums import transcribe_drums, transcribe_kit
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE, BPM = 32000, 104.0
STROKES = {"kick": 8, "snare": 8, "hihat": 18}  # in two bars of the loop
PITCHES = {"kick": 400.0, "snare": 900.0, "hihat": 2400.0, "tom": 600.0, "cymbal": 3200.0}


def clicks(notes, n_samples):
    """A short tone for every note, as loud as it was struck."""
    out = np.zeros(n_samples + RATE)
    t = np.arange(int(0.04 * RATE)) / RATE
    for note in notes:
        begin = int(note.onset * RATE)
        out[begin : begin + t.size] += (
            note.velocity**2 * np.sin(2 * np.pi * PITCHES[note.label] * t) * np.exp(-t / 0.01)
        )
    return Audio(0.3 * out[:n_samples], RATE)


def draw(loop, notes, path):
    """The notes under the spectrogram."""
    figure = new_figure(3.6, width=8.4, dpi=60)
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    plot.onsets(loop, notes, axes=axes, title="a drum loop, and what is struck in it")
    plot.save_figure(figure, path)


def single_strokes():
    """A recording of each drum alone, from another take."""
    other = drum_loop(1, tempo=BPM, sample_rate=RATE, seed=7)
    begins = {"kick": 0.0, "snare": 60 / BPM, "hihat": 0.0}
    return {
        name: Audio(other[name].samples[:, int(begin * RATE) : int((begin + 0.25) * RATE)], RATE)
        for name, begin in begins.items()
    }


def count(notes):
    """How many notes of each label."""
    labels = [note.label for note in notes]
    return ", ".join(f"{labels.count(label)} of {STROKES.get(label, 0)} {label}" for label in sorted(set(labels)))


def main(folder):
    """Transcribe a loop twice, and say what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = drum_loop(2, tempo=BPM, sample_rate=RATE)["mix"]
    notes = transcribe_drums(loop)
    save(folder / "input.flac", loop, subtype="PCM_16")
    save(folder / "clicks.flac", clicks(notes, loop.n_samples), subtype="PCM_16")
    draw(loop, notes, folder / "picture.png")
    print(f"told nothing: {count(notes)}")
    step = 60 / BPM / 4
    late = [note.onset - round(note.onset / step) * step for note in notes]
    print(f"onsets: {1000 * np.median(np.abs(late)):.1f} ms from where they are in the median")
    taught = transcribe_kit(loop, learn_examples(single_strokes(), 2))
    print(f"taught by one stroke of each: {count(taught)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
