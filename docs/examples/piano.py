"""Notes of a piece for a struck string: played by a formula, found again.

    python docs/examples/piano.py [FOLDER]

Writes input.flac, found.flac (what was found, as plain tones), both.flac (left the piece, right what was found) and
picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import Audio, plot, save
from unweave.notes.sonification import render
from unweave.pitched import find_tuning, transcribe_piano
from unweave.plot.figures import new_figure

RATE, CENTS, SECONDS = 16000, 12.0, 4.0
BEAT = 0.22
MELODY = ((0, 76), (1, 75), (2, 76), (3, 75), (4, 76), (5, 71), (6, 74), (7, 72), (8, 69), (11, 60), (12, 64), (13, 69))
BASS = ((8, 45), (9, 52), (10, 57), (14, 40), (15, 52))
PIECE = tuple((0.1 + BEAT * at, pitch) for at, pitch in sorted(MELODY + BASS))


def string(pitch, seconds):
    """A stiff string that was struck at an eighth of its length."""
    t, h = np.arange(int(seconds * RATE)) / RATE, np.arange(1, 31)
    hertz = 440 * 2 ** ((pitch - 69 + CENTS / 100) / 12) * h * np.sqrt(1 + 3e-4 * h**2)
    h, hertz = h[hertz < 9000], hertz[hertz < 9000]
    levels = np.abs(np.sin(np.pi * h / 8.3)) * h**-1.2 * np.exp(-hertz / 4000)
    decays = (1 + 0.3 * h) * 2 ** ((pitch - 60) / 18)
    tones = levels @ (np.exp(-np.outer(decays, t)) * np.sin(2 * np.pi * np.outer(hertz, t) + h[:, None]))
    hammer = np.convolve(np.random.default_rng(pitch).standard_normal(t.size), np.ones(16) / 16, "same")
    return (tones + 0.05 * hammer * np.exp(-t / 0.015)) * (1 - np.exp(-t / 0.001))


def played():
    """The piece."""
    out = np.zeros(int(SECONDS * RATE))
    for onset, pitch in PIECE:
        begin = int(onset * RATE)
        sound = string(pitch, 2 * BEAT if pitch > 60 else 1.2)[: out.size - begin]
        damper = min(sound.size, RATE // 12)
        sound[-damper:] *= np.linspace(1, 0, damper)
        out[begin : begin + sound.size] += sound
    out += 3e-5 * np.random.default_rng(0).standard_normal(out.size)
    return Audio(0.7 * out / np.abs(out).max(), RATE)


def draw(piece, notes, path):
    """A roll of the notes over the spectrogram's time, and circles where strings were struck."""
    figure = new_figure(3.6, width=8.4, dpi=60)
    axes = figure.subplots()
    for note in notes:
        axes.barh(
            note.pitch, note.duration, left=note.onset, height=0.8, color="tab:blue", alpha=0.25 + 0.75 * note.velocity
        )
    axes.plot(
        [onset for onset, _ in PIECE], [pitch for _, pitch in PIECE], "o", mfc="none", mec="tab:red", markersize=9
    )
    axes.set(xlabel="time (s); bars: notes found, circles: strings that were struck", ylabel="pitch (MIDI number)")
    axes.set(xlim=(0, piece.duration))
    plot.save_figure(figure, path)


def main():
    """Make everything."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
    folder.mkdir(parents=True, exist_ok=True)
    piece = played()
    notes = transcribe_piano(piece)
    found = render(notes, RATE, piece.duration)
    save(folder / "input.flac", piece, subtype="PCM_16")
    save(folder / "found.flac", found, subtype="PCM_16")
    both = np.concatenate([piece.samples[:1], found.samples[:1, : piece.n_samples]])
    save(folder / "both.flac", Audio(both, RATE), subtype="PCM_16")
    draw(piece, notes, folder / "picture.png")
    late = [
        note.onset - onset for note in notes for onset, p in PIECE if note.pitch == p and abs(note.onset - onset) < 0.05
    ]
    print(f"Found {len(late)} of {len(PIECE)} notes, and {len(notes) - len(late)} that nobody played.")
    print(f"Their times are {1000 * np.median(np.abs(late)):.1f} ms away.")
    print(f"The instrument stands {find_tuning(piece):.0f} cents above 440 Hz, {CENTS:.0f} in truth.")


if __name__ == "__main__":
    main()
