"""Whether the bytes that were sent are still those: each attempt has their digest, or had none.

Bytes stand in `deliveries` and, of what another adapter sent before, in `forms`. Both are work
tables, that no link covers; the attempt is a record, and it names the Alert and the digest.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, bindparam, exists, select

from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.proof.flaws import ChainLink, Flaw, in_link
from router.ledger.tables import alerts, attempts, deliveries, forms, links

_COLUMNS = attempts.columns.keys()
DELIVERY, NUMBER = _COLUMNS.index("delivery_id"), _COLUMNS.index("number")
ALERT, SENT = _COLUMNS.index("alert"), _COLUMNS.index("sent")
ITS_ALERT, RENDERED = len(_COLUMNS), len(_COLUMNS) + 1
"""What the delivery says, behind the attempt's own columns."""
_FORMS = Prepared(
    select(forms.c.rendered).where(
        forms.c.delivery_id == bindparam("delivery"), forms.c.rendered.is_not(None)
    ),
    ("delivery",),
)
_DIGESTS = Prepared(
    select(attempts.c.sent).where(attempts.c.delivery_id == bindparam("delivery")), ("delivery",)
)
_ALERT = Prepared(
    select(alerts.c.alert_id, alerts.c.service_user_id).where(alerts.c.id == bindparam("alert")),
    ("alert",),
)
_TRIED = exists().where(attempts.c.delivery_id == deliveries.c.id)
_NEVER_SENT = (
    select(deliveries.c.id, deliveries.c.alert)
    .where(deliveries.c.rendered.is_not(None), ~_TRIED)
    .limit(1)
)
_KEPT = (
    select(forms.c.delivery_id, deliveries.c.alert, forms.c.rendered)
    .outerjoin(deliveries, deliveries.c.id == forms.c.delivery_id)
    .where(forms.c.rendered.is_not(None))
)


def mismatch(connection: Connection, link: ChainLink, attempt: Parameters) -> Flaw | None:
    """What is wrong with the bytes of an attempt whose record is as it was."""
    wanted, sent, rendered = attempt[ALERT], attempt[SENT], attempt[RENDERED]
    if attempt[ITS_ALERT] is None:
        return _flaw(connection, link, attempt, "removed", "the delivery of this attempt is gone")
    if wanted is not None and wanted != attempt[ITS_ALERT]:
        detail = f"the delivery was of Alert number {wanted}, not of {attempt[ITS_ALERT]}"
        return _flaw(connection, link, attempt, "changed", detail)
    now = _digest(rendered)
    if now == sent:
        return None
    if sent is not None:
        other = "the bytes that were sent are not those that stand here"
        kept = sent in _kept(connection, attempt[DELIVERY])
        return None if kept else _flaw(connection, link, attempt, "changed", other)
    covered = {row[0] for row in _DIGESTS.ask(connection, attempt[DELIVERY])}
    if link.marks is None or now in covered:
        return None
    return _flaw(connection, link, attempt, "added", "the Alert's own bytes were sent, no others")


def uncovered(attempt: Parameters, link: ChainLink) -> bool:
    """Whether it is the first of a delivery whose bytes an older Hubherald did not cover."""
    return link.marks is None and attempt[RENDERED] is not None and attempt[NUMBER] == 1


def left_over(connection: Connection) -> Flaw | None:
    """Bytes that no attempt sent."""
    for row in connection.execute(_NEVER_SENT):
        return _unsent(connection, row.id, row.alert)
    for kept in connection.execute(_KEPT):
        digests = {each[0] for each in _DIGESTS.ask(connection, kept.delivery_id)}
        if _digest(kept.rendered) not in digests and not _is_old(connection, kept.delivery_id):
            return _unsent(connection, kept.delivery_id, kept.alert)
    return None


def _is_old(connection: Connection, delivery: int) -> bool:
    """Whether an older Hubherald sent it, which kept no digests of bytes."""
    tried = select(links.c.id).join(attempts, attempts.c.link == links.c.id)
    of = attempts.c.delivery_id == delivery
    return connection.execute(tried.where(of, links.c.marks.is_(None))).first() is not None


def _unsent(connection: Connection, delivery: int, alert: int) -> Flaw:
    named = f"bytes of {_alert(connection, alert)}"
    detail = "no attempt has sent them"
    return Flaw("added", named, table="deliveries", number=delivery, detail=detail)


def _flaw(
    connection: Connection, link: ChainLink, attempt: Parameters, what: str, detail: str
) -> Flaw:
    alert = attempt[ALERT] if attempt[ALERT] is not None else attempt[ITS_ALERT]
    named = f"what attempt {attempt[NUMBER]} sent of {_alert(connection, alert)}"
    return in_link(link, what, named, table="deliveries", number=attempt[DELIVERY], detail=detail)


def _alert(connection: Connection, alert: int | None) -> str:
    for alert_id, user in _ALERT.ask(connection, alert):
        return f"Alert {alert_id} of user {user}"
    return "an Alert"


def _kept(connection: Connection, delivery: int) -> set[bytes | None]:
    return {_digest(row[0]) for row in _FORMS.ask(connection, delivery)}


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.sha256(content).digest()
