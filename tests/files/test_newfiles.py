"""What we make is closed to others under every umask, and no link leads us elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.files.newfiles import Access, make_file, make_folder, write_over


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("access", "file", "folder"), [(Access.OWNER, 0o600, 0o700), (Access.GROUP, 0o660, 0o770)]
)
def test_what_is_made_is_the_owners_or_the_groups(
    tmp_path: Path, access: Access, file: int, folder: int
) -> None:
    make_folder(tmp_path / "a" / "b", access)
    with make_file(tmp_path / "a" / "b" / "c", access) as out:
        out.write(b"there")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [folder, folder]
    assert mode(tmp_path / "a" / "b" / "c") == file
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"there"


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o755)
    make_folder(tmp_path / "a", Access.OWNER)
    assert mode(tmp_path / "a") == 0o755


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="File exists"):
        make_folder(tmp_path / "a", Access.OWNER)
    with pytest.raises(OSError, match="Not a directory"):
        make_folder(tmp_path / "a" / "b", Access.OWNER)


@pytest.mark.parametrize("to", ["victim", "nothing"])
def test_no_link_is_followed(tmp_path: Path, to: str) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(to)
    with pytest.raises(OSError, match="File exists"):
        make_file(tmp_path / "link", Access.OWNER)
    with pytest.raises(OSError, match="symbolic link"):
        write_over(tmp_path / "link", b"ours")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()


def test_what_is_written_over_is_a_plain_file(tmp_path: Path) -> None:
    for content in (b"longer", b"short"):
        write_over(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="not a plain file"):
        write_over(tmp_path / "pipe", b"ours")
    os.close(reader)
    with pytest.raises(OSError, match="No such device"):  # nobody reads it
        write_over(tmp_path / "pipe", b"ours")
