"""The judge of candidates: a small network that has heard many instruments, and says how likely a note begins.

    p, Δ, v = mean over members of  W₃ relu(W₂ relu(W₁ x + b₁) + b₂) + b₃

for the evidence x of a candidate, see `unweave.pitched.evidence`; p passes a logistic curve. Δ is how much later than
its frame the note begins, v how hard it was struck. All pitches share the weights. They were learned by
``templates/learn_piano.py`` from pieces rendered with sampled instruments, and are shipped as arrays; here are only
three products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.errors import ReadError
from unweave.npz import read_npz, understood

__all__ = ["Judge", "Verdict", "load_model"]

_FORMAT = "unweave notes"


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """For each candidate: how likely a note begins (0 to 1), how many seconds after its frame, how hard (0 to 1)."""

    likelihood: NDArray[np.float32]
    delay: NDArray[np.float32]
    velocity: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Weights of a few networks: ``layers`` are (members, inputs, outputs) and (members, outputs) in turn.

    Parameters
    ----------
    mean, scale : array (inputs,)
        What the evidence is brought to unit size by.
    layers : tuple of (weights, offsets)
    threshold : float
        Likelihood from which a candidate is a note when nobody asks for more or fewer.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    layers: tuple[tuple[Matrix, Matrix], ...]
    threshold: float

    def judge(self, evidence: Matrix) -> Verdict:
        """Judge candidates ``(candidates, inputs)``."""
        values = ((evidence - self.mean) / self.scale)[None].astype(np.float32)
        for k, (weights, offsets) in enumerate(self.layers):
            if k:
                values = np.maximum(values, 0)
            values = np.matmul(values, weights) + offsets[:, None, :]
        likelihood = 1 / (1 + np.exp(-np.clip(values[..., 0], -30, 30)))
        delay, velocity = values[..., 2].mean(axis=0) / 50, np.clip(values[..., 1].mean(axis=0), 0, 1)
        return Verdict(likelihood.mean(axis=0), delay, velocity)


@lru_cache(maxsize=4)
def load_model(name: str) -> tuple[Judge, Matrix | None]:
    """The judge that is shipped under a name, and its templates ``(stages, 88, bands)`` where it has some.

    Raises
    ------
    ReadError
        The file of this installation is missing or damaged.
    """
    with resources.as_file(resources.files("unweave") / "templates" / f"{name}.npz") as path:
        if not path.is_file():
            raise ReadError(f"{path} is missing: this installation of unweave is not complete, install it again.")
        arrays, settings = read_npz(path, "note templates")
        if settings.get("format") != _FORMAT:
            raise ReadError(f"{path} does not hold note templates of unweave: install unweave again.")
        with understood(path):
            count = int(settings["n_layers"])
            real = {key: value.astype(np.float32) for key, value in arrays.items()}
            layers = tuple((real[f"weights_{k}"], real[f"offsets_{k}"]) for k in range(count))
            judge = Judge(real["mean"], real["scale"], layers, float(settings["threshold"]))
            templates = real.get("templates")
            if templates is not None:
                templates = np.ascontiguousarray(templates / templates.sum(axis=2, keepdims=True))
    return judge, templates
