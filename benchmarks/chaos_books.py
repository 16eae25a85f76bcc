"""Holds the ledger of a chaos run, by plain SQL, against what was fed in and what arrived.

Every record stands under a link, and links are numbered in the order of commits, whichever process
wrote them. So who supplied a home when its activation was decided is known exactly: it is what the
last import with a lower link says. Nothing here is shared with the router.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_estate import COPY, SOURCE, Sent, user_id
from chaos_sinks import Receipt

NOTHING = {
    "sequences that are not gapless from 1": """SELECT service_user_id, count(*), min(sequence),
        max(sequence) FROM alerts GROUP BY 1 HAVING min(sequence) <> 1
        OR max(sequence) <> count(*)""",
    "last sequences that are not the highest": """SELECT s.service_user_id, s.last FROM sequences s
        WHERE s.last <> (SELECT max(sequence) FROM alerts a
        WHERE a.service_user_id = s.service_user_id)""",
    "decisions that stand twice": """SELECT fact_id, party_id, role, count(*) FROM decisions
        GROUP BY 1, 2, 3 HAVING count(*) > 1""",
    "decided facts without a decision": """SELECT id, event_id FROM facts WHERE effect = 'decided'
        AND id NOT IN (SELECT fact_id FROM decisions)""",
    "facts with decisions of two transactions": """SELECT fact_id FROM decisions GROUP BY 1
        HAVING count(DISTINCT link) > 1""",
    "facts that stand twice": """SELECT source, event_id FROM facts GROUP BY 1, 2
        HAVING count(*) > 1""",
    "alerted decisions without their Alert": """SELECT d.fact_id, d.party_id FROM decisions d
        LEFT JOIN alerts a ON a.fact_id = d.fact_id AND a.service_user_id = d.party_id
        WHERE d.verdict = 'alerted' AND a.id IS NULL""",
    "Alerts without an alerted decision": """SELECT a.id FROM alerts a LEFT JOIN decisions d
        ON a.fact_id = d.fact_id AND a.service_user_id = d.party_id AND d.verdict = 'alerted'
        WHERE d.id IS NULL""",
    "Alerts without a delivery": """SELECT id FROM alerts WHERE id NOT IN
        (SELECT alert FROM deliveries)""",
    "deliveries on somebody else's lane": """SELECT d.id FROM deliveries d JOIN alerts a
        ON a.id = d.alert JOIN lanes l ON l.id = d.lane_id
        WHERE l.service_user_id <> a.service_user_id""",
    "deliveries that are sending or unknown": """SELECT id, state, lane_id FROM deliveries
        WHERE state IN ('sending', 'unknown')""",
    "deliveries that wait on an open lane": """SELECT d.id, d.lane_id FROM deliveries d
        JOIN lanes l ON l.id = d.lane_id WHERE d.state = 'waiting' AND l.closed IS NULL""",
    "attempts without an outcome": """SELECT a.delivery_id, a.number FROM attempts a
        LEFT JOIN outcomes o ON o.delivery_id = a.delivery_id AND o.attempt = a.number
        WHERE o.id IS NULL""",
    "attempts with two outcomes": """SELECT delivery_id, attempt, group_concat(outcome)
        FROM outcomes WHERE attempt IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1""",
    "parked or withdrawn without a reason": """SELECT d.id, d.state FROM deliveries d
        WHERE d.state IN ('parked', 'withdrawn') AND NOT EXISTS (SELECT 1 FROM outcomes o
        WHERE o.delivery_id = d.id AND o.outcome = d.state)""",
    "first attempts out of order": """SELECT id, lane_id, sequence, before FROM (
        SELECT t.id, d.lane_id, d.sequence, max(d.sequence) OVER (PARTITION BY d.lane_id
        ORDER BY t.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM attempts t JOIN deliveries d ON d.id = t.delivery_id WHERE t.number = 1)
        WHERE before > sequence""",
    "foreign keys that lead nowhere": "SELECT * FROM pragma_foreign_key_check",
    "damage": "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
}
"""What must be empty, as SQL."""


@dataclass
class Books:
    """What was found."""

    expected: int = 0
    received: int = 0
    duplicates: int = 0
    lost: int = 0
    foreign: int = 0
    parked: int = 0
    withdrawn: int = 0
    held: int = 0
    problems: list[str] = field(default_factory=list)

    def wrong(self, what: str, rows: Sequence[object]) -> None:
        """Note a finding, with the first rows that show it."""
        if rows:
            shown = "; ".join(map(str, rows[:3]))
            self.problems.append(f"{len(rows)} {what}, such as {shown}")


@dataclass(frozen=True)
class Due:
    """An Alert that must be."""

    user: str
    device: str
    version: str
    link: int


class Audit:
    """One look at the ledger of a run that is over."""

    def __init__(self, ledger: Path, sent: Sent, refused: frozenset[str]) -> None:
        self.books = Books()
        self._sent = sent
        self._refused = refused
        self._ledger = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
        self._imports = self._committed()

    def all(self, receipts: Sequence[Receipt], spans: dict[str, int]) -> Books:
        """Everything; `spans` says for each sink how many Alerts may be under way."""
        for what, question in NOTHING.items():
            self.books.wrong(what, self._ask(question))
        self._quarantine()
        due = self._due()
        self._alerts(due)
        self._arrivals(due, receipts)
        self._order(receipts, spans)
        return self.books

    def _ask(self, question: str, *values: object) -> list[Any]:
        return self._ledger.execute(question, values).fetchall()

    # --- what must be -------------------------------------------------------------------------

    def _committed(self) -> dict[str, list[tuple[int, str]]]:
        """By hub: link and supplier of each import that reached the ledger, in their order."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        asked = "SELECT link, detail FROM actions WHERE action = 'inventory import' ORDER BY link"
        for link, detail in self._ask(asked):
            for file in json.loads(detail)["files"]:
                for device, supplier in self._sent.imports.get(Path(file).name, {}).items():
                    found[device].append((link, supplier))
        return found

    def _supplier(self, device: str, link: int) -> str:
        """Who supplied the home just before this link."""
        changes = self._imports.get(device, [])
        place = bisect_left(changes, (link, ""))
        return changes[place - 1][1] if place else self._sent.first[device]

    def _users(self) -> dict[str, set[str]]:
        """By digest of a users file: who stands in it."""
        asked = "SELECT digest, content FROM documents WHERE kind = 'users'"
        return {
            digest: {each["id"] for each in json.loads(content)["service_users"]}
            for digest, content in self._ask(asked)
        }

    def _due(self) -> dict[tuple[str, str], Due]:
        """By hub and version: the Alert that must be, by what was true at the decision."""
        users, due = self._users(), {}
        decided = {
            event: (fact, link, verdicts, digest)
            for event, fact, link, verdicts, digest in self._ask(
                """SELECT f.event_id, f.id, d.link, group_concat(d.verdict), e.users_digest
                FROM facts f JOIN decisions d ON d.fact_id = f.id
                LEFT JOIN evaluations e ON e.fact_id = f.id WHERE f.source = ? GROUP BY f.id""",
                SOURCE,
            )
        }
        missing, wrong = [], []
        for (device, version), events in self._sent.activations.items():
            for event in events:
                if event not in decided:
                    missing.append((event, device))
                    continue
                fact, link, verdicts, digest = decided[event]
                if verdicts == "same_activation" and len(events) > 1:
                    continue
                supplier = self._supplier(device, link)
                told = supplier in users.get(digest, set())
                if verdicts != ("alerted" if told else "no_eligible_user"):
                    wrong.append((fact, event, device, verdicts, f"supplier {supplier}", told))
                if told:
                    due[(device, version)] = Due(supplier, device, version, link)
        self.books.expected = len(due)
        self.books.wrong("activations that were never decided", missing)
        self.books.wrong("activations with another verdict than is due", wrong)
        return due

    def _alerts(self, due: dict[tuple[str, str], Due]) -> None:
        """The Alerts of the ledger are those that are due: each once, to whom it is due."""
        found = Counter[tuple[str, str, str]]()
        for user, event in self._ask("SELECT service_user_id, event FROM alerts"):
            data = json.loads(event)["data"]
            found[(data["device_id"], data["firmware_version"], user)] += 1
        wanted = {(each.device, each.version, each.user) for each in due.values()}
        self.books.wrong("Alerts that nobody is due", sorted(found.keys() - wanted))
        self.books.wrong("due Alerts that are not in the ledger", sorted(wanted - found.keys()))
        self.books.wrong("Alerts that are twice", [k for k, many in found.items() if many > 1])

    def _quarantine(self) -> None:
        """Only lines that are no facts are left there."""
        left = self._ask(
            "SELECT h.reason, q.event_id, q.device_id FROM holding h JOIN quarantined q"
            " ON q.id = h.quarantined_id WHERE h.reason <> 'malformed'"
        )
        self.books.wrong("facts that are left in quarantine", left)
        broken = self._ask("SELECT count(*) FROM holding WHERE reason = 'malformed'")[0][0]
        if broken != self._sent.broken:
            self.books.problems.append(f"{broken} malformed lines, {self._sent.broken} were sent")

    # --- what arrived -------------------------------------------------------------------------

    def _arrivals(self, due: dict[tuple[str, str], Due], receipts: Sequence[Receipt]) -> None:
        books, stored = self.books, dict(self._ask("SELECT alert_id, event FROM alerts"))
        bodies: dict[str, bytes] = {}
        accepted, unlike, foreign = Counter[tuple[str, bool]](), list[object](), list[object]()
        for receipt in receipts:
            known = bodies.setdefault(receipt.message_id or receipt.body.decode(), receipt.body)
            if known != receipt.body:
                unlike.append((receipt.sink, receipt.message_id))
            for event, own in receipt.events():
                data, number = event["data"], str(event["id"])
                wanted = due.get((data["device_id"], data["firmware_version"]))
                if own != stored.get(number):
                    unlike.append((receipt.sink, number))
                if wanted is None or not _to(receipt.sink, wanted.user, data["service_user_id"]):
                    foreign.append((receipt.sink, number, data))
                accepted[(number, receipt.sink.endswith(COPY))] += receipt.accepted
        books.wrong("messages or Alerts that came with two contents", unlike)
        books.wrong("foreign Alerts", foreign)
        books.foreign = len(foreign)
        books.received = len({number for (number, _), times in accepted.items() if times})
        books.duplicates = sum(times - 1 for times in accepted.values() if times)
        self._lost(accepted)

    def _lost(self, accepted: Counter[tuple[str, bool]]) -> None:
        """Each delivery has arrived, or says why it has not."""
        books, lost, odd = self.books, list[object](), list[object]()
        excused = Counter[str]()
        for number, channel, device, state, closed, link, why in self._ask(
            """SELECT a.alert_id, l.channel, a.device_id, d.state, l.closed, a.link,
            (SELECT reason FROM outcomes o WHERE o.delivery_id = d.id ORDER BY o.id DESC LIMIT 1)
            FROM deliveries d JOIN alerts a ON a.id = d.alert JOIN lanes l ON l.id = d.lane_id"""
        ):
            if accepted[(number, channel == COPY)]:
                continue
            kind = "held" if state == "waiting" and closed else state
            excused[kind] += 1
            if kind not in {"held", "parked", "withdrawn"}:
                lost.append((number, device, kind))
            elif kind == "parked" and device not in self._refused:
                odd.append((number, device, "parked, and nobody refused it"))
            elif (
                kind == "withdrawn"
                and why != "operator"
                and not any(at > link for at, _ in self._imports.get(device, []))
            ):
                odd.append((number, device, "withdrawn, and no supplier changed"))
        books.lost = len(lost)
        books.parked, books.withdrawn = excused["parked"], excused["withdrawn"]
        books.held = excused["held"]
        books.wrong("Alerts lost", lost)
        books.wrong("Alerts that did not go for no good reason", odd)

    def _order(self, receipts: Sequence[Receipt], spans: dict[str, int]) -> None:
        """First receipts are in sequence, but for those that may be under way together."""
        highest, seen = defaultdict[str, int](int), set[tuple[str, str]]()
        overtaken = []
        for receipt in receipts:
            for event, _ in receipt.events():
                key, sequence = (receipt.sink, event["id"]), int(event["data"]["sequence"])
                if key in seen or receipt.sink not in spans:
                    continue
                seen.add(key)
                if sequence <= highest[receipt.sink] - spans[receipt.sink]:
                    overtaken.append((receipt.sink, sequence, highest[receipt.sink]))
                highest[receipt.sink] = max(highest[receipt.sink], sequence)
        self.books.wrong("first sends that came too late after others", overtaken)


def _to(sink: str, wanted: str, said: str) -> bool:
    """Whether a message in this sink is for the user it is due to, and says so."""
    return wanted == said == user_id(int(sink.partition("/")[0]))


def registered(ledger: Path) -> set[str]:
    """Hubs that have a supplier now."""
    return {row[0] for row in _look(ledger, "SELECT device_id FROM registrations")}


def waiting(ledger: Path) -> bool:
    """Whether something is left that another run would take along."""
    asked = """SELECT 1 FROM deliveries d JOIN lanes l ON l.id = d.lane_id WHERE l.closed IS NULL
        AND d.state IN ('waiting', 'sending', 'unknown') UNION ALL
        SELECT 1 FROM holding WHERE reason <> 'malformed'"""
    return bool(_look(ledger, asked))


def _look(ledger: Path, question: str) -> list[Any]:
    if not ledger.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=30)) as found:
            return found.execute(question).fetchall()
    except sqlite3.OperationalError:  # it is just being made
        return []
