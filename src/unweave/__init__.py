"""Take a recording apart into the sounds that it is made of, by non-negative matrix factorisation.

    import unweave as uw

    parts = uw.decompose(uw.load("loop.wav"), n_components=3)
    parts.bases                # (channels, bins, components)
    parts.activations          # (components, frames)
    for k, part in enumerate(parts.components()):
        uw.save(f"part{k}.wav", part)

The names here are the front; everything else is reached by its module, for instance ``from unweave.rules import
Multiplicative`` or ``from unweave import plot``. `docs/architecture.md` shows the whole house.
"""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from unweave.audio import Audio, load, save
from unweave.decomposition import Decomposition, decompose
from unweave.dictionary import Dictionary
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput, MissingExtra, ReadError, UnweaveError, WriteError
from unweave.factorization import Factorization, Stop
from unweave.framing import STFT
from unweave.nmf import nmf
from unweave.notes import Note
from unweave.shown import draw_with as _draw_with
from unweave.spectrogram import Spectrogram
from unweave.stems import Stem, separate
from unweave.stft import istft, stft
from unweave.transcription import transcribe

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "Audio",
    "decompose",
    "Decomposition",
    "Dictionary",
    "EUCLIDEAN",
    "Factorization",
    "Incompatible",
    "InvalidInput",
    "istft",
    "ITAKURA_SAITO",
    "KULLBACK_LEIBLER",
    "load",
    "MissingExtra",
    "nmf",
    "Note",
    "ReadError",
    "save",
    "separate",
    "Spectrogram",
    "Stem",
    "STFT",
    "stft",
    "Stop",
    "transcribe",
    "UnweaveError",
    "WriteError",
]


def __getattr__(name: str) -> _Any:
    """Open a door when it is asked for."""
    if name == "NMF":  # needs scikit-learn
        from unweave.estimator import NMF

        return NMF
    if name == "plot":  # needs matplotlib
        return _importlib.import_module("unweave.plot")  # `from unweave import plot` would ask here again
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_draw_with(lambda value: __getattr__("plot").html(value))  # the door is opened when a notebook shows the first value
