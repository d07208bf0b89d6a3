"""
A drum loop into three
======================

The first thing that people do with NMF, and the story that FluCoMa's learning page
tells: a drum loop goes in, and a kick, a snare and a hi-hat come out. Nobody has told
the program what a drum is.
"""

# %%
# The loop is synthesised, so that we know the truth about it. A value at the end of a
# cell shows itself: its facts, its picture, and a player.

import matplotlib.pyplot as plt

import unweave as uw
from unweave import plot
from unweave.envelopes import enveloped, vocoded
from unweave.evaluation import best_permutation
from unweave.synthesis import drum_loop

true = drum_loop(2, sample_rate=32000)
loop = true["mix"]
loop

# %%
# Three components
# ----------------
#
# One call. Listen to the parts one after the other; each has its activation beside it,
# which is *when* it sounds.

parts = uw.decompose(loop, 3, stft=uw.STFT(1024, 256))
parts

# %%
# The parts sum to the loop, sample by sample, and here we know how near each of them is
# to the true drum. Ten decibels are enough to work with; with twenty you hear hardly
# anything else.

drums = ("kick", "snare", "hihat")
found = list(parts.components())
order, scores = best_permutation([true[name] for name in drums], found)
for name, k, score in zip(drums, order, scores, strict=True):
    print(f"component {k} is the {name}: {score:.1f} dB")
error = sum(part.samples for part in found) - loop.samples
print(f"their sum differs from the loop by {abs(error).max():.0e} at most")

# %%
# Bases: what it sounds like
# --------------------------
#
# A basis is a spectrum: how much of every frequency a component has. The kick lies low,
# the hi-hat high, and the snare is in between, broad, with a tone at the left end. A
# little of the other drums has got into the hi-hat's: it plays whenever they do, and
# what always sounds together is hard to tell apart.

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
plot.bases(parts, ax=ax)
plt.show()

# %%
# Activations: when, and how loud
# -------------------------------
#
# An activation is a curve in time, drawn here over the waveform of its component. All
# that NMF knows is these three spectra and these three curves: every moment of the loop
# is a sum of the spectra, each as loud as its curve says.

figure, axes = plt.subplots(3, 1, figsize=(8, 4.2), layout="constrained", sharex=True)
plot.activations(parts, axes=axes)
plt.show()

# %%
# An activation is an envelope, and can shape any other sound. This is pink noise with
# the loudness of the snare:

snare = order[1]
enveloped(parts, snare)

# %%
# ... and the same noise sent through the snare's basis as through the filter bank of a
# vocoder. This is the snare as far as NMF knows it: its colour and its rhythm, with
# nothing of its own phases.

vocoded(parts, snare)

# %%
# Two components
# --------------
#
# How many components there are is for you to say. With two, sounds must share. Here the
# snare keeps one for itself; the kick and the hi-hat, which begin together most of the
# time, are the other.

two = uw.decompose(loop, 2, stft=uw.STFT(1024, 256))
two

# %%
# Four components
# ---------------
#
# With one more than there are drums, a drum falls apart. Here it is the kick: component
# 0 is its ring, component 1 its attack. That may be what you want: it is how to take
# the click off a kick, or to give it one.

four = uw.decompose(loop, 4, stft=uw.STFT(1024, 256))
four

# %%
# The spectrograms side by side: the loop, what the model makes of it, and the four
# components.

figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained", sharex=True)
plot.components(four, axes=axes.ravel())
plt.show()

# %%
# FluCoMa's page advises to run it again until it separates, since it starts at random.
# Here ten starts are compared before one goes on, so that the first run is as good as
# any, and the same every time. :doc:`How many components? <5_how_many>` goes on from
# here.
