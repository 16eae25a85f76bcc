"""A channel takes over from another while the relay runs, with sends under way and without."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from support import ledgers
from support.ledgers import fitted, made
from support.relaying import Recipient, Running, Slow, relaying, takes
from support.samples import DCC, device, user

from router.delivery.adapters import AdapterSpec, RunningAdapter
from router.delivery.reconcile import reconcile
from router.domain.users import Channel, ServiceUser
from router.domain.words import Role
from router.lanes.values import ClosedReason
from router.ledger.actions import Operator
from router.ledger.database import Database, Use, open_database
from router.ledger.moves import move_lane
from router.ledger.pauses import pause_lanes, resume_lanes
from router.ports import (
    Adapter,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Options,
    Originator,
    Outcome,
    Reason,
    Retry,
)
from router.ports import Recipient as Party
from router.ports.origins import Origin

S1 = user(1)
HUBS = [device(1), device(2), device(1), device(3)]


async def put(running: Running, recipients: dict[str, Recipient], **channel: Any) -> None:
    """What a reload does when the file names these channels of the user."""
    channels = tuple(Channel(name, name, Options(), **channel) for name in recipients)
    told = ServiceUser(S1, "User", frozenset({Role.GAS_SUPPLIER}), channels=channels)
    adapters = {
        (S1, name): RunningAdapter(
            AdapterSpec(name, Options(), Originator(DCC), Party(S1)),
            30.0,
            Origin("test"),
            entered=cast(Adapter, recipient),
        )
        for name, recipient in recipients.items()
    }

    def rows(database: Database) -> Any:
        return fitted(database, {key: key[1] for key in adapters}, running.now)

    async def act() -> None:
        reconcile(running.relay, [told], adapters, await running.ledger.call(rows))

    await running.relay.between(act)


def says(outcome: Outcome) -> Slow:
    """Takes its first request to the end of its time, then says so; nothing comes through it."""
    return Slow(lambda _request, _delivery: outcome)


async def all_states(running: Running) -> list[str]:
    found = await running.ask("SELECT state FROM deliveries ORDER BY sequence")
    return [row[0] for row in found]


@pytest.mark.parametrize(
    "outcome",
    [Retry(Reason.TIMEOUT), Closed(ChannelFault.CREDENTIALS, "401"), Delivered()],
    ids=lambda outcome: type(outcome).__name__.lower(),
)
async def test_what_is_under_way_is_answered_before_anything_of_its_hub_goes(
    tmp_path: Path, outcome: Outcome
) -> None:
    old, new = says(outcome), Recipient()
    async with relaying(tmp_path, old, window=1) as running:
        await running.record(HUBS)
        await running.until(lambda: old.got == [1])
        await put(running, {"new": new}, window=16)
        await running.until(lambda: new.got == [2])
        await running.quiet()
        assert new.got == [2]  # 3 is about the hub of 1, and 4 does not pass it
        old.may_answer.set()
        await running.hurry_until_idle()
        once = isinstance(outcome, Delivered)
        assert sorted(new.got) == ([2, 3, 4] if once else [1, 2, 3, 4])
        assert once or new.got.index(1) < new.got.index(3)
        assert old.got == [1]
        assert await all_states(running) == ["delivered"] * 4
        # what was wrong with the old one is not held against the new one
        closed = await running.ask("SELECT channel, closed FROM lanes ORDER BY id")
        assert closed == [("main", "user_removed"), ("new", None)]


async def test_a_fault_of_the_adapter_that_went_does_not_close_its_channel(tmp_path: Path) -> None:
    old, new = says(Closed(ChannelFault.ENDPOINT, "404")), Recipient()
    async with relaying(tmp_path, old, window=1) as running:
        await running.record(HUBS)
        await running.until(lambda: old.got == [1])
        await put(running, {"main": new}, window=1)
        old.may_answer.set()
        await running.hurry_until_idle()
        assert new.got == [1, 2, 3, 4]
        assert running.lane().closed is None


async def test_there_and_back_while_something_is_under_way(tmp_path: Path) -> None:
    first, second, third = says(Retry(Reason.TIMEOUT)), says(Retry(Reason.TIMEOUT)), Recipient()
    async with relaying(tmp_path, first, window=1) as running:
        await running.record(HUBS)
        await running.until(lambda: first.got == [1])
        await put(running, {"new": second}, window=2)
        await running.until(lambda: second.got == [2])
        await put(running, {"main": third}, window=16)
        await running.quiet()
        assert third.got == []
        first.may_answer.set()
        second.may_answer.set()
        await running.hurry_until_idle()
        assert third.got == [1, 2, 3, 4]
        assert await all_states(running) == ["delivered"] * 4
        assert await running.ask("SELECT DISTINCT lane_id FROM deliveries") == [(1,)]


async def test_a_router_that_stops_in_the_midst_forgets_nothing(tmp_path: Path) -> None:
    old = says(Delivered())
    async with relaying(tmp_path, old, window=1, drain=0.01) as running:
        await running.record(HUBS)
        await running.until(lambda: old.got == [1])
        await put(running, {"new": Recipient(lambda _r, _d: Retry(Reason.SERVER))})
        await running.quiet()
        await running.stop()
        assert (await all_states(running))[0] == "unknown"
        assert await running.ask("SELECT DISTINCT lane_id FROM deliveries") == [(2,)]


async def test_a_pause_goes_along_until_somebody_resumes(tmp_path: Path) -> None:
    old, new = Recipient(), Recipient()
    operator = Operator("ann", Running.now)
    async with relaying(tmp_path, old) as running:
        with closing(open_database(ledgers.url(tmp_path), Use.CHANGE)) as beside:
            pause_lanes(beside, S1, None, operator)
            running.relay.refresh()
            await running.until(lambda: running.lane().closed is ClosedReason.OPERATOR)
            await running.record(HUBS)
            await put(running, {"new": new})
            await running.quiet()
            assert (old.got, new.got) == ([], [])
            resume_lanes(beside, S1, "new", operator)
            running.relay.refresh()
            await running.until(lambda: new.got == [1, 2, 3, 4])


async def test_a_running_router_takes_up_what_an_operator_moves(tmp_path: Path) -> None:
    old, one, two = Slow(takes), Recipient(), Recipient()
    async with relaying(tmp_path, old, window=1, database=made(tmp_path)) as running:
        await running.record([device(n) for n in range(1, 5)])
        await running.until(lambda: old.got == [1])
        await put(running, {"one": one, "two": two})
        await running.quiet()
        assert (one.got, two.got) == ([], [])
        with closing(open_database(ledgers.url(tmp_path), Use.CHANGE)) as beside:
            ann = Operator("ann", running.now)
            done = await asyncio.to_thread(move_lane, beside, (S1, "main"), (S1, "two"), ann)
            assert (done.moved, done.under_way) == (3, 1)
            running.relay.refresh()
            await running.until(lambda: two.got == [2, 3, 4])
            old.may_answer.set()
            await running.idle()
        assert await all_states(running) == ["delivered"] * 4


async def test_what_was_under_way_counts_for_the_channel_that_sent_it(tmp_path: Path) -> None:
    def late(_request: int, _delivery: Delivery) -> Outcome:
        return Delivered("late")

    old = Slow(late)
    async with relaying(tmp_path, old, window=1) as running:
        await running.record(HUBS[:1])
        await running.until(lambda: old.got == [1])
        await put(running, {"new": Recipient()})
        old.may_answer.set()
        await running.idle()
        labels = {"adapter": "test", "outcome": "delivered", "reason": ""}
        name = "delivery_attempts_total"
        assert running.metric(name, recipient=S1, channel="main", **labels) == 1
        answers = await running.ask("SELECT channel, last_answer FROM lanes ORDER BY id")
        assert answers == [("main", "delivered late"), ("new", None)]
