"""Who runs the work: the small interface that a cluster has to have, and the executor that runs it here and now.

The interface is that of `concurrent.futures`, as far as it is used: ``submit`` gives something with ``result``,
``add_done_callback`` and ``cancel``; ``shutdown`` ends it. The function and its arguments can be pickled, and so can
what comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

__all__ = ["Executor", "Pending", "Serial"]


class Pending(Protocol):
    """A result that is to come."""

    def result(self) -> Any:
        """What the function returned; or raise what it raised, or why it could not be run."""

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Call ``fn(self)`` when the result is there, from any thread; at once if it is there already."""

    def cancel(self) -> object:
        """Drop it, if it has not begun."""


class Executor(Protocol):
    """Whoever runs functions, here or elsewhere."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Pending:
        """Run ``fn(*args)`` some time, and only once."""

    def shutdown(self, wait: bool = True) -> None:
        """Take no more. Without ``wait`` nobody waits for what runs any more, and it need not end well."""


class Serial:
    """Runs everything at once, in this process: for tests, and for functions that cannot be pickled."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Run it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Nothing runs any more."""
