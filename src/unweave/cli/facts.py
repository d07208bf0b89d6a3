"""What a file is and what is in it, as `unweave info` tells it: a sound, a dictionary, a decomposition, seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unweave.audio import read_blocks
from unweave.cli.output import MANIFEST, MANIFEST_FORMAT
from unweave.cli.sounds import Meter
from unweave.cli.sources import load_decomposition, load_dictionary
from unweave.codec import Source, open_source
from unweave.dictionary import Dictionary
from unweave.errors import ReadError
from unweave.interchange import read_arrays
from unweave.npz import read_npy, understood
from unweave.seeds import Seeds
from unweave.sorting import Sorter

__all__ = ["describe_dictionary", "describe_file", "describe_sorter", "sound_length"]

Facts = dict[str, Any]


def describe_file(name: str) -> Facts:
    """What there is to say about a file or a folder of ours, or about a sound.

    Raises
    ------
    ReadError
        It is none of them, or damaged.
    """
    path = Path(name)
    if path.is_dir():
        return {"file": name, **_folder(path)}
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except (OSError, ValueError) as error:
        raise ReadError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if head[:4] == b"PK\x03\x04" or path.suffix.lower() == ".safetensors":
        return {"file": name, **_archive(path)}
    if head == b"\x93NUMPY":
        return {"file": name, **_matrix(path)}
    return {"file": name, **_sound(path)}


def _sound(path: Path) -> Facts:
    meter = Meter()
    source = _source(path)
    for block in read_blocks(path):
        meter.add(block)
    return {
        "kind": "sound",
        "duration": source.n_samples / source.sample_rate,
        "n_samples": source.n_samples,
        "sample_rate": source.sample_rate,
        "n_channels": source.n_channels,
        "peak_db": _decibels(meter.peak),
        "level_db": meter.level_db,
    }


def _source(path: Path) -> Source:
    """The head of a sound file."""
    with path.open("rb") as file:
        source = open_source(file, str(path))
        source.close()
    return source


def sound_length(name: str) -> tuple[int, int]:
    """Number of samples and channels of a sound file."""
    try:
        source = _source(Path(name))
    except OSError as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{name} cannot be read: {error.strerror or error}.") from None
    return source.n_samples, source.n_channels


def _decibels(peak: float) -> float | None:
    return 20 * math.log10(peak) if peak > 0 else None


def _archive(path: Path) -> Facts:
    _, settings = read_arrays(path, "a file")
    described: dict[Any, Callable[[Path], Facts]] = {
        "unweave dictionary": lambda path: {"kind": "dictionary", **describe_dictionary(load_dictionary(path))},
        "unweave decomposition": _decomposition,
        "unweave seeds": _seeds,
        "unweave sorter": lambda path: describe_sorter(Sorter.load(path)),
    }
    kind = settings.get("format")
    if kind not in described:
        raise ReadError(f"{path} holds arrays, but is no file of unweave: it does not say which.")
    return described[kind](path)


def describe_sorter(sorter: Sorter) -> Facts:
    """Labels and settings of a sorter."""
    return {
        "kind": "sorter",
        "labels": list(sorter.labels),
        "n_features": sorter.center.size,
        "sample_rate": sorter.sample_rate,
        "stft": sorter.stft.settings(),
    }


def describe_dictionary(found: Dictionary) -> Facts:
    """The settings of a dictionary, and each of its bases."""
    flat = np.moveaxis(found.bases, 2, 0).reshape(found.n_components, -1).astype(np.float64)
    return {
        "n_components": found.n_components,
        "n_channels": found.n_channels,
        "n_taps": found.n_taps,
        "sample_rate": found.sample_rate,
        "stft": found.stft.settings(),
        "bases": [
            {"label": label, "centroid_hz": float(center) if np.isfinite(center) else None, "length": float(length)}
            for label, center, length in zip(found.labels, found.centroids, np.linalg.norm(flat, axis=1), strict=True)
        ],
    }


def _decomposition(path: Path) -> Facts:
    parts = load_decomposition(path)
    found, audio = parts.factorization, parts.audio
    meter = Meter()
    meter.add(audio.samples)
    told = describe_dictionary(parts.dictionary)
    for row, activation in zip(told["bases"], parts.activations, strict=True):
        row["activation_max"] = float(activation.max(initial=0))
    return {
        "kind": "decomposition",
        "duration": audio.duration,
        "n_samples": audio.n_samples,
        "peak_db": _decibels(meter.peak),
        "level_db": meter.level_db,
        "n_frames": int(parts.activations.shape[1]),
        "beta": found.beta,
        "power": parts.power,
        "seed": found.seed,
        "n_iter": found.n_iter,
        "stop": found.stop.name,
        "stop_sentence": str(found.stop),
        **told,
    }


def _seeds(path: Path) -> Facts:
    found = Seeds.load(path)
    return {
        "kind": "seeds",
        "method": found.method,
        "sentence": found.sentence,
        "covered_values": found.covered(),
        "covered_energy": found.covered("energy"),
        "n_frames": int(found.activations.shape[1]),
        **describe_dictionary(found.dictionary),
    }


def _matrix(path: Path) -> Facts:
    array = read_npy(path)
    real = array.dtype.kind in "fiu" and array.size > 0
    return {
        "kind": "matrix",
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "least": float(array.min()) if real else None,
        "greatest": float(array.max()) if real else None,
    }


def _folder(path: Path) -> Facts:
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
        raise ReadError(f"{path} is a folder without a manifest of unweave ({MANIFEST}).")
    with understood(path / MANIFEST):
        files = [entry["file"] for entry in manifest["files"]]
        rows = manifest.get("components") or []
        return {
            "kind": "folder",
            "made_by": manifest.get("unweave"),
            "input": (manifest.get("input") or {}).get("name"),
            **(manifest.get("audio") or {}),
            "stft": (manifest.get("settings") or {}).get("stft"),
            "parts": [
                {name: row.get(name) for name in ("label", "file", "level_db", "centroid_hz", "energy_share")}
                for row in rows
            ],
            "files": files,
        }
