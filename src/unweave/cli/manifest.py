"""manifest.json: what was done with what, by which settings, and which files came of it.

Nothing in it depends on the clock, on the place or on the machine: the same command on the same recording gives the
same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from unweave import __version__
from unweave.cli.hints import assignments
from unweave.cli.output import MANIFEST, MANIFEST_FORMAT
from unweave.cli.settled import Settled
from unweave.cli.sounds import Meter
from unweave.cli.sources import Recording, file_digest
from unweave.parts import Decomposition
from unweave.rules import Extrapolated, default_rule

__all__ = ["describe", "file_facts", "recording_facts", "write_manifest"]

_VERSION = 1
_ELSEWHERE = {"input", "out", "overwrite", "n_fft", "hop_length", "win_length", "window"}
"""Fields of a job that are told elsewhere in the manifest, or do not change what is written."""


def recording_facts(recording: Recording) -> dict[str, Any]:
    """What every manifest says of the recording: whose bytes it was, and what was taken of it."""
    audio = recording.audio
    return {
        "input": {"name": _text(recording.name), "sha256": recording.sha256},
        "audio": {
            "sample_rate": audio.sample_rate,
            "n_channels": audio.n_channels,
            "n_samples": audio.n_samples,
            "duration": audio.duration,
        },
    }


def describe(
    settled: Settled, recording: Recording, parts: Decomposition, names: Sequence[str], meters: Sequence[Meter]
) -> dict[str, Any]:
    """Everything but the list of files."""
    found = parts.factorization
    energy = sum(meter.energy for meter in meters)
    rows = [
        {"component": k, "label": label, **_measured(names[k], meters[k], energy), "centroid_hz": _centroid(parts, k)}
        for k, label in enumerate(parts.labels)
    ]
    residual = len(names) > parts.n_components
    return {
        "format": MANIFEST_FORMAT,
        "format_version": _VERSION,
        "unweave": __version__,
        **recording_facts(recording),
        "settings": _settings(settled, parts),
        "result": {
            "stop": found.stop.name,
            "stop_sentence": str(found.stop),
            "n_iter": found.n_iter,
            "iterations": found.iterations.tolist(),
            "divergences": found.divergences.tolist(),
            "rank": None if settled.rank is None else settled.rank.settings(),
        },
        "components": rows,
        "residual": _measured(names[-1], meters[-1], energy) | {"centroid_hz": None} if residual else None,
        "files": [],
    }


def _rule(settled: Settled, parts: Decomposition) -> str:
    """The rule that was used; bases of several frames have no other default than the extrapolated one."""
    if settled.plan.rule is not None:
        return settled.plan.rule.name
    plain = default_rule(settled.plan.beta, constrained=settled.plan.constrained)
    return plain.name if parts.factorization.n_taps == 1 else Extrapolated.name


def _settings(settled: Settled, parts: Decomposition) -> dict[str, Any]:
    """Every setting as it was used."""
    job = {name: value for name, value in asdict(settled.job).items() if name not in _ELSEWHERE}
    given: dict[str, Any] = {name: _given(job[name]) for name in ("bases", "activations", "weights")}
    painted = assignments("--painted", job["painted"])
    given["painted"] = [{"part": part} | (_given(path) or {}) for part, (path,) in painted.items()]
    return (
        job
        | given
        | {
            "n_components": parts.n_components,
            "stft": parts.stft.settings(),
            "beta": parts.factorization.beta,
            "seed": parts.factorization.seed,
            "rule": _rule(settled, parts),
            "subtype": settled.file.subtype,
            "gain": settled.file.gain,
            "gain_asked": settled.job.gain,
        }
    )


def _given(path: str | None) -> dict[str, str] | None:
    return None if path is None else {"name": _text(Path(path).name), "sha256": file_digest(Path(path))}


def _text(name: str) -> str:
    """A file's name as text, also where its bytes are none."""
    return os.fsencode(name).decode("utf-8", "replace")


def _measured(name: str, meter: Meter, energy: float) -> dict[str, Any]:
    return {
        "file": name,
        "level_db": meter.level_db,
        "peak": meter.peak,
        "energy_share": meter.energy / energy if energy > 0 else None,
    }


def _centroid(parts: Decomposition, k: int) -> float | None:
    """Centre of gravity of the power of a basis over all channels, in Hz; None where it is empty."""
    basis = parts.spectra[:, :, k].astype(np.float64)
    power = (basis if parts.is_power else np.square(basis)).sum(axis=0)
    total = float(power.sum())
    return float(power @ parts.frequencies) / total if total > 0 else None


def file_facts(path: Path, name: str) -> dict[str, Any]:
    """What a manifest says of a file that was written."""
    return {"file": _text(name), "size": path.stat().st_size, "sha256": file_digest(path)}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """List the files of the folder in the manifest, and write it."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    manifest["files"] = [file_facts(folder / name, name) for name in found if name != MANIFEST]
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")
