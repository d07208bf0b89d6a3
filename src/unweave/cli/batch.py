"""`unweave batch`: a command for every sound of a folder.

The command is checked once, before anything runs, by calling it for a recording that is not there: all of these
commands refuse what they can refuse before they read, so the recording is the last thing that is wrong with it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from unweave.cli.failure import exit_code, is_expected, one_line, sentence
from unweave.cli.interrupts import Interrupted
from unweave.cli.options import FolderType, HeadedCommand, option
from unweave.cli.progress import Line, Watch, watch_for
from unweave.cli.sources import file_digest
from unweave.cli.talk import say, warn
from unweave.corpus import Processes, Progress, Report, find_sounds, process
from unweave.errors import InvalidInput, ReadError, UnweaveError
from unweave.threads import n_threads
from unweave.words import counted

__all__ = ["batch"]

_EXAMPLES = """\b
Examples:
  unweave batch loops/ -o parts decompose -k 3
      loops/funk/a.wav in parts/funk/a, and so on; parts/summary.csv tells all
  unweave batch loops/ -o notes --jobs 4 transcribe --as drums
      four files at a time
  unweave batch loops/ -o parts decompose -k 3
      the same once more goes on where it was stopped, or does what is new

\b
Exit codes: 0 all done, 3 some files failed, 1 and 2 nothing was done, 130 Ctrl-C.
"""

_COMMANDS = ("decompose", "filter", "hpss", "sines", "stems", "transients", "transcribe")
"""Those that make a folder of one recording."""

_OURS = {
    "out": "--out",
    "overwrite": "--overwrite",
    "as_json": "--json",
    "quiet": "--quiet",
    "threads": "--threads",
}
"""Parameters that batch settles itself."""

_SOME_FAILED = 3
_GIGABYTE = 10**9
_MOST_MEMORY = 10**6
_SHOWN = 20
_NOWHERE = "no-such-recording.wav"
_FILES, _WORK, _TALK = "Output folder", "Work", "Talk"


class _BatchCommand(HeadedCommand):
    """A command whose own options end where the other command begins: at the second word that is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what is ours; keep the rest as it is."""
        valued = {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for name in parameter.opts
        }
        words, place = 0, 0
        while place < len(args) and words < 2:
            if args[place] in valued:
                place += 1  # and its value
            elif not args[place].startswith("-"):
                words += 1
            place += 1
        if words == 2 and not {"-o", "--out"} & set(args[:place]) and {"-o", "--out"} & set(args[place:]):
            raise click.UsageError("-o stands before the command, as in: unweave batch FOLDER -o DIR COMMAND.", ctx)
        if words == 2:
            args = [*args[: place - 1], "--", *args[place - 1 :]]
        return super().parse_args(ctx, args)


@click.command(cls=_BatchCommand, epilog=_EXAMPLES, options_metavar="-o DIR [OPTIONS]")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.argument("words", metavar="COMMAND [ARGS]...", nargs=-1, required=True, type=click.UNPROCESSED)
@option(
    _FILES,
    "-o",
    "--out",
    type=FolderType(),
    metavar="DIR",
    required=True,
    help="Where the results go; an earlier run is gone on with.",
)
@option(
    _WORK,
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="all processors",
    help="Files at a time, each in a process of its own. The results are the same.",
)
@option(
    _WORK,
    "--memory",
    type=click.FloatRange(min=0.1),
    metavar="GB",
    show_default="a share of all",
    help="Memory that one file may take, on Linux; one that needs more fails.",
)
@option(_TALK, "--json", "as_json", is_flag=True, help="Print the manifest instead of a summary.")
@option(_TALK, "--quiet", is_flag=True, help="Say nothing but errors (and --json).")
def batch(
    folder: Path,
    words: tuple[str, ...],
    *,
    out: Path,
    jobs: int | None,
    memory: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Do COMMAND for every sound in FOLDER and the folders below it.

    COMMAND is decompose, filter, hpss, sines, stems, transients or transcribe,
    with its options, but without INPUT and --out.
    Each result is a folder in DIR, as the sound is in FOLDER. Run it again, and what is done stays: only files that
    are new, have changed or have failed are worked on; with other options, all of them.
    """
    inner = _Inner(words[0], words[1:])
    settings = inner.settings(folder)
    inner.check(folder, out)
    piped = as_json and not sys.stdout.isatty()
    telling = _Telling(watch_for(quiet or piped))
    try:
        report = process(
            folder, out, inner, settings=settings, executor=_processes(folder, out, jobs, memory), tell=telling
        )
    except (KeyboardInterrupt, Interrupted) as error:
        telling.close()
        warn(f"stopped; {telling.done()}: the same command goes on from there.")
        raise click.exceptions.Exit(exit_code(error)) from None
    finally:
        telling.close()
    if as_json:
        say(json.dumps(report.manifest, indent=2))
    _tell_failed(report, out)
    if not (as_json or quiet):
        say(_summary(report, out))
    if report.failed:
        raise click.exceptions.Exit(_SOME_FAILED)


