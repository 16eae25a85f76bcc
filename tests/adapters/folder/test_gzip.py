"""Facts from a .gz, whole or not yet, cut or broken: what can be read of it is."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from support.inbox import add, bodies, cursor, named, places, read, reading, until

from adapters.folder.contents import GzipContents
from adapters.folder.openfile import OpenFile

LINES = [b'{"n": %d, "pad": "%s"}' % (n, os.urandom(30).hex().encode()) for n in range(4000)]
WHOLE = gzip.compress(b"".join(line + b"\n" for line in LINES))


async def test_it_is_read_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(WHOLE)
    async with reading(tmp_path) as reader:
        messages = await reader.until(len(LINES))
    assert bodies(messages) == LINES
    assert messages[-1].origin == f"a.jsonl.gz:{len(LINES)}"
    reached = messages[-1].cursor
    assert reached is not None
    assert reached.offset == sum(len(line) + 1 for line in LINES)
    for done in (0, 1, 1999, 3999, 4000):
        cursors = {each.cursor.key: each.cursor for each in messages[:done] if each.cursor}
        assert await read(tmp_path, cursors) == messages[done:]


async def test_members_and_appended_members(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"2\n") + bytes(512))
    async with reading(tmp_path) as reader:
        await reader.until(2)
        add(file, gzip.compress(b"3\n"))
        messages = await reader.until(3)
    assert bodies(messages) == [b"1", b"22", b"3"]
    assert await read(tmp_path, reader.cursors) == []


async def test_one_that_is_still_being_written_is_read_as_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            for start in range(0, len(WHOLE), 20_000):
                add(file, WHOLE[start : start + 20_000])
                before = len(reader.messages)
                await until(lambda before=before: len(reader.messages) > before)  # type: ignore[misc]
            messages = await reader.until(len(LINES))
    assert bodies(messages) == LINES
    assert {line["reason"] for line in named(logs, "folder.broken_gzip")} <= {"it ends too early"}


async def test_one_that_was_cut_is_told_once_and_read_again_when_it_is_whole(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(WHOLE[: len(WHOLE) // 2])
    (tmp_path / "b.jsonl").write_bytes(b"beside\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(1)
            await until(lambda: bool(named(logs, "folder.broken_gzip")))
            assert reader.messages[-1].body == b"beside"
            count = len(reader.messages)
            assert bodies(reader.messages[:-1]) == LINES[: count - 1]
            assert count > len(LINES) // 3
            (tmp_path / ".new").write_bytes(WHOLE)
            (tmp_path / ".new").rename(file)
            messages = await reader.until(len(LINES) + 1)
    assert [each.body for each in messages if each.body != b"beside"] == LINES
    (line,) = named(logs, "folder.broken_gzip")
    assert (line["file"], line["reason"]) == ("a.jsonl.gz", "it ends too early")
    assert "folder.replaced" not in {each["event"] for each in logs}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (WHOLE[:100_000] + bytes(100) + WHOLE[100_100:], ""),
        (WHOLE[:-8] + bytes(8), "incorrect data check"),
        (WHOLE[:-4] + bytes(4), "incorrect length check"),
        (WHOLE + b"what is this?", "what follows its end is not gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00" + WHOLE[6:], "incorrect header check"),
        (b"", "it ends too early"),
        (b"\x1f", "it ends too early"),
    ],
    ids=[
        "in the middle",
        "checksum",
        "length",
        "behind it",
        "packed otherwise",
        "empty",
        "one byte",
    ],
)
async def test_what_is_broken_stalls_nobody(tmp_path: Path, broken: bytes, why: str) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(broken)
    (tmp_path / "b.jsonl").write_bytes(b"beside\n")
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(1)
            await until(lambda: bool(named(logs, "folder.broken_gzip")))
            add(tmp_path / "b.jsonl", b"beside\n")
            await until(lambda: bodies(reader.messages).count(b"beside") == 2)
            given = [each.body for each in reader.messages if each.body != b"beside"]
            if ("check" in why and "header" not in why) or "behind" in why or "follows" in why:
                assert given == LINES
            file.write_bytes(WHOLE)
            await until(lambda: {*LINES} <= {*bodies(reader.messages)})
    (line,) = named(logs, "folder.broken_gzip")
    assert why in line["reason"]
    assert "looked at again" in line["advice"]


PLAIN = b"".join(line + b"\n" for line in LINES)
misnamed = pytest.mark.parametrize(
    ("wrong", "right", "data"),
    [("a.jsonl.gz", "a.jsonl", PLAIN), ("a.jsonl", "a.jsonl.gz", WHOLE)],
    ids=["plain named .gz", "gzip named .jsonl"],
)


@misnamed
async def test_what_has_the_wrong_name_is_read_all_the_same(
    tmp_path: Path, wrong: str, right: str, data: bytes
) -> None:
    """And not again when somebody mends its name, whether or not the router runs."""
    for running in (True, False):
        folder = tmp_path / f"running {running}"
        folder.mkdir()
        file = folder / wrong
        file.write_bytes(data)
        with structlog.testing.capture_logs() as logs:
            async with reading(folder) as reader:
                assert bodies(await reader.until(len(LINES))) == LINES
                if running:
                    file.rename(folder / right)
                    await until(lambda reader=reader: right in reader.cursors)  # type: ignore[misc]
                    assert len(reader.messages) == len(LINES)
            if not running:
                file.rename(folder / right)
            assert await read(folder, reader.cursors) == []
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == []


@misnamed
async def test_what_shows_only_later_what_it_is(
    tmp_path: Path, wrong: str, right: str, data: bytes
) -> None:
    file = tmp_path / wrong
    for start in (data[:0], data[:1]):
        file.write_bytes(start)
        async with reading(tmp_path) as reader:
            await until(reader.source.exhausted)
            add(file, data[len(start) :])
            assert bodies(await reader.until(len(LINES))) == LINES


async def test_what_was_read_as_it_was_named_is_read_anew(tmp_path: Path) -> None:
    """By a router of before: its cursor counts compressed bytes."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(WHOLE)
    before = {"a.jsonl": cursor(file, WHOLE.find(b"\n") + 1, 1)}
    for name in ("a.jsonl", "a.jsonl.gz"):
        file = file.rename(tmp_path / name)
        assert bodies(await read(tmp_path, before)) == LINES


