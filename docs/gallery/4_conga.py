"""
Six components of a conga groove, the rest, and its notes
=========================================================

The notebook that taught NMF to many people who came by way of librosa takes a groove of
congas into six components, plays each, then all of them, then what they leave over.
Here is the same walk, and one step more: the notes.
"""

# %%
# Two drums and four ways to strike them
# --------------------------------------
#
# A skin is a few modes that ring, whose pitches are no harmonics. An open tone rings, a
# slap is a crack with hardly any ring, a heel stroke is dull.

import matplotlib.pyplot as plt
import numpy as np

import unweave as uw
from unweave import plot
from unweave.evaluation import score_labels
from unweave.notes.sonification import mix
from unweave.training import learn_examples

RATE = 22050
MODES = np.array([1.0, 1.58, 2.24, 2.92, 3.6])
STROKES = {  # pitch of the skin in Hz, seconds it rings, how bright, how much crack
    "low": (165, 0.16, 1.6, 0.03),
    "high": (262, 0.13, 1.5, 0.03),
    "slap": (310, 0.03, 0.4, 0.35),
    "heel": (135, 0.05, 2.6, 0.01),
}
BAR = {
    "low": "......8.8.......",
    "high": "............9.9.",
    "slap": "....9.........6.",
    "heel": "7.5.....6.5.5...",
}


def stroke(name, force, rng):
    """One stroke; the harder, the brighter, and no two are the same."""
    hertz, ring, slope, crack = STROKES[name]
    t = np.arange(int(0.5 * RATE)) / RATE
    bend = hertz * (1 + 0.02 * force * np.exp(-t / 0.02))
    phase = 2 * np.pi * np.cumsum(bend) / RATE
    skin = sum(
        mode**-slope
        * np.exp(-t * mode / ring)
        * np.sin(mode * phase + rng.uniform(0, 0.3))
        for mode in MODES
    )
    noise = np.convolve(rng.standard_normal(t.size), [0.5, 1, 0.5], "same")
    noise *= np.exp(-t / 0.012)
    return force * (skin + crack * (0.5 + force) * noise)


rng = np.random.default_rng(3)
step = 60 / 110 / 4
sound = np.zeros(int(2 * 16 * step * RATE) + RATE // 2)
true = []
for name, bar in BAR.items():
    for number, mark in enumerate(bar * 2):
        if mark != ".":
            begin = int((number * step + rng.normal(0, 0.003) + 0.01) * RATE)
            wave = stroke(name, int(mark) / 9, rng)
            sound[begin : begin + wave.size] += wave[: sound.size - begin]
            at = begin / RATE
            note = uw.Note(
                onset=at, offset=at + 0.1, label=name, velocity=int(mark) / 9
            )
            true.append(note)
groove = uw.Audio(0.8 * sound / abs(sound).max(), RATE)
groove

# %%
# Six components
# --------------

parts = uw.decompose(groove, 6, stft=uw.STFT(1024, 256))

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
plot.bases(parts, ax=ax)
plt.show()

# %%
# When each of them sounds:

figure, axes = plt.subplots(6, 1, figsize=(8, 8), layout="constrained", sharex=True)
plot.activations(parts, axes=axes)
plt.show()

# %%
# Each of them, as a mask on the recording. Six spectra for four strokes: some strokes
# have one for their attack and one for their ring.

parts

# %%
# The notebook's way, and what it leaves
# --------------------------------------
#
# There every component is basis times activation with the phases of the mixture: a
# *product*. The sum of the products is the model:

model = uw.Audio(sum(part.samples for part in parts.products()), RATE)
model

# %%
# What the model does not know is the residual; here it is at its own level, which is
# low.

residual = parts.residual()
level = 10 * np.log10((groove.samples**2).mean() / (residual.samples**2).mean())
print(f"the residual is {level:.1f} dB below the groove")
residual

# %%
# Masks leave nothing over: the six components above sum to the recording. Take products
# to hear what the model knows, masks to go on working.
#
# Its notes
# ---------
#
# The components have names (a pitch, or what they resemble) and curves that rise where
# a stroke begins. That is a transcription, blind: nothing is known of congas. A stroke
# of which several components have a share is several notes at one time.

notes = uw.transcribe(groove, n_components=6)
found, played = (
    {round(note.onset / step) for note in these} for these in (notes, true)
)
print(f"{len(notes)} notes at {len(found)} places of the two bars")
print(f"{len(true)} strokes were played, at {len(played)} places")
print(f"{len(found & played)} places are in both")

figure, axes = plt.subplots(
    2, 1, figsize=(8, 5), layout="constrained", height_ratios=[3, 2]
)
plot.onsets(groove, notes, axes=axes)
plt.show()

# %%
# The ear is the judge: the recording with a short sound at each note.

mix(groove, notes)

# %%
# Taught strokes
# --------------
#
# With one example of each stroke the notes come by name. An example is half a second of
# sound.

other = np.random.default_rng(8)
examples = {name: uw.Audio(0.5 * stroke(name, 0.8, other), RATE) for name in STROKES}
kit = learn_examples(examples, 2, stft=uw.STFT(2048, 256))
taught = uw.transcribe(groove, kit)
print(score_labels(true, taught, tuple(STROKES)))

figure, axes = plt.subplots(
    2, 1, figsize=(8, 5), layout="constrained", height_ratios=[3, 2]
)
plot.onsets(groove, taught, axes=axes)
plt.show()
