"""`unweave filter`: a recording split into the sounds that a dictionary knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from unweave.audio import Audio
from unweave.cli.known import KNOWN, bases_name, known_options, read_known
from unweave.cli.options import HeadedCommand, option
from unweave.cli.request import Request, output_options, own, recording_options
from unweave.cli.split import split
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, WriteError
from unweave.streaming import NMFFilter, filter_by, filtered

__all__ = ["filter"]

_EXAMPLES = """\b
Examples:
  unweave learn kick.wav snare.wav hihat.wav -k 3 -o kit.npz
  unweave filter loop.wav --bases kit.npz
      kick.wav, snare.wav and hihat.wav in loop-filter/, which sum to the loop
  unweave filter song.flac --bases kit.npz -o drums --iterations 50 --power 2
      more patient, and a harder separation
  unweave filter loop.wav --bases kit.npz --learn snare --forgetting 0.8
      the snare of this loop is another one: let its bases follow it
"""

_SOUND = "Sound of the parts"
_LONGEST = 200  # bytes; a name ends at 255


@click.command("filter", cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@known_options(filter_by)
@option(
    KNOWN,
    "--learn",
    "learn",
    multiple=True,
    metavar="LABEL",
    help="Let the bases of this label follow the recording; may be said several times.",
)
@own(
    filter_by,
    KNOWN,
    "--forgetting",
    type=float,
    metavar="SHARE",
    help="What bases that learn keep of themselves over 64 loud frames.",
)
@own(
    filter_by,
    _SOUND,
    "--power",
    type=float,
    metavar="NUMBER",
    help="Exponent of the masks; more separates harder and rougher.",
)
@output_options("filter")
def filter(**options: Any) -> None:  # noqa: A001 - the command's name
    """Split the recording INPUT into the sounds that a dictionary knows.

    Nothing is learned from the recording, unless --learn says so: the sounds are those in --bases, one file for each
    label, and they sum to the recording. It is what NMFFilter does to a stream.
    """
    request = Request.of("filter", options)
    settings = request.settings
    path = settings["bases"]
    with request.told():
        bases, stft = read_known(settings)
        settings["bases"] = bases_name(path)
        choices = {name: settings[name] for name in ("n_iter", "power", "warm_start", "forgetting")}
        learns = _learned(settings["learn"], bases)
        first = NMFFilter(bases, stft=stft, learn_bases=learns, **choices)
        settings |= {"learn": list(settings["learn"]), "stft": first.bases.stft.settings()}
    _refuse_folder(request, path)

    def make(audio: Audio) -> Any:
        splitter = NMFFilter(bases, stft=stft, sample_rate=audio.sample_rate, learn_bases=learns, **choices)
        splitter.bases.fit_channels(audio.n_channels)  # refuses before anything is written
        return filtered(audio, splitter)

    split(request, file_names(first.labels), make)


def _learned(labels: Sequence[str], bases: Any) -> bool | list[bool]:
    """Which components learn."""
    if not labels:
        return False
    known = bases.labels if isinstance(bases, Dictionary) else tuple(str(k) for k in range(bases.shape[-1]))
    for label in labels:
        if label not in known:
            raise InvalidInput(f"--learn {label!r} is not among {', '.join(dict.fromkeys(known))}.")
    return [label in labels for label in known]


def file_names(labels: Sequence[str]) -> list[str]:
    """What the files of the sounds are called, without their extension."""
    names: list[str] = []
    for label in labels:
        name = "".join(char if char.isprintable() and char not in "/\\" else "_" for char in label).strip()
        name = f"_{name.lstrip('.')}" if not name or name.startswith(".") else name
        same = [other for other, taken in zip(labels, names, strict=False) if taken.casefold() == name.casefold()]
        if same:
            raise InvalidInput(f"the labels {same[0]!r} and {label!r} would make one file: name one of them otherwise.")
        if len(name.encode()) > _LONGEST:
            raise InvalidInput(f"the label {label[:20]!r}… is too long for the name of a file: name it otherwise.")
        names.append(name)
    return names


def _refuse_folder(request: Request, path: str) -> None:
    """Refuse to write where the bases lie: an old run's files would go, and the bases may be one of them."""
    folder = request.folder().shown
    if request.overwrite and Path(path).resolve().is_relative_to(folder.resolve()):
        raise WriteError(f"{path} is read by this command and lies in {folder}: choose another --out.")
