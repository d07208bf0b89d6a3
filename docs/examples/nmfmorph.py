"""Plucked notes turn into bells: `python docs/examples/nmfmorph.py [FOLDER]`.

Synthesises a phrase of four plucked notes and four bells of other pitches, takes both apart, and morphs: half-way, in
a glide from one to the other, and live, with the phrase as an input in blocks of 64 samples. Writes sounds and a
picture, and prints how near the ends of the morph are to what they should be, and how fast it runs.
"""

import math
import sys
import time
from pathlib import Path

import numpy as np

import unweave as uw
from unweave import plot
from unweave.morph import NMFMorph, morph
from unweave.phase_gradient import phases_from_magnitudes
from unweave.plot.figures import new_figure
from unweave.threads import limit

RATE = 22050
SETTINGS = uw.STFT(2048, 256)
NOTES = (220.0, 277.2, 329.6, 440.0)
BELLS = (261.6, 349.2, 392.0, 523.3)
ONSETS = (0.0, 0.3, 0.6, 0.9, 1.2, 1.35, 1.5, 1.8)
ORDER = (0, 2, 1, 3, 2, 3, 1, 0)


def note(pitch, partials):
    """Partials (ratio, level, seconds to die away) of a pitch, with a soft beginning."""
    t = np.arange(RATE) / RATE
    waves = [level * np.exp(-t / decay) * np.sin(2 * np.pi * pitch * ratio * t) for ratio, level, decay in partials]
    return sum(waves) * (1 - np.exp(-t / 0.003))


def phrase(pitches, partials, duration=2.4):
    """The notes at their onsets."""
    out = np.zeros(int((duration + 1) * RATE))
    for onset, which in zip(ONSETS, ORDER, strict=True):
        begin = int(onset * RATE)
        out[begin : begin + RATE] += note(pitches[which], partials)
    out = out[: int(duration * RATE)]
    return uw.Audio(0.5 * out / np.abs(out).max(), RATE)


def decibels(ratio):
    """A ratio of amplitudes in dB."""
    return 20 * math.log10(ratio)


def error(sound, wanted):
    """How far the magnitudes of a sound are from those wanted, in dB of these."""
    return decibels(np.linalg.norm(uw.stft(sound, SETTINGS).magnitude - wanted) / np.linalg.norm(wanted))


def main(folder):
    """Make everything."""
    plucked = phrase(NOTES, [(n, 1 / n, 0.35 / n**0.5) for n in range(1, 9)])
    bells = phrase(BELLS, [(1, 1, 0.5), (2.76, 0.6, 0.3), (5.4, 0.35, 0.15), (8.93, 0.2, 0.08)])
    source, target = (uw.decompose(sound, 4, stft=SETTINGS) for sound in (plucked, bells))
    sounds = {
        "source": plucked,
        "target": bells,
        "half-way": morph(source, target, source, 0.5),
        "glide": morph(source, target, source, [0, 1]),
    }
    for name, sound in sounds.items():
        uw.save(folder / f"{name}.flac", sound, subtype="PCM_16", gain=min(1.0, 0.9 / sound.peak))
    draw(folder / "picture.png", sounds)

    magnitudes = uw.stft(plucked, SETTINGS).magnitude
    chance = np.random.default_rng(0).uniform(-np.pi, np.pi, magnitudes.shape)
    for name, phases in (("found", phases_from_magnitudes(magnitudes, SETTINGS)), ("by chance", chance)):
        sound = uw.istft(uw.Spectrogram(magnitudes * np.exp(1j * phases), SETTINGS, RATE, plucked.n_samples))
        print(f"the source with its magnitudes and phases {name}: error {error(sound, magnitudes):.1f} dB")
    playing = NMFMorph(source, target)
    for end, name in ((0, "source"), (1, "target")):
        wanted = playing.bases(end) @ source.activations
        sound = morph(source, target, source, end)
        level = decibels(np.linalg.norm(sound.samples) / np.linalg.norm(plucked.samples))
        print(f"at {end}, the {name}: error {error(sound, wanted):.1f} dB, level {level:+.1f} dB against the source")
    print(f"live, 8 components at 44100 Hz, gliding: {speed():.1f} times as fast as real time on one core")


def speed():
    """Seconds of sound made in a second of one processor: a live input in blocks of 64, the bases always moving."""
    rng = np.random.default_rng(0)
    source, target = (rng.random((1025, 8)) ** 8 for _ in range(2))
    playing = NMFMorph(source, target, stft=SETTINGS)
    noise = 0.1 * rng.standard_normal((1, 44100)).astype(np.float32)
    with limit(1):
        began = time.process_time()
        for at in range(0, noise.shape[1], 64):
            playing.process(noise[:, at : at + 64], at / noise.shape[1])
        return noise.shape[1] / 44100 / (time.process_time() - began)


def draw(path, sounds):
    """All four sounds as spectrograms."""
    figure = new_figure(5.2, dpi=66)
    titles = {
        "source": "source: plucked notes",
        "target": "target: bells of other pitches",
        "half-way": "half-way: the rhythm of the source",
        "glide": "glide from 0 to 1",
    }
    for ax, (name, title) in zip(figure.subplots(2, 2).flat, titles.items(), strict=True):
        plot.spectrogram(sounds[name], ax=ax, stft=SETTINGS, title=title, range_db=50)
        ax.set_ylim(150, 5000)
    plot.save_figure(figure, path)


if __name__ == "__main__":
    here = Path(__file__)
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else here.with_suffix("")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
