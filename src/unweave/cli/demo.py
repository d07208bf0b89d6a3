"""`unweave demo`: a drum loop whose parts are known, taken apart, with the score of every part."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from unweave import __version__
from unweave.audio import Audio, load, save
from unweave.cli.failure import one_line
from unweave.cli.job import Job
from unweave.cli.options import FolderType, HeadedCommand, option
from unweave.cli.output import MANIFEST, MANIFEST_FORMAT, OutputFolder, is_ours
from unweave.cli.progress import watch_for
from unweave.cli.table import table
from unweave.cli.talk import say
from unweave.cli.work import Outcome, take_apart
from unweave.errors import WriteError
from unweave.evaluation import best_permutation
from unweave.synthesis import drum_loop

__all__ = ["PASS_DB", "demo"]

PASS_DB = 10.0
"""The score that every part must reach, in dB."""

_EXAMPLES = """\b
Examples:
  unweave demo
  unweave demo -o somewhere
"""


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@option(
    "Options",
    "-o",
    "--out",
    type=FolderType(),
    default=Path("unweave-demo"),
    metavar="DIR",
    help="The folder. One of an earlier demo is replaced.",
)
@option("Options", "--quiet", is_flag=True, help="No progress.")
def demo(out: Path, *, quiet: bool) -> int:
    """Make a drum loop, take it apart, and say how well that went.

    The loop is the sum of a kick drum, a snare and a hi-hat. Each part found is compared with the true one (SI-SDR,
    the level of what is right against all that is wrong). The exit code is 1 if one is below 10 dB.
    """
    truth = drum_loop()
    mix = truth.pop("mix")
    _write_loop(out, mix, truth)
    watch = watch_for(quiet)
    try:
        outcome = take_apart(
            Job(input=str(out / "loop.wav"), n_components=len(truth), out=out / "loop-unweave", overwrite=True), watch
        )
    finally:
        watch.close()
    scores = _scores(outcome, truth)
    say(_told(outcome, scores))
    return 0 if min(score for _, _, score in scores) >= PASS_DB else 1


def _write_loop(out: Path, mix: Audio, truth: dict[str, Audio]) -> None:
    """Write the loop and its true parts, with a manifest by which the next demo knows them as its own."""
    if not is_ours(out):
        raise WriteError(f"{out} holds something that no demo has written: choose another --out.")
    folder = OutputFolder(out, overwrite=True)
    folder.check()
    with folder:
        (folder.path / "true-parts").mkdir()
        sounds = {"loop.wav": mix} | {f"true-parts/{name}.wav": audio for name, audio in truth.items()}
        for name, audio in sounds.items():
            save(folder.path / name, audio)
        files = [
            {"file": name, "sha256": hashlib.sha256((folder.path / name).read_bytes()).hexdigest()} for name in sounds
        ]
        manifest = {"format": MANIFEST_FORMAT, "unweave": __version__, "files": files}
        (folder.path / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        folder.commit()


def _scores(outcome: Outcome, truth: dict[str, Audio]) -> list[tuple[str, str, float]]:
    """Name of every true part, file of the part that stands for it, and its SI-SDR in dB."""
    rows: list[dict[str, Any]] = outcome.manifest["components"]
    found = [load(outcome.folder / row["file"]) for row in rows]
    order, scores = best_permutation(list(truth.values()), found)
    return [(name, rows[k]["file"], float(score)) for name, k, score in zip(truth, order, scores, strict=True)]


def _told(outcome: Outcome, scores: list[tuple[str, str, float]]) -> str:
    folder = one_line(str(outcome.folder))
    name, file, _ = scores[0]
    true = one_line(str(outcome.folder.parent / "true-parts" / f"{name}.wav"))
    marks = [f"  {name:6} {file}  {score:5.1f} dB" for name, file, score in scores]
    lines = [
        table(outcome.manifest),
        "",
        f"SI-SDR against the true parts ({PASS_DB:g} dB or more is a pass):",
        *marks,
        "",
        f"Look:   open {folder}/index.html - play, solo and mute the parts; they stay in step.",
        f"Listen: {folder}/{file} is the {name} found, {true} is the true one.",
        "Next:   unweave decompose YOUR-RECORDING -k 3",
    ]
    return "\n".join(lines)
