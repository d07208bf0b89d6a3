"""What tests of the command line have in common: how a command is called, and what is to be seen of it.

The fixtures ``run`` and ``here`` stand in `tests/conftest.py`. A module that tests a single command names it in
``COMMAND``, and gives ``run`` the words behind it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

Result = tuple[int, str, str]
"""Exit code, stdout, stderr."""

Run = Callable[..., Result]


def done(result: Result) -> str:
    """What a command has printed that went well and had nothing to remark."""
    code, out, err = result
    assert (code, err) == (0, ""), err
    return out


def refused(result: Result, code: int) -> str:
    """The one line in which a command has refused."""
    assert result[0] == code, result
    assert result[1] == ""
    assert result[2].startswith("unweave: ")
    assert result[2].count("\n") == 1
    return result[2]


def names(folder: Path) -> set[str]:
    """What is in a folder, by name."""
    return {path.name for path in folder.iterdir()}


def listing(folder: Path, leave_out: str = "") -> dict[str, str]:
    """The files below a folder but those of one name, with what is in them."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != leave_out
    }
