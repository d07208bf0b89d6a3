"""`unweave doctor`: what is installed, and what this machine can do. For reports, and for wondering."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from unweave import __version__, threads
from unweave.arrays import Samples
from unweave.audio import Audio, load, save
from unweave.cli.options import HeadedCommand, option
from unweave.cli.talk import say
from unweave.codec import libsndfile_version
from unweave.errors import UnweaveError
from unweave.formats import FORMATS

__all__ = ["doctor"]

_NEEDED = ("numpy", "scipy", "soundfile", "soxr", "matplotlib", "click", "threadpoolctl")
_EXTRAS = {"scikit-learn": "for unweave.NMF, in pipelines and librosa", "librosa": "for notebooks with librosa"}
"""What may be there beside unweave, and what it is good for."""


@click.command(cls=HeadedCommand)
@option("Options", "--json", "as_json", is_flag=True, help="Print everything as JSON.")
def doctor(*, as_json: bool) -> int:
    """Say what is installed, and what this machine can do.

    Every sound format is tried: a sound is written and read again. The exit code is 1 if something is missing.
    """
    found = _examined()
    say(json.dumps(found, indent=2) if as_json else _told(found))
    well = all(found["packages"][name] for name in _NEEDED) and all(
        value is True for value in found["formats"].values()
    )
    return 0 if well else 1


def _examined() -> dict[str, Any]:
    formats = {name: _tried(name) for name in FORMATS}
    return {
        "unweave": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _NEEDED},
        "libsndfile": libsndfile_version(),
        "threads": threads.n_threads(),
        "processors": os.cpu_count(),
        "blas": threads.blas_info(),
        "formats": formats,
        "extras": {name: _version(name) for name in _EXTRAS},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _tried(name: str) -> bool | str:
    """Whether a format can be written and read again, or why not."""
    form = FORMATS[name]
    samples: Samples = np.sin(np.arange(4800, dtype=np.float32) / 10)[None]
    sound = Audio(samples / np.float32(2), 48000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound{form.extension}"
        try:
            save(path, sound)
            return load(path).n_samples == sound.n_samples or "another length came back"
        except (UnweaveError, OSError) as error:
            return str(error).replace(str(path), path.name)


def _told(found: dict[str, Any]) -> str:
    blas = [f"{each['name']} {each['version'] or ''} ({each['threads']} threads)" for each in found["blas"]]
    packages = [f"{name} {version or 'MISSING'}" for name, version in found["packages"].items()]
    bad = {name: why for name, why in found["formats"].items() if why is not True}
    lines = [
        ("unweave", found["unweave"]),
        ("Python", f"{found['python']} on {found['platform']}"),
        ("packages", ", ".join(packages)),
        ("libsndfile", found["libsndfile"] or "not found"),
        ("threads", f"{found['threads']} of {found['processors']} processors (UNWEAVE_THREADS, --threads)"),
        ("BLAS", ", ".join(blas) or "unknown"),
        ("writes", ", ".join(name for name, why in found["formats"].items() if why is True)),
        *((f"not {name}", why) for name, why in bad.items()),
        *(
            ("extra", f"{name} {version or 'is not there'}: {_EXTRAS[name]}")
            for name, version in found["extras"].items()
        ),
    ]
    return "\n".join(f"{head:11} {text}" for head, text in lines)
