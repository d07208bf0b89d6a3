"""`unweave learn`: a dictionary, or a sorter, from recordings of single sounds."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from unweave.audio import load
from unweave.cli.facts import describe_dictionary, describe_sorter
from unweave.cli.info import told
from unweave.cli.onefile import check_target, file_options
from unweave.cli.options import BetaType, Declared, HeadedCommand, option, talk_options
from unweave.cli.progress import Watch, working
from unweave.cli.request import Request, default_of, stft_options
from unweave.cli.sources import refuse_stdin
from unweave.cli.talk import say
from unweave.corpus import find_sounds
from unweave.dictionary import Dictionary
from unweave.divergence import BETAS
from unweave.errors import InvalidInput, ReadError
from unweave.exemplars import N_EXEMPLARS, pick_examples
from unweave.framing import STFT
from unweave.interchange import EXTENSIONS, require_extension, write_dictionary
from unweave.sorting import train_sorter
from unweave.training import Example, learn_examples, learn_examples_steps

__all__ = ["learn"]

_EXAMPLES = """\b
Examples:
  unweave learn kick.wav snare.wav hihat.wav -o kit.npz
      one base for each, under the names of the files
  unweave learn a.wav b.wav hats/ --labels snare,snare,hihat -k 2 -o kit.npz
      two recordings of the snare, a folder of hi-hats, two bases for each label
  unweave learn kick.wav snare.wav -k 1 -k snare=3 -o kit.npz
      three bases for the snare, one for any other
  unweave learn loops/ --blind -k 8 -o loops.npz
      eight bases for whatever is in a folder of loops, and in the folders below
  unweave learn vocals.wav band.wav --exemplars --n-fft 8192 -o known.npz
      frames of the recordings themselves, for unweave stems --with
  unweave decompose song.wav --bases kit.npz --keep-bases
      these sounds in a song
  unweave learn kicks/ snares/ hats/ --labels kick,snare,hihat --sorter -o drums.npz
      what tells their components apart, for unweave stems --with and unweave group --with
