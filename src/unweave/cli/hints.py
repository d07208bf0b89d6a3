"""What a user knows of the sounds in a recording, as options: `--alone`, `--silent`, `--score`, `--band` and others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from unweave.cli.options import F, option
from unweave.cli.painted import read_painted
from unweave.errors import InvalidInput
from unweave.guide import Guide
from unweave.notes.formats import read_notes

__all__ = ["assignments", "guide_of", "hint_options"]

_KNOWN = "What is known (each may be said several times)"
_RANGE = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*-\s*(\d+\.?\d*|\.\d+)\s*")


def hint_options(function: F, /) -> F:
    """Declare ``--alone``, ``--silent``, ``--score``, ``--band`` and ``--painted``."""
    for name, metavar, said in (
        (
            "--painted",
            "NAME=FILE",
            "A picture as wide as the recording, black where a sound is silent; or a table.",
        ),
        ("--band", "NAME=LOW-HIGH", "Hz beyond which there is nothing of a sound: bass=30-300."),
        ("--score", "NAME=FILE", "The notes that a sound plays: a MIDI file (or .csv, .json, .txt)."),
        ("--silent", "NAME=FROM-TO,...", "Seconds in which a sound is silent: vocals=10-12,15-16."),
        ("--alone", "NAME=FROM-TO,...", "Seconds in which nothing else sounds: vocals=0-4.5."),
    ):
        function = option(_KNOWN, name, multiple=True, metavar=metavar, help=said)(function)
    return function


def assignments(name: str, values: Sequence[str]) -> dict[str, list[str]]:
    """``NAME=A,B`` said several times, as names with their values; a name said twice gets both."""
    found: dict[str, list[str]] = {}
    for value in values:
        left, equals, right = value.partition("=")
        pieces = [piece.strip() for piece in right.split(",")]
        if not equals or not left.strip() or not all(pieces):
            raise InvalidInput(f"{name} {value!r} is not NAME=VALUE, as in {_EXAMPLES[name]}.")
        found.setdefault(left.strip(), []).extend(pieces)
    return found


_EXAMPLES = {
    "--alone": "--alone vocals=0-4.5",
    "--silent": "--silent vocals=10-12,15-16",
    "--score": "--score bass=line.mid",
    "--band": "--band bass=30-300",
    "--painted": "--painted vocals=painted.png",
    "--like": "--like bark=dog1.wav,dog2.wav",
    "--into": "--into kick=0,4 snare=1",
}


def guide_of(settings: dict[str, Any]) -> Guide:
    """What the options say, taken out of the settings; their words stay there, for the manifest."""
    spans = {
        what: {
            name: [_range(f"--{what}", each) for each in values]
            for name, values in assignments(f"--{what}", settings[what]).items()
        }
        for what in ("alone", "silent", "band")
    }
    bands = spans.pop("band")
    several = [name for name, found in bands.items() if len(found) > 1]
    if several:
        raise InvalidInput(f"--band names {several[0]!r} twice: a sound has one band.")
    scores = {
        name: [note for file in files for note in read_notes(file)]
        for name, files in assignments("--score", settings["score"]).items()
    }
    empty = [name for name, notes in scores.items() if not notes]
    if empty:
        raise InvalidInput(f"--score of {empty[0]!r} holds no notes: say --silent for a sound that is not heard.")
    return Guide(
        **spans,
        score=scores,
        band={name: found[0] for name, found in bands.items()},
        painted={name: read_painted(file, name) for name, file in _one_each("--painted", settings["painted"])},
    )


def _one_each(name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    for sound, files in assignments(name, values).items():
        if len(files) > 1:
            raise InvalidInput(f"{name} names {sound!r} twice: one file for each sound.")
        yield sound, files[0]


def _range(option_name: str, text: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{option_name} {text!r} is no range, as in {_EXAMPLES[option_name]}.")
    return float(found[1]), float(found[2])
