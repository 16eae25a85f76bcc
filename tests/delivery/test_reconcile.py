"""Lanes after a change of service_users.yaml: made, kept, closed, opened, each as it must be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest
from support.lanemaking import FAILED
from support.relaying import Recipient, Running, Slow, relaying
from support.samples import DCC, NOW, device, user

from router.delivery.adapters import AdapterSpec, RunningAdapter
from router.delivery.reconcile import reconcile
from router.domain.users import Channel, ServiceUser
from router.domain.words import Role, UserStatus
from router.errors import UsageError
from router.lanes.values import ClosedReason, LaneKey, LaneRow
from router.ledger.database import Database
from router.ledger.documents import go_live
from router.ports import (
    Adapter,
    Alert,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Options,
    Originator,
    Outcome,
)
from router.ports import Recipient as Party
from router.ports.origins import Origin


def told(
    number: int, *, suspended: bool = False, kind: str = "test", **channel: int
) -> ServiceUser:
    """A Service User with the channel that `relaying` makes."""
    return ServiceUser(
        user(number),
        f"User {number}",
        frozenset({Role.GAS_SUPPLIER}),
        status=UserStatus.SUSPENDED if suspended else UserStatus.ACTIVE,
        channels=(Channel("main", kind, Options(), **channel),),
    )


async def put(
    running: Running,
    users: Sequence[ServiceUser],
    recipients: Mapping[int, Recipient],
) -> None:
    """What a reload does with the lanes, while the relay runs."""

    def rows(database: Database) -> dict[LaneKey, LaneRow]:
        wanted = [
            (each.id, channel.name, channel.adapter) for each in users for channel in each.channels
        ]
        return go_live(database, [], wanted, NOW)

    adapters = {
        (user(number), "main"): RunningAdapter(
            AdapterSpec("test", Options(), Originator(DCC), Party(user(number))),
            30.0,
            Origin("test"),
            entered=cast(Adapter, recipient),
        )
        for number, recipient in recipients.items()
    }

    async def act() -> None:
        reconcile(running.relay, users, adapters, await running.ledger.call(rows))

    await running.relay.between(act)


async def test_a_user_that_is_added_is_told(tmp_path: Path) -> None:
    first, second = Recipient(), Recipient()
    async with relaying(tmp_path, first) as running:
        await put(running, [told(1), told(2)], {1: first, 2: second})
        running.lanes = sorted(running.relay.lanes)
        await running.record([device(1), device(2)])
        await running.idle()
        assert first.got == second.got == [1, 2]
        assert running.metric("lane_open", recipient=user(2), channel="main") == 1


async def test_a_user_that_is_taken_out_keeps_what_waits_and_gets_it_when_it_is_back(
    tmp_path: Path,
) -> None:
    first, second = Recipient(), Recipient()
    async with relaying(tmp_path, first, second) as running:
        await put(running, [told(1)], {1: first})
        await running.record([device(1)])
        await running.idle()
        assert (first.got, second.got) == ([1], [])
        assert await running.states(2) == ["waiting"]
        closed = f"SELECT closed FROM lanes WHERE service_user_id = '{user(2)}'"
        assert await running.ask(closed) == [("user_removed",)]
        labels = {"recipient": user(2), "channel": "main"}
        name = "hubherald_lane_open"
        assert running.metrics.registry.get_sample_value(name, labels) is None
        await put(running, [told(1), told(2)], {1: first, 2: second})
        await running.until(lambda: second.got == [1])
        await running.idle()
        assert await running.ask(closed) == [(None,)]


async def test_a_suspended_user_is_held_until_it_is_active_again(tmp_path: Path) -> None:
    first = Recipient()
    async with relaying(tmp_path, first) as running:
        await put(running, [told(1, suspended=True)], {1: first})
        await running.record([device(1)])
        await running.idle()
        assert running.lane().closed is ClosedReason.SUSPENDED
        await put(running, [told(1)], {1: first})
        await running.until(lambda: first.got == [1])


async def test_what_an_operator_paused_stays_paused(tmp_path: Path) -> None:
    first = Recipient()
    async with relaying(tmp_path, first) as running:
        paused = "UPDATE lanes SET closed = 'operator', closed_at = 0"
        await running.ledger.call(_do, paused)
        for users in ([told(1, suspended=True)], [told(1)]):
            await put(running, users, {1: first})
        assert running.lane().closed is ClosedReason.OPERATOR
        await running.record([device(1)])
        await running.idle()
        assert first.got == []


def _do(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(statement)


async def test_a_send_under_way_ends_with_the_adapter_that_began_it(tmp_path: Path) -> None:
    old, new = Slow(), Recipient()
    async with relaying(tmp_path, old, window=1) as running:
        await running.record([device(1), device(2)])
        await running.until(lambda: old.got == [1])
        await put(running, [told(1, window=1)], {1: new})
        await running.quiet()
        assert new.got == []  # strict order holds over the change
        old.may_answer.set()
        await running.idle()
        assert (old.got, new.got) == ([1], [2])
        assert await running.states() == ["delivered", "delivered"]


async def test_a_lane_that_closed_by_itself_is_tried_at_once_with_a_new_adapter(
    tmp_path: Path,
) -> None:
    def refuses(_request: int, _delivery: Delivery) -> Outcome:
        return Closed(ChannelFault.CREDENTIALS, "401")

    old, new = Recipient(refuses), Recipient(lambda _request, _delivery: Delivered("204"))
    async with relaying(tmp_path, old) as running:
        await running.record([device(1)])
        await running.until(lambda: running.lane().closed is ClosedReason.CREDENTIALS)
        await put(running, [told(1)], {1: old})
        await running.quiet()
        assert running.lane().closed is ClosedReason.CREDENTIALS  # nothing is mended
        await put(running, [told(1)], {1: new})
        await running.until(lambda: new.got == [1])
        await running.idle()
        assert running.lane().closed is None


async def test_a_channel_has_its_new_limits_at_once(tmp_path: Path) -> None:
    slow = Slow()
    async with relaying(tmp_path, slow, window=1) as running:
        await running.record([device(number) for number in range(1, 5)])
        await running.until(lambda: slow.got == [1])
        await put(running, [told(1, window=3)], {1: slow})
        await running.until(lambda: slow.got == [1, 2, 3])
        slow.may_answer.set()
        await running.idle()


async def test_what_fails_between_two_exchanges_is_the_askers_alone(tmp_path: Path) -> None:
    async def fails() -> None:
        raise KeyError("mine")

    first = Recipient()
    async with relaying(tmp_path, first) as running:
        try:
            await running.relay.between(fails)
        except KeyError as error:
            assert error.args == ("mine",)
        else:
            raise AssertionError("nothing was said")
        await running.record([device(1)])
        await running.idle()
        assert first.got == [1]


class Sealed(Recipient):
    """A channel with bytes of its own, whose other side does not take them yet."""

    def __init__(self, seal: bytes) -> None:
        super().__init__(lambda request, _delivery: FAILED if request == 1 else Delivered("204"))
        self.seal = seal

    def render(self, _alert: Alert) -> bytes:
        """The same for all."""
        return self.seal


async def test_a_new_adapter_never_sends_what_the_old_one_made(tmp_path: Path) -> None:
    for number in range(5):  # the change meets the relay at another moment each time
        old, new = Sealed(b"<old/>"), Recipient()
        folder = tmp_path / str(number)
        folder.mkdir()
        async with relaying(folder, old) as running:
            await running.record([device(1), device(2)])
            changing = asyncio.create_task(put(running, [told(1, kind="another")], {1: new}))
            for _ in range(number):
                await asyncio.sleep(0)
            await changing
            await running.hurry_until_idle()
            assert b"<old/>" not in new.bodies
            assert await running.states() == ["delivered", "delivered"]


async def test_who_asks_a_relay_that_stops_is_answered(tmp_path: Path) -> None:
    slow = Slow()
    async with relaying(tmp_path, slow) as running:
        await running.record([device(1)])
        await running.until(lambda: slow.got == [1])
        asked = asyncio.create_task(put(running, [told(1)], {1: slow}))
        await asyncio.sleep(0)
        running.relay.stop()
        with pytest.raises(UsageError, match="is stopping"):
            await asked
        with pytest.raises(UsageError, match="is stopping"):
            await put(running, [told(1)], {1: slow})
        slow.may_answer.set()


async def test_a_send_keeps_the_deadline_that_it_began_with(tmp_path: Path) -> None:
    slow = Slow()
    async with relaying(tmp_path, slow, timeout=0.05) as running:
        await running.record([device(1)])
        await running.until(lambda: bool(running.lane().in_flight))
        await put(running, [told(1, timeout=3600)], {1: slow})
        await running.until(lambda: bool(running.lane().failures))
        await running.quiet()
        assert await running.outcomes() == [("retry", "timeout")]
        slow.may_answer.set()
