"""A file appears whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unweave.errors import InvalidInput, ReadError, WriteError
from unweave.files import whole_file, write_several, write_whole


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


def test_what_is_written_into_an_open_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        file.write(b"one")
        assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (OSError(28, "No space left on device"), WriteError, r"a cannot be written: No space left on device\."),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (InvalidInput("too loud."), InvalidInput, r"^too loud\.$"),
    ],
)
def test_a_full_disk_and_an_interrupt_leave_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException, expected: type[BaseException], words: str | None
) -> None:
    write_whole(tmp_path / "a", b"old")

    def write_half() -> None:
        with whole_file(tmp_path / "a") as file:
            file.write(b"half")
            raise error

    with pytest.raises(expected, match=words):
        write_half()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_not_replaced_and_a_device_neither(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(WriteError, match="a cannot be written: it is a folder"):
        write_whole(tmp_path / "a", b"")
    assert list((tmp_path / "a").iterdir()) == []
    if Path("/dev/null").exists():
        with pytest.raises(WriteError, match="/dev/null cannot be written: it is no regular file"):
            write_whole("/dev/null", b"")


def test_several_files_are_written_or_none(tmp_path: Path) -> None:
    def good(path: Path) -> None:
        path.write_bytes(b"new")

    def bad(path: Path) -> None:
        path.write_bytes(b"half")
        raise InvalidInput(f"{path} ({path.name}) is too loud.")

    write_whole(tmp_path / "a.wav", b"old")
    with pytest.raises(InvalidInput) as refused:
        write_several([(tmp_path / "a.wav", good), (tmp_path / "b.wav", bad)])
    assert str(refused.value) == f"{tmp_path / 'b.wav'} (b.wav) is too loud."
    with pytest.raises(WriteError, match="none/b.wav cannot be written: No such file or directory"):
        write_several([(tmp_path / "a.wav", good), (tmp_path / "none" / "b.wav", good)])
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    (tmp_path / "link.wav").symlink_to("a.wav")
    write_several([(tmp_path / "link.wav", good), (tmp_path / "b.wav", good)])
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes() == b"new"
    assert (tmp_path / "link.wav").is_symlink()
