"""From a folder of sounds to a folder of results.

Every result is made out of sight, in ``OUT/.unweave-batch``, and put into its place by one rename; what an older run
has put there goes out of sight first. So at any moment there is either a whole result or none, and the log knows which
of them are up to date. What a killed run has left out of sight is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from unweave import __version__
from unweave.corpus.executor import Executor, Pending, Serial
from unweave.corpus.folder import Found, find_sounds, places
from unweave.corpus.log import LOG, Log
from unweave.corpus.summary import MANIFEST, SUMMARY, Entry, Report, write_report
from unweave.corpus.task import Made, Task, Work, carry_out, file_digest, files_below
from unweave.errors import ReadError, WriteError

__all__ = ["Progress", "process"]

_HIDDEN = ".unweave-"
_STAGING = f"{_HIDDEN}batch"
_START_UP = 1 << 16
"""Bytes of sound that take about as long as beginning with a file does."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: files done (those done before among them) and failed, of all; and the share of the work."""

    n_done: int
    n_failed: int
    n_files: int
    share: float


def process(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    work: Work,
    *,
    settings: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Do the same work for every sound of a folder.

    Parameters
    ----------
    folder : path
        Its sounds, and those of the folders below it, are worked on.
    out : path
        Where the results go. It is new or empty, or an earlier run has written it: then what is done is kept.
    work : callable
        ``work(source, target)`` makes the folder ``target`` from the sound file ``source``, whole, and the same bytes
        whenever it is called; it raises where it cannot. With `Processes` it must be possible to pickle it.
    settings : mapping, optional
        Whatever the work depends on besides the sound, as JSON knows it. Other settings, and everything is done again.
    executor : Executor, optional
        Runs the work, and is shut down at the end. Default: `Serial`.
    tell : callable
        Is told how far the work is.

    Returns
    -------
    Report
        With an entry for each file, by name.

    Raises
    ------
    ReadError
        There is no such folder, or no sound in it.
    WriteError
        ``out`` holds somebody else's files, or cannot be written, or another run is writing it.

    Notes
    -----
    Whatever else is raised, an interrupt for instance, finds everything that is finished in its place.
    """
    source, target = Path(folder), Path(out)
    executor = Serial() if executor is None else executor
    try:
        return _run(source, target, work, settings=dict(settings or {}), executor=executor, tell=tell)
    finally:
        executor.shutdown(wait=False)


def _run(
    source: Path,
    target: Path,
    work: Work,
    *,
    settings: dict[str, Any],
    executor: Executor,
    tell: Callable[[Progress], None],
) -> Report:
    if not source.is_dir():
        raise ReadError(f"{source} is not a folder: name the folder that holds the sounds.")
    if os.path.realpath(source) == os.path.realpath(target):
        raise WriteError(f"{target} is the folder of the sounds itself: choose another --out.")
    found = find_sounds(source, leave_out=target)
    if not found:
        raise ReadError(f"{source} is a folder without sound files.")
    with Log(target) as log:
        _clear(target)
        run = _Run(target, log, work, settings=settings, found=found, tell=tell)
        n_kept = run.keep()
        try:
            run.finish(executor)
        finally:
            run.say()
            executor.shutdown(wait=False)  # nobody may still write where we clear up
            _clear(target)
        entries = [run.entries[each.file] for each in found]
        return Report(tuple(entries), n_kept, write_report(target, entries, settings, __version__))


def _clear(target: Path) -> None:
    """Remove what a killed run has left."""
    for path in target.glob(f"{_HIDDEN}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


class _Run:
    """A run over the files of a folder."""

    def __init__(
        self,
        target: Path,
        log: Log,
        work: Work,
        *,
        settings: Mapping[str, Any],
        found: Sequence[Found],
        tell: Callable[[Progress], None],
    ) -> None:
        self._target, self._log, self._work, self._found, self._tell = target, log, work, found, tell
        self._settings = _digest({"settings": settings, "unweave": __version__})
        before = {file: line["folder"] for file, line in log.last.items() if line.get("folder")}
        self._places = places([each.file for each in found], before, (LOG, MANIFEST, SUMMARY))
        self._left = self._total = 0
        self.entries: dict[str, Entry] = {}

    # What is done already.

    def keep(self) -> int:
        """Take over what the log says is done, as far as it is true; return how many files these are."""
        for each in self._found:
            if each.reason:
                self._fail(each, Made(None, 0.0, reason=each.reason))
            elif self._is_done(each):
                self._enter(each, self._log.last[each.file])
        self._left = self._total = sum(_weight(each) for each in self._found if each.file not in self.entries)
        return sum(entry.state == "done" for entry in self.entries.values())

    def _is_done(self, each: Found) -> bool:
        line = self._log.last.get(each.file, {})
        place = self._places[each.file]
        if (line.get("state"), line.get("settings"), line.get("folder")) != ("done", self._settings, place):
            return False
        try:
            there = files_below(self._target / place) == line["files"]
            return bool(there and file_digest(each.path) == line["sha256"])
        except OSError:
            return False

    # What is to be done.

    def finish(self, executor: Executor) -> None:
        """Do what is left, and put each result into its place as it comes."""
        handed_out: list[Pending] = []
        self.say()
        try:
            self._hand_out(executor, handed_out)
        except BaseException:
            for pending in handed_out:
                pending.cancel()
            raise

    def _hand_out(self, executor: Executor, handed_out: list[Pending]) -> None:
        come: SimpleQueue[tuple[Found, Path, Pending]] = SimpleQueue()
        waiting = 0
        for number, each in enumerate(self._found):
            if each.file in self.entries:
                continue
            staged = self._target / _STAGING / str(number) / "result"

            def arrive(done: Pending, each: Found = each, staged: Path = staged) -> None:
                come.put((each, staged, done))

            handed_out.append(executor.submit(carry_out, Task(self._work, each.path, staged)))
            handed_out[-1].add_done_callback(arrive)
            waiting += 1
            while not come.empty():
                self._take(*come.get())
                waiting -= 1
        while waiting:
            try:
                arrived = come.get(timeout=1)  # a wait without end cannot be interrupted on every system
            except Empty:
                continue
            self._take(*arrived)
            waiting -= 1

    def _take(self, each: Found, staged: Path, pending: Pending) -> None:
        """Take a result in, or say why there is none."""
        try:
            made: Made = pending.result()
        except Exception as error:  # noqa: BLE001 - a process has died, or a cluster has lost the file
            made = Made(None, 0.0, reason=str(error) or type(error).__name__)
        if not made.reason:
            try:
                self._place(each, staged, made)
            except OSError as error:
                made = Made(made.sha256, made.seconds, reason=_told(error))
        if made.reason:
            self._withdraw(each, staged)
            self._fail(each, made, staged)
        shutil.rmtree(staged.parent, ignore_errors=True)
        self._left -= _weight(each)
        self.say()

    def _place(self, each: Found, staged: Path, made: Made) -> None:
        place = self._places[each.file]
        self._set_aside(place, staged)
        (self._target / place).parent.mkdir(parents=True, exist_ok=True)
        self._log.write(file=each.file, state="placing", folder=place, files=made.files)
        staged.rename(self._target / place)
        self._log.write(
            file=each.file,
            state="done",
            folder=place,
            files=made.files,
            sha256=made.sha256,
            settings=self._settings,
            duration=made.duration,
            seconds=round(made.seconds, 3),
        )
        self._enter(each, self._log.last[each.file])

    def _set_aside(self, place: str, staged: Path) -> None:
        """Move what an older run has put into a place out of sight; refuse if there is anything else."""
        path = self._target / place
        if not os.path.lexists(path):
            return
        if path.is_symlink() or not path.is_dir():
            raise WriteError(f"{path} is in the way: move it away.")
        foreign = [name for name in files_below(path) if name not in self._log.ours[place]]
        if foreign:
            raise WriteError(f"{path} holds {foreign[0]}, which this command has not written: move it away.")
        staged.parent.mkdir(parents=True, exist_ok=True)
        path.rename(staged.with_name("old"))

    def _withdraw(self, each: Found, staged: Path) -> None:
        """Remove the result of an earlier run: it is none of this file, or of these settings."""
        if self._log.last.get(each.file, {}).get("folder") == self._places[each.file]:
            try:
                self._set_aside(self._places[each.file], staged)
            except OSError:
                return

    def _fail(self, each: Found, made: Made, staged: Path | None = None) -> None:
        reason = made.reason.replace(str(each.path), each.file)
        if staged is not None:
            reason = reason.replace(str(staged), self._places[each.file])
        self._log.write(
            file=each.file,
            state="failed",
            reason=" ".join(reason.split()),
            sha256=made.sha256,
            seconds=round(made.seconds, 3),
        )
        self._enter(each, self._log.last[each.file])

    def _enter(self, each: Found, line: Mapping[str, Any]) -> None:
        self.entries[each.file] = Entry(
            each.file,
            line["state"],
            line.get("reason", ""),
            line.get("duration"),
            line.get("folder"),
            line.get("sha256"),
        )

    def say(self) -> None:
        """Tell how far the run is."""
        n_failed = sum(entry.state == "failed" for entry in self.entries.values())
        share = 1 - self._left / self._total if self._total else 1.0
        self._tell(Progress(len(self.entries) - n_failed, n_failed, len(self._found), share))


def _weight(each: Found) -> int:
    """How much work a file is, in bytes."""
    return each.size + _START_UP


def _told(error: OSError) -> str:
    if isinstance(error, WriteError):
        return str(error)
    return f"{os.fsdecode(error.filename or 'the result')} cannot be written: {error.strerror or error}."


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()
