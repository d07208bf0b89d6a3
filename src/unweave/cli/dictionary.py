"""`unweave dictionary`: dictionaries joined, named, put in order, and written for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from unweave.cli.facts import describe_dictionary
from unweave.cli.info import told
from unweave.cli.onefile import check_target, file_options
from unweave.cli.options import HeadedCommand, option
from unweave.cli.sources import load_dictionary
from unweave.cli.talk import say
from unweave.dictionary import LEVELS, Dictionary
from unweave.errors import InvalidInput
from unweave.interchange import read_dictionary, require_extension, write_dictionary

__all__ = ["dictionary"]

_EXAMPLES = """\b
Examples:
  unweave dictionary drums.npz bass.npz -o band.npz
      all bases of both in one file
  unweave dictionary loop-unweave/bases.npz --relabel 0=kick --relabel 1=snare --relabel 2=hihat -o kit.npz
      names for what was found
  unweave dictionary ten.npz --join 0,1,2,4,5,6,7,8,9=rest --order 3 -o pick.npz
      one base against the sum of the others
  unweave dictionary kit.npz -o kit.csv
      the bases as a table
  unweave dictionary kit.npz -o kit.safetensors
      everything, for programs of machine learning

What is asked for is done in this order: files together, select, drop, relabel, join, order, normalise.
"""

_WHICH, _SHAPE = "Which bases", "Names, order, levels"
_BASES = "NAME,NUMBER,..."


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@option(_WHICH, "--select", metavar=_BASES, help="These only, in this order.")
@option(_WHICH, "--drop", metavar=_BASES, help="All but these.")
@option(_SHAPE, "--relabel", metavar="OLD=NEW", multiple=True, help="Another name; may be said several times.")
@option(
    _SHAPE,
    "--join",
    metavar=f"{_BASES}=NEW",
    multiple=True,
    help="Sum these into one, with a new name; may be said several times.",
)
@option(_SHAPE, "--order", metavar=f"{_BASES}|centroid", help="These first; or all of them low to high.")
@option(_SHAPE, "--normalize", type=click.Choice(list(LEVELS)), help="Give each a length, sum or greatest entry of 1.")
@option(
    "Matrices",
    "--sample-rate",
    type=float,
    metavar="HZ",
    help="For FILE in .npy or .csv, which does not say its rate.",
)
@file_options("The dictionary: .npz or .safetensors, or only its bases as .npy or .csv.", required=True)
@option("Talk", "--json", "as_json", is_flag=True, help="Print the result for programs.")
@option("Talk", "--quiet", is_flag=True, help="Say nothing but errors (and --json).")
def dictionary(
    files: tuple[str, ...],
    *,
    select: str | None,
    drop: str | None,
    relabel: tuple[str, ...],
    join: tuple[str, ...],
    order: str | None,
    normalize: str | None,
    sample_rate: float | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Join dictionaries, name their bases, put them in order, or write them for other programs.

    FILE is a dictionary, a decomposition or seeds (.npz, .safetensors), or a matrix of bases (.npy, .csv). A base is
    meant by its label, which stands for all that have it, or by its number, counted from 0.
    """
    require_extension(out)
    check_target(out, overwrite=overwrite, inputs=files)
    if sample_rate is not None and not any(map(_is_matrix, files)):
        raise InvalidInput("--sample-rate is for .npy and .csv: the other files know their rate.")
    found = Dictionary.merge(*(_read(name, sample_rate) for name in files))
    found = found if select is None else found.select(_which(found, select))
    found = found if drop is None else found.drop(_which(found, drop))
    for text in relabel:
        found = _relabelled(found, text)
    for text in join:
        which, name = _halves("--join", text)
        found = found.join(_which(found, which), name)
    if order is not None:
        found = found.reorder("centroid" if order == "centroid" else _which(found, order))
    found = found if normalize is None else found.normalize(next(each for each in LEVELS if each == normalize))
    write_dictionary(out, found)
    facts = describe_dictionary(found)
    if as_json:
        say(json.dumps(facts, indent=2))
    elif not quiet:
        say("\n".join(told({"file": str(out), "kind": "dictionary", **facts})))


def _read(name: str, sample_rate: float | None) -> Dictionary:
    if _is_matrix(name):
        if sample_rate is None:
            raise InvalidInput(f"{name} does not say its rate: say --sample-rate.")
        return read_dictionary(name, sample_rate=sample_rate)
    return load_dictionary(name)


def _is_matrix(name: str) -> bool:
    return Path(name).suffix.lower() in (".npy", ".csv")


def _relabelled(found: Dictionary, text: str) -> Dictionary:
    old, new = _halves("--relabel", text)
    chosen = set(found.numbers(_which(found, old)))
    return found.relabel([new if k in chosen else label for k, label in enumerate(found.labels)])


def _halves(name: str, text: str) -> tuple[str, str]:
    old, sign, new = text.rpartition("=")
    if not (sign and old and new):
        raise InvalidInput(f"{name} {text} is not of the form OLD=NEW.")
    return old, new


def _which(found: Dictionary, text: str) -> Sequence[str | int]:
    """Labels, or numbers where there is no such label."""
    names = [name.strip() for name in text.split(",")]
    return [int(name) if name not in found.labels and name.isdecimal() else name for name in names]
