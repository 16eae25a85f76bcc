"""Alerts into a folder: a file is there whole, or not at all."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from adapters.folder import FolderAdapter
from router.ports import Delivered, Delivery, Outcome, Reason, Refused, Retry

Make = Callable[[int], Delivery]


async def deliver(folder: Path, *deliveries: Delivery) -> list[Outcome]:
    config = FolderAdapter.Config.model_validate({"path": folder})
    async with FolderAdapter(config) as adapter:
        return list(await adapter.deliver(deliveries))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_each_alert_is_a_file_named_after_its_id(tmp_path: Path, delivery: Make) -> None:
    first, second = delivery(1), delivery(2)
    outcomes = await deliver(tmp_path, first, second)
    assert outcomes == [Delivered(f"{each.alert.id}.json") for each in (first, second)]
    assert contents(tmp_path) == {f"{each.alert.id}.json": each.body for each in (first, second)}


async def test_the_folder_is_made_with_those_above_it(tmp_path: Path, delivery: Make) -> None:
    folder = tmp_path / "alerts" / "acme"
    await deliver(folder, delivery(1))
    assert len(contents(folder)) == 1


@pytest.mark.parametrize(
    ("access", "folder", "file"), [("owner", 0o700, 0o600), ("group", 0o770, 0o660)]
)
async def test_what_is_made_is_closed_to_others(
    tmp_path: Path, delivery: Make, access: str, folder: int, file: int
) -> None:
    path = tmp_path / "alerts" / "acme"
    config = FolderAdapter.Config.model_validate({"path": path, "access": access})
    before = os.umask(0o022)
    try:
        async with FolderAdapter(config) as adapter:
            await adapter.deliver([delivery(1)])
    finally:
        os.umask(before)
    (alert,) = path.iterdir()
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path, alert)]
    assert modes == [folder, folder, file]


async def test_an_alert_that_is_there_already_is_delivered(tmp_path: Path, delivery: Make) -> None:
    await deliver(tmp_path, delivery(1))
    file = tmp_path / f"{delivery(1).alert.id}.json"
    before = file.stat()
    assert await deliver(tmp_path, delivery(1)) == [Delivered(file.name)]
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("there", [b"", b"{}", b"longer"])
async def test_something_else_under_the_name_is_not_overwritten(
    tmp_path: Path, delivery: Make, there: bytes
) -> None:
    ours = delivery(1)
    file = tmp_path / f"{ours.alert.id}.json"
    file.write_bytes(ours.body + there if there == b"longer" else there)
    before = contents(tmp_path)
    refused, delivered = await deliver(tmp_path, ours, delivery(2))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.STORAGE
    assert file.name in refused.detail
    assert isinstance(delivered, Delivered)
    assert before.items() <= contents(tmp_path).items()


def pipe(file: Path) -> None:
    os.mkfifo(file)


def linked(file: Path) -> None:
    other = file.parent.parent / "elsewhere"
    other.write_bytes(b"{}")
    file.symlink_to(other)


def linked_to_a_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def linked_to_nothing(file: Path) -> None:
    file.symlink_to(file.parent.parent / "nothing")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (pipe, "is not a plain file"),
        (Path.mkdir, "is a folder"),
        (linked, "is a symbolic link"),
        (linked_to_a_device, "is a symbolic link"),
        (linked_to_nothing, "is a symbolic link"),
    ],
)
async def test_what_is_no_plain_file_under_the_name_is_refused_at_once(
    tmp_path: Path, delivery: Make, make: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "alerts"
    folder.mkdir()
    file = folder / f"{delivery(1).alert.id}.json"
    make(file)
    refused, delivered = await deliver(folder, delivery(1), delivery(2))
    assert isinstance(refused, Refused)
    assert f"{file.name} {words}; move it away" in refused.detail
    assert isinstance(delivered, Delivered)
    assert not (tmp_path / "nothing").exists()


async def test_a_disk_that_takes_no_more_is_a_retry_and_leaves_nothing(
    tmp_path: Path, delivery: Make
) -> None:
    small, large = delivery(1), delivery(2)
    large = replace(large, body=large.body + b" " * 1_000_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the size that a file of this process may have: the system's own refusal in mid-write
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        delivered, retry = await deliver(tmp_path, small, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(delivered, Delivered)
    assert isinstance(retry, Retry)
    assert retry.reason is Reason.STORAGE
    assert contents(tmp_path) == {f"{small.alert.id}.json": small.body}
    assert isinstance((await deliver(tmp_path, large))[0], Delivered)


async def test_a_folder_that_cannot_be_made_is_a_retry(tmp_path: Path, delivery: Make) -> None:
    (tmp_path / "alerts").write_bytes(b"a file")
    config = FolderAdapter.Config.model_validate({"path": tmp_path / "alerts" / "acme"})
    async with FolderAdapter(config) as adapter:
        outcomes = await adapter.deliver([delivery(1), delivery(2)])
        assert [type(outcome) for outcome in outcomes] == [Retry, Retry]
        assert isinstance(outcomes[0], Retry)
        assert outcomes[0].reason is Reason.STORAGE
        assert str(tmp_path / "alerts" / "acme") in outcomes[0].detail
        (tmp_path / "alerts").unlink()
        assert isinstance((await adapter.deliver([delivery(1)]))[0], Delivered)


async def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path, delivery: Make
) -> None:
    old, new, other = (tmp_path / name for name in (".a.json.1.part", ".b.json.2.part", ".keep"))
    for file in (old, new, other):
        file.write_bytes(b"{")
    two_hours_ago = time.time() - 7200
    for file in (old, other):
        os.utime(file, (two_hours_ago, two_hours_ago))
    await deliver(tmp_path, delivery(1))
    assert [file.exists() for file in (old, new, other)] == [False, True, True]


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from adapters.folder import FolderAdapter

from router.ports import Alert, Delivery

alert = Alert.from_event(sys.stdin.buffer.read())

async def main():
    config = FolderAdapter.Config.model_validate({"path": Path(sys.argv[1])})
    async with FolderAdapter(config) as adapter:
        for _ in range(500):  # an end, should nobody kill us
            new = replace(alert, id=uuid4())
            await adapter.deliver([Delivery(new, new.id.bytes * 100_000)])

asyncio.run(main())
"""


def test_a_process_killed_in_mid_write_leaves_no_partial_file(
    tmp_path: Path, delivery: Make
) -> None:
    struck = 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as writer:
            assert writer.stdin is not None
            writer.stdin.write(delivery(1).body)
            writer.stdin.close()
            while len(list(tmp_path.glob("*.json"))) < 3 or not any(tmp_path.glob(".*")):
                assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        for file in tmp_path.glob("*.json"):
            assert file.read_bytes() == UUID(file.stem).bytes * 100_000
        struck += any(tmp_path.glob(".*.part"))
        for file in tmp_path.iterdir():
            file.unlink()
    assert struck, "no kill came in mid-write"
