"""The same work for every sound of a folder: places, resumption, death at any moment, executors."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.commands import listing as files_below
from unweave import corpus, threads
from unweave.corpus import Processes, Progress, Serial, find_sounds, places, process
from unweave.errors import InvalidInput, ReadError, WriteError

ROOT = Path(__file__).resolve().parents[1]


def copy_and_count(source: Path, target: Path) -> dict[str, float]:
    """The work of these tests: it makes two files, and knows what is broken."""
    data = source.read_bytes()
    if data.startswith(b"broken"):
        raise ReadError(f"{source} is broken.")
    (target / "more").mkdir(parents=True)
    (target / "copy.bin").write_bytes(data)
    (target / "more" / "size.txt").write_text(str(len(data)))
    return {"duration": len(data) / 2}


def die_on_two(source: Path, target: Path) -> None:
    if source.stem == "two":
        os.kill(os.getpid(), signal.SIGKILL)
    copy_and_count(source, target)


def be_greedy(source: Path, target: Path) -> None:
    if source.stem == "two":
        np.ones(1 << 27).sum()  # a gigabyte
    copy_and_count(source, target)


def tell_threads(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    (target / "threads.txt").write_text(str(threads.n_threads()))


def listing(folder: Path) -> dict[str, str]:
    """The files below a folder, with what is in them, but for the log."""
    return files_below(folder, leave_out="log.jsonl")


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("ascii").splitlines()]


class Counted:
    """Work that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, source: Path, target: Path) -> dict[str, float]:
        self.asked.append(source.name)
        return copy_and_count(source, target)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Four sounds in two folders; one is broken."""
    folder = tmp_path / "sounds"
    (folder / "low").mkdir(parents=True)
    (folder / "one.wav").write_bytes(b"first")
    (folder / "two.flac").write_bytes(b"second!")
    (folder / "low" / "three.ogg").write_bytes(b"third")
    (folder / "low" / "four.wav").write_bytes(b"broken, this one")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# ---------------------------------------------------------------- which sounds


def test_sounds_are_told_by_their_endings_and_what_is_hidden_is_left_out(sounds: Path) -> None:
    for name in ("notes.txt", "._one.wav", "low/cover.png", "low/SHOUT.WAV", ".git/x.wav"):
        (sounds / name).parent.mkdir(exist_ok=True)
        (sounds / name).write_bytes(b"x")
    found = find_sounds(sounds)
    assert [each.file for each in found] == ["low/SHOUT.WAV", "low/four.wav", "low/three.ogg", "one.wav", "two.flac"]
    assert [each.size for each in found] == [1, 16, 5, 5, 7]


def test_links_are_followed_but_not_in_circles(sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "five.wav").write_bytes(b"x")
    (sounds / "away").symlink_to(tmp_path / "else")
    (sounds / "low" / "up").symlink_to(sounds)
    (tmp_path / "else" / "self").symlink_to(tmp_path / "else")
    (sounds / "lost.wav").symlink_to(tmp_path / "nowhere.wav")
    files = [each.file for each in find_sounds(sounds)]
    assert files == ["away/five.wav", "lost.wav", "low/four.wav", "low/three.ogg", "one.wav", "two.flac"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_no_sound_file(sounds: Path) -> None:
    os.mkfifo(sounds / "endless.wav")
    assert "endless.wav" not in {each.file for each in find_sounds(sounds)}


def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_done(
    sounds: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def iterdir(path: Path) -> Any:
        if path.name == "low":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    report = process(sounds, out, copy_and_count)
    assert [(entry.file, entry.state) for entry in report.entries] == [
        ("low", "failed"),
        ("one.wav", "done"),
        ("two.flac", "done"),
    ]
    assert report.entries[0].reason == "the folder cannot be read: Permission denied."


# ---------------------------------------------------------------- where results go


def test_results_that_would_meet_are_told_apart() -> None:
    files = ["A.wav", "a.flac", "a.wav", "b.wav", "b/c.wav", "d.wav", "d.wav/e.wav", "log.jsonl.wav", "summary.csv.wav"]
    assert places(files, {}, ("log.jsonl", "summary.csv")) == {
        "A.wav": "A.wav",
        "a.flac": "a.flac",
        "a.wav": "a.wav-2",
        "b.wav": "b.wav",
        "b/c.wav": "b/c",
        "d.wav": "d",
        "d.wav/e.wav": "d.wav/e",
        "log.jsonl.wav": "log.jsonl.wav",
        "summary.csv.wav": "summary.csv.wav",
    }


def test_a_result_stays_where_it_is_when_others_come() -> None:
    assert places(["a.flac", "a.wav"], {"a.wav": "a"}) == {"a.flac": "a.flac", "a.wav": "a"}
    assert places(["a.wav", "a/b.wav"], {"a.wav": "a"}) == {"a.wav": "a.wav", "a/b.wav": "a/b"}


NAMES = st.sampled_from(["a", "A", "b", "a.wav", "b.flac", "B.flac", "a.wav-2", "a-2"])
FILES = st.sets(
    st.builds(lambda folders, name, end: "/".join([*folders, name + end]),
              st.lists(NAMES, max_size=2), NAMES, st.sampled_from([".wav", ".flac"])),
    max_size=8,
).map(sorted)  # fmt: skip


@given(FILES, st.sets(st.integers(0, 7)))
def test_no_two_results_meet_and_a_part_of_a_run_changes_nothing(files: list[str], some: set[int]) -> None:
    found = places(files, {}, ("manifest.json",))
    assert len({place.casefold() for place in found.values()}) == len(files)
    folders = {parent.as_posix().casefold() for file in files for parent in Path(file).parents}
    assert not folders & {place.casefold() for place in found.values()}
    before = {file: found[file] for k, file in enumerate(files) if k in some}
    assert places(files, before, ("manifest.json",)) == found


# ---------------------------------------------------------------- a run


def test_results_mirror_the_folder_and_one_bad_file_does_not_stop_the_rest(sounds: Path, out: Path) -> None:
    told: list[Progress] = []
    report = process(sounds, out, copy_and_count, settings={"k": 3}, tell=told.append)
    assert repr(report) == "Report(3 done, 1 failed)"
    assert (report.n_done, report.n_kept) == (3, 0)
    assert report.failed[0].reason == "low/four.wav is broken."
    assert set(listing(out)) == {
        *(f"{place}/{name}" for place in ("one", "two", "low/three") for name in ("copy.bin", "more/size.txt")),
        "manifest.json",
        "summary.csv",
    }
    assert (out / "low" / "three" / "copy.bin").read_bytes() == b"third"
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "file": "low/four.wav",
        "state": "failed",
        "reason": "low/four.wav is broken.",
        "duration": "",
        "folder": "",
    }
    assert rows[1] == {"file": "low/three.ogg", "state": "done", "reason": "", "duration": "2.5", "folder": "low/three"}
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest == report.manifest
    assert manifest["settings"] == {"k": 3}
    assert manifest["files"][2]["sha256"] == hashlib.sha256(b"first").hexdigest()
    assert [each.n_done + each.n_failed for each in told] == [0, 1, 2, 3, 4, 4]
    assert [each.share for each in told] == sorted(each.share for each in told)
    assert (told[0].share, told[-1].share) == (0, 1)


def test_what_is_done_is_not_done_again_and_what_failed_is_tried_again(sounds: Path, out: Path) -> None:
    process(sounds, out, copy_and_count)
    before, work = listing(out), Counted()
    report = process(sounds, out, work)
    assert work.asked == ["four.wav"]
    assert report.n_kept == 3
    assert listing(out) == before
    (sounds / "low" / "four.wav").write_bytes(b"mended")
    assert process(sounds, out, work).failed == ()
    assert work.asked == ["four.wav"] * 2


@pytest.mark.parametrize("change", ["sound", "settings", "version", "result is lost", "result is cut", "log is lost"])
def test_whatever_a_result_depends_on_makes_it_anew(
    sounds: Path, out: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sounds / "low" / "four.wav").unlink()
    process(sounds, out, copy_and_count, settings={"k": 3})
    work, settings, asked = Counted(), {"k": 3}, ["one.wav"]
    if change == "sound":
        os.utime(sounds / "two.flac")  # a date is no content
        (sounds / "one.wav").write_bytes(b"fresh")
    elif change == "settings":
        settings, asked = {"k": 4}, ["three.ogg", "one.wav", "two.flac"]
    elif change == "version":
        monkeypatch.setattr("unweave.corpus.run.__version__", "99")
        asked = ["three.ogg", "one.wav", "two.flac"]
    elif change == "result is lost":
        (out / "one" / "copy.bin").unlink()
    elif change == "result is cut":
        (out / "one" / "copy.bin").write_bytes(b"fir")
    else:
        lines = (out / "log.jsonl").read_bytes().splitlines(keepends=True)
        (out / "log.jsonl").write_bytes(b"".join(line for line in lines if b'"done", "folder": "one"' not in line))
    assert process(sounds, out, work, settings=settings).n_done == 3
    assert work.asked == asked
    assert (out / "one" / "copy.bin").read_bytes() == (sounds / "one.wav").read_bytes()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_the_result_of_a_file_that_has_broken_meanwhile_goes(sounds: Path, out: Path) -> None:
    process(sounds, out, copy_and_count)
    (sounds / "one.wav").write_bytes(b"broken now")
    assert [entry.file for entry in process(sounds, out, copy_and_count).failed] == ["low/four.wav", "one.wav"]
    assert not (out / "one").exists()


def test_nobodys_file_is_lost(sounds: Path, out: Path) -> None:
    process(sounds, out, copy_and_count)
    (out / "one" / "thoughts.txt").write_text("nice")
    (out / "two" / "copy.bin").unlink()
    report = process(sounds, out, copy_and_count, settings={"k": 2})
    assert [entry.file for entry in report.failed] == ["low/four.wav", "one.wav"]
    assert report.failed[1].reason.endswith("one holds thoughts.txt, which this command has not written: move it away.")
    assert (out / "one" / "thoughts.txt").read_text() == "nice"
    (out / "one" / "thoughts.txt").unlink()
    assert process(sounds, out, copy_and_count, settings={"k": 2}).n_done == 3


def test_something_in_the_way_of_a_result_fails_its_file_only(sounds: Path, out: Path) -> None:
    out.mkdir()
    (out / "log.jsonl").touch()
    (out / "one").write_text("a file")
    report = process(sounds, out, copy_and_count)
    assert [entry.file for entry in report.failed] == ["low/four.wav", "one.wav"]
    assert report.failed[1].reason.endswith("one is in the way: move it away.")


def test_sounds_and_results_may_lie_in_one_another(sounds: Path) -> None:
    first = process(sounds, sounds / "results", copy_and_count)
    (sounds / "results" / "one" / "copy.wav").write_bytes(b"no sound of ours")
    again = process(sounds, sounds / "results", copy_and_count)
    assert [entry.file for entry in again.entries] == [entry.file for entry in first.entries]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda sounds, out: (sounds / "one.wav", out), ReadError, "one.wav is not a folder"),
        (lambda sounds, out: (sounds.parent / "nix", out), ReadError, "nix is not a folder"),
        (lambda sounds, out: (out, sounds), ReadError, "out is a folder without sound files"),
        (lambda sounds, out: (sounds, sounds), WriteError, "is the folder of the sounds itself"),
        (lambda sounds, out: (sounds, sounds / "one.wav"), WriteError, "is a file, but a folder is needed"),
        (lambda sounds, out: (sounds, sounds / "low"), WriteError, r"is not empty \(four.wav is in the way\)"),
        (lambda sounds, out: (sounds, sounds / "one.wav" / "x"), WriteError, "cannot be written: Not a directory"),
    ],
)
def test_folders_that_cannot_be_are_refused(
    sounds: Path, out: Path, make: Callable[..., tuple[Path, Path]], error: type[Exception], words: str
) -> None:
    out.mkdir()
    before = listing(sounds)
    with pytest.raises(error, match=words):
        process(*make(sounds, out), copy_and_count)
    assert listing(sounds) == before


def test_a_log_of_somebody_else_is_refused(sounds: Path, out: Path) -> None:
    out.mkdir()
    (out / "log.jsonl").write_text('{"level": "info"}\n')
    with pytest.raises(WriteError, match="is not a log that this version of unweave can read"):
        process(sounds, out, copy_and_count)
    assert (out / "log.jsonl").read_text() == '{"level": "info"}\n'


def test_two_runs_do_not_write_into_one_folder(sounds: Path, out: Path) -> None:
    said = []

    def work(source: Path, target: Path) -> None:
        with pytest.raises(WriteError) as caught:
            process(sounds, out, copy_and_count)
        said.append(str(caught.value))
        copy_and_count(source, target)

    assert process(sounds, out, work).n_done == 3
    assert "another run is writing into" in said[0]


def test_names_of_any_bytes_are_named(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    names = ["a,b.wav", 'say "x".wav', "two\nlines.wav", "né.wav"]
    try:
        (folder / os.fsdecode(b"\xff.wav")).write_bytes(b"x")
        names.append(os.fsdecode(b"\xff.wav"))
    except OSError:
        pass  # a disk that wants text
    for name in names:
        (folder / name).write_bytes(b"x")
    first = process(folder, out, copy_and_count)
    assert [entry.state for entry in first.entries] == ["done"] * len(names)
    assert process(folder, out, copy_and_count).n_kept == len(names)
    with (out / "summary.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == set(names)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert {entry["file"] for entry in manifest["files"]} == set(names)


# ---------------------------------------------------------------- ends at any moment


def test_an_interrupt_keeps_what_is_finished(sounds: Path, out: Path) -> None:
    def work(source: Path, target: Path) -> None:
        if source.name == "two.flac":
            target.mkdir(parents=True)
            raise KeyboardInterrupt
        copy_and_count(source, target)

    with pytest.raises(KeyboardInterrupt):
        process(sounds, out, work)
    assert {path.name for path in out.iterdir()} == {"log.jsonl", "low", "one"}
    counted = Counted()
    process(sounds, out, counted)
    assert counted.asked == ["four.wav", "two.flac"]


def test_after_an_interrupt_nothing_more_is_begun(sounds: Path, out: Path) -> None:
    begun = []

    def work(source: Path, target: Path) -> None:
        begun.append(source.name)
        copy_and_count(source, target)

    def interrupt(progress: Progress) -> None:
        if progress.n_failed and len(begun) < 4:
            raise KeyboardInterrupt

    def held(source: Path, target: Path) -> None:
        time.sleep(0.2)
        work(source, target)

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        process(sounds, out, held, executor=executor, tell=interrupt)
    assert begun[0] == "four.wav"
    assert len(begun) <= 2


def test_half_a_line_in_the_log_is_no_line(sounds: Path, out: Path) -> None:
    process(sounds, out, copy_and_count)
    before, content = listing(out), (out / "log.jsonl").read_bytes()
    for length in (len(content) - 1, len(content) - 40, 30, 0):
        (out / "log.jsonl").write_bytes(content[:length])
        for name in ("manifest.json", "summary.csv"):
            (out / name).unlink()
        if length <= 30:  # it knows of no result, so these are somebody's
            for name in ("one", "two", "low"):
                subprocess.run(["rm", "-r", str(out / name)], check=True)
        process(sounds, out, copy_and_count)
        assert listing(out) == before
        assert all(isinstance(line, dict) for line in log_of(out))


_KILLED = """
import os, sys
from pathlib import Path
from tests.test_corpus import copy_and_count, listing
from unweave.corpus import process
from unweave.corpus.log import Log

