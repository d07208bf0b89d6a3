"""Long work in a notebook: how far it is, and something in hand when it is interrupted.

`unweave.decomposition.steps`, `unweave.nmf.steps` and their kind are generators: they do the work of `decompose` and
`nmf` and stop every few iterations to say how far they are. `watch` runs one to its end, tells its progress in a line
that is written over, and takes 'interrupt' (the stop button of Jupyter and marimo, Ctrl-C) as 'enough': the result is
then what there is so far, whole and usable, and `Stop.INTERRUPTED` says so. A second interrupt is an ordinary one.

Values that a cell ends with show themselves: see `unweave.plot.html`.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO, TypeVar

from unweave.errors import InvalidInput
from unweave.loop import Enough, finish

__all__ = ["watch"]

T = TypeVar("T")

_EVERY = 0.2
"""Seconds between two words on progress."""

_WIDTH = 24


def watch(steps: Generator[Any, None, T], *, file: TextIO | None = None) -> T:
    """Run a generator of steps to its end, or to an interrupt, and tell its progress.

    Parameters
    ----------
    steps : generator
        Of `unweave.decomposition.steps`, `unweave.nmf.steps`, or `unweave.convolutive.nmfd_steps`; or any other one:
        if it does not know how to end early, an interrupt is an ordinary KeyboardInterrupt.
    file : text file, optional
        Where progress is told. Default: standard error.

    Returns
    -------
    The value of the generator
        The same as without `watch`; after an interrupt what there was then, with ``stop`` saying so.

    Examples
    --------
    >>> import io
    >>> from unweave.decomposition import steps
    >>> from unweave.synthesis import drum_loop
    >>> said = io.StringIO()
    >>> parts = watch(steps(drum_loop(n_bars=1)["mix"], 2), file=said)
    >>> parts.n_components, "100 %" in said.getvalue()
    (2, True)
    """
    line = _Line(sys.stderr if file is None else file)
    with _held_interrupts() as interrupts:
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                line.close("100 %")
                value: T = end.value
                return value
            line.tell(progress)
            if interrupts:
                value = _ended(steps)
                line.close("interrupted")
                return value


def _ended(steps: Generator[Any, None, T]) -> T:
    """What there is so far."""
    try:
        return finish(steps)
    except InvalidInput as error:
        if isinstance(error.__cause__, Enough):  # they do not know how to end early
            raise KeyboardInterrupt from None
        raise


class _Line:
    """A line that is written over: a bar, a share, the divergence, the time left."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.begun, self.told, self.length = file, time.monotonic(), -_EVERY, 0

    def tell(self, progress: Any) -> None:
        now = time.monotonic() - self.begun
        done, total = getattr(progress, "done", None), getattr(progress, "total", None)
        if now - self.told < _EVERY or not total or done is None:
            return
        self.told, share = now, min(1.0, done / total)
        filled = round(share * _WIDTH)
        left = now / share - now if share > 0 else 0.0
        divergence = getattr(progress, "divergence", None)
        value = "" if divergence is None else f"  divergence {divergence:.4g}"
        self._write(f"{'█' * filled}{'░' * (_WIDTH - filled)} {100 * share:3.0f} %{value}  at most {left:.0f} s more")

    def close(self, word: str) -> None:
        self._write(f"{word} after {time.monotonic() - self.begun:.1f} s")
        self.file.write("\n")
        self.file.flush()

    def _write(self, text: str) -> None:
        self.file.write("\r" + text.ljust(self.length))
        self.file.flush()
        self.length = len(text)


@contextmanager
def _held_interrupts() -> Iterator[list[int]]:
    """A list that the first interrupt is noted in; the second is raised. Elsewhere than in the main thread: nothing."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.getsignal(signal.SIGINT)

    def note(signum: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(signum)

    if not callable(before):  # ignored, or not Python's: it stays so
        yield came
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)
