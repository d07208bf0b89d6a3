"""
How many components?
====================

The question that NMF asks back. There are three good answers: count what you hear, let
it count, or try and listen.
"""

import matplotlib.pyplot as plt
import numpy as np

import unweave as uw
from unweave import plot
from unweave.evaluation import best_permutation
from unweave.rank import estimate_rank
from unweave.seeds import seed
from unweave.synthesis import drum_loop

SETTINGS = uw.STFT(1024, 256)
true = drum_loop(2, sample_rate=32000)
loop = true["mix"]
loop

# %%
# The error never says when to stop
# ---------------------------------
#
# More components always explain more. The curve of what is left unexplained falls on
# and on: its bend, where a further component suddenly brings little, is what one looks
# for, and in most recordings it is a gentle one.

spectrogram = uw.stft(loop, SETTINGS).magnitude[0]
numbers = range(1, 9)
left = [
    uw.nmf(spectrogram, k, restarts=3, max_iter=60).divergences[-1] for k in numbers
]

figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(numbers, np.array(left) / left[0], "o-")
ax.set(xlabel="components", ylabel="left unexplained", ylim=(0, 1.05))
plt.show()

# %%
# Let it count
# ------------
#
# `unweave.rank.estimate_rank` looks for that bend where it is sharp: on moments long
# enough that a stroke and its decay are one. It says how many, why, and how sure it is.

choice = estimate_rank(spectrogram, together=19)
print(choice.sentence)

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
plot.rank(choice, ax=ax)
plt.show()

# %%
# ``decompose`` does both at once:

parts = uw.decompose(loop, "auto", stft=SETTINGS)
parts

# %%
# How FluCoMa counts
# ------------------
#
# BufNMFSeed asks how many singular values hold a share of the whole. It is quick and
# needs no fit, but the share is yours to say, and small shares of noise add up: each
# stroke of a snare is new noise.

seeds = seed(loop, stft=SETTINGS)
for coverage in (0.3, 0.5, 0.7, 0.9):
    print(f"{coverage:.0%} of the singular values: {seeds.needed(coverage)} components")

# %%
# Too few, right, too many
# ------------------------
#
# What it sounds like, in figures: how near the best component comes to each drum.

names = ("kick", "snare", "hihat")
for k in (3, 4, 6, 9):
    tried = uw.decompose(loop, k, stft=SETTINGS, restarts=3)
    _, scores = best_permutation(
        [true[name] for name in names], list(tried.components())
    )
    print(
        k,
        "components:",
        *(f"{name} {score:.1f} dB" for name, score in zip(names, scores, strict=True)),
    )

# %%
# Too many is not lost, if the parts are put together again: components of one sound are
# strong at the same moments. One basis can be the sum of some others, and what was put
# together is looked for as one.

nine = uw.decompose(loop, 9, stft=SETTINGS)
correlation = np.corrcoef(nine.activations)

figure, ax = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
image = ax.imshow(correlation, vmin=0, vmax=1, cmap="magma")
ax.set(title="which components sound together", xlabel="component", ylabel="component")
figure.colorbar(image, ax=ax, label="correlation of activations")
plt.show()

# %%
# Rules of thumb
# --------------
#
# * Drums: one for each drum, one more for what is common to all (a room, a hum).
# * A melody: one for each pitch, not for each instrument.
# * A texture, field recordings: begin with ``"auto"``, and double it if you can still
#   hear two things in one part.
# * To take out one sound, ten components and an ear: find those that have it, and join
#   the others.
