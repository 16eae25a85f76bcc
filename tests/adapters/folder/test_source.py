"""Facts from a folder: every line once, in order, from where the ledger says."""

import gzip
import os
from pathlib import Path

import pytest
import structlog
from support.inbox import add, bodies, cursor, named, names, places, read, reading, until

from adapters.folder import FolderSource
from router.errors import UsageError
from router.ports import Cursor, FileCounts, Unfit


async def test_lines_come_file_by_file_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b'{"b": 1}\n')
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}\n')
    messages = await read(tmp_path)
    assert [(each.origin, each.body, each.cursor) for each in messages] == [
        ("a.jsonl:1", b'{"a": 1}', cursor(tmp_path / "a.jsonl", 9, 1)),
        ("a.jsonl:2", b'{"a": 2}', cursor(tmp_path / "a.jsonl", 18, 2)),
        ("b.jsonl:1", b'{"b": 1}', cursor(tmp_path / "b.jsonl", 9, 1)),
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


# --- files that misbehave --------------------------------------------------------------------


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
            assert reader.source.files() == FileCounts(ignored=6)
    assert sorted(line["file"] for line in named(logs, "folder.ignored")) == [
        "folder.jsonl",
        "line\nbreak.jsonl",
        "link.jsonl",
        "pipe.jsonl",
        "\udcff.jsonl",
    ]


async def test_each_ending_of_lines_is_read(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.ndjson"):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    for name in ("c.jsonl.gz", "d.ndjson.gz"):
        (tmp_path / name).write_bytes(gzip.compress(name.encode() + b"\n"))
    assert places(await read(tmp_path)) == [
        "a.jsonl:1",
        "b.ndjson:1",
        "c.jsonl.gz:1",
        "d.ndjson.gz:1",
    ]


async def test_what_is_not_read_is_told_once_and_counted(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.json").write_bytes(b"{}\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".partial.json").write_bytes(b"{}\n")  # somebody is still writing it
    with structlog.testing.capture_logs() as logs:
        async with reading(tmp_path) as reader:
            await reader.until(0)
            assert reader.source.files().ignored == 9
            (tmp_path / "facts.csv").write_bytes(b"a,b\n")
            await until(lambda: reader.source.files().ignored == 10)
            for number in range(8):
                (tmp_path / f"{number}.json").unlink()
            await until(lambda: reader.source.files().ignored == 2)
    first, second = named(logs, "folder.not_read")
    assert (first["count"], first["files"]) == (9, [f"{number}.json" for number in range(5)])
    assert (second["count"], second["files"]) == (1, ["facts.csv"])
    assert ".ndjson" in first["advice"]
    assert "subfolders" in first["advice"]


def test_what_is_not_read_is_a_warning_of_the_options(tmp_path: Path) -> None:
    options = FolderSource.Config.model_validate({"path": tmp_path})
    assert options.unfit() == ()
    (tmp_path / "facts.jsonl").write_bytes(b"{}\n")
    (tmp_path / ".facts.csv").write_bytes(b"")
    assert options.unfit() == ()
    (tmp_path / "facts.csv").write_bytes(b"")
    (tmp_path / "days").mkdir()
    (found,) = options.unfit()
    assert isinstance(found, Unfit)
    assert (found.key, found.warning, found.code) == ("path", True, "file")
    assert found.message.startswith(f"2 in {tmp_path} not read ('days', 'facts.csv'): ")
    gone = FolderSource.Config.model_validate({"path": tmp_path / "gone"})
    (missing,) = gone.unfit()
    assert (missing.key, missing.warning, missing.code) == ("path", False, "file")
    assert missing.message.startswith("cannot be read (No such file or directory); create")


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
