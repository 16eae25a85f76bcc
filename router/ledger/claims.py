"""Claims: the attempt of each delivery is written before its send.

What waits is claimed by the relay's exchange; what is new, where a lane has room for it and nothing
waits before it, in the transaction that records it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, select, update

from router.domain.timestamps import moment, stamp
from router.lanes.picking import HAD_IT, WaitingDelivery, pick_new
from router.lanes.values import Claimed, DeliveryState, Wish
from router.ledger.dialects import upsert
from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.recorder import Recorder
from router.ledger.tables import attempts, deliveries, forms
from router.ports import Alert, Delivery, Outcome

FORM = ("batch", "rendered")
"""What must be the same when an adapter sends a delivery again."""


class NewDelivery(NamedTuple):
    """A delivery that is being recorded."""

    number: int
    """Of the Alert."""
    alert: Alert
    event: bytes
    """The Alert's own bytes."""
    received_at: datetime
    """When the fact came that the Alert is about."""


@dataclass(slots=True)
class NewOnLane:
    """Those of one lane, in the order of their sequence."""

    lane_id: int
    expires_at: datetime
    """After which what is undelivered is parked."""
    deliveries: list[NewDelivery] = field(default_factory=list)
    expires_stamp: int = field(init=False)

    def __post_init__(self) -> None:
        self.expires_stamp = stamp(self.expires_at)


_SENT = Prepared(
    update(deliveries)
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=DeliveryState.SENDING.value,
        attempts=bindparam("attempt"),
        batch=bindparam("together"),
        rendered=bindparam("bytes"),
        sent_by=bindparam("adapter"),
        recheck=case((deliveries.c.recheck == HAD_IT, HAD_IT), else_=0),
    ),
    ("key", "attempt", "together", "bytes", "adapter"),
)
_KEEP = upsert(forms).from_select(
    ["delivery_id", "adapter", *FORM],
    select(deliveries.c.id, deliveries.c.sent_by, *(deliveries.c[name] for name in FORM)).where(
        deliveries.c.id.in_(bindparam("ids", expanding=True))
    ),
)
_KEEP = _KEEP.on_conflict_do_update(
    index_elements=["delivery_id", "adapter"], set_={name: _KEEP.excluded[name] for name in FORM}
)


def claim(
    connection: Connection,
    recorder: Recorder,
    wish: Wish,
    requests: Sequence[Sequence[WaitingDelivery]],
) -> list[list[Claimed]]:
    """Claim what waited."""
    claimed: list[list[Claimed]] = []
    rows: list[Parameters] = []
    for members in requests:
        batch = members[0].batch
        if not members[0].sent:
            batch = _new_batch(wish, members[0].id)
        group = []
        for row in members:
            alert = Alert.from_event(row.event)
            rendered, unrendered = row.rendered, None
            if rendered is None:
                rendered, unrendered = _rendered(wish, alert)
            attempt = row.attempts + 1
            _add_attempt(recorder, (row.id, attempt, batch), row.alert, rendered)
            rows.append((row.id, attempt, batch, rendered, wish.adapter))
            group.append(
                Claimed(
                    row.id,
                    wish.lane_id,
                    Delivery(alert, row.event if rendered is None else rendered, batch),
                    moment(row.received_at),
                    attempt,
                    row.refusals,
                    moment(row.expires_at),
                    batch,
                    bool(row.aside),
                    unrendered,
                    row.recheck == HAD_IT,
                )
            )
        claimed.append(group)
    others = [
        row.id for group in requests for row in group if row.sent_by not in {None, wish.adapter}
    ]
    if others:  # how another adapter sent them is kept: they may have been taken so
        connection.execute(_KEEP, {"ids": others})
    _SENT.run(connection, rows)
    return claimed


def add_new(recorder: Recorder, new: NewOnLane, wish: Wish | None) -> list[list[Claimed]]:
    """Add what is new on a lane; what its wish takes of it is claimed."""
    found = [(each.alert.device_id, each.alert.sequence, each) for each in new.deliveries]
    requests = pick_new(found, wish) if wish else []
    claimed = [_claim_new(recorder, new, wish, group) for group in requests if wish]
    waits = (DeliveryState.WAITING.value, 0, None, None, None)
    for each in new.deliveries[sum(map(len, requests)) :]:
        _add_delivery(recorder, new, each, recorder.number(deliveries), waits)
    return claimed


def _claim_new(
    recorder: Recorder,
    new: NewOnLane,
    wish: Wish,
    members: Sequence[NewDelivery],
) -> list[Claimed]:
    group: list[Claimed] = []
    batch: str | None = None
    for each in members:
        number = recorder.number(deliveries)
        batch = batch or _new_batch(wish, number)
        rendered, unrendered = _rendered(wish, each.alert)
        sent = (DeliveryState.SENDING.value, 1, batch, rendered, wish.adapter)
        _add_delivery(recorder, new, each, number, sent)
        _add_attempt(recorder, (number, 1, batch), each.number, rendered)
        group.append(
            Claimed(
                number,
                wish.lane_id,
                Delivery(each.alert, each.event if rendered is None else rendered, batch),
                each.received_at,
                1,
                0,
                new.expires_at,
                batch,
                unrendered=unrendered,
            )
        )
    return group


def _add_delivery(
    recorder: Recorder,
    new: NewOnLane,
    each: NewDelivery,
    number: int,
    stands: tuple[str, int, str | None, bytes | None, str | None],
) -> None:
    """`stands`: its state, attempts, batch, bytes, and what sent it."""
    state, attempts, batch, rendered, sent_by = stands
    row = (
        *(number, each.number, new.lane_id, each.alert.sequence, state, attempts, 0),
        *(recorder.at, new.expires_stamp, batch, 0, rendered, sent_by, 0),
    )
    recorder.put(deliveries, row)


def _new_batch(wish: Wish, first: int) -> str | None:
    """The name of a request that was never sent; of one, too: its form is that of a batch."""
    return str(first) if wish.most > 1 else None


def _rendered(wish: Wish, alert: Alert) -> tuple[bytes | None, Outcome | None]:
    if wish.render is None:
        return None, None
    made = wish.render(alert)
    return (made, None) if isinstance(made, bytes) else (None, made)


def _add_attempt(
    recorder: Recorder, of: tuple[int, int, str | None], alert: int, rendered: bytes | None
) -> None:
    """`of`: delivery, number, batch. With what it sends: that the Alert and these bytes were sent
    is then in the chain.
    """
    sent = None if rendered is None else hashlib.sha256(rendered).digest()
    delivery, number, batch = of
    at, link = recorder.at, recorder.link
    row = (recorder.number(attempts), delivery, at, number, batch, link, alert, sent)
    recorder.put(attempts, row)
