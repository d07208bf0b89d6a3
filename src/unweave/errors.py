"""Everything that unweave can refuse to do.

    UnweaveError
    ├── InvalidInput   (ValueError)   a value is outside of what the function can work on
    ├── Incompatible   (ValueError)   two values are each right, but do not fit each other
    ├── ReadError      (OSError)      a file cannot be read as what it should be
    ├── WriteError     (OSError)      a file or folder cannot be written
    └── MissingExtra   (ImportError)  an optional package is needed; the sentence says which

Each carries one sentence: the name and the value, the rule, and where it usually comes from or what to do.
The second parent makes ordinary ``except ValueError`` and ``except OSError`` work.
"""

from __future__ import annotations


class UnweaveError(Exception):
    """Any error that unweave raises on purpose; its text is one sentence for a person."""

    def __str__(self) -> str:
        # OSError would answer "[Errno …]" for two arguments: the sentence is the first argument, always.
        return str(self.args[0]) if self.args else ""


class InvalidInput(UnweaveError, ValueError):  # noqa: N818 - reads as a sentence: "raise InvalidInput"
    """A value is outside of what the function can work on."""


class Incompatible(UnweaveError, ValueError):  # noqa: N818
    """Two values are each right, but do not fit each other."""


class ReadError(UnweaveError, OSError):
    """A file cannot be read as what it should be."""


class WriteError(UnweaveError, OSError):
    """A file or folder cannot be written."""


class MissingExtra(UnweaveError, ImportError):  # noqa: N818
    """An optional package is needed; the sentence says which one and how to install it."""
