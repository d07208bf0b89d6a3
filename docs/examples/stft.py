"""A drum loop as magnitude and phase, smeared on purpose, and made into sound again.

    python docs/examples/stft.py [FOLDER]

Writes input.flac, again.flac (there and back), frozen.flac (the magnitudes smeared over time) and picture.png.
"""

import sys
from pathlib import Path

import numpy as np

from unweave import STFT, Audio, plot, save
from unweave.plot.figures import new_figure
from unweave.polar import PADDINGS, from_polar, to_polar
from unweave.synthesis import drum_loop

RATE = 16000
SETTINGS = STFT(1024, 256)


def smeared(magnitude, frames=40):
    """Every bin keeps the loudest that it was, and forgets it slowly."""
    out = magnitude.copy()
    for frame in range(1, out.shape[2]):
        out[:, :, frame] = np.maximum(out[:, :, frame], out[:, :, frame - 1] * 0.5 ** (4 / frames))
    return out


def error_db(true, found):
    """How far the error lies below the sound, in dB."""
    return 10 * np.log10(np.square(true).sum() / max(np.square(true - found).sum(), 1e-30))


def draw(magnitude, phase, frozen, path):
    """Magnitude and phase of the loop, and the magnitude that was changed."""
    figure = new_figure(5.4, width=7.6, dpi=58)
    axes = figure.subplots(3, 1, sharex=True)
    extent = (0, magnitude.shape[2] * SETTINGS.hop_length / RATE, 0, RATE / 2000)
    shown = (
        ("magnitude (dB)", plot_level(magnitude), "magma"),
        ("phase (below 1 kHz, where it can be seen)", phase[0], "twilight"),
        ("magnitude, smeared (dB)", plot_level(frozen), "magma"),
    )
    for ax, (title, values, colors) in zip(axes, shown, strict=True):
        ax.imshow(values, aspect="auto", origin="lower", extent=extent, cmap=colors, interpolation="nearest")
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_ylabel("kHz")
    axes[1].set_ylim(0, 1)
    axes[2].set_xlabel("time (s)")
    plot.save_figure(figure, path)


def plot_level(magnitude):
    """Level of the first channel in dB, 60 dB deep."""
    level = 20 * np.log10(np.maximum(magnitude[0], 1e-9))
    return np.maximum(level, level.max() - 60)


def main(folder):
    """Make the sounds and the picture; say how exact the way back is for every padding."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = drum_loop(n_bars=1, sample_rate=RATE)["mix"]
    for padding in PADDINGS:
        polar = to_polar(sound, SETTINGS, padding=padding)
        back = from_polar(*polar, SETTINGS, sample_rate=RATE, padding=padding, n_samples=sound.n_samples)
        inside = slice(1024, -1024)
        whole, inner = (
            error_db(sound.samples, back.samples),
            error_db(sound.samples[:, inside], back.samples[:, inside]),
        )
        print(
            f"padding {padding}: {polar[0].shape[2]} frames, error {whole:.0f} dB below the sound ({inner:.0f} inside)"
        )
    magnitude, phase = to_polar(sound, SETTINGS)
    again = from_polar(magnitude, phase, SETTINGS, sample_rate=RATE, n_samples=sound.n_samples)
    frozen = smeared(magnitude)
    held = from_polar(frozen, phase, SETTINGS, sample_rate=RATE, n_samples=sound.n_samples)
    held = Audio(held.samples * (sound.peak / held.peak), RATE)
    for name, audio in (("input", sound), ("again", again), ("frozen", held)):
        save(folder / f"{name}.flac", audio, subtype="PCM_16")
    draw(magnitude, phase, frozen, folder / "picture.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
