"""Where the work is: a line on stderr with the time left, where somebody is looking."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol, TextIO, TypeVar

from unweave.threads import limit

__all__ = ["Line", "Silent", "Watch", "by_stages", "duration", "followed", "watch_for", "working"]

S = TypeVar("S")
T = TypeVar("T")

_PAUSE = 0.1
"""Seconds between two looks."""


class Watch(Protocol):
    """Whoever wants to know how far the work is."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def at(self, share: float) -> None:
        """So much of the stage is done, 0 to 1."""

    def close(self) -> None:
        """The work has ended, well or not."""


class Silent:
    """Nobody is looking."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    def at(self, share: float) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Line:
    """One line that is written over and over, in ASCII, and is gone at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._name = ""
        self._began = self._said = 0.0
        self._width = 0

    def stage(self, name: str) -> None:
        """Show the stage at once."""
        self._name, self._began = name, time.monotonic()
        self._show(f"{name} ...")

    def at(self, share: float) -> None:
        """Show the share and the time left, not more than ten times a second."""
        now = time.monotonic()
        if now - self._said < _PAUSE:
            return
        share = min(max(share, 0.0), 1.0)
        left = (now - self._began) * (1 - share) / share if share > 0 else None
        self._show(f"{self._name} {100 * share:3.0f} %" + (f", {duration(left)} left" if left is not None else ""))

    def rename(self, name: str) -> None:
        """Call the stage otherwise from now on, without beginning it anew."""
        self._name = name

    def close(self) -> None:
        """Remove the line."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _show(self, text: str) -> None:
        self._said = time.monotonic()
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone: that is no reason to lose the work
            self._stream = None


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def followed(steps: Generator[S, None, T], tell: Callable[[S], None]) -> T:
    """Run a generator of steps, tell each, and return its value."""
    while True:
        try:
            tell(next(steps))
        except StopIteration as end:
            value: T = end.value
            return value


def by_stages(watch: Watch) -> Callable[[str, float], None]:
    """What tells a watch the share of a stage, and the stage where that is another than before."""
    now = ""

    def tell(stage: str, share: float) -> None:
        nonlocal now
        if stage != now:
            now = stage
            watch.stage(stage)
        watch.at(share)

    return tell


def watch_for(quiet: bool) -> Watch:
    """A line on stderr if that is a terminal."""
    return Silent() if quiet or not sys.stderr.isatty() else Line(sys.stderr)


@contextmanager
def working(threads: int | None, *, quiet: bool) -> Iterator[Watch]:
    """A context with so many threads, whose value is told how far the work is."""
    watch = watch_for(quiet)
    with limit(threads) if threads else nullcontext():
        try:
            yield watch
        finally:
            watch.close()
