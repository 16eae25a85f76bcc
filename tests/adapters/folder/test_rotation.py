"""Files that get other names: nothing of the old one is lost, and nothing of it is read twice."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import structlog
from support.inbox import add, bodies, cursor, named, places, read, reading, until

from adapters.folder.reader import FolderReader
from adapters.folder.shelf import MOST_OPEN
from adapters.folder.telling import FolderLog
from router.ports import Cursor, Message


class Stepwise:
    """A reader that looks only when it is told to."""

    def __init__(self, folder: Path, cursors: Mapping[str, Cursor] | None = None) -> None:
        log = FolderLog(structlog.get_logger())
        self.reader = FolderReader(folder, (cursors or {}).values(), log, lambda: None)

    def look(self) -> list[bytes]:
        """What a look brings; another one where a file seems to be half written."""
        found: list[Message] = []
        self.reader.writing = True
        while self.reader.writing:
            self.reader.look()
            while step := self.reader.step():
                found += step.messages
        return bodies(found)


# --- while running ----------------------------------------------------------------------------


async def test_what_was_appended_before_the_rename_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n")
    reader = Stepwise(tmp_path)
    assert reader.look() == [b"1"]
    add(file, b"2\n")
    file.rename(tmp_path / "a.jsonl.1")
    file.write_bytes(b"3\n")
    assert reader.look() == [b"2", b"3"]
    add(tmp_path / "a.jsonl.1", b"4\n")  # by a writer that has not heard of it yet
    add(file, b"5\n")
    assert sorted(reader.look()) == [b"4", b"5"]


@pytest.mark.parametrize("goes", ["moved out", "removed", "replaced"])
async def test_what_was_appended_before_it_left_the_folder_is_read(
    tmp_path: Path, goes: str
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    file = folder / "a.jsonl"
    file.write_bytes(b"1\n")
    reader = Stepwise(folder)
    assert reader.look() == [b"1"]
    with file.open("ab", buffering=0) as writer:
        writer.write(b"2\n")
        if goes == "moved out":
            file.rename(tmp_path / "old.jsonl")
        elif goes == "removed":
            file.unlink()
        else:
            (folder / ".new").write_bytes(b"3\n")
            (folder / ".new").rename(file)
        new = [b"3"] if goes == "replaced" else []
        assert reader.look() == [b"2", *new]
        writer.write(b"4\n")
        assert reader.look() == [b"4"]
    file.write_bytes(b"5\n")
    assert reader.look() == [b"5"]


async def test_a_file_that_has_another_name_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "b.jsonl"
    file.write_bytes(b"1\n2\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(2)
            file.rename(tmp_path / "a.jsonl")
            await until(lambda: "a.jsonl" in reader.cursors)
            add(tmp_path / "a.jsonl", b"3\n")
            file.write_bytes(b"4\n")
            await reader.until(4)
    assert sorted(places(reader.messages)) == ["a.jsonl:3", "b.jsonl:1", "b.jsonl:1", "b.jsonl:2"]
    (line,) = named(logs, "folder.renamed")
    assert (line["file"], line["now"], line["read_to"]) == ("b.jsonl", "a.jsonl", 4)
    assert named(logs, "folder.missing") == []
    # nor after a start, though nothing came of it under its new name
    assert await read(tmp_path, reader.cursors) == []


async def test_names_that_go_round_in_a_circle(tmp_path: Path) -> None:
    first, second, aside = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "aside"))
    first.write_bytes(b"1\n")
    second.write_bytes(b"2\n3\n")
    reader = Stepwise(tmp_path)
    assert reader.look() == [b"1", b"2", b"3"]
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    add(first, b"4\n")
    assert reader.look() == [b"4"]


async def test_a_second_name_is_a_second_file(tmp_path: Path) -> None:
    """In doubt all of it is read: the first name may come to mean another file."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n")
    reader = Stepwise(tmp_path)
    assert reader.look() == [b"1"]
    (tmp_path / "b.jsonl").hardlink_to(file)
    assert reader.look() == [b"1"]
    (tmp_path / "a.jsonl.bak").hardlink_to(file)
    assert reader.look() == []


