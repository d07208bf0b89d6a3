"""A file that appears whole or not at all.

What is written goes into a file of another name in the same folder, which is renamed at the end: whoever looks sees the
old file or the new one, and a failure leaves neither half a file nor a lost one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from unweave.errors import WriteError

__all__ = ["write_whole"]


def write_whole(path: str | PathLike[str], content: bytes | Iterable[bytes]) -> None:
    """Write ``content``, at once or piece by piece, to ``path``; a file of that name is replaced.

    Raises
    ------
    WriteError
        The file cannot be written; an older one is left as it was.
    """
    target = Path(path)
    hidden = target.parent / f".unweave-{secrets.token_hex(8)}.part"
    pieces = (content,) if isinstance(content, bytes) else content
    try:
        try:
            with hidden.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
            hidden.replace(target)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise
    except WriteError:
        raise
    except OSError as error:
        if getattr(error, "filename", None) is None and not error.errno:
            raise  # of whoever makes the pieces: a ReadError, for instance
        raise WriteError(f"{target} cannot be written: {error.strerror or error}.") from None
