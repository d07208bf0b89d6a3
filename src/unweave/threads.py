"""Threads for work on blocks: the same result for one thread and for many.

NumPy lets go of the interpreter's lock inside its loops and its matrix products, so ordinary Python threads
use every processor as long as each call is a block of some size. The matrix library is held to one thread
meanwhile: its own threads would compete with ours, and they are useless on blocks that fit into a cache.

Every result depends on its item alone, never on the thread that made it or on how many there are.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from unweave.errors import InvalidInput

__all__ = ["blas_info", "limit", "n_threads", "ordered", "single_blas", "spread"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = threading.Lock()
_limit: int | None = None
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_here = threading.local()  # has ``pooled`` in the pool's threads


def n_threads() -> int:
    """How many threads are used: `limit`, else ``UNWEAVE_THREADS``, else the processors we may run on."""
    if _limit is not None:
        return _limit
    asked = os.environ.get("UNWEAVE_THREADS", "").strip()
    if asked:
        if not asked.isdecimal() or int(asked) < 1:
            raise InvalidInput(f"UNWEAVE_THREADS={asked!r} is not a whole number of at least 1.")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


@contextmanager
def limit(count: int) -> Iterator[None]:
    """Use ``count`` threads inside the ``with`` block (whole process)."""
    global _limit  # noqa: PLW0603 - one number for the process, as the processors are
    if count < 1:
        raise InvalidInput(f"count={count} threads: at least 1 is needed.")
    before, _limit = _limit, count
    try:
        yield
    finally:
        _limit = before


class _BlasHold:
    """Hold the matrix library to one thread while anybody needs it.

    The setting belongs to the process. Whoever comes first stores what it was and whoever leaves last puts it
    back, or two callers in two threads would restore each other's setting and leave it at one for ever.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.controller: Any = None
        self.limiter: Any = None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                if self.controller is None:
                    from threadpoolctl import ThreadpoolController

                    self.controller = ThreadpoolController()
                self._take_control()
                self.limiter = self.controller.limit(limits=1, user_api="blas")
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._take_control()
                self.limiter.restore_original_limits()
                self._take_control()

    def _take_control(self) -> None:
        """Let any thread set OpenBLAS's threads: threadpoolctl 3.8 obeys the first that ever did, and no other."""
        for library in self.controller.lib_controllers:
            release = getattr(library, "clear_controlling_thread", None)
            if release is not None:
                release(force=True)


_blas = _BlasHold()


@contextmanager
def single_blas() -> Iterator[None]:
    """Hold the matrix library to one thread inside the ``with`` block."""
    hold = _blas  # a fork inside the block puts another in its place
    hold.enter()
    try:
        yield
    finally:
        hold.leave()


def blas_info() -> list[dict[str, Any]]:
    """Name, version and threads of every matrix library that is loaded, as they are outside of `single_blas`."""
    from threadpoolctl import threadpool_info

    return [
        {"name": each["internal_api"], "version": each["version"], "threads": each["num_threads"]}
        for each in threadpool_info()
        if each["user_api"] == "blas"
    ]


def _workers(count: int) -> ThreadPoolExecutor:
    """Return the shared pool, with at least ``count`` threads."""
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < count:
            _pool, _pool_size = ThreadPoolExecutor(count, "unweave", _mark_as_pooled), count
        return _pool


def _mark_as_pooled() -> None:
    _here.pooled = True


def _usable_threads() -> int:
    """As `n_threads`, but one for work inside of the pool: to wait there for the pool would be to wait for ever."""
    return 1 if hasattr(_here, "pooled") else n_threads()


def _forget_pool() -> None:
    """After a fork the child has none of the pool's threads: it makes its own."""
    global _pool, _blas, _lock
    _pool, _blas, _lock = None, _BlasHold(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def spread(work: Callable[[int, int], None], n_items: int) -> None:
    """Call ``work(item, worker)`` once for every item below ``n_items``, over the threads.

    ``worker`` is the number of the thread, below `n_threads`, for workspaces of its own. The caller's thread
    takes its share. Items are handed out one at a time, so a slow thread delays nobody.
    """
    count = min(_usable_threads(), n_items)
    items = itertools.count()
    stopped = threading.Event()

    def share(worker: int) -> None:
        try:
            for item in items:
                if item >= n_items or stopped.is_set():
                    return
                work(item, worker)
        except BaseException:
            stopped.set()
            raise

    if count <= 1:
        share(0)
        return
    pool = _workers(count - 1)
    others: list[Future[None]] = []
    try:
        others.extend(pool.submit(share, worker) for worker in range(1, count))
        share(0)
    except BaseException:
        stopped.set()
        raise
    finally:
        # Also when the caller is interrupted: nobody may still write into arrays that are given back. Threads
        # that have not begun (the pool serves other callers too) have nothing left to do.
        _finish(others)
    for other in others:
        if not other.cancelled():
            other.result()


def _finish(futures: Iterable[Future[Any]]) -> None:
    """Wait for what runs and drop what has not begun; errors stay in the futures.

    An interrupt while waiting is raised when nothing runs any more.
    """
    interrupt: BaseException | None = None
    for future in futures:
        while not (future.cancel() or future.done()):
            try:
                future.exception()
            except BaseException as error:  # noqa: BLE001 - errors of the work are returned: this came from outside
                interrupt = error
    if interrupt is not None:
        raise interrupt


def ordered(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, computed a few items ahead over the threads.

    At most ``n_threads() + 1`` results wait at a time, so memory stays bounded.
    """
    count = _usable_threads()
    if count <= 1:
        yield from map(function, items)
        return
    pool = _workers(count)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > count:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        _finish(waiting)


def _first(waiting: deque[Future[Result]]) -> Result:
    """Take the first result; it stays among those waited for until it is there."""
    result = waiting[0].result()
    waiting.popleft()
    return result
