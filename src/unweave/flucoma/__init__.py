"""FluCoMa's decomposition objects under their own names, parameters and buffers, with unweave behind them.

    from unweave import flucoma

    made = flucoma.bufnmf("loop.wav", components=3, iterations=100, fftsettings=(1024, -1, -1))
    made.resynth, made.bases, made.activations        # Buffers: frames × channels

Who has patches, scripts and files of FluCoMa goes on with them here, and back: a `Buffer` is what Max, SuperCollider
and Pd hold, its files are those that they and FluCoMa's programs read and write, and data sets are their JSON.
`unweave fluid` is the same for the command line.

Every function takes a `Buffer`, an `Audio`, the name of a file, or an array ``(frames, channels)``; parameters have
FluCoMa's names, in small letters, and its defaults. What FluCoMa does wrong is done right: each module says what
differs under 'Differences', and the page on FluCoMa gathers it.

Reference: P. A. Tremblay, G. Roma, O. Green, Enabling programmatic data mining as musicking: the Fluid Corpus
Manipulation toolkit, Computer Music Journal 45(2), 2021, doi:10.1162/comj_a_00600.
"""

from __future__ import annotations

from unweave.flucoma.buffers import Buffer, read_buffer, write_buffer
from unweave.flucoma.datasets import points_of, read_dataset, read_labelset, write_dataset, write_labelset
from unweave.flucoma.factors import NMFBuffers, SeedBuffers, bufnmf, bufnmfseed
from unweave.flucoma.live import nmffilter, nmfmatch, nmfmorph
from unweave.flucoma.spectra import STFTBuffers, bufstft
from unweave.flucoma.transforms import (
    HPSSBuffers,
    SinesBuffers,
    TransientsBuffers,
    bufhpss,
    bufnmfcross,
    bufsines,
    buftransients,
)

__all__ = [
    "Buffer",
    "HPSSBuffers",
    "NMFBuffers",
    "STFTBuffers",
    "SeedBuffers",
    "SinesBuffers",
    "TransientsBuffers",
    "bufhpss",
    "bufnmf",
    "bufnmfcross",
    "bufnmfseed",
    "bufsines",
    "bufstft",
    "buftransients",
    "nmffilter",
    "nmfmatch",
    "nmfmorph",
    "points_of",
    "read_buffer",
    "read_dataset",
    "read_labelset",
    "write_buffer",
    "write_dataset",
    "write_labelset",
]
