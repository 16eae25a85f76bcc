"""What operators do to the ledger: retry, pause, resume, release.

Each action that changes something is a record: who, when, what. A router that runs beside it
notices by itself that the ledger has changed.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from router.domain.inventory import Running
from router.domain.timestamps import lasting, rfc3339, stamp
from router.errors import UsageError
from router.lanes.values import ClosedReason, LaneChange
from router.ledger.database import Database
from router.ledger.inventory import read_inventory, write_correction
from router.ledger.lanes import change_lane
from router.ledger.quarantine import mark_released
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import actions, holding, lanes

RESUMED = (ClosedReason.OPERATOR, ClosedReason.CREDENTIALS, ClosedReason.ENDPOINT)
"""Why a lane may be closed for an operator to open it; the other reasons stand in files."""
AT_ONCE = 10_000


def system_user() -> str:
    """Who runs this program, as the operating system knows, whatever the environment says."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and when."""

    name: str
    now: datetime

    def record(self, connection: Connection, action: str, detail: Mapping[str, object]) -> None:
        """Leave the record of an action in the transaction that does it."""
        recorder = Recorder(connection, OPERATOR, stamp(self.now))
        self.add(recorder, action, detail)
        recorder.write()

    def add(self, recorder: Recorder, action: str, detail: Mapping[str, object]) -> None:
        """Add the record to others of the transaction."""
        row = {"at": stamp(self.now), "operator": self.name, "action": action}
        recorder.add(actions, {**row, "detail": json.dumps(detail)})


# --- the inventory --------------------------------------------------------------------------


def correct_firmware(
    database: Database,
    device_id: str,
    running: Running | None,
    operator: Operator,
    *,
    tolerance: timedelta = timedelta(),
) -> Running | None:
    """Say what a hub runs, where a wrong fact has set it (None: nobody knows); gives what it was.

    UsageError when the hub is not in the inventory, or this lies more than `tolerance` ahead, for
    which a fact would be refused, too. Facts count again from what is said here on.
    """
    if running is not None and running.activated_at - operator.now > tolerance:
        raise UsageError(
            f"{rfc3339(running.activated_at)} lies {lasting(running.activated_at - operator.now)} "
            f"ahead: no activation until then would change what the hub runs"
        )
    with database.transaction() as connection:
        known = read_inventory(connection, [device_id])
        if device_id not in known.hubs:
            raise UsageError(f"hub {device_id} is not in the inventory")
        before = known.running.get(device_id)
        write_correction(connection, device_id, running)
        detail = {"device_id": device_id, "from": _firmware(before), "to": _firmware(running)}
        operator.record(connection, "inventory correct", detail)
        return before


def _firmware(running: Running | None) -> dict[str, str] | None:
    if running is None:
        return None
    return {"firmware_version": running.version, "activated_at": rfc3339(running.activated_at)}


# --- lanes ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneChanged:
    """What an action did to a lane; `refused` says why it did nothing."""

    service_user_id: str
    channel: str
    refused: str | None = None


def pause_lanes(
    database: Database, user: str, channel: str | None, operator: Operator
) -> list[LaneChanged]:
    """Close a user's lanes, or one of them: their Alerts are held until somebody resumes."""
    detail = f"paused by {operator.name}"
    return _change(database, user, channel, operator, closed=ClosedReason.OPERATOR, detail=detail)


def resume_lanes(
    database: Database, user: str, channel: str | None, operator: Operator
) -> list[LaneChanged]:
    """Open a user's lanes, or one of them."""
    return _change(database, user, channel, operator, closed=None, detail="")


def _change(
    database: Database,
    user: str,
    channel: str | None,
    operator: Operator,
    *,
    closed: ClosedReason | None,
    detail: str,
) -> list[LaneChanged]:
    with database.transaction() as connection:
        found = []
        for lane in _lanes(connection, user, channel):
            reason = ClosedReason(lane.closed) if lane.closed else None
            refused = _why_not(reason, closed) if lane.unnamed_at is None else _NOT_NAMED
            found.append(LaneChanged(lane.service_user_id, lane.channel, refused))
            if refused is None:
                change_lane(connection, LaneChange(lane.id, closed, detail, operator.now))
        changed = [each.channel for each in found if each.refused is None]
        if changed:
            action = "lanes resume" if closed is None else "lanes pause"
            operator.record(connection, action, {"user": user, "channels": changed})
        return found


def _lanes(connection: Connection, user: str, channel: str | None) -> Sequence[Row[Any]]:
    rows = connection.execute(select(lanes).where(lanes.c.service_user_id == user)).all()
    if not rows:
        raise UsageError(f"{user} has no lane; `hubherald lanes list` shows those there are")
    if channel is None:
        return rows
    found = [row for row in rows if row.channel == channel]
    if not found:
        names = ", ".join(sorted(row.channel for row in rows))
        raise UsageError(f"{user} has no channel {channel!r}; it has {names}")
    return found


def _why_not(reason: ClosedReason | None, closed: ClosedReason | None) -> str | None:
    """Why a lane that is closed for `reason` can't be paused or resumed."""
    if reason is closed:
        return "is open already" if closed is None else "is paused already"
    if reason is None or reason in RESUMED:
        return None
    where = "install its adapter" if reason is ClosedReason.ADAPTER_MISSING else _IN_THE_FILE
    verb = "opens" if closed is None else "is closed already, and opens"
    return f"{verb} only when its reason is gone ({reason}): {where}"


_NOT_NAMED = (
    "is not in service_users.yaml any more; what waits there goes out when it is there again, or "
    "by `hubherald lanes move`"
)
_IN_THE_FILE = "mend service_users.yaml and run `hubherald reload`"


# --- quarantine -----------------------------------------------------------------------------


def release_numbers(database: Database, numbers: Sequence[int], operator: Operator) -> int:
    """Let these be tried again. UsageError, and nothing is released, when one does not wait."""
    with database.transaction() as connection:
        waiting = set(connection.execute(select(holding.c.quarantined_id)).scalars())
        wrong = sorted(set(numbers) - waiting)
        if wrong:
            names = ", ".join(str(number) for number in wrong)
            raise UsageError(f"not in quarantine: {names}; see `hubherald quarantine list`")
        return _release(connection, sorted(set(numbers)), operator, {"ids": sorted(set(numbers))})


def release_reason(database: Database, reason: str, operator: Operator) -> int:
    """Let everything that waits for this reason be tried again."""
    with database.transaction() as connection:
        which = select(holding.c.quarantined_id).where(holding.c.reason == reason)
        numbers = list(connection.execute(which).scalars())
        return _release(connection, numbers, operator, {"reason": reason})


def _release(
    connection: Connection,
    numbers: Sequence[int],
    operator: Operator,
    detail: Mapping[str, object],
) -> int:
    total = 0
    for start in range(0, len(numbers), AT_ONCE):
        total += mark_released(connection, numbers[start : start + AT_ONCE])
    if total:
        operator.record(connection, "quarantine release", {**detail, "facts": total})
    return total