async def test_what_stands_in_front_of_a_fault_is_read(tmp_path: Path) -> None:
    """To the last line before it, though the fault shows in the midst of a piece."""
    inflater = zlib.decompressobj(wbits=31)
    whole = inflater.decompress(WHOLE[:100_000]).count(b"\n")
    (tmp_path / "a.jsonl.gz").write_bytes(WHOLE[:100_000] + b"\xff" * 64 + WHOLE[100_064:])
    given = bodies(await read(tmp_path))
    assert given[:whole] == LINES[:whole]


@pytest.mark.once
async def test_a_bomb_takes_no_more_memory_than_a_block(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as file:
        file.write(b"1\n")
        for _ in range(200):
            file.write(bytes(1_000_000))  # a line of 200 MB
        file.write(b"\n")
        for _ in range(1):
            file.write(b"\n" * 1_000_000)  # and as many that are empty
        file.write(b"2\n")
    assert (tmp_path / "a.jsonl.gz").stat().st_size < 1_000_000
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    tracemalloc.start()
    try:
        messages = await read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(body) for body in bodies(messages)] == [1, 262_145, 1, 1]
    assert places(messages)[-1] == "b.jsonl:1"
    assert peak < 10_000_000


async def test_one_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"1\n2\n"))
    async with reading(tmp_path) as reader:
        await reader.until(2)
        file.write_bytes(gzip.compress(b"3\n4\n"))
        await reader.until(4)
    (tmp_path / ".new").write_bytes(gzip.compress(b"5\n6\n7\n"))
    (tmp_path / ".new").rename(file)
    assert bodies(await read(tmp_path, reader.cursors)) == [b"5", b"6", b"7"]
    # the same, packed otherwise: it goes on
    async with reading(tmp_path) as reader:
        await reader.until(3)
    file.write_bytes(gzip.compress(b"5\n6\n7\n8\n", compresslevel=1))
    assert bodies(await read(tmp_path, reader.cursors)) == [b"8"]


async def test_a_rotated_one_is_still_taken_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"1\n2\n"))
    async with reading(tmp_path) as reader:
        await reader.until(2)
        file.rename(tmp_path / "a.jsonl.gz.1")
        await until(lambda: "a.jsonl.gz.1" in reader.cursors)
    add(tmp_path / "a.jsonl.gz.1", gzip.compress(b"3\n"))
    assert bodies(await read(tmp_path, reader.cursors)) == [b"3"]


@given(
    st.lists(st.binary(max_size=300_000), max_size=4),
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 200_000)), max_size=8),
    st.integers(0, 100_000),
)
def test_any_bytes_at_any_place(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[bytes],
    reads: list[tuple[int, int]],
    cut: int,
) -> None:
    """What comes is what was packed, however it grows and whatever is asked for."""
    plain = b"".join(members)
    packed = b"".join(gzip.compress(each, compresslevel=1) for each in members)
    path = tmp_path_factory.mktemp("gzip") / "a.jsonl.gz"
    path.write_bytes(packed)
    file = OpenFile(path, lambda: None)
    try:
        contents = GzipContents(file)
        contents.end = min(cut, len(packed))
        begun = contents.read(0, 400_000)
        assert plain.startswith(begun)
        contents.end = len(packed)
        for position, size in reads:
            assert contents.read(position, size) == plain[position : position + size]
        assert contents.read(0, len(plain) + 1) == plain
        assert not contents.trouble
        assert contents.cut == (not members)
    finally:
        file.close()
