"""Claims: the attempt of each delivery is written before its send.

What waits is claimed by the relay's exchange; what is new, where a lane has room for it and nothing
waits before it, in the transaction that records it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from router.domain.timestamps import moment, stamp
from router.lanes.picking import HAD_IT, WaitingDelivery
from router.lanes.values import Claimed, DeliveryState, Wish
from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import attempts, deliveries, forms
from router.ports import Alert, Delivery, Outcome

FORM = ("batch", "rendered")
"""What must be the same when an adapter sends a delivery again."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that is being recorded."""

    row: Row
    alert: Alert
    event: bytes
    """The Alert's own bytes."""
    received_at: datetime
    """When the fact came that the Alert is about."""


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
    now: datetime,
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
            of = {"id": row.id, "alert": row.alert, "attempts": attempt}
            _add_attempt(recorder, of, now, batch, rendered)
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


def claim_new(
    recorder: Recorder,
    wish: Wish,
    requests: Sequence[Sequence[NewDelivery]],
    now: datetime,
) -> list[list[Claimed]]:
    """Claim what is being recorded; its rows are changed before they are written."""
    claimed: list[list[Claimed]] = []
    for members in requests:
        batch = _new_batch(wish, members[0].row["id"])
        group = []
        for each in members:
            rendered, unrendered = _rendered(wish, each.alert)
            each.row.update(
                state=DeliveryState.SENDING.value,
                attempts=1,
                batch=batch,
                rendered=rendered,
                sent_by=wish.adapter,
            )
            _add_attempt(recorder, each.row, now, batch, rendered)
            group.append(
                Claimed(
                    each.row["id"],
                    wish.lane_id,
                    Delivery(each.alert, each.event if rendered is None else rendered, batch),
                    each.received_at,
                    1,
                    0,
                    moment(each.row["expires_at"]),
                    batch,
                    unrendered=unrendered,
                )
            )
        claimed.append(group)
    return claimed


def _new_batch(wish: Wish, first: int) -> str | None:
    """The name of a request that was never sent; of one, too: its form is that of a batch."""
    return str(first) if wish.most > 1 else None


def _rendered(wish: Wish, alert: Alert) -> tuple[bytes | None, Outcome | None]:
    if wish.render is None:
        return None, None
    made = wish.render(alert)
    return (made, None) if isinstance(made, bytes) else (None, made)


def _add_attempt(
    recorder: Recorder, of: Row, now: datetime, batch: str | None, rendered: bytes | None
) -> None:
    """With what it sends: that the Alert and these bytes were sent is then in the chain."""
    row = {"delivery_id": of["id"], "at": stamp(now), "number": of["attempts"], "batch": batch}
    row["alert"] = of["alert"]
    row["sent"] = None if rendered is None else hashlib.sha256(rendered).digest()
    recorder.add(attempts, row)