def _processes(folder: Path, out: Path, jobs: int | None, memory: float | None) -> Processes:
    """As many processes as there is work for: one file alone has all processors."""
    if memory is not None and not memory <= _MOST_MEMORY:
        raise InvalidInput(f"--memory={memory:g} is not a number of gigabytes, such as 4.")
    n_files = len(find_sounds(folder, leave_out=out)) if folder.is_dir() else 1
    return Processes(
        min(jobs or n_threads(), max(1, n_files)), memory=None if memory is None else round(memory * _GIGABYTE)
    )


@dataclass(frozen=True, slots=True)
class _Inner:
    """The command that is done for every file: its name and its options. It is sent to other processes."""

    name: str
    arguments: tuple[str, ...]

    def __call__(self, source: Path, target: Path) -> dict[str, Any]:
        """Do it, and say how long the sound is. Errors have the words of the command line."""
        try:
            self._call(source, target)
        except Exception as error:
            if not is_expected(error):
                raise UnweaveError(f"an error that should not happen, {type(error).__name__}: {error}") from error
            raise UnweaveError(sentence(error)) from None
        manifest = json.loads((target / "manifest.json").read_text("utf-8"))
        return {"duration": manifest["audio"]["duration"]}

    def _call(self, source: Path, target: Path) -> None:
        command = self._command()
        given = [*self.arguments, "--out", f"{target}/", "--quiet", "--", str(source)]
        with command.make_context(f"unweave {self.name}", given) as context:
            command.invoke(context)

    def _command(self) -> click.Command:
        if self.name not in _COMMANDS:
            raise click.UsageError(f"{self.name} is none of the commands that batch can do: {', '.join(_COMMANDS)}.")
        command: click.Command = getattr(import_module(f"unweave.cli.{self.name}"), self.name)
        return command

    def settings(self, folder: Path) -> dict[str, Any]:
        """Every option as it will be used; a file that one names counts by what is in it."""
        command = self._command()
        try:
            context = command.make_context(f"unweave {self.name}", [*self.arguments, "--", str(folder / _NOWHERE)])
        except click.UsageError as error:
            if _NOWHERE in error.format_message():  # one argument too many, and ours came last
                raise click.UsageError(
                    f"{self.name} takes no INPUT here: what it works on are the sounds in {folder}."
                ) from None
            raise
        for name, shown in _OURS.items():
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"{shown} cannot be said to {self.name} here: batch settles it.")
        files = {each.name for each in command.params if each.metavar == "FILE"}
        given = {name: value for name, value in context.params.items() if name not in {*_OURS, *_INPUTS}}
        return {"command": self.name} | {
            name: _named_file(value) if name in files else value for name, value in sorted(given.items())
        }

    def check(self, folder: Path, out: Path) -> None:
        """Refuse options that are wrong for any recording."""
        try:
            self._call(folder / _NOWHERE, out / ".unweave-none")
        except ReadError as error:
            if _NOWHERE not in str(error):
                raise


_INPUTS = ("input", "recording")


def _named_file(value: str | None) -> dict[str, str] | None:
    if value is None:
        return None
    path = Path(value)
    try:
        return {"name": one_line(path.name), "sha256": file_digest(path)}
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from None


class _Telling:
    """Tells a person how far the run is."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        if self._last is None:
            self._watch.stage(counted(progress.n_files, "file"))
        self._last = progress
        if isinstance(self._watch, Line):
            self._watch.rename(self.done())
        self._watch.at(progress.share)

    def done(self) -> str:
        """How far it is, in words."""
        if self._last is None:
            return "nothing has changed"
        failed = f", {self._last.n_failed} failed" if self._last.n_failed else ""
        return f"{_share(self._last.n_done, self._last.n_files)}{failed}"

    def close(self) -> None:
        """Remove the line."""
        self._watch.close()


def _tell_failed(report: Report, out: Path) -> None:
    """Name the files that failed, the first of them at least."""
    for entry in report.failed[:_SHOWN]:
        warn(one_line(f"{entry.file} failed: {entry.reason}"))
    if len(report.failed) > _SHOWN:
        warn(f"and {len(report.failed) - _SHOWN} more: {one_line(str(out / 'summary.csv'))} names them.")


def _summary(report: Report, out: Path) -> str:
    kept = f" ({report.n_kept} {'was' if report.n_kept == 1 else 'were'} done before)" if report.n_kept else ""
    failed = f", {len(report.failed)} failed" if report.failed else ""
    where = one_line(str(out / "summary.csv"))
    return f"{_share(report.n_done, len(report.entries))}{kept}{failed}. {where} tells of each."


def _share(n_done: int, n_files: int) -> str:
    return f"{n_done} of {counted(n_files, 'file')} {'is' if n_files == 1 else 'are'} done"
