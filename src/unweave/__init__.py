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

from unweave.audio import Audio, load, save
from unweave.decomposition import Decomposition, decompose
from unweave.dictionary import Dictionary
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput, MissingExtra, ReadError, UnweaveError, WriteError
from unweave.factorization import Factorization, Stop
from unweave.framing import STFT
from unweave.nmf import nmf
from unweave.spectrogram import Spectrogram
from unweave.stft import istft, stft

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
    "ReadError",
    "save",
    "Spectrogram",
    "STFT",
    "stft",
    "Stop",
    "UnweaveError",
    "WriteError",
]
