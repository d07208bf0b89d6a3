"""The output folder: all of it or nothing, and nobody's file is lost.

Everything is written into a hidden folder first: beside the target, or in it where it is there already, so that both
are on one file system. At the end a new target is made by one rename. In an old one, what must go is moved aside, what
is new is moved in, and if any of that fails all moves are undone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from unweave.cli.interrupts import held_signals
from unweave.errors import UnweaveError, WriteError

__all__ = ["MANIFEST", "MANIFEST_FORMAT", "OutputFolder", "is_ours"]

MANIFEST = "manifest.json"
MANIFEST_FORMAT = "unweave manifest"
_HIDDEN = ".unweave-"


class OutputFolder:
    """A folder that comes into being by `commit`, as a context in which its files are written to ``path``.

    Parameters
    ----------
    target : Path
        The folder as the user named it.
    overwrite : bool
        Whether it may hold something already.
    inputs : sequence of Path
        Files that are read, and must never be replaced.
    """

    def __init__(self, target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()) -> None:
        self.shown = target
        self.path = target
        self._target = target
        self._overwrite = overwrite
        self._inputs = inputs
        self._made: list[Path] = []
        self._staged = False

    def check(self, names: Iterable[str] = ()) -> None:
        """Find what can be found without writing: a file in the way, an input that would be replaced."""
        try:
            self._target = Path(os.path.realpath(self.shown))
            if not os.path.lexists(self._target):
                self._target.stat()  # says why: nothing there, a name that is too long, a file for a parent
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        self._check_existing(names)

    def _check_existing(self, names: Iterable[str]) -> None:
        if not self._target.is_dir():
            raise WriteError(f"{self.shown} is a file, but a folder is needed: choose another --out.")
        try:
            first = min((each.name for each in self._target.iterdir()), default=None)
        except OSError as error:
            raise self._unwritable(error) from None
        if first is not None and not self._overwrite:
            raise WriteError(
                f"{self.shown} is not empty ({first} is in the way): choose another --out, or say --overwrite."
            )
        self._refuse(names)

    def _refuse(self, names: Iterable[str]) -> None:
        """Refuse to replace a folder, anything that is reached by a link out of here, and what this run reads."""
        for name in names:
            path = self._target / name
            if not Path(os.path.realpath(path.parent)).is_relative_to(self._target):
                raise WriteError(f"{self.shown / name} lies behind a link that leads out of the folder.")
            if path.is_dir() and not path.is_symlink():
                raise WriteError(f"{self.shown / name} is a folder, and a file of that name is to be written.")
            if any(path.exists() and path.samefile(each) for each in self._inputs if each.exists()):
                raise WriteError(
                    f"{self.shown / name} is read by this command and would be replaced: choose another --out."
                )

    def __enter__(self) -> Self:
        with held_signals():
            try:
                home = self._target if self._target.is_dir() else self._make_parents()
                self.path = _hidden_folder(home)
                self._staged = True
            except OSError as error:
                self._remove_made()
                raise self._unwritable(error) from None
        return self

    def _make_parents(self) -> Path:
        missing = [each for each in self._target.parents if not each.exists()]
        for folder in reversed(missing):
            if _made_here(folder):
                self._made.append(folder)
        return self._target.parent

    def commit(self) -> None:
        """Move everything into its place."""
        with held_signals():
            if self._target.is_dir():
                self._merge()
            else:
                self.path.rename(self._target)
            self._staged = False
            self._made = []

    def _merge(self) -> None:
        new = _files_below(self.path)
        old = [name for name in _listed(self._target) if name not in set(new) and self._is_removable(name)]
        self._refuse([*new, *old])
        if not self._overwrite and any(os.path.lexists(self._target / name) for name in new):
            raise WriteError(f"{self.shown} was filled by somebody else meanwhile.")
        aside = _hidden_folder(self._target)
        moves = _Moves()
        try:
            for name in [*old, *(name for name in new if os.path.lexists(self._target / name))]:
                moves.move(self._target / name, aside / name)
            for name in new:
                moves.move(self.path / name, self._target / name)
        except BaseException:
            moves.undo()
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        _remove_empty(self._target, old)

    def _is_removable(self, name: str) -> bool:
        """Whether a name from an old manifest is a file that lies in this folder itself."""
        path = self._target / name
        inside = Path(os.path.realpath(path.parent)).is_relative_to(self._target)
        return inside and os.path.lexists(path) and (path.is_symlink() or not path.is_dir())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with held_signals():
            if self._staged:
                shutil.rmtree(self.path, ignore_errors=True)
            self._remove_made()
        told = self._told(error)
        if told is not None:
            raise told from None

    def _told(self, error: BaseException | None) -> BaseException | None:
        """An error about a file in the hidden folder, in the words of the folder that the user named."""
        hidden = str(self.path)
        if isinstance(error, UnweaveError) and hidden in str(error):
            return type(error)(str(error).replace(hidden, str(self.shown)))
        if isinstance(error, OSError) and hidden in os.fsdecode(error.filename or ""):
            name = os.fsdecode(error.filename).replace(hidden, str(self.shown))
            return WriteError(f"{name} cannot be written: {error.strerror or error}.")
        return None

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()
        self._made = []

    def _unwritable(self, error: Exception) -> WriteError:
        return WriteError(f"{self.shown} cannot be written: {getattr(error, 'strerror', None) or error}.")


class _Moves:
    """Renames that can be undone."""

    def __init__(self) -> None:
        self._done: list[tuple[Path, Path]] = []
        self._made: list[Path] = []

    def move(self, source: Path, target: Path) -> None:
        for folder in reversed([each for each in target.parents if not each.exists()]):
            if _made_here(folder):
                self._made.append(folder)
        self._done.append((source, target))
        source.rename(target)

    def undo(self) -> None:
        for source, target in reversed(self._done):
            if os.path.lexists(target) and not os.path.lexists(source):
                with suppress(OSError):
                    target.rename(source)
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()


def _files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _listed(folder: Path) -> list[str]:
    """The files that our manifest in a folder lists, as far as they lie in it; none where it is not ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["format"] != MANIFEST_FORMAT:
            return []
        names = [entry["file"] for entry in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    inside = [name for name in names if isinstance(name, str) and name and _is_inside(name)]
    return [*inside, MANIFEST]


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and "\0" not in name and ".." not in PurePosixPath(name).parts


def is_ours(folder: Path) -> bool:
    """Whether everything in a folder was written by this program, or nothing is there."""
    if not folder.is_dir():
        return not os.path.lexists(folder)
    return not any(folder.iterdir()) or bool(_listed(folder))


def _remove_empty(folder: Path, names: Iterable[str]) -> None:
    """Remove the folders that the removal of ``names`` has left empty."""
    for name in names:
        for parent in PurePosixPath(name).parents:
            if str(parent) != ".":
                with suppress(OSError):
                    (folder / parent).rmdir()


def _made_here(folder: Path) -> bool:
    """Make a folder, and say whether it was us: another process may have made it since it was looked for."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


def _hidden_folder(home: Path) -> Path:
    """A new folder under a name that nobody has; ``mkdtemp`` would deny it to everybody else."""
    path = home / f"{_HIDDEN}{secrets.token_hex(8)}"
    path.mkdir()
    return path
