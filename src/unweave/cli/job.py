"""What a `decompose` command asks for, with every default, read from the library's own signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from unweave.audio import load, save
from unweave.decomposition import decompose
from unweave.rules import Penalties

__all__ = ["AUTO_RULE", "RESYNTHESES", "Job", "default_of"]

Resynthesis = Literal["mask", "product"]
RESYNTHESES: tuple[Resynthesis, ...] = ("mask", "product")


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


_LOAD, _SAVE, _DECOMPOSE, _PENALTY = (_defaults(function) for function in (load, save, decompose, Penalties))


AUTO_RULE = "auto"
"""The rule that is fastest for the divergence, as the library chooses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One recording and how it is to be taken apart. Times are in seconds; None means that the library decides.

    Fields without a comment mean what they mean in `unweave.decompose`, `unweave.load` and `unweave.STFT`.
    """

    input: str  # '-' is standard input
    n_components: int | Literal["auto"] | None = None  # None: as many as there are bases or activations
    out: Path | None = None
    format: str = "wav"
    subtype: str | None = None
    name: str = "component-{component:02d}.{ext}"
    gain: float | Literal["fit"] = _SAVE["gain"]
    start: float = _LOAD["start"]
    duration: float | None = _LOAD["duration"]
    sample_rate: float | None = _LOAD["sample_rate"]
    n_fft: int | None = None
    hop_length: int | None = None
    win_length: int | None = None
    window: str | None = None
    beta: float = _DECOMPOSE["beta"]
    bases: str | None = None  # a file
    activations: str | None = None  # a file
    painted: tuple[str, ...] = ()  # COMPONENT=FILE
    keep_bases: bool = not _DECOMPOSE["learn_bases"]
    keep_activations: bool = not _DECOMPOSE["learn_activations"]
    init: Any = _DECOMPOSE["start"]
    restarts: int = _DECOMPOSE["restarts"]
    rule: str = AUTO_RULE
    max_iter: int = _DECOMPOSE["max_iter"]
    tol: float = _DECOMPOSE["tol"]
    seed: int = _DECOMPOSE["rng"] or 0
    sort: Any = _DECOMPOSE["order"]
    power: float = _DECOMPOSE["power"]
    taps: int | None = _DECOMPOSE["taps"]
    l1: float = _PENALTY["l1"]
    l2: float = _PENALTY["l2"]
    continuity: float = _PENALTY["continuity"]
    group: float = _PENALTY["group"]
    groups: str | None = None  # labels, one a component, separated by commas
    bases_l1: float = _PENALTY["bases_l1"]
    weights: str | None = None  # a file
    adapt: int = _DECOMPOSE["adapt"]
    resynthesis: Resynthesis = "mask"
    envelopes: bool = False
    pictures: bool = True
    page: bool = True
    overwrite: bool = False


def default_of(name: str) -> Any:
    """The default of a field of `Job`."""
    return next(item.default for item in fields(Job) if item.name == name)
