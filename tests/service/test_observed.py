"""The gauges of what waits, against a real ledger."""

from __future__ import annotations

from pathlib import Path

from support.relaying import Recipient, Running, relaying
from support.samples import NOW, device, user

from router.ports import ChannelFault, Closed, Reason, Refused
from router.service.observed import ObservedLedger


async def look(running: Running) -> None:
    await ObservedLedger(running.ledger, running.relay.lanes, running.metrics).look()


def of_lane(running: Running, place: int = 1) -> dict[str, float]:
    names = ("lane_waiting", "lane_held", "lane_parked", "lane_oldest_decided_timestamp_seconds")
    labels = {"recipient": user(place), "channel": "main"}
    return {name: running.metric(name, **labels) for name in names}


async def test_what_waits_on_a_closed_lane_is_held(tmp_path: Path) -> None:
    closes = Recipient(lambda *_: Closed(ChannelFault.CREDENTIALS, "401"))
    async with relaying(tmp_path, closes) as running:
        await running.record([device(1), device(2)])
        await running.until(lambda: running.lane().closed is not None)
        await running.quiet()
        await look(running)
        waiting, held, parked, oldest = of_lane(running).values()
        assert (waiting, held, parked, oldest) == (0, 2, 0, NOW.timestamp())
        labels = {"recipient": user(1), "channel": "main", "reason": "credentials"}
        assert running.metric("lane_closed_info", **labels) == 1
        running.relay.open_lane(running.lane(), carefully=True)
        running.relay.show()
        name = "hubherald_lane_closed_info"
        assert running.metrics.registry.get_sample_value(name, labels) is None


async def test_what_is_parked_is_counted_until_it_is_taken_out(tmp_path: Path) -> None:
    refuses = Recipient(lambda *_: Refused(Reason.REJECTED, "422"))
    async with relaying(tmp_path, refuses) as running:
        await running.record([device(1)])
        await running.hurry_until_idle()
        await look(running)
        assert list(of_lane(running).values()) == [0, 0, 1, 0]


async def test_the_ledgers_size_and_the_quarantine_are_shown(tmp_path: Path) -> None:
    async with relaying(tmp_path, Recipient()) as running:
        await look(running)
        for part, file in {"database": "ledger.db", "log": "ledger.db-wal"}.items():
            size = running.metric("ledger_size_bytes", part=part)
            assert size == (tmp_path / file).stat().st_size > 0
        name = "hubherald_quarantine_waiting"
        for reason in ("malformed", "unknown_hub", "engine"):  # 0 is to be seen, too
            assert running.metrics.registry.get_sample_value(name, {"reason": reason}) == 0
