"""What operators make of facts in quarantine: repair one, close one, see what a release came to.

Nothing is changed that came: a repaired fact is another record, with the number of the original in
its evidence, and goes the way of all that is released.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select

from router.domain.facts import Fact
from router.domain.timestamps import stamp
from router.errors import UsageError
from router.ledger.actions import Operator
from router.ledger.database import Database
from router.ledger.dialects import upsert
from router.ledger.prepared import among, listed
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import facts, holding, lives, quarantined

_WAITING = select(holding.c.quarantined_id, holding.c.released).where(
    holding.c.quarantined_id.in_(among("numbers", numbers=True))
)


# --- repair ---------------------------------------------------------------------------------


def repair(
    database: Database, number: int, fact: Fact, operator: Operator, *, reason: str | None = None
) -> int:
    """Put a mended fact in the place of one that waits; gives the number under which it waits.

    UsageError when that one does not wait, or a fact of the same id was decided.
    """
    with database.transaction() as connection:
        _require(connection, [number])
        _is_free(connection, fact)
        old = connection.execute(select(quarantined).where(quarantined.c.id == number)).one()
        recorder = Recorder(connection, OPERATOR, stamp(operator.now))
        evidence = json.loads(old.evidence) if old.evidence else {}
        evidence |= {"repaired_from": str(number), "repaired_by": operator.name}
        key = json.dumps(["repair", number, hashlib.sha256(fact.body).hexdigest()])
        row = {
            "key": hashlib.sha256(f"{key} {stamp(operator.now)}".encode()).hexdigest(),
            "intake": old.intake,
            "source": fact.source,
            "event_id": fact.id,
            "type": fact.data.type.value,
            "device_id": fact.data.device_id,
            "reason": old.reason,
            "detail": f"repaired by {operator.name} from {number}; the router takes it up",
            "received_at": stamp(operator.now),
            "origin": f"{old.intake} repair of {number}",
            "evidence": json.dumps(evidence, sort_keys=True),
            "content_digest": fact.content_digest,
            "body": fact.body,
        }
        new = recorder.add(quarantined, row)
        said = {"ids": [number], "as": new, "device_id": fact.data.device_id, "reason": reason}
        operator.add(recorder, "quarantine repair", said)
        recorder.write()
        waits = {"quarantined_id": new, "reason": old.reason, "released": 1, "type": row["type"]}
        at = {"device_id": fact.data.device_id, "waits_since": stamp(operator.now)}
        connection.execute(upsert(holding), [{**waits, **at}])
        _take_out(connection, [number])
        return new


def _is_free(connection: Connection, fact: Fact) -> None:
    known = select(facts.c.content_digest).where(
        facts.c.source == fact.source, facts.c.event_id == fact.id
    )
    found = connection.execute(known).scalar_one_or_none()
    if found is None:
        return
    said = f"a fact {fact.id!r} of {fact.source!r} was taken before"
    if found == fact.content_digest:
        raise UsageError(f"{said}, the very same: `hubherald quarantine close` settles this one")
    raise UsageError(f"{said}, with other data: give this one an id of its own")


# --- close ----------------------------------------------------------------------------------


def close(database: Database, numbers: Sequence[int], operator: Operator, *, reason: str) -> int:
    """Settle what needs nothing; gives how many. UsageError when one does not wait.

    The record of what came stays; the same body is not quarantined again, unless it waits for a hub
    or a registration that may come.
    """
    wanted = sorted(set(numbers))
    with database.transaction() as connection:
        _require(connection, wanted)
        detail = {"ids": wanted, "reason": reason, "facts": len(wanted)}
        operator.record(connection, "quarantine close", detail)
        _take_out(connection, wanted)
    return len(wanted)


def _require(connection: Connection, numbers: Sequence[int]) -> None:
    found = {row[0] for row in connection.execute(_WAITING, {"numbers": listed(numbers)})}
    if wrong := sorted(set(numbers) - found):
        names = ", ".join(map(str, wrong))
        raise UsageError(f"not in quarantine: {names}; see `hubherald quarantine list`")


def _take_out(connection: Connection, numbers: Iterable[int]) -> None:
    connection.execute(
        delete(holding).where(holding.c.quarantined_id == bindparam("gone")),
        [{"gone": number} for number in numbers],
    )


# --- what became of it ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Became:
    """What became of facts that were released."""

    taken: int
    """Used, or known already."""
    came_back: Mapping[str, int]
    """In quarantine again, by reason."""
    pending: int
    """No router has taken them up yet."""


def newest(database: Database) -> int:
    """The number of the newest fact that ever came to quarantine."""
    with database.aside() as connection:
        return int(connection.execute(select(func.max(quarantined.c.id))).scalar_one() or 0)


def router_runs(database: Database) -> bool:
    """Whether a router has begun and not ended, as far as it could say so."""
    with database.aside() as connection:
        return bool(connection.execute(select(lives.c.running)).scalar())


def waiting_for_reason(database: Database, reason: str) -> list[int]:
    """The numbers of what waits for this reason."""
    with database.aside() as connection:
        which = select(holding.c.quarantined_id).where(holding.c.reason == reason)
        return sorted(connection.execute(which).scalars())


def became(database: Database, numbers: Sequence[int], before: int) -> Became:
    """Of these, released when `before` was the newest in quarantine."""
    given = {"numbers": listed(numbers)}
    digests = select(quarantined.c.content_digest).where(
        quarantined.c.id.in_(among("numbers", numbers=True)), quarantined.c.content_digest != ""
    )
    anew = (
        select(quarantined.c.reason)
        .join(holding, holding.c.quarantined_id == quarantined.c.id)
        .where(quarantined.c.id > before, quarantined.c.content_digest.in_(digests))
    )
    same = select(holding.c.reason, holding.c.released).where(
        holding.c.quarantined_id.in_(among("numbers", numbers=True))
    )
    back: dict[str, int] = {}
    pending = 0
    with database.aside() as connection:
        for reason, released in connection.execute(same, given):
            pending += released
            if not released:
                back[reason] = back.get(reason, 0) + 1
        for (reason,) in connection.execute(anew, given):
            back[reason] = back.get(reason, 0) + 1
    return Became(len(numbers) - pending - sum(back.values()), back, pending)
