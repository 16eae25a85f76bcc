"""Adapters at work: kept while nothing of them changes, replaced beside, left where entered."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.samples import DCC, user

from router.delivery.adapters import AdapterPool, ByLane, RunningAdapter
from router.domain.users import Channel, ServiceUser
from router.domain.words import Role
from router.entrypoints import ADAPTERS, installed
from router.ports import Options, Originator

ADAPTER = '''
import asyncio
from router.ports import Delivered, Options

class Config(Options):
    word: str = ""

class Seen:
    """Notes what happens to it, and in which task."""

    Config = Config
    batch = 1

    def __init__(self, config):
        self.word = config.word
        self.notes = []

    async def __aenter__(self):
        if self.word == "breaks":
            raise RuntimeError("no way in")
        if self.word == "hangs":
            await asyncio.Event().wait()
        self.notes.append(("entered", asyncio.current_task()))
        return self

    async def __aexit__(self, *exc):
        self.notes.append(("left", asyncio.current_task()))
        if self.word == "breaks later":
            raise RuntimeError("no way out")

    async def deliver(self, deliveries):
        return [Delivered() for _ in deliveries]
'''


@pytest.fixture(autouse=True)
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter of somebody else's, installed as one."""
    (tmp_path / "seen_adapter.py").write_text(textwrap.dedent(ADAPTER))
    about = tmp_path / "seen_adapter-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: seen-adapter\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{ADAPTERS}]\nseen = seen_adapter:Seen\n")
    monkeypatch.syspath_prepend(tmp_path)


def options(word: str) -> Options:
    model = installed(ADAPTERS)["seen"].load().Config
    made = model(word=word)
    assert isinstance(made, Options)
    return made


def told(number: int, word: str, kind: str = "seen", **more: Any) -> ServiceUser:
    """A Service User with one channel."""
    given = options(word) if kind == "seen" else None
    channel = Channel("main", kind, given, timeout=0.01)
    roles = frozenset({Role.GAS_SUPPLIER})
    return ServiceUser(user(number), f"User {number}", roles, channels=(channel,), **more)


def running(adapters: ByLane, number: int = 1) -> RunningAdapter:
    return adapters[(user(number), "main")]


def notes(hand: RunningAdapter) -> list[str]:
    return [note for note, _ in getattr(hand.adapter, "notes")]  # noqa: B009 - it is not ours


async def until(done: Callable[[], bool]) -> None:
    """The limit is there to fail, not to measure."""
    for _ in range(10_000):
        if done():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


async def test_an_adapter_is_left_at_the_end_in_the_task_that_entered_it() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        adapters = await pool.prepare([told(1, "a"), told(2, "b")])
        pool.serve(adapters)
        assert notes(running(adapters)) == ["entered"]
    for number in (1, 2):
        (entered, left) = getattr(running(adapters, number).adapter, "notes")  # noqa: B009
        assert (entered[0], left[0]) == ("entered", "left")
        assert entered[1] is left[1]
        assert entered[1] is not asyncio.current_task()


async def test_what_did_not_change_stays() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        before = await pool.prepare([told(1, "a"), told(2, "b")])
        pool.serve(before)
        after = await pool.prepare([told(1, "a"), told(2, "other"), told(3, "c")])
        assert running(after, 1) is running(before, 1)
        assert running(after, 2) is not running(before, 2)
        assert notes(running(before, 2)) == ["entered"]  # it may still be sending
        pool.serve(after)
        await until(lambda: notes(running(before, 2)) == ["entered", "left"])
        assert [notes(each) for each in after.values()] == [["entered"]] * 3


async def test_another_version_of_duis_is_another_post() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        before = await pool.prepare([told(1, "a", duis_version="5.0")])
        pool.serve(before)
        after = await pool.prepare([told(1, "a", duis_version="5.4")])
        assert running(after) is not running(before)


async def test_a_channel_without_its_adapter_has_nobody() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        assert await pool.prepare([told(1, "", kind="not-installed")]) == {}


async def test_what_can_not_be_set_up_keeps_its_own_lane_closed_and_no_other() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        pool.serve(await pool.prepare([told(1, "a")]))
        adapters = await pool.prepare([told(1, "a"), told(2, "b"), told(3, "breaks")])
        pool.serve(adapters)
        assert [running(adapters, each).entered is not None for each in (1, 2, 3)] == [1, 1, 0]
        assert running(adapters, 1).fault == running(adapters, 2).fault == ""
        fault = running(adapters, 3).fault
        assert fault.startswith("adapter 'seen' of seen-adapter 1.0 (")
        assert "seen_adapter.py) could not be set up at " in fault
        assert "RuntimeError: no way in; the lane opens when it can be" in fault


async def test_a_reload_tries_again_at_once_what_could_not_be_set_up() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        before = await pool.prepare([told(1, "breaks")])
        pool.serve(before)
        made = running(before).adapter
        after = await pool.prepare([told(1, "breaks")])
        assert running(after) is running(before)
        await until(lambda: running(after).adapter is not made)


async def test_who_hangs_at_the_door_keeps_nobody_waiting() -> None:
    async with asyncio.timeout(20), AdapterPool(Originator(DCC)) as pool:
        adapters = await pool.prepare([told(1, "hangs"), told(2, "b")])
        pool.serve(adapters)
        assert running(adapters, 1).entered is None
        assert running(adapters, 2).entered is not None
        assert not running(adapters, 1).known.is_set()


async def test_those_that_were_for_nothing_leave_at_once() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        pool.serve(await pool.prepare([told(1, "a")]))
        adapters = await pool.prepare([told(1, "a"), told(2, "b")])
        pool.abandon(adapters)
        await until(lambda: notes(running(adapters, 2)) == ["entered", "left"])
        assert notes(running(adapters, 1)) == ["entered"]


async def test_one_that_never_is_ready_keeps_nobody_when_the_asker_goes() -> None:
    async with asyncio.timeout(5), AdapterPool(Originator(DCC)) as pool:
        asking = asyncio.create_task(pool.prepare([told(1, "hangs")]))
        await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_an_adapter_that_fails_when_it_leaves_harms_nobody() -> None:
    async with AdapterPool(Originator(DCC)) as pool:
        adapters = await pool.prepare([told(1, "breaks later"), told(2, "b")])
        pool.serve(adapters)
    assert notes(running(adapters, 2)) == ["entered", "left"]
