"""What drums sound like: numbers that were learned from many kits, and the judgement of a stroke by them.

    z₁ = max(0, W₁ᵀ (x - m) / s + b₁),   z₂ = max(0, W₂ᵀ z₁ + b₂),   judgement = W₃ᵀ z₂ + b₃

x are the numbers of a stroke (`unweave.drums.strokes`); the judgement has one number for each class, the logarithm of
the odds that the stroke sounds in it: a kick and a hi-hat may be struck together. Several such networks, each with
another start, are averaged; one more says how hard each class was struck, if it was. They were trained on grooves that
were drawn by chance and played with kits of free licence, each retuned, filtered, put into rooms and compressed by
chance (``templates/learn_drums.py`` in the repository, and its README for sources and licences).

The numbers are read from the package when they are first needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.npz import read_npz, understood
from unweave.threads import single_blas

__all__ = ["CLASSES", "Kits", "Networks", "read_kits", "shipped"]

CLASSES = ("kick", "snare", "hihat", "tom", "cymbal")
"""What can be told apart."""

Floats = NDArray[np.float32]

_FILE = "drums.npz"
_LAYERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """Several small networks with the same inputs.

    Parameters
    ----------
    mean, deviation : ``(inputs,)``
    weights : ``(networks, inputs of the layer, outputs of the layer)`` for each layer
    biases : ``(networks, outputs of the layer)`` for each layer
    """

    mean: Floats
    deviation: Floats
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def judge(self, features: Floats) -> Floats:
        """Judgements ``(strokes, classes)`` of features ``(strokes, inputs)``, such as log odds."""
        judgements = np.zeros((len(features), self.biases[-1].shape[1]), np.float32)
        if len(features) == 0:
            return judgements
        normal = (features - self.mean) / self.deviation
        with single_blas():
            for network in range(len(self.biases[0])):
                values = normal
                for weights, biases in zip(self.weights[:-1], self.biases[:-1], strict=True):
                    values = np.maximum(values @ weights[network] + biases[network], 0)
                judgements += values @ self.weights[-1][network] + self.biases[-1][network]
        return np.asarray(judgements / len(self.biases[0]), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Kits:
    """What was learned.

    Parameters
    ----------
    networks : Networks
        Which classes sound in a stroke.
    forces : Networks
        How hard each class was struck, 0 to 1, if it was.
    templates : ``(templates, taps, bands)``
    owners : ``(templates,)``
        The class of each template.
    """

    networks: Networks
    forces: Networks
    templates: Floats
    owners: NDArray[np.int64]


@cache
def shipped() -> Kits:
    """What comes with this package.

    Raises
    ------
    ReadError
        The file is missing or damaged.
    """
    with as_file(files("unweave") / "templates" / _FILE) as path:
        return read_kits(path)


def read_kits(path: str | PathLike[str]) -> Kits:
    """Read what ``templates/learn_drums.py`` wrote."""
    arrays, _ = read_npz(path, "what drums sound like")
    with understood(path):
        templates = arrays["templates"].astype(np.float32)
        templates /= templates.sum(axis=(1, 2), keepdims=True)
        owners = arrays["owners"].astype(np.int64)
        return Kits(_networks(arrays, ""), _networks(arrays, "force_"), templates, owners)


def _networks(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Networks:
    """Those whose arrays have names that begin so."""
    weights = tuple(arrays[f"{prefix}weights_{layer}"].astype(np.float32) for layer in range(_LAYERS))
    biases = tuple(arrays[f"{prefix}biases_{layer}"].astype(np.float32) for layer in range(_LAYERS))
    return Networks(arrays["mean"], arrays["deviation"], weights, biases)
