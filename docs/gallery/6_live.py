"""
Live: known sounds in a stream
==============================

On a stage sound comes in blocks, and nobody knows what comes next. A filter splits the
stream into sounds that it knows; a match says how loud each of them is. Here the stream
is a file that is read block by block: what a patch, a plug-in or a sound card would do.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import unweave as uw
from unweave import plot
from unweave.audio import read_blocks
from unweave.evaluation import si_sdr
from unweave.matching import NMFMatch
from unweave.onsets import OnsetPicker, lead_of
from unweave.streaming import NMFFilter
from unweave.synthesis import drum_loop
from unweave.training import learn_examples

RATE, BLOCK = 22050, 64
SETTINGS = uw.STFT(1024, 256)
DRUMS = ("kick", "snare", "hihat")
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

# %%
# Two files: one bar in which each drum plays alone, for the lesson, and the recording
# that will come in: another tempo, other strokes.

lesson = drum_loop(1, tempo=150, sample_rate=RATE, seed=7)
for name in DRUMS:
    uw.save(folder / f"{name}.flac", lesson[name])
true = drum_loop(2, tempo=96, sample_rate=RATE)
uw.save(folder / "stage.flac", true["mix"])

kit = learn_examples(
    {name: folder / f"{name}.flac" for name in DRUMS}, 2, stft=SETTINGS
)
kit

# %%
# The filter
# ----------
#
# Blocks of 64 samples go in, and for each of them as many samples of every drum come
# out, late by ``latency`` samples: a window, which any method of this kind must have
# seen before it can say what is in it.

stream = NMFFilter(kit)
pieces, spent = [], []
for block in read_blocks(folder / "stage.flac", n_block=BLOCK):
    begin = time.perf_counter()
    pieces.append(stream.process(block))
    spent.append(time.perf_counter() - begin)
pieces.append(stream.flush())
sounds = np.concatenate(pieces, axis=2)[:, 0, stream.latency :]
share = sum(spent) / true["mix"].duration
print(
    f"late by {1000 * stream.latency / RATE:.0f} ms; work for {share:.1%} of the time"
)

# %%
# What it plays, and how near it is to the true drums, which it has never heard:

found = {
    name: uw.Audio(each, RATE) for name, each in zip(stream.labels, sounds, strict=True)
}
for name in DRUMS:
    print(f"{name}: {si_sdr(true[name], found[name]):.1f} dB")
found["snare"]

# %%
# The sounds are channels of their own, so that each can have its own effect. Here the
# hi-hat goes through an echo while the others stay dry.

echo = found["hihat"].samples.copy()
for repeat in range(1, 5):
    late = int(repeat * 0.75 * 60 / 96 * RATE)
    echo[:, late:] += 0.6**repeat * found["hihat"].samples[:, :-late]
uw.Audio(found["kick"].samples + found["snare"].samples + echo, RATE)

# %%
# The match
# ---------
#
# The same kit as a detector. For every hop it tells how loud each drum is; a picker
# turns rises into onsets as they come, a few hundredths of a second after the stroke.

match = NMFMatch(kit)
picker = OnsetPicker(match.labels, match.frame_rate, lead=lead_of(match.stft, RATE))
levels, onsets = [], []
for block in read_blocks(folder / "stage.flac", n_block=BLOCK):
    heard = match.process(block)
    levels.append(heard)
    onsets += picker.process(heard)
levels.append(match.flush())
onsets += [*picker.process(levels[-1]), *picker.flush()]
levels = np.concatenate(levels, axis=1)

figure, axes = plt.subplots(3, 1, figsize=(8, 4.2), layout="constrained", sharex=True)
seconds = np.arange(levels.shape[1]) / match.frame_rate
for k, (ax, name, level) in enumerate(zip(axes, match.labels, levels, strict=True)):
    times = [onset.time for onset in onsets if onset.label == name]
    ax.plot(seconds, level, color=plot.color(k))
    ax.plot(
        times, np.full(len(times), level.max() * 1.15), "v", color="black", markersize=5
    )
    ax.set(ylabel=name, ylim=(0, level.max() * 1.3))
axes[-1].set_xlabel("time (s); triangles: onsets")
plt.show()

# %%
# The onsets as clicks over the recording, kick low, snare in the middle, hi-hat high:
# what a patch would trigger.

hertz = dict(zip(DRUMS, (220, 440, 880), strict=True))
clicks = np.zeros(true["mix"].n_samples)
for onset in onsets:
    place = clicks[int(onset.time * RATE) :][: int(0.06 * RATE)]
    t = np.arange(place.size) / RATE
    place += np.sin(2 * np.pi * hertz[onset.label] * t) * np.exp(-t / 0.015)
scratch.cleanup()
uw.Audio(0.5 * true["mix"].samples + 0.3 * clicks / max(1, abs(clicks).max()), RATE)

# %%
# From the command line the same is ``unweave filter stage.flac --bases kit.npz`` and
# ``unweave match stage.flac --bases kit.npz --onsets``; the pages on :doc:`the filter
# </family/nmffilter>` and :doc:`the match </family/nmfmatch>` say what the options do.
