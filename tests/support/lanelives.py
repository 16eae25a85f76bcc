"""Whole lives of lanes, without a database: what the ledger and the relay do to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from router.domain.timestamps import moment, stamp
from router.lanes.lane import Lane
from router.lanes.picking import WaitingDelivery, pick
from router.lanes.values import Claimed, DeliveryState, Settlement, Wish
from router.ports import Delivery, Outcome, Retry
from support.samples import ALERT, NOW, device, user

HOUR = timedelta(hours=1)


def waiting(number: int, **more: object) -> WaitingDelivery:
    """A delivery that was never sent, due now, of a hub of its own."""
    usual = WaitingDelivery(
        id=number,
        sequence=number,
        attempts=0,
        refusals=0,
        due_at=stamp(NOW),
        expires_at=stamp(NOW + 48 * HOUR),
        batch=None,
        sent=False,
        sent_by=None,
        recheck=False,
        rendered=None,
        event=b"{}",
        device_id=device(number),
        service_user_id=user(1),
        received_at=stamp(NOW),
    )
    return usual._replace(**more)


@dataclass
class Sending:
    """One lane with what waits on it, kept in lists: what the ledger and the relay do to it."""

    lane: Lane
    rows: dict[int, WaitingDelivery]
    now: datetime = NOW
    started: list[int] = field(default_factory=list)
    """Sequences in the order of their first sends."""
    sent_at: list[datetime] = field(default_factory=list)
    """The moment of each Alert's send."""
    under_way: list[Sequence[Claimed]] = field(default_factory=list)
    ended: dict[int, DeliveryState] = field(default_factory=dict)
    asked_until: datetime = NOW
    """The other side wants to be left alone."""

    def claim(self) -> bool:
        """What the lane starts now; whether anything."""
        asked = self.lane.wish(self.now, (self.now - NOW).total_seconds())
        if asked is None:
            return False
        ready = self.waiting(asked)
        picked = pick(ready, asked, self.now)
        self.lane.ready = False
        for settled in picked.ended:
            self.settle(settled)
        requests = [self._claimed(request) for request in picked.requests]
        self.hold(asked, requests)
        busy = {each.id for group in [*self.under_way, *requests] for each in group}
        due = [
            moment(row.due_at)
            for row in self.rows.values()
            if row.on_its_own and row.id not in busy
        ]
        next_due = picked.next_due
        if not requests and not picked.blocked:
            next_due = next_due or min(due, default=None)
        self.lane.took(requests, next_due, another=asked.meanwhile is not None)
        self.under_way += requests
        return bool(requests)

    def waiting(self, asked: Wish) -> list[WaitingDelivery]:
        """What the ledger would give of what waits: no more than it must."""
        busy = {each.id for group in self.under_way for each in group}
        rows = [row for number, row in sorted(self.rows.items()) if number not in busy]
        held = [row for row in rows if not row.on_its_own]
        at, most = stamp(self.now), asked.sends * asked.most
        found = held[:most] if asked.failing else []
        found = found or [row for row in rows if not row.on_its_own or row.due_at <= at][:most]
        found += held[:most]
        if asked.meanwhile is not None:
            fresh = [row for row in held if row.attempts == 0]
            due = sorted(
                (row for row in held if row.due_at <= at),
                key=lambda row: (row.attempts, row.sequence),
            )
            found += (fresh or due)[:2]
        names = {row.batch for row in found if row.batch is not None}
        found += [row for row in rows if row.batch in names]
        return sorted(set(found), key=lambda row: row.sequence)

    def hold(self, asked: Wish, requests: Sequence[Sequence[Claimed]]) -> None:
        """What must be true of every claim."""
        flying = [*self.under_way, *requests]
        hubs = [each.delivery.alert.device_id for group in flying for each in group]
        assert len(hubs) == len(set(hubs))
        assert not requests or len(flying) <= self.lane.channel.window
        self._keep_close(requests, self.lane.channel.window * asked.most)
        assert all(len(group) <= asked.most for group in requests)
        if asked.failing:
            assert len(flying) <= 1
        assert not requests or self.now >= self.asked_until
        self.started += [
            each.delivery.alert.sequence
            for group in requests
            for each in group
            if each.attempt == 1
        ]
        self.sent_at += [self.now for group in requests for _ in group]

    def _keep_close(self, requests: Sequence[Sequence[Claimed]], span: int) -> None:
        """Nobody may get one that is a window or more ahead of what is unanswered."""
        flying = [each for group in [*self.under_way, *requests] for each in group]
        held = [each.delivery.alert.sequence for each in flying if not each.on_its_own]
        for group in requests:
            first = group[0]
            if not first.on_its_own:
                assert first.delivery.alert.sequence - min(held) < span

    def reload(self, window: int) -> None:
        """The files say another window; what is under way goes on."""
        self.lane.channel = replace(self.lane.channel, window=window)
        self.lane.look()

    def _claimed(self, request: Sequence[WaitingDelivery]) -> list[Claimed]:
        first = request[0]
        batch = first.batch if first.sent or self.lane.batch == 1 else str(first.id)
        group = []
        for row in request:
            self.rows[row.id] = row._replace(attempts=row.attempts + 1, batch=batch, sent=True)
            delivery = Delivery(
                replace(ALERT, device_id=row.device_id, sequence=row.sequence), row.event
            )
            expires = moment(row.expires_at)
            group.append(
                Claimed(
                    row.id,
                    1,
                    delivery,
                    NOW,
                    row.attempts + 1,
                    row.refusals,
                    expires,
                    batch,
                    row.aside,
                )
            )
        return group

    def settle(self, settled: Settlement) -> None:
        """Write what became of one."""
        row = self.rows[settled.id]
        if settled.state is DeliveryState.WAITING:
            due = stamp(settled.due_at) if settled.due_at else row.due_at
            self.rows[row.id] = row._replace(
                due_at=due,
                refusals=settled.refusals,
                batch=settled.batch,
                aside=settled.aside,
            )
        else:
            assert row.id not in self.ended
            self.ended[row.sequence] = settled.state
            del self.rows[row.id]

    def answer(self, group: Sequence[Claimed], outcome: Outcome) -> None:
        """The other side answers one request as a whole."""
        self.under_way.remove(group)
        if isinstance(outcome, Retry) and outcome.after is not None:
            latest = min(each.expires_at for each in group)
            self.asked_until = max(self.asked_until, min(self.now + outcome.after, latest))
        for settled in self.lane.answered(group, [outcome] * len(group), self.now):
            self.settle(settled)

    def add(self, count: int) -> None:
        """So many more Alerts are recorded, each about a hub of its own."""
        first = max(self.rows.keys() | self.ended.keys(), default=0) + 1
        for number in range(first, first + count):
            self.rows[number] = waiting(
                number, due_at=stamp(self.now), expires_at=stamp(self.now + 48 * HOUR)
            )
        self.lane.look()

    def wait(self, most: timedelta) -> None:
        """Until the lane has something to do, at most so long."""
        moments = [self.lane.next_due, self.lane.rest_until]
        nexts = [each for each in moments if each is not None and each > self.now]
        self.now = min([self.now + most, *nexts])
