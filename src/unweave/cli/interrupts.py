"""Signals: the polite ones end the work as an exception does, and never between two steps that belong together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "held_signals", "raised_signals"]

_POLITE = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(BaseException):
    """A signal asked the process to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


@contextmanager
def raised_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `Interrupted`, so that everything is cleaned up on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # One that is ignored stays ignored: that is what nohup asks for.
    chosen = [signum for signum in _POLITE if signal.getsignal(signum) is signal.SIG_DFL]
    for signum in chosen:
        signal.signal(signum, _raise)
    try:
        yield
    finally:
        for signum in chosen:
            signal.signal(signum, signal.SIG_DFL)


@contextmanager
def held_signals() -> Iterator[None]:
    """Hold Ctrl-C and the polite signals back until the ``with`` block has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(signum: int, frame: FrameType | None) -> None:
        came.append(signum)

    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, *_POLITE)}
    before = {signum: handler for signum, handler in before.items() if callable(handler)}
    for signum in before:
        signal.signal(signum, remember)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        if came:
            signal.raise_signal(came[0])