sounds, place = Path(sys.argv[1]), Path(sys.argv[2])
count, last = 0, None

def step():
    global count
    count += 1
    if count == last:
        os._exit(9)

def hook(event, arguments):
    if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}:
        if str(place) in os.fsdecode(arguments[0] if not isinstance(arguments[0], int) else ""):
            step()

append = Log._append
def stepping(self, line):
    step()
    append(self, line)

def run(out, settings):
    process(sounds, out, copy_and_count, settings=settings)

run(place / "whole", {"k": 2})
wanted = listing(place / "whole")
sys.addaudithook(hook)
Log._append = stepping
for old in (None, {"k": 1}):
    moment = 0
    while True:
        moment += 1
        out = place / f"{moment}-{old is None}"
        if old is not None:
            run(out, old)
        child = os.fork()
        if child == 0:
            count, last = 0, moment
            run(out, {"k": 2})
            os._exit(0)
        _, status = os.waitpid(child, 0)
        run(out, {"k": 2})
        if listing(out) != wanted:
            sys.exit(f"killed before step {moment}: {sorted(set(listing(out)) ^ set(wanted))}")
        if status == 0:
            break
    print(moment - 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_killed_before_any_step_on_the_disk_and_run_again_it_is_as_if_nothing_had_been(
    sounds: Path, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    found = subprocess.run(
        [sys.executable, "-c", _KILLED, str(sounds), str(tmp_path / "killed")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
    )
    assert found.returncode == 0, found.stdout + found.stderr
    new, again = map(int, found.stdout.split())
    assert new > 40
    assert again > new


# ---------------------------------------------------------------- executors


class _Small:
    """The least that an executor can be: a thread for each file, and results that know three words."""

    class Result:
        def __init__(self, call: Callable[[], Any]) -> None:
            self._call = call

        def result(self) -> Any:
            return self._call()

        def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
            threading.Timer(0, fn, [self]).start()

        def cancel(self) -> None:
            pass

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Result:
        return self.Result(lambda: fn(*args))

    def shutdown(self, wait: bool = True) -> None:
        pass


@pytest.mark.parametrize(
    "executor", [_Small, lambda: ThreadPoolExecutor(3), lambda: Processes(2)], ids=["small", "threads", "processes"]
)
def test_any_executor_gives_the_same_bytes(sounds: Path, tmp_path: Path, executor: Callable[[], Any]) -> None:
    process(sounds, tmp_path / "serial", copy_and_count, executor=Serial())
    process(sounds, tmp_path / "other", copy_and_count, executor=executor())
    assert listing(tmp_path / "other") == listing(tmp_path / "serial")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_process_that_dies_fails_its_file_only(sounds: Path, out: Path) -> None:
    report = process(sounds, out, die_on_two, executor=Processes(1))
    assert [entry.state for entry in report.entries] == ["failed", "done", "done", "failed"]
    assert report.entries[3].reason == (
        "the process that worked on it was ended by signal 9, as happens where the memory is short: fewer jobs need "
        "less."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_file_that_needs_more_memory_than_its_share_fails_alone(sounds: Path, out: Path) -> None:
    (sounds / "zeta.wav").write_bytes(b"last")
    report = process(sounds, out, be_greedy, executor=Processes(1, memory=600 << 20))
    assert [entry.state for entry in report.entries] == ["failed", "done", "done", "failed", "done"]
    assert "the memory does not suffice" in report.entries[3].reason


def test_jobs_times_threads_are_the_processors(sounds: Path, out: Path) -> None:
    with threads.limit(7):
        executor = Processes(3)
        assert (executor.jobs, executor.threads) == (3, 2)
        assert Processes().jobs == 7
        process(sounds, out, tell_threads, executor=executor)
    assert (out / "one" / "threads.txt").read_text() == "2"
    assert Processes(4, memory=0).memory == 0
    total = corpus.memory_of_machine()
    assert total is None or Processes(4).memory == total // 4
    with pytest.raises(InvalidInput, match="jobs=0 is not a number of processes"):
        Processes(0)


def test_processes_that_are_shut_down_end_at_once() -> None:
    executor = Processes(2)
    waiting = [executor.submit(time.sleep, 60) for _ in range(4)]
    while not waiting[1].running():
        time.sleep(0.01)
    began = time.monotonic()
    executor.shutdown(wait=False)
    assert time.monotonic() - began < 10
    assert all(future.done() for future in waiting)
