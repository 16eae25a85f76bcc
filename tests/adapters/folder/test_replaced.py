"""A file that is replaced under its name is read from its beginning, and what is said then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from support.inbox import add, bodies, cursor, named, places, read, reading, until

from router.ports import Cursor


def copy(file: Path, data: bytes) -> None:
    """`cp new file`."""
    file.write_bytes(data)


def move(file: Path, data: bytes) -> None:
    """`mv new file`."""
    new = file.with_name(".new")
    new.write_bytes(data)
    new.rename(file)


def overwrite(file: Path, data: bytes) -> None:
    """`dd conv=notrunc`, and the rest cut off."""
    with file.open("r+b") as stream:
        stream.write(data)
        stream.truncate()


def rotate(file: Path, data: bytes) -> None:
    """`logrotate` with `create`."""
    file.rename(file.with_name(file.name + ".1"))
    file.write_bytes(data)


def copy_and_empty(file: Path, data: bytes) -> None:
    """`logrotate` with `copytruncate`, and a writer that has gone on before the next look."""
    file.with_name(file.name + ".1").write_bytes(file.read_bytes())
    with file.open("r+b") as stream:
        stream.truncate()
    add(file, data)


def make_anew(file: Path, data: bytes) -> None:
    """Removed and made: the new one often gets the old one's inode."""
    file.unlink()
    file.write_bytes(data)