"""

_ALL = "all files"
"""The one label of files that hold any sounds."""

_LEARNING, _EXAMPLES_HEADING = "Learning", "The examples"
_SORTED: int = default_of(train_sorter, "n_components")


def _own(heading: str, *names: str, parameter: str, **settings: Any) -> Declared:
    """An option whose default is that of `unweave.training.learn_examples`."""
    return option(heading, *names, default=default_of(learn_examples, parameter), **settings)


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("examples", metavar="FILE...", nargs=-1, required=True)
@option(
    _EXAMPLES_HEADING,
    "--labels",
    metavar="NAME,NAME,...",
    show_default="the names of the files",
    help="One for each FILE, in order; several may have the same.",
)
@option(
    _EXAMPLES_HEADING,
    "--blind",
    is_flag=True,
    help="The files hold any sounds: learn -k bases over all of them, with numbers for names.",
)
@option(
    _EXAMPLES_HEADING,
    "--sample-rate",
    type=float,
    metavar="HZ",
    show_default="as it is",
    help="Convert all to this rate first.",
)
@option(
    _LEARNING,
    "-k",
    "--components",
    "counts",
    multiple=True,
    metavar="N|NAME=N",
    show_default=str(default_of(learn_examples, "n_bases")),
    help="Bases for every label, or for one; may be said several times. More follow a sound that changes.",
)
@option(
    _LEARNING,
    "--exemplars",
    is_flag=True,
    help=f"Learn nothing: take frames of the recordings as they are, {N_EXEMPLARS} a label unless -k says otherwise.",
)
@option(
    _LEARNING,
    "--sorter",
    is_flag=True,
    help=f"Train a sorter, which names components of other recordings; -k parts of each file, {_SORTED} unless said.",
)
@_own(
    _LEARNING,
    "--beta",
    parameter="beta",
    type=BetaType(BETAS),
    help="The divergence, and the one to decompose with: is (0) learns powers.",
)
@_own(_LEARNING, "--max-iter", parameter="max_iter", type=int, metavar="N", help="Most iterations.")
@_own(_LEARNING, "--tol", parameter="tol", type=float, metavar="SHARE", help="Stop when an iteration gains less.")
@option(_LEARNING, "--seed", type=int, default=0, metavar="N", help="Another seed, another random start.")
@stft_options(STFT())
@file_options("The dictionary: .npz or .safetensors, or only its bases as .npy or .csv. A sorter: .npz.", required=True)
@talk_options()
def learn(
    examples: tuple[str, ...],
    *,
    out: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    threads: int | None,
    **options: Any,
) -> None:
    """Learn a dictionary from recordings of single sounds, to look for them in other recordings.

    FILE is a recording of one sound, or a folder of such recordings. Files with the same label belong together. With
    --blind the recordings may be of anything, and one dictionary is learned over all of them. With --sorter kinds of
    sounds are learned, to give names to the parts of other recordings.
    """
    require_extension(out, [".npz"] if options["sorter"] else EXTENSIONS)
    files = [_files(name) for name in examples]
    check_target(out, overwrite=overwrite, inputs=[each for several in files for each in several])
    blind, labels = options.pop("blind"), options.pop("labels")
    _refuse_together(blind, labels, options["sorter"], options["exemplars"])
    labelled = {_ALL: [each for several in files for each in several]} if blind else _labelled(examples, labels, files)
    request = Request.of("learn", {"input": "", **options})
    with working(threads, quiet=quiet or (as_json and not sys.stdout.isatty())) as watch, request.told():
        if request.settings["sorter"]:
            facts = _write_sorter(out, labelled, request, watch)
        else:
            found = _learned(labelled, request, watch)
            if blind:
                found = Dictionary(found.bases, (), found.stft, found.sample_rate)
            write_dictionary(out, found)
            facts = {"kind": "dictionary", **describe_dictionary(found)}
    if as_json:
        say(json.dumps({name: value for name, value in facts.items() if name != "kind"}, indent=2))
    elif not quiet:
        say("\n".join(told({"file": str(out), **facts})))


def _refuse_together(blind: bool, labels: str | None, sorter: bool, exemplars: bool) -> None:
    if blind and labels is not None:
        raise InvalidInput("--blind learns without names: leave --labels out.")
    if sorter and (blind or exemplars):
        raise InvalidInput(f"--sorter learns names: leave {'--blind' if blind else '--exemplars'} out.")


def _files(name: str) -> list[str]:
    """A file, or the sounds in a folder and in those below it, by their names."""
    refuse_stdin(name)
    path = Path(name)
    if not path.is_dir():
        return [name]
    found = find_sounds(path)
    if not found:
        raise ReadError(f"{name} is a folder without sound files.")
    for each in found:
        if each.reason:
            raise ReadError(f"{each.path}: {each.reason}")
    return [str(each.path) for each in found]


def _labelled(names: Sequence[str], labels: str | None, files: Sequence[list[str]]) -> dict[str, list[str]]:
    """The files of every label, in the order in which they were named."""
    if labels is None:
        given = [Path(name).name if Path(name).is_dir() else Path(name).stem for name in names]
    else:
        given = [label.strip() for label in labels.split(",")]
    if len(given) != len(names):
        raise InvalidInput(f"--labels names {len(given)} labels for {len(names)} files: one for each is needed.")
    if not all(given):
        raise InvalidInput("--labels has an empty name: say a name for each file.")
    found: dict[str, list[str]] = {}
    for label, several in zip(given, files, strict=True):
        found.setdefault(label, []).extend(several)
    return found


def _counts(counts: Sequence[str], labels: Sequence[str], usual: int) -> dict[str, int]:
    """Bases for each label."""
    special: dict[str, int] = {}
    for text in counts:
        found = re.fullmatch(r"(?:(.*)=)?(\d{1,6})", text)
        if found is None:
            raise InvalidInput(f"-k {text} is neither a number of bases nor NAME=NUMBER.")
        if found[1] is None:
            usual = int(found[2])
        elif found[1] not in labels:
            raise InvalidInput(f"-k {text} names {found[1]!r}, which is not among {', '.join(labels)}.")
        else:
            special[found[1]] = int(found[2])
    return {label: special.get(label, usual) for label in labels}


def _transform(settings: dict[str, Any]) -> STFT:
    """The transform that is asked for, taken out of the settings."""
    asked = {name: settings.pop(name) for name in ("n_fft", "hop_length", "win_length", "window")}
    return STFT(**{name: value for name, value in asked.items() if value is not None})


def _write_sorter(out: Path, labelled: dict[str, list[str]], request: Request, watch: Watch) -> dict[str, Any]:
    """Train a sorter and write it; what there is to say of it."""
    settings = {name: value for name, value in request.settings.items() if name not in ("sorter", "exemplars")}
    stft, seed, counts = _transform(settings), settings.pop("seed"), settings.pop("counts")
    if any("=" in text for text in counts):
        raise InvalidInput("-k NAME=N is for a dictionary: every file of a sorter is taken apart into as many parts.")
    n_components = next(iter(_counts(counts, [""], _SORTED).values()))
    watch.stage("reading")
    stems = {
        label: [load(file, sample_rate=request.sample_rate) for file in files] for label, files in labelled.items()
    }
    watch.stage("training")
    sorter = train_sorter(stems, n_components=n_components, stft=stft, rng=seed, **settings)
    sorter.save(out)
    return describe_sorter(sorter)


def _learned(labelled: dict[str, list[str]], request: Request, watch: Watch) -> Dictionary:
    settings = {name: value for name, value in request.settings.items() if name != "sorter"}
    stft = _transform(settings)
    picks = settings.pop("exemplars")
    usual = N_EXEMPLARS if picks else default_of(learn_examples, "n_bases")
    counts = _counts(settings.pop("counts"), list(labelled), usual)
    rate = request.sample_rate
    examples: dict[str, list[Example]] = {
        label: [file if rate is None else load(file, sample_rate=rate) for file in files]
        for label, files in labelled.items()
    }
    if picks:
        watch.stage("picking frames")
        return Dictionary.merge(
            *(pick_examples({name: each}, counts[name], stft=stft) for name, each in examples.items())
        )
    steps = learn_examples_steps(examples, counts, stft=stft, rng=settings.pop("seed"), **settings)
    done = 0
    while True:
        try:
            label = next(steps)
        except StopIteration as end:
            found: Dictionary = end.value
            return found
        watch.stage(f"learning {label}")
        watch.at(done / len(labelled))
        done += 1
