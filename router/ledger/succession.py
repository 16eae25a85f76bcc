"""The lanes as service_users.yaml names them; what waits moves to the channel that takes over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, not_, update

from router.domain.timestamps import stamp
from router.lanes.succession import successions
from router.lanes.values import ClosedReason, LaneKey, LaneRow, TakenOver
from router.ledger.backlog import read_lanes
from router.ledger.lanes import PENDING, put_lanes
from router.ledger.moves import has_it, lane_row, move
from router.ledger.recorder import Recorder
from router.ledger.tables import actions, lanes


def fit_lanes(
    connection: Connection,
    recorder: Recorder,
    wanted: Sequence[tuple[str, str, str]],
    now: datetime,
    *,
    trigger: str,
) -> dict[LaneKey, LaneRow]:
    """Make the lanes of (user, channel, adapter) that are new, and have them take over.

    Gives every lane there is. `trigger` says in the record what the files were read for.
    """
    before = read_lanes(connection)
    taken = successions(before, [(user, channel) for user, channel, _ in wanted])
    put_lanes(connection, wanted, now)
    took: dict[LaneKey, TakenOver] = {}
    for old, new in taken.items():
        took[new] = _take_over(connection, before[old], new, now)
        _record(recorder, old, new, took[new], trigger)
    after = read_lanes(connection)
    return {key: replace(row, took_over=took.get(key)) for key, row in after.items()}


def _take_over(connection: Connection, old: LaneRow, new: LaneKey, now: datetime) -> TakenOver:
    gone = lane_row(connection, (old.service_user_id, old.channel))
    come = lane_row(connection, new)
    # what is under way goes along: the router has its answers brought to where it is then
    count = move(connection, gone, come, now, PENDING & not_(has_it(come.id)))
    paused = gone.closed == ClosedReason.OPERATOR
    if paused:
        closed = {"closed": gone.closed, "closed_detail": gone.closed_detail}
        end = {"closed_at": stamp(now), "closed_until": gone.closed_until}
        _change(connection, come.id, {**closed, **end})
        _change(connection, gone.id, {"closed": ClosedReason.USER_REMOVED.value})
    return TakenOver(old.id, old.channel, count, paused)


def _record(recorder: Recorder, old: LaneKey, new: LaneKey, took: TakenOver, trigger: str) -> None:
    if not took.deliveries and not took.paused:
        return
    told = {"user": old[0], "from": old[1], "to": new[1], "deliveries": took.deliveries}
    detail = json.dumps({"trigger": trigger, **told, "paused": took.paused})
    row = {"operator": "router", "action": "lanes move", "detail": detail}
    recorder.add(actions, {"at": recorder.at, **row})


def _change(connection: Connection, lane: int, values: Mapping[str, object]) -> None:
    connection.execute(update(lanes).where(lanes.c.id == lane).values(**values))
