"""A source of somebody else's that would stand for ever is made anew, and says that it is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Self

import pytest
from support.factqueue import until

from adapters.rabbitmq.session import ACKNOWLEDGE_S
from router.intake import border
from router.intake.border import BorderedSource, bordered
from router.intake.breach import Breach
from router.ports import Cursor, Message, Options, Source
from router.ports.origins import Origin


class Queued(Source[Options]):
    """Its messages come from a queue, which a task of its own fills."""

    Config = Options

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Message] = asyncio.Queue()
        self.acknowledged: list[Message] = []
        self.fails = asyncio.Event()
        self.hears = asyncio.Event()
        self.hears.set()
        self.cancels = False
        self._tasks = asyncio.TaskGroup()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._keeper = self._tasks.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def _keep(self) -> None:
        await self.fails.wait()
        raise RuntimeError("the licence ran out")

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        while True:
            yield await self.arrived.get()

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        if self.cancels:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await self.hears.wait()
        await asyncio.sleep(0)
        self.acknowledged += messages

    def exhausted(self) -> bool:
        return self.arrived.empty()

    def down(self) -> str | None:
        return None


class Reading:
    """The sources that were made one after the other, and what came from them."""

    def __init__(self) -> None:
        self.made: list[Queued] = []
        self.came: list[Message] = []
        self.source: BorderedSource = bordered(Queued, self._make, Origin("q", "source"), str)

    def _make(self) -> Queued:
        self.made.append(Queued())
        return self.made[-1]

    async def run(self) -> None:
        async for each in self.source.messages({}):
            assert isinstance(each, Message)
            self.came.append(each)

    async def one(self) -> Message:
        """Another message, from whichever source there is now; always the same."""
        count = len(self.came)
        self.made[-1].arrived.put_nowait(Message(b"{}", "q"))
        await until(lambda: len(self.came) > count)
        return self.came[-1]


@asynccontextmanager
async def reading(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reading]:
    monkeypatch.setattr(border, "AGAIN", (0.05,))
    monkeypatch.setattr(border, "ACKNOWLEDGE", 0.05)
    found = Reading()
    await found.source.begin()
    task = asyncio.create_task(found.run())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await found.source.end()


async def test_one_that_does_not_come_back_is_down_until_it_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with reading(monkeypatch) as found:
        first = await found.one()
        found.made[0].hears.clear()
        await found.source.acknowledge([first])
        found.made[0].arrived.put_nowait(first)
        assert "did not come back from `acknowledge`" in (found.source.down() or "")
        assert not found.source.exhausted()
        await until(lambda: len(found.made) == 2)
        assert found.came == [first]
        assert found.source.down()
        again = await found.one()
        assert found.source.down() is None
        await found.source.acknowledge([again])
        assert found.made[1].acknowledged == [again]


async def test_one_that_cancels_who_tells_it_has_failed_and_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with reading(monkeypatch) as found:
        found.made[0].cancels = True
        await found.source.acknowledge([await found.one()])
        assert found.source.down() is None
        found.made[0].cancels = False
        second = await found.one()
        await found.source.acknowledge([second])
        assert found.made[0].acknowledged == [second]
        assert len(found.made) == 1


async def test_one_made_anew_is_told_of_none_that_another_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with reading(monkeypatch) as found:
        old = [await found.one(), await found.one()]
        found.made[0].fails.set()
        await until(lambda: len(found.made) == 2)
        new = [await found.one(), await found.one()]
        await found.source.acknowledge([*old, new[0]])
        assert [each is new[0] for each in found.made[1].acknowledged] == [True]
        await found.source.acknowledge(new[1:])
        assert len(found.made[1].acknowledged) == 2
        assert found.made[0].acknowledged == []


async def test_the_same_message_twice_is_told_of_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading(monkeypatch) as found:
        message = await found.one()
        found.made[0].arrived.put_nowait(message)
        found.made[0].arrived.put_nowait(message)
        await until(lambda: len(found.came) == 3)
        for each in found.came:
            await found.source.acknowledge([each])
        assert len(found.made[0].acknowledged) == 3


async def test_one_whose_own_task_dies_is_down_with_why_and_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with reading(monkeypatch) as found:
        await found.one()
        found.made[0].fails.set()
        await until(lambda: len(found.made) == 2)
        assert "failed" in (found.source.down() or "")
        assert "RuntimeError: the licence ran out" in (found.source.down() or "")
        await found.one()
        assert found.source.down() is None


async def test_who_is_cancelled_while_it_is_broken_off_is_cancelled() -> None:
    """The router stops in the same turn: it is the router that is obeyed."""
    breach, source = Breach(), Queued()

    async def read() -> None:
        async for _ in breach.until(source.messages({})):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    breach.make()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


def test_rabbitmq_gives_up_before_it_is_given_up() -> None:
    assert ACKNOWLEDGE_S < border.ACKNOWLEDGE
