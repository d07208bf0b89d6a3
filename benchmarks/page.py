"""What both measuring scripts share: where data lie, what machine this is, and pages that only scripts write."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import unweave

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNWEAVE_SHARED", ROOT.parent / "shared"))


def machine() -> str:
    """Processor, system, versions and date in one paragraph."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = f"{names[0]}, {len(names)} processors" if names else cpu
    packages = ", ".join(f"{name} {version(name)}" for name in ("unweave", "numpy", "scipy", "scikit-learn", "librosa"))
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"{cpu}; {platform.system()}, Python {platform.python_version()}; {packages}; {today}."


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


def write(name: str, text: str) -> None:
    """Write a page under docs/ and print it."""
    path = ROOT / "docs" / name
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(text)
    print(f"\nwritten: {path.relative_to(ROOT)}")
