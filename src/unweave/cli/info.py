"""`unweave info`: what a file is, its settings, what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from unweave.cli.facts import describe_file
from unweave.cli.failure import one_line
from unweave.cli.options import HeadedCommand, option
from unweave.cli.sources import refuse_stdin
from unweave.cli.talk import say

__all__ = ["columns", "info", "told"]

_EXAMPLES = """\b
Examples:
  unweave info loop.wav
      length, rate, channels, peak and level
  unweave info kit.npz loop-unweave/decomposition.npz loop-unweave
      a dictionary, a decomposition, a folder of parts
  unweave info kit.npz --json
      the same, for programs: a list with one entry for each file
"""

_KINDS = {
    "sound": "a sound",
    "dictionary": "a dictionary",
    "decomposition": "a decomposition",
    "seeds": "seeds",
    "sorter": "a sorter",
    "matrix": "a matrix",
    "folder": "a folder of parts",
}
_WORDS = {
    "sentence": "seeds",
    "labels": "names",
    "duration": "duration",
    "sample_rate": "sample rate",
    "n_channels": "channels",
    "peak_db": "peak",
    "level_db": "level",
    "n_components": "bases",
    "n_taps": "taps",
    "stft": "transform",
    "n_frames": "frames",
    "beta": "beta",
    "power": "power of masks",
    "stop_sentence": "it stopped",
    "method": "method",
    "shape": "shape",
    "dtype": "numbers",
    "least": "least",
    "greatest": "greatest",
    "input": "made of",
    "made_by": "by unweave",
}
_UNITS = {"duration": " s", "sample_rate": " Hz", "peak_db": " dB", "level_db": " dB"}
_HEADS = {
    "label": "label",
    "file": "file",
    "level_db": "level dB",
    "centroid_hz": "centroid Hz",
    "energy_share": "share",
    "length": "length",
    "activation_max": "greatest activation",
}
_DIGITS = {"centroid_hz": ".0f", "level_db": ".1f", "energy_share": ".1%"}


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@option("Options", "--json", "as_json", is_flag=True, help="Print everything as JSON.")
def info(files: tuple[str, ...], *, as_json: bool) -> None:
    """Say what FILE is: its settings, labels, durations, levels.

    FILE is a sound, a dictionary or a decomposition (.npz, .safetensors), seeds (.npz), a matrix (.npy), or the folder
    of a decomposition.
    """
    for name in files:
        refuse_stdin(name)
    found = [describe_file(name) for name in files]
    say(json.dumps(found, indent=2) if as_json else "\n\n".join("\n".join(told(each)) for each in found))


def told(facts: Mapping[str, Any]) -> Iterator[str]:
    """The lines about one file."""
    yield f"{one_line(facts['file'])}: {_KINDS[facts['kind']]}"
    for name, words in _WORDS.items():
        if name in facts:
            yield f"  {words:14}  {_shown(name, facts[name])}"
    rows = facts.get("bases") or facts.get("parts") or []
    if rows:
        names = [name for name in _HEADS if name in rows[0]]
        table = [[_HEADS[name] for name in names], *([_cell(name, row[name]) for name in names] for row in rows)]
        yield from (f"  {line}" for line in columns(table))


def columns(rows: list[list[str]]) -> Iterator[str]:
    """Rows of cells as lines, the first column to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([row[0].ljust(len(first)), *rest]).rstrip()


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "silent" if name.endswith("_db") else "unknown"
    if name == "stft":
        rest = ", ".join(f"{key}={each}" for key, each in value.items())
        return one_line(rest)
    if name == "labels":
        return one_line(", ".join(value))
    if isinstance(value, float):
        return f"{value:.1f}{_UNITS.get(name, '')}" if name.endswith("_db") else f"{value:.6g}{_UNITS.get(name, '')}"
    return one_line(f"{value}{_UNITS.get(name, '')}")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return one_line(value) if isinstance(value, str) else format(value, _DIGITS.get(name, ".4g"))
