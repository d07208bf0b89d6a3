"""Pictures of sounds, spectrograms, bases, activations and of the way a factorisation came about.

Every function draws one value into axes that it is given (``ax=``, or ``axes=`` where there are several) or into a
figure of its own, and returns the axes, so that notebooks can put pictures together. Frequencies are in Hz, times in
seconds, levels in dB relative to the loudest. A component has the same colour in every picture and on the page
(`color`). Nothing here touches matplotlib's global state, and matplotlib itself is loaded by the first picture, not by
the import of this module.

Nothing is drawn sample by sample or frame by frame. What is drawn of a sound is its `Overview`: the loudest of the
spectrogram in some 1500 columns and 400 rows, and the waveform's extremes in as many columns, gathered block by block,
so that an hour needs no more memory than a second::

    builder = OverviewBuilder(n_samples, sample_rate, stft)
    for piece in pieces:  # (channels, n), one after the other: while they are written to a file, for instance
        builder.add(piece)
    overview = builder.finish()

``Overview.of(audio, stft)`` does that for a sound at hand, ``overviews(decomposition)`` for all components, and
``part_builders(decomposition)`` makes a builder for each of them. Functions that show the components take the overviews
as ``parts=`` from whoever has them already.

    spectrogram(value)                            Audio, Spectrogram, Decomposition or Overview
    bases(value, frequencies=…)                   Decomposition, Dictionary, or Factorization
    activation(decomposition, k, part=…)          one activation over its component's waveform
    activations(decomposition, parts=…)           all of them, one row each
    strip(decomposition, k, part=…)               the same without axes, from edge to edge: a row of the page
    components(decomposition, parts=…, recording=…)   input, approximation and every component side by side
    divergence(value)                             Factorization or Decomposition
    onsets(value, notes)                          a sound, and marks where notes begin in it
    piano_roll(notes)                             pitches, lengths and velocities
    groups(grouping)                              Grouping: how far components are apart, and which are one sound
    rank(choice)                                  RankChoice: how many components there are, and why
    painted(path)                                 the other way round: what was painted black on a strip
    save_figure(ax_or_figure, path)               PNG, the same bytes every time
    html(value)                                   facts, a picture and players: what a notebook shows of a value
"""

from unweave.plot.card import html
from unweave.plot.colors import COLORS, color
from unweave.plot.curves import activation, activations, bases, divergence, strip
from unweave.plot.figures import save_figure
from unweave.plot.groups import groups
from unweave.plot.noteevents import onsets, piano_roll
from unweave.plot.overview import Overview, OverviewBuilder, overviews, part_builders
from unweave.plot.painted import painted
from unweave.plot.ranks import rank
from unweave.plot.spectra import components, spectrogram

__all__ = [
    "COLORS",
    "Overview",
    "OverviewBuilder",
    "activation",
    "activations",
    "bases",
    "color",
    "components",
    "divergence",
    "groups",
    "html",
    "onsets",
    "overviews",
    "painted",
    "part_builders",
    "piano_roll",
    "rank",
    "save_figure",
    "spectrogram",
    "strip",
]
