"""A file appears whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unweave.errors import ReadError, WriteError
from unweave.files import write_whole


def test_a_file_is_written_at_once_or_piece_by_piece(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", [b"tw", b"o"])
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [ReadError("the source is damaged."), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise error

    write_whole(tmp_path / "a", b"old")
    with pytest.raises(type(error)):
        write_whole(tmp_path / "a", pieces())
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written: No such file or directory"):
        write_whole(tmp_path / "none" / "a", b"")
