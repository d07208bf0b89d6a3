"""
Seeding, fixing, and editing
============================

NMF can be told what is known already: roughly where a sound lies, exactly what it
sounds like, or when it cannot be there. And what it has found can be changed before it
is made into sound again.
"""

import matplotlib.pyplot as plt
import numpy as np

import unweave as uw
from unweave import plot
from unweave.phase import griffin_lim
from unweave.synthesis import drum_loop

SETTINGS = uw.STFT(1024, 256)
true = drum_loop(2, sample_rate=32000)
loop = true["mix"]

# %%
# An order by hand-made bases
# ---------------------------
#
# In what order do components come? By default low to high. A rough sketch of the
# spectra says it, too, and says more: which sound is to be which. Three bands drawn by
# hand are enough, much where a sound lies and little elsewhere. Little, not nothing: a
# zero in a start stays a zero, and no component could leave its sketch.

hertz = SETTINGS.frequencies(loop.sample_rate)
sketch = np.full((SETTINGS.n_bins, 3), 0.1)
sketch[hertz > 5000, 0] = 1  # hi-hat first
sketch[hertz < 150, 1] = 1  # then the kick
sketch[(hertz > 150) & (hertz < 5000), 2] = 1  # then the snare

seeded = uw.decompose(loop, 3, stft=SETTINGS, bases=sketch)

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
drawn = uw.Dictionary(sketch, ("hi-hat", "kick", "snare"), SETTINGS, loop.sample_rate)
plot.bases(drawn, ax=axes[0])
plot.bases(seeded, ax=axes[1])
axes[0].set_title("drawn by hand")
axes[1].set_title("what became of it")
plt.show()

# %%
# The parts now come in the order of the sketch:

seeded

# %%
# Bases that stay as they are
# ---------------------------
#
# What was found once can be looked for elsewhere. The bases of this loop, kept to the
# bit, take another loop apart: another tempo, other strokes. Only the activations are
# learned. (FluCoMa's ``basesMode`` 2.)

other = drum_loop(2, tempo=132, sample_rate=32000, seed=5)["mix"]
found = uw.decompose(other, 3, bases=seeded.dictionary, learn_bases=False)
print("the bases are the same:", np.array_equal(found.bases, seeded.bases))
found

# %%
# Activations that say 'not here'
# -------------------------------
#
# Zeros in a start of the activations say when a sound cannot be there. Here the third
# component, the snare, is forbidden in the first half: whatever sounds there must be
# explained by the others.

activations = np.ones_like(seeded.activations)
activations[2, : activations.shape[1] // 2] = 0
late = uw.decompose(loop, 3, stft=SETTINGS, bases=seeded.bases, activations=activations)

figure, axes = plt.subplots(3, 1, figsize=(8, 4), layout="constrained", sharex=True)
plot.activations(late, axes=axes)
plt.show()
assert (late.activations[2, : activations.shape[1] // 2] == 0).all()

# %%
# Edited activations
# ------------------
#
# Activations are curves, and curves can be drawn. Keep both factors, so that nothing is
# learned, and they are only multiplied. Here the kick loses every other half second,
# and the snare's curve is squared, which makes its quiet strokes vanish and its decay
# short.

edited = seeded.activations.copy()
silent = seeded.times % 1.0 > 0.5
edited[1, silent] = 0
edited[2] = edited[2] ** 2 / edited[2].max()

again = uw.decompose(
    loop,
    3,
    stft=SETTINGS,
    bases=seeded.bases,
    activations=edited,
    learn_bases=False,
    learn_activations=False,
)

figure, axes = plt.subplots(3, 1, figsize=(8, 4), layout="constrained", sharex=True)
for k, (ax, name) in enumerate(zip(axes, ("hi-hat", "kick", "snare"), strict=True)):
    ax.fill_between(seeded.times, seeded.activations[k], color="0.85", label="found")
    ax.plot(seeded.times, edited[k], color=plot.color(k), linewidth=1, label="edited")
    ax.set_ylabel(name)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
axes[-1].set_xlabel("time (s)")
plt.show()

# %%
# A ``product`` is basis times activation with the phases of the recording. (A
# ``component`` would be a mask, and masks share the recording among them: whatever is
# edited away in one would come back in another.)

uw.Audio(sum(part.samples for part in again.products()), loop.sample_rate)

# %%
# A rhythm that nobody played
# ---------------------------
#
# Where an edit puts sounds into places where the recording has none, its phases are of
# no use: let Griffin and Lim's method find others. Here the kick and the hi-hat play
# each other's curves.

swapped = seeded.activations[[1, 0, 2]] * np.array([[0.3], [2.0], [1.0]], np.float32)
magnitude = np.einsum("cbk,kt->cbt", seeded.bases, swapped)
sound = griffin_lim(magnitude, SETTINGS, loop.n_samples)
uw.Audio(sound / max(1, abs(sound).max()), loop.sample_rate)
