"""Facts from a folder: every line once, in order, from where the ledger says."""

import asyncio
import json
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict

from adapters.folder import FolderSource
from router.errors import UsageError
from router.ports import Cursor, Message

MAX_LINE = 262_144


class Reader:
    """Reads a source as the intake does: a task takes Messages until the source is exhausted."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.messages: list[Message] = []

    async def run(self, cursors: Mapping[str, Cursor]) -> None:
        async for message in self.source.messages(cursors):
            self.messages.append(message)

    async def until(self, count: int) -> list[Message]:
        """Waits for that many in all; a test that waits in vain is stopped by its own deadline."""
        async with asyncio.timeout(30):
            await until(lambda: len(self.messages) >= count and self.source.exhausted())
        return self.messages


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  what is waited for is on a disk
        await asyncio.sleep(0.002)


@asynccontextmanager
async def reading(
    folder: Path, cursors: Mapping[str, Cursor] | None = None
) -> AsyncIterator[Reader]:
    """A source at work on `folder`."""
    config = FolderSource.Config.model_validate({"path": folder, "poll": 0.005})
    async with FolderSource("drop", config) as source:
        reader = Reader(source)
        assert not source.exhausted()
        task = asyncio.create_task(reader.run(cursors or {}))
        yield reader
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read(folder: Path, cursors: Mapping[str, Cursor] | None = None) -> list[Message]:
    """All that is there now."""
    async with reading(folder, cursors) as reader:
        return await reader.until(0)


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.body for message in messages]


def places(messages: list[Message]) -> list[str]:
    return [message.origin for message in messages]


def named(logs: list[EventDict], event: str) -> list[EventDict]:
    return [line for line in logs if line["event"] == event]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def add(file: Path, data: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(data)


async def test_lines_come_file_by_file_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b'{"b": 1}\n')
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}\n')
    messages = await read(tmp_path)
    assert [(each.origin, each.body, each.cursor) for each in messages] == [
        ("a.jsonl:1", b'{"a": 1}', Cursor("a.jsonl", 9, 1)),
        ("a.jsonl:2", b'{"a": 2}', Cursor("a.jsonl", 18, 2)),
        ("b.jsonl:1", b'{"b": 1}', Cursor("b.jsonl", 9, 1)),
    ]


async def test_blank_lines_count_but_are_no_facts_and_windows_line_ends_do_no_harm(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\n{"a": 1}\r\n \t\r\n\r\n{"a": 2}\r\n\n')
    messages = await read(tmp_path)
    assert bodies(messages) == [b'{"a": 1}', b'{"a": 2}']
    assert places(messages) == ["a.jsonl:2", "a.jsonl:5"]


async def test_what_is_not_json_is_given_out_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"nonsense\n\xff\xfe\x00\n{}\n")
    assert bodies(await read(tmp_path)) == [b"nonsense", b"\xff\xfe\x00", b"{}"]


async def test_appended_lines_and_new_files_are_picked_up(tmp_path: Path) -> None:
    file = tmp_path / "b.jsonl"
    file.write_bytes(b"1\n")
    async with reading(tmp_path) as reader:
        await reader.until(1)
        add(file, b"2\n3\n")
        await reader.until(3)
        (tmp_path / "a.jsonl").write_bytes(b"4\n")
        assert bodies(await reader.until(4)) == [b"1", b"2", b"3", b"4"]
        assert places(reader.messages) == ["b.jsonl:1", "b.jsonl:2", "b.jsonl:3", "a.jsonl:1"]


async def test_a_restart_goes_on_at_any_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"n": 1}\n\n{"n": 2}\r\n{"n": 3}')
    (tmp_path / "b.jsonl").write_bytes(b"5\n6\n")
    whole = await read(tmp_path)
    assert len(whole) == 5
    for done in range(len(whole) + 1):
        cursors = {each.cursor.key: each.cursor for each in whole[:done] if each.cursor}
        assert await read(tmp_path, cursors) == whole[done:]


async def test_no_file_is_ever_changed(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2")
    file.chmod(0o444)
    before = file.stat()
    assert len(await read(tmp_path)) == 1
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert names(tmp_path) == ["a.jsonl"]


# --- the last line ---------------------------------------------------------------------------


async def test_a_last_line_without_newline_is_read_when_it_is_a_whole_object(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"n": 1}\n{"n": {}}')
    messages = await read(tmp_path)
    assert bodies(messages) == [b'{"n": 1}', b'{"n": {}}']
    assert places(messages) == ["a.jsonl:1", "a.jsonl:2"]


@pytest.mark.parametrize("again", [False, True], ids=["same process", "after a restart"])
async def test_the_newline_that_comes_later_neither_repeats_nor_counts_the_line(
    tmp_path: Path, again: bool
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\n{"n": 2}')
    if again:
        cursor = (await read(tmp_path))[-1].cursor
        assert cursor is not None
        add(file, b'\r\n{"n": 3}\n')
        messages = await read(tmp_path, {"a.jsonl": cursor})
        assert places(messages) == ["a.jsonl:3"]
    else:
        async with reading(tmp_path) as reader:
            await reader.until(2)
            add(file, b"\n")
            add(file, b'{"n": 3}\n')
            messages = await reader.until(3)
        assert places(messages) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert messages[-1].body == b'{"n": 3}'


async def test_what_follows_a_whole_object_on_its_line_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}')
    async with reading(tmp_path) as reader:
        await reader.until(1)
        add(file, b' {"n": 2}\n{"n": 3}\n')
        messages = await reader.until(3)
    assert bodies(messages) == [b'{"n": 1}', b' {"n": 2}', b'{"n": 3}']
    assert places(messages) == ["a.jsonl:1", "a.jsonl:1", "a.jsonl:2"]


@pytest.mark.parametrize(
    "begun",
    [
        b'{"n": {}',
        b'{"n": "}',
        b"[1, 2]",
        b"7",
        b'"{}"',
        b"{" * 100_000,
        b'{"\xff": 1}',
        b"{nonsense}",
    ],
    ids=["open", "in text", "list", "number", "text", "deep", "bad UTF-8", "not JSON"],
)
async def test_any_other_last_line_waits_for_its_newline(tmp_path: Path, begun: bytes) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\n' + begun)
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            assert len(await reader.until(1)) == 1
            add(tmp_path / "b.jsonl", b"2\n")  # and nobody else waits for it
            await reader.until(2)
            add(file, b"\n")
            messages = await reader.until(3)
    assert messages[-1].body == begun
    (line,) = named(logs, "folder.unfinished_line")
    assert (line["file"], line["line"]) == ("a.jsonl", 2)


async def test_a_line_written_in_pieces_is_given_out_once_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    fact = json.dumps({"n": "x" * 2000}).encode()
    async with reading(tmp_path) as reader:
        for start in range(0, len(fact), 100):
            add(file, fact[start : start + 100])
            await asyncio.sleep(0.003)
        add(file, b"\n")
        assert bodies(await reader.until(1)) == [fact]


async def test_blanks_at_the_end_are_no_unfinished_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n  ")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(1)
            add(file, b"2\n3\n")
            messages = await reader.until(3)
    assert [body.strip() for body in bodies(messages)] == [b"1", b"2", b"3"]
    assert places(messages) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert logs == []


# --- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 524_287, 524_288, 524_289]
)
async def test_a_long_line_is_cut_one_byte_above_the_limit(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n" + b"x" * length + b"\n2\n")
    messages = await read(tmp_path)
    assert [len(body) for body in bodies(messages)] == [1, min(length, MAX_LINE + 1), 1]
    assert places(messages) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert messages[1].cursor == Cursor("a.jsonl", 2 + length + 1, 2)


async def test_a_line_of_ten_megabytes_takes_no_more_memory_than_a_block(tmp_path: Path) -> None:
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.write(b"1\n")
        for _ in range(10):
            file.write(b"x" * 1_000_000)
        file.write(b"\n2\n")
    tracemalloc.start()
    try:
        messages = await read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(body) for body in bodies(messages)] == [1, MAX_LINE + 1, 1]
    assert messages[-1].origin == "a.jsonl:3"
    assert peak < 4_000_000


async def test_a_long_line_without_newline_waits_and_is_then_given_out(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": "' + b"x" * 2_000_000 + b'"}')
    async with reading(tmp_path) as reader:
        assert await reader.until(0) == []
        add(file, b"\n2\n")
        messages = await reader.until(2)
    assert [len(body) for body in bodies(messages)] == [MAX_LINE + 1, 1]


async def test_many_lines_all_come_while_the_loop_goes_on(tmp_path: Path) -> None:
    count = 100_000
    lines = [b'{"n": %d, "pad": "%s"}' % (number, b"x" * 400) for number in range(count)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    work = asyncio.create_task(other_work())
    messages = await read(tmp_path)
    work.cancel()
    assert bodies(messages) == lines
    assert messages[-1].origin == f"a.jsonl:{count}"
    assert turns > 80  # at least once for each block


# --- files that misbehave --------------------------------------------------------------------


async def test_a_file_that_shrank_is_named_once_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n2\n3\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(3)
            file.write_bytes(b"4\n")
            add(tmp_path / "b.jsonl", b"5\n")
            await reader.until(4)
            file.write_bytes(b"6\n7\n8\n9\n")
            add(tmp_path / "b.jsonl", b"10\n")
            messages = await reader.until(5)
    assert bodies(messages) == [b"1", b"2", b"3", b"5", b"10"]
    (line,) = named(logs, "folder.shrunk")
    assert (line["file"], line["size"], line["read_to"]) == ("a.jsonl", 2, 6)
    assert "new name" in line["advice"]


async def test_a_file_that_shrank_while_nobody_looked_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"4\n")
    with structlog.testing.capture_logs() as logs:
        assert await read(tmp_path, {"a.jsonl": Cursor("a.jsonl", 6, 3)}) == []
    assert len(named(logs, "folder.shrunk")) == 1


async def test_files_that_went_away_are_named_once_and_go_on_when_they_return(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"1\n")
    gone = {"old.jsonl": Cursor("old.jsonl", 10, 2)}
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path, gone) as reader:
            await reader.until(1)
            file.unlink()
            add(tmp_path / "b.jsonl", b"2\n")
            await reader.until(2)
            file.write_bytes(b"1\n3\n")
            messages = await reader.until(3)
    assert bodies(messages) == [b"1", b"2", b"3"]
    assert [line["files"] for line in named(logs, "folder.missing")] == [["old.jsonl"], ["a.jsonl"]]


async def test_only_plain_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (tmp_path / "elsewhere.jsonl").write_bytes(b"no\n")
    (folder / "link.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    (folder / "folder.jsonl").mkdir()
    (folder / ".hidden.jsonl").write_bytes(b"no\n")
    (folder / "notes.txt").write_bytes(b"no\n")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / os.fsdecode(b"\xff.jsonl")).write_bytes(b"no\n")
    (folder / "line\nbreak.jsonl").write_bytes(b"no\n")
    (folder / "good.jsonl").write_bytes(b"yes\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(folder) as reader:
            await reader.until(1)
            add(folder / "good.jsonl", b"yes\n")
            assert bodies(await reader.until(2)) == [b"yes", b"yes"]
    assert sorted(line["file"] for line in named(logs, "folder.ignored")) == [
        "folder.jsonl",
        "line\nbreak.jsonl",
        "link.jsonl",
        "pipe.jsonl",
        "\udcff.jsonl",
    ]


async def test_a_folder_that_goes_away_is_named_and_read_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    folder, aside = tmp_path / "inbox", tmp_path / "aside"
    folder.mkdir()
    add(folder / "a.jsonl", b"1\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(folder) as reader:
            await reader.until(1)
            folder.rename(aside)
            await until(lambda: bool(named(logs, "folder.unreadable")))
            add(aside / "a.jsonl", b"2\n")
            aside.rename(folder)
            assert bodies(await reader.until(2)) == [b"1", b"2"]


@pytest.mark.parametrize("kind", ["missing", "file"])
async def test_a_source_without_its_folder_does_not_start(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "inbox"
    if kind == "file":
        folder.write_bytes(b"")
    source = FolderSource("drop", FolderSource.Config.model_validate({"path": folder}))
    with pytest.raises(UsageError) as caught:
        await source.__aenter__()
    assert str(folder) in str(caught.value)
    assert "'drop'" in str(caught.value)
    assert "create it" in str(caught.value)
