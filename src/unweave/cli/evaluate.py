"""`unweave evaluate`: how near stems are to the true ones."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from unweave.cli.options import TALK, HeadedCommand, option, threads_option
from unweave.cli.progress import working
from unweave.cli.talk import say, warn
from unweave.corpus import find_sounds
from unweave.errors import InvalidInput, ReadError
from unweave.evaluation import MATCHES, StemScore, score_stems

__all__ = ["evaluate"]

_EXAMPLES = """\b
Examples:
  unweave evaluate --reference song/true --estimate song-stems
      each stem against the true one of its name
  unweave evaluate --reference true --estimate loop-unweave --match best
      parts without names, under the assignment that suits best
  unweave evaluate --reference true --estimate song-stems --csv > scores.csv
      for spreadsheets
  unweave evaluate --reference true --estimate hour-stems --no-bss
      SI-SDR alone: an hour in less than a minute
"""

_WHAT, _SCORES = "What is compared", "Scores"
_MIXTURES = ("mix", "mixture", "recording")
_COLUMNS = ("si_sdr", "sdr", "sir", "sar")


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@option(_WHAT, "--reference", required=True, metavar="DIR", help="The folder of the true stems.")
@option(_WHAT, "--estimate", required=True, metavar="DIR", help="The folder of the stems to be scored.")
@option(
    _WHAT,
    "--match",
    type=click.Choice(list(MATCHES)),
    default="name",
    help="By the names of the files, or the assignment with the greatest mean SI-SDR.",
)
@option(_SCORES, "--bss/--no-bss", default=True, help="Also SDR, SIR and SAR (BSS Eval, 512 taps), which take longer.")
@option(TALK, "--json", "as_json", is_flag=True, help="Print the scores for programs.")
@option(TALK, "--csv", "as_csv", is_flag=True, help="Print the scores as comma-separated values.")
@option(TALK, "--quiet", is_flag=True, help="Say nothing but errors and scores.")
@threads_option()
def evaluate(
    reference: str,
    estimate: str,
    *,
    match: Any,
    bss: bool,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
    threads: int | None,
) -> None:
    """Say how near the stems in one folder are to the true ones in another, in dB.

    Stems are sound files of any format, known by their names without the extension. Files that are called mix, mixture
    or recording are left out.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: say one of them.")
    true, found = _stems(reference), _stems(estimate)
    if match == "name":
        true = _paired(true, found, reference, estimate, quiet=quiet)
    with working(threads, quiet=quiet or ((as_json or as_csv) and not sys.stdout.isatty())) as watch:
        watch.stage("comparing")
        scores = score_stems(true, found, match=match, bss=bss)
    say(_json(scores, match) if as_json else _csv(scores) if as_csv else _table(scores, bss=bss))


def _stems(name: str) -> dict[str, Path]:
    """The sounds in a folder, by their names without the extension."""
    folder = Path(name)
    if not folder.is_dir():
        raise ReadError(f"{name} is not a folder: --reference and --estimate name folders of stems.")
    found: dict[str, Path] = {}
    for path in (each.path for each in find_sounds(folder) if not each.reason):
        if path.parent.resolve() != folder.resolve() or path.stem.casefold() in _MIXTURES:
            continue
        if path.stem in found:
            raise InvalidInput(f"{found[path.stem]} and {path} have one name: which of them is meant?")
        found[path.stem] = path
    if not found:
        raise ReadError(f"{name} holds no stems: no sound files but a mixture.")
    return found


def _paired(
    true: Mapping[str, Path], found: Mapping[str, Path], reference: str, estimate: str, *, quiet: bool
) -> dict[str, Path]:
    """The true stems that have an estimate."""
    both = {name: path for name, path in true.items() if name in found}
    if not both:
        raise InvalidInput(
            f"no stem of {reference} ({', '.join(true)}) has its name in {estimate} ({', '.join(found)}): say --match "
            "best, or name the files alike."
        )
    left = [name for name in true if name not in found]
    if left and not quiet:
        warn(f"{', '.join(left)} of {reference} {'has' if len(left) == 1 else 'have'} no estimate: left out.")
    return both


def _mean(scores: Sequence[StemScore], column: str) -> float | None:
    values = [getattr(score, column) for score in scores]
    return None if any(value is None for value in values) else sum(values) / len(values)


def _json(scores: Sequence[StemScore], match: str) -> str:
    mean = {column: _mean(scores, column) for column in _COLUMNS}
    return json.dumps({"match": match, "stems": [asdict(score) for score in scores], "mean": mean}, indent=2)


def _csv(scores: Sequence[StemScore]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["stem", "estimate", *_COLUMNS])
    for score in scores:
        values = [getattr(score, column) for column in _COLUMNS]
        rows.writerow([score.name, score.estimate, *("" if value is None else f"{value:.4f}" for value in values)])
    return text.getvalue().rstrip("\n")


def _table(scores: Sequence[StemScore], *, bss: bool) -> str:
    columns = _COLUMNS if bss else _COLUMNS[:1]
    rows = [(score.name, score.estimate, *(getattr(score, column) for column in columns)) for score in scores]
    rows.append(("mean", "", *(_mean(scores, column) for column in columns)))
    heads = ("stem", "estimate", *(column.upper().replace("_", "-") for column in columns))
    wide = [max(len(str(row[place])) for row in [heads, *rows]) for place in (0, 1)]
    lines = [f"{heads[0]:{wide[0]}}  {heads[1]:{wide[1]}}" + "".join(f"  {head:>7}" for head in heads[2:])]
    lines += [f"{row[0]:{wide[0]}}  {row[1]:{wide[1]}}" + "".join(f"  {x:7.2f}" for x in row[2:]) for row in rows]
    return "\n".join(lines)