async def test_more_files_than_are_held_open(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:03}.jsonl" for number in range(2 * MOST_OPEN + 3)]
    for number, file in enumerate(files):
        file.write_bytes(b"%d\n" % number)
    reader = Stepwise(tmp_path)
    assert len(reader.look()) == len(files)
    for number, file in enumerate(files):
        add(file, b"more %d\n" % number)
        file.rename(file.with_name(file.name + ".1"))
        file.write_bytes(b"new %d\n" % number)
    given = reader.look()
    assert len(given) == 2 * len(files)
    assert given[:2] == [b"more 0", b"new 0"]
    assert Stepwise(tmp_path).look() == [b"new %d" % number for number in range(len(files))]


# --- between two runs -------------------------------------------------------------------------


async def test_the_rest_of_what_was_begun_is_read_under_its_new_name(tmp_path: Path) -> None:
    """Also where its ending is none that is read, and with the digest of what came before."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    begun = {"a.jsonl": cursor(file, 2, 1)}
    file.rename(tmp_path / "a.jsonl.2")
    (tmp_path / "a.jsonl.1").write_bytes(b"of a day on which nothing ran\n")
    file.write_bytes(b"4\n")
    async with reading(tmp_path, begun) as reader:
        assert places(await reader.until(3)) == ["a.jsonl.2:2", "a.jsonl.2:3", "a.jsonl:1"]
        assert reader.source.files().ignored == 1  # the other one was never begun
    assert await read(tmp_path, reader.cursors) == []
    (tmp_path / "a.jsonl.2").rename(tmp_path / "archived")
    add(tmp_path / "archived", b"5\n")
    assert places(await read(tmp_path, reader.cursors)) == ["archived:4"]


async def test_the_rest_of_a_copy_that_a_rotation_made_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    begun = {"a.jsonl": cursor(file, 2, 1)}
    (tmp_path / "a.jsonl.1").write_bytes(file.read_bytes())
    (tmp_path / "a.jsonl.2").write_bytes(b"an older one, that is longer and differs\n")
    (tmp_path / "b.jsonl.1").write_bytes(file.read_bytes())
    file.write_bytes(b"4\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path, begun) as reader:
            messages = await reader.until(3)
    assert places(messages) == ["a.jsonl.1:2", "a.jsonl.1:3", "a.jsonl:1"]
    (line,) = named(logs, "folder.replaced")
    assert line["log_level"] == "info"
    assert await read(tmp_path, reader.cursors) == []


async def test_a_backup_beside_a_file_is_none_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n")
    begun = {"a.jsonl": cursor(file, 2, 1)}
    (tmp_path / "a.jsonl.bak").write_bytes(b"1\n2\n3\n")
    assert places(await read(tmp_path, begun)) == ["a.jsonl:2"]


async def test_a_row_of_renames_is_recognised(tmp_path: Path) -> None:
    names = ["a.jsonl", "a.1.jsonl", "a.2.jsonl"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    async with reading(tmp_path) as first:
        await first.until(3)
    (tmp_path / "a.2.jsonl").rename(tmp_path / "a.3.jsonl")
    (tmp_path / "a.1.jsonl").rename(tmp_path / "a.2.jsonl")
    (tmp_path / "a.jsonl").rename(tmp_path / "a.1.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b"new\n")
    async with reading(tmp_path, first.cursors) as second:
        assert bodies(await second.until(1)) == [b"new"]
    assert await read(tmp_path, second.cursors) == []


async def test_an_inode_that_was_used_again_misleads_nobody(tmp_path: Path) -> None:
    """A row of the ledger says that this file is one of ours; what stands in it says no."""
    (tmp_path / "old.jsonl").write_bytes(b"1\n2\n3\n")
    old = cursor(tmp_path / "old.jsonl", 4, 2)
    (tmp_path / "old.jsonl").unlink()
    (tmp_path / "notes.txt").write_bytes(b"Buy milk.\nCall the DSP.\n")
    (tmp_path / "new.jsonl").write_bytes(b"4\n5\n6\n")
    for name in ("notes.txt", "new.jsonl"):
        status = (tmp_path / name).stat()
        identity = f"{status.st_dev}:{status.st_ino}"
        row = Cursor("old.jsonl", old.offset, old.line, old.digest, identity)
        async with reading(tmp_path, {"old.jsonl": row}) as reader:
            assert bodies(await reader.until(3)) == [b"4", b"5", b"6"]
            await until(lambda: reader.source.files().ignored == 1)


@pytest.mark.parametrize(("old", "new"), [("1.jsonl", "2.jsonl.gz"), ("1.jsonl.gz", "2.jsonl")])
async def test_an_inode_goes_from_plain_to_gzip_and_back(
    tmp_path: Path, old: str, new: str
) -> None:
    """The other name says nothing of what stands there now."""

    def write(file: Path, data: bytes) -> None:
        file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)

    write(tmp_path / old, b"1\n2\n")
    async with reading(tmp_path) as first:
        await first.until(2)
    (tmp_path / old).rename(tmp_path / new)
    write(tmp_path / new, b"3\n4\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path, first.cursors) as second:
            assert bodies(await second.until(2)) == [b"3", b"4"]
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == []
    assert await read(tmp_path, second.cursors) == []


async def test_of_all_that_had_an_inode_the_right_one_is_found(tmp_path: Path) -> None:
    """Files that come and go leave many rows with the same one."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    row = cursor(file, 2, 1)
    rows = {f"{n}.jsonl": Cursor(f"{n}.jsonl", n, 1, "f" * 64, row.identity) for n in range(9)}
    file.rename(tmp_path / "archived")
    file.write_bytes(b"4\n")
    async with reading(tmp_path, rows | {"a.jsonl": row}) as reader:
        assert sorted(bodies(await reader.until(3))) == [b"2", b"3", b"4"]
    assert await read(tmp_path, reader.cursors) == []


