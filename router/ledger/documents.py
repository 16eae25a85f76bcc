"""What stands while facts are decided: texts of rules and users, lanes; made live as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from router.domain.timestamps import stamp
from router.lanes.values import LaneRow
from router.ledger.database import Database
from router.ledger.queries.rules import START, last_live
from router.ledger.recorder import ROUTER, Recorder
from router.ledger.restored import begin_numbers
from router.ledger.succession import fit_lanes
from router.ledger.tables import actions, documents


@dataclass(frozen=True, slots=True)
class Text:
    """Rules or users, as they are kept for evidence."""

    kind: str
    """`rules` or `users`."""
    digest: str
    content: str


def go_live(
    database: Database,
    texts: Sequence[Text],
    lanes: Sequence[tuple[str, str, str]],
    now: datetime,
    *,
    reload: Mapping[str, object] | None = None,
) -> dict[tuple[str, str], LaneRow]:
    """Keep the texts, once each, and fit the lanes to these of (user, channel, adapter).

    What waits on a channel that goes moves to the one that comes. `reload` is what to record of
    the reload that makes them live. Gives every lane there is.
    """
    with database.transaction() as connection:
        recorder = Recorder(connection, ROUTER, stamp(now))
        wanted = [text.digest for text in texts]
        known = set(
            connection.execute(
                select(documents.c.digest).where(documents.c.digest.in_(wanted))
            ).scalars()
        )
        live = last_live(connection)
        rules = next((text.digest for text in texts if text.kind == "rules"), None)
        for text in texts:
            if text.digest not in known:
                row = {"digest": text.digest, "kind": text.kind, "content": text.content}
                recorder.add(documents, {**row, "first_used_at": stamp(now)})
        if reload is not None:
            _act(recorder, "reload", reload)
        elif rules in known and rules != live:  # what is new has its moment in its document
            _act(recorder, START, {"trigger": START, "from": live, "to": {"rules": rules}})
        begin_numbers(connection, (user for user, _, _ in lanes))
        trigger = str(reload["trigger"]) if reload is not None else "start"
        found = fit_lanes(connection, recorder, lanes, now, trigger=trigger)
        recorder.write()
        return found


def _act(recorder: Recorder, action: str, detail: Mapping[str, object]) -> None:
    row = {"operator": "router", "action": action, "detail": json.dumps(detail)}
    recorder.add(actions, {"at": recorder.at, **row})
