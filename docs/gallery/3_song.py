"""
Four components of a song are not four stems
============================================

There is a picture that everybody makes who meets NMF: the spectrograms of a song in
four components. It looks as if drums, bass, chords and melody had come apart. This page
makes that picture, says what is in it, and how to come nearer to stems.
"""

# %%
# A little song
# -------------
#
# Drums, a bass, chords and a lead, eight seconds, synthesised: the true stems are
# known.

import matplotlib.pyplot as plt
import numpy as np

import unweave as uw
from unweave import plot
from unweave.evaluation import best_permutation, si_sdr
from unweave.streaming import filter_by
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE, BEAT = 22050, 60 / 120
STEMS = ("drums", "bass", "chords", "lead")


def tone(pitch, seconds, slope, decay, vibrato=0.0):
    """A tone whose partials fall by ``slope``, and whose level falls with time."""
    t = np.arange(int(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * hertz * (t + vibrato * np.sin(2 * np.pi * 5.5 * t) / hertz)
    partials = range(1, int(min(20, RATE / 2.2 / hertz)) + 1)
    wave = sum(np.sin(k * phase) / k**slope for k in partials)
    fade = np.minimum(1, np.minimum(t, seconds - t) / 0.01)
    return wave * np.exp(-t / decay) * fade


def play(notes, **sound):
    """Notes (beat, length in beats, pitch) as sixteen beats of sound."""
    out = np.zeros(int(16 * BEAT * RATE))
    for beat, length, pitch in notes:
        wave = tone(pitch, length * BEAT, **sound)
        begin = int(beat * BEAT * RATE)
        out[begin : begin + wave.size] += wave[: out.size - begin]
    return out


ROOTS = (45, 41, 48, 43)  # A, F, C, G
bass = [
    (4 * bar + at, 0.9, root - 12)
    for bar, root in enumerate(ROOTS)
    for at in (0, 1.5, 2, 3)
]
thirds = (3, 4, 4, 4)
chords = [
    (4 * bar, 3.9, root + 12 + step)
    for bar, (root, third) in enumerate(zip(ROOTS, thirds, strict=True))
    for step in (0, third, 7)
]
melody = [76, 74, 72, 69, 72, 69, 65, 67, 72, 76, 79, 76, 74, 71, 74, 79]
lead = [(beat + 0.5 * (beat % 4 == 3), 0.8, pitch) for beat, pitch in enumerate(melody)]

drums = drum_loop(4, tempo=120, sample_rate=RATE)["mix"].samples[0]
sounds = (
    0.8 * drums[: 16 * int(BEAT * RATE)],
    0.12 * play(bass, slope=1.2, decay=0.5),
    0.06 * play(chords, slope=1.5, decay=3.0),
    0.07 * play(lead, slope=1.0, decay=0.8, vibrato=0.004),
)
length = min(sound.size for sound in sounds)
true = {
    name: uw.Audio(sound[:length], RATE)
    for name, sound in zip(STEMS, sounds, strict=True)
}
song = uw.Audio(sum(stem.samples for stem in true.values()), RATE)
song

# %%
# Four components
# ---------------

SETTINGS = uw.STFT(2048, 512)
parts = uw.decompose(song, 4, stft=SETTINGS)

figure, axes = plt.subplots(2, 2, figsize=(9, 5.4), layout="constrained", sharex=True)
for k, ax in enumerate(axes.flat):
    plot.spectrogram(parts.component(k), ax=ax, scale="mel", title=f"component {k}")
    ax.label_outer()
figure.suptitle("The four pictures: a song in four components")
plt.show()

# %%
# And the four true stems, on the same axes:

figure, axes = plt.subplots(2, 2, figsize=(9, 5.4), layout="constrained", sharex=True)
for ax, (name, stem) in zip(axes.flat, true.items(), strict=True):
    plot.spectrogram(stem, ax=ax, scale="mel", title=name)
    ax.label_outer()
figure.suptitle("The truth")
plt.show()

# %%
# Listen to the four:

parts

# %%
# What the pictures say, and what they do not
# -------------------------------------------
#
# A component has *one* spectrum, which only gets louder and quieter. So a component is
# a stroke of a drum, a chord, a note; it is not an instrument. A melody of seven
# pitches has seven spectra, and no single component can be it. With four components for
# a song of some twenty spectra, each takes a bundle of what often sounds together: a
# drum with what is struck with it, a harmony with the bass under it. The pictures
# differ clearly from each other, and that is easily taken for instruments. The figures
# tell (more than 10 dB would be a stem that one can use, less than 0 is more wrong than
# right):

order, scores = best_permutation(
    [true[name] for name in STEMS], list(parts.components())
)
for name, k, score in zip(STEMS, order, scores, strict=True):
    print(f"{name:7} nearest is component {k}: {score:5.1f} dB")

# %%
# What the four do tell is the *form*: the activations show when the drums strike, and
# which harmony holds for how long.

figure, axes = plt.subplots(4, 1, figsize=(8, 5), layout="constrained", sharex=True)
plot.activations(parts, axes=axes)
plt.show()

# %%
# More components, then groups
# ----------------------------
#
# The way to stems goes over more components than stems: one for each spectrum, and then
# those of one instrument together. Which belong together is said by the truth here. To
# find it out without is another task: :doc:`grouping </family/grouping>`.

many = uw.decompose(song, 28, stft=SETTINGS, max_iter=200)
members = {name: [] for name in STEMS}
for k, part in enumerate(many.components()):
    shares = {name: abs((part.samples * true[name].samples).sum()) for name in STEMS}
    members[max(shares, key=shares.get)].append(k)
grouped = {
    name: uw.Audio(sum(many.component(k).samples for k in which), RATE)
    for name, which in members.items()
    if which
}
for name, stem in grouped.items():
    score = si_sdr(true[name], stem)
    print(f"{name:7} {len(members[name]):2} components, {score:5.1f} dB")

# %%
# The lead, out of its components:

grouped["lead"]

# %%
# Known sounds
# ------------
#
# Or tell it what the instruments sound like. Some seconds of each alone are enough to
# learn a handful of bases under one name; the song is then split by names. This is NMF
# at its best, and in a studio the seconds are often there: a count-in, a solo, a sample
# library. (They come from this very song here, which flatters the figures.)

kit = learn_examples(
    true, {"drums": 5, "bass": 6, "chords": 6, "lead": 9}, stft=SETTINGS
)
stems = filter_by(song, kit)
for name in STEMS:
    print(f"{name:7} {si_sdr(true[name], stems[name]):5.1f} dB")

# %%
stems["lead"]
