"""Processes of this machine, one file at a time in each; one that dies takes only its file along.

The processes are spawned, not forked, so that they are the same on every system; a script that uses them therefore
keeps its own work under ``if __name__ == "__main__":``. They end when the process that started them does, however
that ends, and they are renewed after some files, so that what one file leaves behind cannot grow.

Memory. On Linux a process is refused more than its share (``RLIMIT_DATA``: what it takes for itself, without shared
libraries): the file that wants more fails with a sentence, and the machine does not swap. Elsewhere the system knows
no such limit for what is mapped, and nothing is bounded. `memory_of_machine` reads the size from the system, and the
limit of a container where there is one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from unweave.errors import InvalidInput, UnweaveError
from unweave.threads import limit, n_threads, single_blas

__all__ = ["Processes", "memory_of_machine"]

_RENEW = 100
"""Tasks after which a process is replaced by a new one."""

_Ordered = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Processes:
    """Spawned processes, as an executor.

    Parameters
    ----------
    jobs : int, optional
        How many at a time. Default: one for each processor.
    threads : int, optional
        Threads in each. Default: so many that all processors are in use, and not more.
    memory : int, optional
        Bytes that each may take, on Linux. Default: its share of the machine's memory. 0: as much as there is.
    """

    def __init__(self, jobs: int | None = None, *, threads: int | None = None, memory: int | None = None) -> None:
        self.jobs = n_threads() if jobs is None else jobs
        if self.jobs < 1:
            raise InvalidInput(f"jobs={jobs} is not a number of processes: at least 1 is needed.")
        self.threads = max(1, n_threads() // self.jobs) if threads is None else threads
        total = memory_of_machine()
        self.memory = (total // self.jobs if total else 0) if memory is None else memory
        self._tasks: SimpleQueue[_Ordered | None] = SimpleQueue()
        self._slots: list[threading.Thread] = []
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Run ``fn(*args)`` in the next process that is free."""
        future: Future[Any] = Future()
        self._tasks.put((future, fn, args))
        if len(self._slots) < self.jobs:
            self._slots.append(threading.Thread(target=self._serve, name="unweave-corpus", daemon=True))
            self._slots[-1].start()
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Take no more. Without ``wait`` what runs is ended at once, and what waits is dropped."""
        if not wait:
            with suppress(Empty):
                while (task := self._tasks.get_nowait()) is None or task[0].cancel() or task[0].done():
                    pass
        for _ in self._slots:
            self._tasks.put(None)
        if not wait:
            with self._lock:
                self._stopped = True
                for worker in self._workers:
                    worker.kill()
        for slot in self._slots:
            slot.join()

    def _serve(self) -> None:
        """Hand task after task to one process, and to another when that has died."""
        if hasattr(signal, "pthread_sigmask"):  # Ctrl-C is for us: what is started here is born deaf to it
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        while (task := self._tasks.get()) is not None:
            future, fn, args = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or self._start()
                result = worker.call(fn, args)
            except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
                future.set_exception(error)
            else:
                future.set_result(result)
            if worker is not None and worker.is_spent:
                self._end(worker)
                worker = None
        if worker is not None:
            self._end(worker)

    def _start(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise UnweaveError("the processes were stopped.")
            worker = _Worker(self.threads, self.memory)
            self._workers.add(worker)
            return worker

    def _end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._workers.discard(worker)


class _Worker:
    """A process, as its parent sees it."""

    def __init__(self, threads: int, memory: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, threads, memory), daemon=True)
        self._process.start()
        theirs.close()  # or its end would never be noticed
        self._left = _RENEW

    @property
    def is_spent(self) -> bool:
        return self._left <= 0

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._left -= 1
        try:
            self._line.send((fn, args))
            good, value = self._line.recv()
        except (EOFError, ConnectionError):
            self._left = 0
            self._process.join()
            raise UnweaveError(_epitaph(self._process.exitcode)) from None
        if not good:
            raise value
        return value

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._line.close()  # which the process takes for its end
        self._process.join()


def _epitaph(code: int | None) -> str:
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return f"the process that worked on it {how}, as happens where the memory is short: fewer jobs need less."


def _work(line: Connection, threads: int, memory: int) -> None:
    """What a process does: call what it is sent until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _bound(memory)
    if not os.environ.get("UNWEAVE_DEBUG"):  # libraries talk about broken files
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    with limit(threads), single_blas(), suppress(EOFError, ConnectionError):
        while True:
            fn, args = line.recv()
            line.send(_called(fn, args))


def _called(fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, fn(*args)
    except Exception as error:  # noqa: BLE001 - sent to whoever asks for the result
        return False, error


def _follow_parent() -> None:
    """End at once when the parent has ended: a child that went on would write where another run works."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bound(memory: int) -> None:
    if memory > 0 and sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def memory_of_machine() -> int | None:
    """Bytes of memory that this machine, or the container that we are in, has; None where nobody says."""
    sizes = []
    with suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            sizes.append(int(Path(path).read_text("ascii")))
    return min(sizes, default=None)