WAYS = [copy, move, overwrite, rotate, copy_and_empty, make_anew]
OLD = [b'{"day": 1, "n": %d}' % number for number in range(1, 4)]
NEW = {
    "shorter": [b'{"day": 2, "n": 1}'],
    "equal lengths": [b'{"day": 2, "n": %d}' % number for number in range(1, 4)],
    "longer by equal lines": [b'{"day": 2, "n": %d}' % number for number in range(1, 6)],
    "longer, unlike lines": [b'{"day": 2, "id": "%s"}' % (b"x" * 99), b'{"day": 2}'],
    "the same head": [*OLD[:2], *(b'{"day": 2, "n": %d}' % number for number in range(1, 6))],
    "one blank line": [b""],
}
ways = pytest.mark.parametrize("replace", WAYS, ids=lambda way: way.__name__)
news = pytest.mark.parametrize("new", NEW.values(), ids=NEW)


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@ways
@news
async def test_while_running(
    tmp_path: Path, replace: Callable[[Path, bytes], None], new: list[bytes]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(joined(OLD))
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(3)
            replace(file, joined(new))
            await until(lambda: bool(named(logs, "folder.replaced")))
            await reader.until(3 + len(new) - new.count(b""))
            assert reader.source.files().replaced == 1
            add(file, b'{"day": 3}\n')
            messages = await reader.until(4 + len(new) - new.count(b""))
    assert bodies(messages) == [*OLD, *filter(None, new), b'{"day": 3}']
    assert messages[-1].origin == f"a.jsonl:{len(new) + 1}"
    (line,) = named(logs, "folder.replaced")
    assert (line["file"], line["read_to"], line["lines"]) == ("a.jsonl", len(joined(OLD)), 3)
    # and the ledger knows it from now on
    assert await read(tmp_path, reader.cursors) == []


@ways
@news
async def test_between_two_runs(
    tmp_path: Path, replace: Callable[[Path, bytes], None], new: list[bytes]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(joined(OLD))
    async with reading(tmp_path) as first:
        await first.until(3)
    replace(file, joined(new))
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path, first.cursors) as second:
            messages = await second.until(len(new) - new.count(b""))
    assert bodies(messages) == [line for line in new if line]
    assert len(named(logs, "folder.replaced")) == 1
    assert await read(tmp_path, second.cursors) == []


@ways
async def test_half_read(tmp_path: Path, replace: Callable[[Path, bytes], None]) -> None:
    """Several blocks of the old one are still to come when it is replaced."""
    file = tmp_path / "a.jsonl"
    old = [b'{"day": 1, "n": %d, "pad": "%s"}' % (n, b"x" * 1000) for n in range(3000)]
    new = [line.replace(b'"day": 1', b'"day": 2') for line in old]
    file.write_bytes(joined(old))
    async with reading(tmp_path) as reader:
        await until(lambda: len(reader.messages) >= 600)
        replace(file, joined(new))
        await until(lambda: {*new} <= {*bodies(reader.messages)} and reader.source.exhausted())
    given = bodies(reader.messages)
    assert {*given} <= {*old, *new}  # and nothing is torn
    assert [line for line in given if b'"day": 2' in line][-3000:] == new
    if replace in (move, rotate, copy_and_empty, make_anew):
        assert {*given} == {*old, *new}  # and nothing of the old one is lost
    assert await read(tmp_path, reader.cursors) == []


async def test_larger_than_its_edges(tmp_path: Path) -> None:
    """What is the same at both ends and differs in the middle is found by the next start."""
    file = tmp_path / "a.jsonl"
    lines = [b'{"n": %06d, "pad": "%s"}' % (n, b"x" * 100) for n in range(5000)]
    file.write_bytes(joined(lines))
    async with reading(tmp_path) as first:
        await first.until(5000)
    lines[2500] = lines[2500].replace(b"002500", b"999999")
    file.write_bytes(joined(lines))
    assert bodies(await read(tmp_path, first.cursors)) == lines
    async with reading(tmp_path, {}) as reader:
        await reader.until(5000)
        lines[2500] = lines[2500].replace(b"999999", b"888888")
        file.write_bytes(joined(lines))  # of the same length: all of it is read again
        messages = await reader.until(10_000)
    assert bodies(messages)[5000:] == lines


async def test_it_grew_within_a_large_file(tmp_path: Path) -> None:
    """Growth between two looks hides neither a new head nor a new tail."""
    file = tmp_path / "a.jsonl"
    lines = [b'{"n": %06d, "pad": "%s"}' % (n, b"x" * 100) for n in range(5000)]
    for changed in (0, 4999):
        file.write_bytes(joined(lines))
        async with reading(tmp_path) as reader:
            await reader.until(5000)
            lines[changed] = lines[changed].replace(b'"n"', b'"m"')
            file.write_bytes(joined([*lines, b'{"more": 1}']))
            messages = await reader.until(10_001)
        assert bodies(messages)[5000:] == [*lines, b'{"more": 1}']


@pytest.mark.parametrize("replace", [copy, move], ids=["copy", "move"])
async def test_a_longer_version_of_the_same_goes_on_where_it_was(
    tmp_path: Path, replace: Callable[[Path, bytes], None]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(joined(OLD))
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(3)
            replace(file, joined([*OLD, b"4"]))
            await reader.until(4)
            replace(file, joined([*OLD, b"4", b"5"]))
            messages = await reader.until(5)
        replace(file, joined([*OLD, b"4", b"5", b"6"]))
        assert places(await read(tmp_path, reader.cursors)) == ["a.jsonl:6"]
    assert bodies(messages) == [*OLD, b"4", b"5"]
    assert named(logs, "folder.replaced") == []


async def test_a_touched_file_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(joined(OLD))
    async with reading(tmp_path) as reader:
        await reader.until(3)
        file.touch()
        file.chmod(0o600)
        add(tmp_path / "b.jsonl", b"4\n")
        messages = await reader.until(4)
    assert bodies(messages) == [*OLD, b"4"]


async def test_again_and_again(tmp_path: Path) -> None:
    """Each day the export has the old name, and the same number of bytes."""
    file = tmp_path / "a.jsonl"
    cursors: dict[str, Cursor] = {}
    for day in range(6):
        lines = [b'{"day": %d, "n": %d}' % (day, number) for number in range(3)]
        WAYS[day](file, joined(lines)) if day else file.write_bytes(joined(lines))
        async with reading(tmp_path, cursors) as reader:
            assert bodies(await reader.until(3)) == lines
        cursors = reader.cursors


async def test_what_follows_a_hole_is_read(tmp_path: Path) -> None:
    """A writer that did not open it for appending goes on at its old place after `truncate`."""
    file = tmp_path / "a.jsonl"
    with file.open("wb", buffering=0) as writer:
        writer.write(joined(OLD))
        async with reading(tmp_path) as reader:
            await reader.until(3)
            writer.truncate(0)
            writer.write(b'{"day": 2}\n')
            messages = await reader.until(4)
    assert bodies(messages) == [*OLD, b'{"day": 2}']


async def test_an_unfinished_line_is_not_joined_to_another_file(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'1\n{"n": ')
    async with reading(tmp_path) as reader:
        await reader.until(1)
        copy(file, b'2\n{"m": 3}\n')
        messages = await reader.until(3)
    assert bodies(messages) == [b"1", b"2", b'{"m": 3}']


@pytest.mark.parametrize("replace", [copy, move, rotate], ids=["copy", "move", "rotate"])
async def test_a_whole_last_line_without_newline(
    tmp_path: Path, replace: Callable[[Path, bytes], None]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}')
    async with reading(tmp_path) as reader:
        await reader.until(1)
        replace(file, b'{"n": 2}')
        await reader.until(2)
        add(file, b'\n{"n": 3}')
        messages = await reader.until(3)
    assert bodies(messages) == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']
    assert messages[-1].origin == "a.jsonl:2"


# --- cursors of before ------------------------------------------------------------------------


async def test_a_cursor_without_a_digest_is_believed_once(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(joined(OLD))
    older = {"a.jsonl": Cursor("a.jsonl", len(OLD[0]) + 1, 1)}
    async with reading(tmp_path, older) as reader:
        assert bodies(await reader.until(2)) == OLD[1:]
    async with reading(tmp_path, older | {"a.jsonl": Cursor("a.jsonl", 57, 3)}) as reader:
        await until(lambda: reader.source.exhausted() and bool(reader.cursors["a.jsonl"].digest))
        assert reader.messages == []
    assert reader.cursors == {"a.jsonl": cursor(file, 57, 3)}
    copy(file, joined(NEW["longer by equal lines"]))
    assert bodies(await read(tmp_path, reader.cursors)) == NEW["longer by equal lines"]


async def test_a_file_shorter_than_a_cursor_without_a_digest_is_another_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"4\n")
    with structlog.testing.capture_logs() as logs:
        assert bodies(await read(tmp_path, {"a.jsonl": Cursor("a.jsonl", 6, 3)})) == [b"4"]
    assert len(named(logs, "folder.replaced")) == 1
