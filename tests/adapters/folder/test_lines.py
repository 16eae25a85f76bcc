"""Lines of a growing file: the last one without its newline, and those that are very long."""

import asyncio
import json
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
import structlog
from support.inbox import add, bodies, cursor, named, places, read, reading

MAX_LINE = 262_144


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
        reached = (await read(tmp_path))[-1].cursor
        assert reached is not None
        add(file, b'\r\n{"n": 3}\n')
        messages = await read(tmp_path, {"a.jsonl": reached})
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


# --- as Windows and old Macs write it --------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
async def test_lines_end_by_any_system_s_line_end(
    tmp_path: Path, end: bytes, *, last: bool
) -> None:
    facts = [b'{"n": %d}' % number for number in range(100_000)]
    (tmp_path / "a.jsonl").write_bytes(end.join(facts) + (end if last else b""))
    messages = await read(tmp_path)
    assert bodies(messages) == facts
    assert places(messages)[-1] == "a.jsonl:100000"


async def test_a_line_end_of_an_old_mac_is_one_after_a_restart_too(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\r{"n": 2}\r{"n": 3}\r')
    second = (await read(tmp_path))[1].cursor
    assert second is not None
    assert places(await read(tmp_path, {"a.jsonl": second})) == ["a.jsonl:3"]


async def test_a_carriage_return_elsewhere_ends_no_line(tmp_path: Path) -> None:
    odd = b'{"n":\r{"m": 1}\r, "k": [{}\r]}'
    (tmp_path / "a.jsonl").write_bytes(odd + b"\n2\n")
    assert bodies(await read(tmp_path)) == [odd, b"2"]


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["not ended", "ended"])
async def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path, end: bytes) -> None:
    mark = b"\xef\xbb\xbf"
    (tmp_path / "empty.jsonl").write_bytes(mark + end)
    (tmp_path / "one.jsonl").write_bytes(mark + b'{"n": 1}' + end)
    messages = await read(tmp_path)
    assert [body.removeprefix(mark) for body in bodies(messages)] == [b'{"n": 1}']
    assert places(messages) == ["one.jsonl:1"]


# --- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 524_287, 524_288, 524_289]
)
async def test_a_long_line_is_cut_one_byte_above_the_limit(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n" + b"x" * length + b"\n2\n")
    messages = await read(tmp_path)
    assert [len(body) for body in bodies(messages)] == [1, min(length, MAX_LINE + 1), 1]
    assert places(messages) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert messages[1].cursor == cursor(tmp_path / "a.jsonl", 2 + length + 1, 2)


@pytest.mark.parametrize("length", [MAX_LINE + 1, 400_000, 2_000_000])
async def test_long_lines_that_begin_alike_are_told_from_each_other(
    tmp_path: Path, length: int
) -> None:
    lines = [b"x" * length + b"%d" % number for number in range(3)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    messages = await read(tmp_path)
    assert [each.digest for each in messages] == [sha256(line).hexdigest() for line in lines]
    assert {each.evidence["whole bytes"] for each in messages} == {f"{length + 1:,}"}


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
    assert turns > 50  # there are 80 blocks


@pytest.mark.parametrize("name", ["a.jsonl", "c.jsonl"])
@pytest.mark.parametrize("before", [b"", b"1\n"])
async def test_a_sparse_file_without_end_holds_nobody_up(
    tmp_path: Path, name: str, before: bytes
) -> None:
    (tmp_path / "b.jsonl").write_bytes(b"2\n")
    with (tmp_path / name).open("wb") as file:
        file.write(before)
        file.truncate(300 * 1024**3)
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            messages = await reader.until(1)
    assert sorted(bodies(messages)) == sorted([*before.splitlines(), b"2"])
    (told,) = named(logs, "folder.endless_line")
    assert (told["file"], told["line"]) == (name, 2 if before else 1)


async def test_a_hole_without_end_holds_nobody_up(tmp_path: Path) -> None:
    """A file that was read, and then emptied under a writer that is far on."""
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    async with reading(tmp_path) as reader:
        await reader.until(3)
        with (tmp_path / "a.jsonl").open("wb") as file:
            file.truncate(300 * 1024**3)
        add(tmp_path / "b.jsonl", b"4\n")
        assert bodies(await reader.until(4))[3:] == [b"4"]


async def test_a_long_line_that_is_mended_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with file.open("wb") as opened:
        opened.truncate(300 * 1024**3)
    async with reading(tmp_path) as reader:
        await reader.until(0)
        file.write_bytes(b"1\n")
        assert bodies(await reader.until(1)) == [b"1"]
