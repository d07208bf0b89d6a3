"""What the measuring scripts share: where data lie, what machine this is, and how tables and verdicts look."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import unweave

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNWEAVE_SHARED") or ROOT.parent / "shared")
RECORDINGS = ("data/drums_1/mix.flac", "data/piano_0/mix.flac", "data/song_0/mix.flac")  # drums, a piano, a band

PACKAGES = ("unweave", "numpy", "scipy", "scikit-learn", "librosa", "torchnmf", "libnmfd")

Section = tuple[str, "Figure | None"]
"""The Markdown of a section and, where there is one, its picture."""


def machine() -> str:
    """Processor, system, versions, date, and how busy the machine is with other work, in one paragraph."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = f"{names[0]}, {len(names)} processors" if names else cpu
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES if version(name) != "–")
    now = f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}"
    return f"{cpu}; {platform.system()}, Python {platform.python_version()}; {packages}; {now}"


def load_average() -> str:
    """How many processes want to run at the moment, where the system tells."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


def version(name: str) -> str:
    """Version of a package, or a dash where it is not installed."""
    if name == "unweave":
        return unweave.__version__  # also where the package runs from its folder
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "–"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def verdict(value: float, target: float, unit: str = "", *, most: bool = False) -> str:
    """What was aimed at, and whether it was met: at least ``target``, or at most."""
    met = value <= target if most else value >= target
    return f"{'at most' if most else 'at least'} {target:g}{unit}: **{'met' if met else 'not met'}**"
