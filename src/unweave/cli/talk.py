"""Words on stdout and stderr, in the characters that they take.

Without ``file=`` click would take a terminal that says ASCII for one that knows UTF-8.
"""

from __future__ import annotations

import sys

import click

from unweave.errors import WriteError

__all__ = ["say", "warn"]


def say(text: str) -> None:
    """A result: on stdout, at once."""
    try:
        click.echo(text, file=sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError(f"standard output cannot be written: {error.strerror or error}.") from None


def warn(text: str) -> None:
    """One sentence about what went wrong or otherwise than asked for: on stderr."""
    click.echo(f"unweave: {text}", file=sys.stderr)
