"""What operators do to the ledger, and the record that it leaves.

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

from sqlalchemy import Connection, select

from router.domain.inventory import Running
from router.domain.timestamps import lasting, rfc3339, stamp
from router.errors import UsageError
from router.ledger.database import Database
from router.ledger.inventory import read_inventory, write_correction
from router.ledger.quarantine import mark_released
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import actions, holding

AT_ONCE = 10_000
JUMP = "sequences jump"
"""The action of a router on an older ledger; it names every user, with their next number."""


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

    def record(
        self,
        connection: Connection,
        action: str,
        detail: Mapping[str, object],
        *,
        writer: str = OPERATOR,
    ) -> None:
        """Leave the record of an action in the transaction that does it."""
        recorder = Recorder(connection, writer, stamp(self.now))
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
