"""Counts in words: 1 frame, but 2 frames."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """A number and what is counted; ``nouns`` is the plural where it is not the noun and an s.

    Examples
    --------
    >>> counted(1, "frame"), counted(2, "frame"), counted(0, "basis", "bases")
    ('1 frame', '2 frames', '0 bases')
    """
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"
