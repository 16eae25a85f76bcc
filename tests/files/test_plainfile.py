"""Only plain files are opened, and nobody waits for anything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from router.files.plainfile import PlainFile, open_plain


def test_a_plain_file_is_read_by_its_name_and_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"there")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_plain(tmp_path / name) as opened:
            assert opened.read() == b"there"


def opened() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def linked(to: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(to)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "not a plain file"),
        (linked("/dev/zero"), "not a plain file"),
        (linked("/dev/null"), "not a plain file"),
        (Path.mkdir, "Is a directory"),
        (linked("nothing"), "No such file or directory"),
    ],
)
def test_anything_else_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "it"
    make(path)
    before = opened()
    with pytest.raises(OSError, match=why):
        open_plain(path)
    assert opened() == before


def test_no_link_is_followed_where_none_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"there")
    (tmp_path / "link").symlink_to("file")
    with open_plain(tmp_path / "file", follow=False) as opened:
        assert opened.read() == b"there"
    with pytest.raises(OSError, match="a symbolic link"):
        open_plain(tmp_path / "link", follow=False)


def test_what_has_nothing_to_give_now_is_an_error() -> None:
    """As some below /proc, which say that they are plain."""
    end, other = os.pipe2(os.O_NONBLOCK)
    with PlainFile(FileIO(end)) as file:
        with pytest.raises(BlockingIOError, match="nothing to give"):
            file.read(10)
        os.write(other, b"now")
        assert file.read(10) == b"now"
        os.close(other)
        assert file.read(10) == b""
