"""`unweave group`: the parts of a decomposition, put together to sounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from unweave import plot
from unweave.audio import Audio
from unweave.cli.filter import file_names
from unweave.cli.hints import assignments
from unweave.cli.options import HeadedCommand, option
from unweave.cli.output import OutputFolder
from unweave.cli.progress import Watch
from unweave.cli.request import Request, output_options
from unweave.cli.sources import Recording, file_digest, load_decomposition
from unweave.cli.split import write_named
from unweave.errors import InvalidInput
from unweave.grouping import CUES, Grouping
from unweave.grouping import group as grouping_of
from unweave.parts import Decomposition
from unweave.sorting import Sorter

__all__ = ["group"]

_EXAMPLES = """\b
Examples:
  unweave decompose loop.wav -k 9
  unweave group loop-unweave --into kick=0,4 snare=1 rest
      kick.wav, snare.wav, and all other parts in rest.wav, in loop-unweave-group/
  unweave group loop-unweave --by timbre,onset -k 3
      three sounds, by the shape of their spectra and by what begins together, and a picture that shows why
  unweave group loop-unweave --by place
      what stands left, in the middle and right, as many as stand apart
"""

_HOW, _PICTURE = "What belongs together (one of these)", "groups.png"


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("folder")
@click.argument("groups", metavar="[NAME=N,N ...]", nargs=-1)
@option(_HOW, "--into", is_flag=True, help="By hand: NAME=N,N ... say which, and a bare NAME takes all that is left.")
@option(
    _HOW,
    "--by",
    metavar="CUE,...",
    help="timbre: the shape of the spectra; pitch; onset: what begins together; place: left and right; or several.",
)
@option(
    _HOW,
    "--with",
    "sorter",
    metavar="FILE",
    help="By names: a sorter (.npz), as unweave learn --sorter makes it.",
)
@option(
    _HOW,
    "-k",
    "--n-groups",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="as many as stand apart",
    help="With --by: how many groups.",
)
@output_options("group")
def group(folder: str, **options: Any) -> None:
    """Put the parts in FOLDER together to sounds, which sum to the recording.

    FOLDER is what `unweave decompose` has written, or a decomposition (.npz, .safetensors). Every part is in one group,
    and the sound of a group is the sum of its parts.
    """
    path = Path(folder)
    file = path / "decomposition.npz" if path.is_dir() else path
    request = Request.of("group", {"input": _shown(path), **options})
    settings = request.settings
    by = _groups(settings)
    if isinstance(by, dict):
        settings["groups"] = {name: None if members is None else list(members) for name, members in by.items()}
    settings.pop("into")
    sorter = None if settings["sorter"] is None else Sorter.load(settings["sorter"])
    if sorter is not None:
        by, settings["sorter"] = sorter, Path(settings["sorter"]).name
    found: list[Grouping] = []

    def make(watch: Watch) -> tuple[Recording, Mapping[str, Audio]]:
        watch.stage("reading")
        parts = load_decomposition(file)
        watch.stage("grouping")
        found.append(_grouped(parts, by, settings["n_groups"]))
        sounds = found[0].sounds()
        names = [f"group-{name}" if settings["by"] else name for name in sounds]
        recording = Recording(parts.audio, Path(request.input).name, file_digest(file))
        return recording, dict(zip(file_names(names), sounds.values(), strict=True))

    def picture(target: Path) -> None:
        if settings["by"]:
            plot.save_figure(plot.groups(found[0]), target / _PICTURE)

    OutputFolder(request.folder().shown, overwrite=request.overwrite, inputs=[file]).check([_PICTURE])
    write_named(request, make, picture)


def _shown(path: Path) -> str:
    """The name that the new folder's begins with."""
    return path.name if path.is_dir() and path.name else path.resolve().name if path.is_dir() else str(path)


def _groups(settings: dict[str, Any]) -> Any:
    """Cues, or the numbers of the parts by the names of their groups."""
    said, by = settings["groups"], settings["by"]
    if sum(map(bool, (settings["into"], by, settings["sorter"]))) != 1:
        raise click.UsageError(
            "say one of --into with groups, as in --into kick=0,4 snare=1, --by with a cue, or --with a sorter."
        )
    if said and not settings["into"]:
        raise click.UsageError(f"{said[0]!r} is for --into: {'--by' if by else '--with'} finds the groups itself.")
    if settings["n_groups"] is not None and not by:
        raise click.UsageError("-k is for --by: nothing else leaves open how many groups there are.")
    if by:
        cues = tuple(cue.strip() for cue in by.split(","))
        unknown = [cue for cue in cues if cue not in CUES]
        if unknown:
            raise click.UsageError(f"--by {by}: {unknown[0]!r} is not one of {', '.join(CUES)}.")
        return cues
    if not settings["into"]:
        return None
    if not said:
        raise click.UsageError("--into needs groups, as in --into kick=0,4 snare=1.")
    named = assignments("--into", [each for each in said if "=" in each])
    groups: dict[str, list[int] | None] = {
        name: [_number(name, each) for each in members] for name, members in named.items()
    }
    bare = [each for each in said if "=" not in each]
    if len(bare) > 1 or any(name in groups for name in bare):
        raise InvalidInput(f"{', '.join(bare)}: one bare name can take what is left, and only once.")
    return groups | dict.fromkeys(bare)


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise InvalidInput(f"--into {name}={text}: {text!r} is not the number of a part.")
    return int(text)


def _grouped(parts: Decomposition, by: Any, n_groups: int | None) -> Grouping:
    if isinstance(by, Sorter):
        return by.sort(parts)
    if isinstance(by, tuple):
        return grouping_of(parts, by, n_groups)
    named = {name: members for name, members in by.items() if members is not None}
    taken = {k for members in named.values() for k in members}
    left = [k for k in range(parts.n_components) if k not in taken]
    return grouping_of(parts, named | {name: left for name, members in by.items() if members is None})