async def test_an_inode_given_out_again_does_not_pass_for_the_old_file(tmp_path: Path) -> None:
    """What says that the old one is still read must be of it."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    row = cursor(file, 4, 2)
    file.rename(tmp_path / "b.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"another\n")
    (tmp_path / "a.jsonl").write_bytes(b"4\n")
    with structlog.testing.capture_logs() as logs:
        given = await read(tmp_path, {"a.jsonl": row})
    assert sorted(bodies(given)) == [b"4", b"another"]
    assert [line["log_level"] for line in named(logs, "folder.replaced")] == ["warning"]


async def test_a_rotated_file_that_is_written_anew_is_no_file_of_facts(tmp_path: Path) -> None:
    """Only what was read of it makes a file with another ending one of ours."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n")
    async with reading(tmp_path) as first:
        await first.until(1)
    file.rename(tmp_path / "kept")
    (tmp_path / "kept").write_bytes(b"minutes of a meeting\n")
    assert await read(tmp_path, first.cursors) == []


async def test_the_ledger_may_stop_anywhere(tmp_path: Path) -> None:
    """Whatever part of what was given out was committed, the next start loses nothing."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    begun = {"a.jsonl": cursor(file, 2, 1)}
    (tmp_path / "a.jsonl.1").write_bytes(file.read_bytes())
    file.write_bytes(b"4\n5\n")
    reader = Stepwise(tmp_path, begun).reader
    reader.look()
    assert reader.step() is None
    assert reader.writing  # or so it seems
    reader.look()
    committed: list[tuple[set[bytes], dict[str, Cursor]]] = [(set(), begun)]
    while step := reader.step():
        for body, reached in [
            (None, step.moved),
            *((each.body, each.cursor) for each in step.messages),
        ]:
            bodies_before, cursors = committed[-1]
            moved = {reached.key: reached} if reached else {}
            committed.append((bodies_before | ({body} if body else set()), cursors | moved))
    for had, cursors in committed:
        assert had | {*Stepwise(tmp_path, cursors).look()} == {b"2", b"3", b"4", b"5"}


async def test_what_a_rotation_left_long_ago_is_not_even_opened(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n")
    async with reading(tmp_path) as first:
        await first.until(1)
        file.rename(tmp_path / "a.jsonl.1")
        await until(lambda: "a.jsonl.1" in first.cursors)
    rotated = tmp_path / "a.jsonl.1"
    os.utime(rotated, ns=(1, rotated.stat().st_mtime_ns))  # any reading of it would set this anew
    assert await read(tmp_path, first.cursors) == []
    assert rotated.stat().st_atime_ns == 1
    add(rotated, b"2\n")
    assert bodies(await read(tmp_path, first.cursors)) == [b"2"]
