"""Heads are kept beside the ledger and in a folder; what can't be written stops nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.machine import Machine
from support.relaying import Recipient, Running, relaying
from support.samples import device

from router.files.newfiles import Access
from router.ledger.proof.heads import ends_of, read_head
from router.ledger.proof.verification import verify
from router.service.headkeeping import HeadKeeper, beside


def keeper(
    running: Running, folder: Path | None = None, machine: Machine | None = None
) -> HeadKeeper:
    clock = (machine or Machine()).clock()
    written = running.metrics.head_written
    return HeadKeeper(running.ledger, clock, written, access=Access.OWNER, folder=folder)


async def test_a_head_is_kept_of_each_day_and_one_beside_the_ledger(tmp_path: Path) -> None:
    folder, machine = tmp_path / "elsewhere" / "heads", Machine()
    async with relaying(tmp_path, Recipient()) as running:
        keeping = keeper(running, folder, machine)
        await keeping.keep()
        await running.record([device(1)])
        await running.quiet()
        await keeping.keep()
        ends = await running.ledger.call(ends_of)
        file = beside(Path(running.ledger.database.name))
        (of_day,) = folder.iterdir()
        assert of_day.name == f"head-{machine.wall:%Y-%m-%d}.json"
        assert read_head(file) == read_head(of_day) == ends
        assert running.metric("ledger_head_written_timestamp_seconds", place="folder") > 0
        machine.passes(86_400)
        await keeping.keep()
        assert len(list(folder.iterdir())) == 2
        found = await running.ledger.call(verify, [read_head(each) for each in folder.iterdir()])
        assert found.flaw is None


async def test_a_head_that_cant_be_written_is_told_once_and_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    folder.write_text("a file stands here")
    async with relaying(tmp_path, Recipient()) as running:
        keeping = keeper(running, folder)
        with capture_logs() as logs:
            await keeping.keep()
            await keeping.keep()
        assert [each["event"] for each in logs] == ["ledger.head_not_written"]
        assert str(folder) in logs[0]["detail"]
        assert running.metric("ledger_head_written_timestamp_seconds", place="ledger") > 0
        folder.unlink()
        with capture_logs() as logs:
            await keeping.keep()
        assert [each["event"] for each in logs] == ["ledger.head_written"]
        assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("left", ["", "half"])
async def test_what_a_killed_router_has_left_is_in_nobodys_way(tmp_path: Path, left: str) -> None:
    async with relaying(tmp_path, Recipient()) as running:
        file = beside(Path(running.ledger.database.name))
        (file.parent / f".{file.name}.unfinished").write_text(left)
        await keeper(running).keep()
        assert read_head(file) == await running.ledger.call(ends_of)
        assert not (file.parent / f".{file.name}.unfinished").exists()


async def test_the_newest_head_is_the_one_whose_links_are(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    async with relaying(tmp_path, Recipient()) as running:
        keeping = keeper(running, folder)
        await running.record([device(1)])
        await running.quiet()
        await keeping.keep()
        (of_day,) = folder.iterdir()
        of_day.rename(folder / "head-2999-01-01.json")  # by a clock that ran ahead
        (folder / "head-2000-01-01.json").write_text("half")
        running.now += timedelta(seconds=60)
        await running.record([device(2)])
        await running.quiet()
        await keeping.keep()
        ends = await running.ledger.call(ends_of)
        assert [list(each) for each in await keeping.known()] == [ends, ends]
