"""Notes of a drum loop: found, timed, put onto the beat, and made audible again.

    python docs/examples/notes.py [FOLDER]

Writes input.flac, notes.flac, both.flac, notes.mid and picture.png.
"""

import sys
from pathlib import Path

from unweave import STFT, Audio, plot, save
from unweave.notes.midi import write_midi
from unweave.notes.sonification import mix, render
from unweave.notes.stream import notes_by
from unweave.notes.tempo import find_tempo, quantise
from unweave.plot.figures import new_figure
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE, BPM = 16000, 104.0
STROKES = 34  # that the loop was made of
HITS = {"kick": 0.4, "snare": 0.3, "hihat": 0.12}  # seconds of a single stroke


def kit():
    """A dictionary, from one stroke of each drum of another take."""
    other = drum_loop(1, sample_rate=RATE, seed=1)
    begins = {"kick": 0.0, "snare": 4 * 60 / BPM / 4, "hihat": 0.0}
    single = {
        label: Audio(other[label].samples[:, int(begin * RATE) : int((begin + HITS[label]) * RATE)], RATE)
        for label, begin in begins.items()
    }
    return learn_examples(single, 1, stft=STFT(512, 128))


def draw(loop, notes, tempo, path):
    """Onsets under the spectrogram, with the beats as lines."""
    figure = new_figure(3.6, width=8.4, dpi=60)
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    plot.onsets(loop, notes, axes=axes, title="a drum loop, what was found in it, and the beats")
    beat = 0
    while tempo.seconds(beat) < loop.duration:
        axes[1].axvline(tempo.seconds(beat), color="0.6", linewidth=0.8, zorder=0)
        beat += 1
    plot.save_figure(figure, path)


def main(folder):
    """Find the notes of a loop, and say how near their times and their tempo are."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = drum_loop(2, tempo=BPM, sample_rate=RATE)
    loop = parts["mix"]
    notes = notes_by(loop, kit(), sensitivity=0.4)
    tempo = find_tempo(notes)
    tidy = quantise(notes, tempo, 16)
    step = 60 / BPM / 4
    late = [note.onset - round(note.onset / step) * step for note in notes]
    save(folder / "input.flac", loop, subtype="PCM_16")
    save(folder / "notes.flac", render(notes, RATE, loop.duration), subtype="PCM_16")
    save(folder / "both.flac", mix(loop, notes), subtype="PCM_16")
    write_midi(folder / "notes.mid", notes, tempo=tempo)
    draw(loop, notes, tempo, folder / "picture.png")
    mean = sum(map(abs, late)) / len(late)
    print(f"{len(notes)} notes for {STROKES} strokes, {1000 * mean:.1f} ms from the true times in the mean")
    print(f"{tempo}; the loop was made at {BPM:g}")
    print(f"on the grid of sixteenths: {[round(tempo.beats(note.onset) * 4) for note in tidy]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
