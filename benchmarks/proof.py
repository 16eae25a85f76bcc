"""Holds what receivers got against what had to come, id by id and byte by byte.

    python benchmarks/proof.py estate/expected.json received.tsv

Nothing here is imported from Hubherald. The Alert's id is worked out once more from the contract
(UUIDv5 of fact source, fact id, user, code), so that a changed id is found as lost and foreign.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("b8a5c7de-6f0c-5d0f-9f43-2f6f3e1f64a1")
ACCEPTED = range(200, 300)


@dataclass
class Proof:
    """What was found; `problems` is empty when all is as promised."""

    expected: int = 0
    received: int = 0
    """Alerts that came, each counted once."""
    lost: int = 0
    foreign: int = 0
    requests: int = 0
    refused: int = 0
    """Requests that the receiver did not accept, on purpose."""
    duplicates: int = 0
    """Alerts that came more than once with a good answer, each further time counted."""
    overtaken: int = 0
    """The most Alerts of one user that one with a higher sequence came before."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from decision to first receipt, sorted."""
    first_receipt: float = 0.0
    last_receipt: float = 0.0
    last_decision: float = 0.0
    problems: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Seconds within which `share` of the Alerts came."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


@dataclass(frozen=True)
class _Due:
    """What must be in one Alert."""

    service_user_id: str
    device_id: str
    firmware_version: str
    alert_code: str
    roles: tuple[str, ...]

    @classmethod
    def of(cls, data: dict[str, Any]) -> _Due:
        return cls(
            service_user_id=data["service_user_id"],
            device_id=data["device_id"],
            firmware_version=data["firmware_version"],
            alert_code=data["alert_code"],
            roles=tuple(data["roles"]),
        )


def due(expected: dict[str, Any]) -> dict[str, _Due]:
    """Every Alert that has to come, by its id; not those of suspended users."""
    found = {}
    for fact in expected["facts"]:
        for alert in fact["alerts"]:
            user = alert["service_user_id"]
            if user not in expected["suspended"]:
                parts = [fact["source"], fact["id"], user, alert["alert_code"]]
                number = uuid.uuid5(NAMESPACE, json.dumps(parts))
                found[str(number)] = _Due.of({**fact, **alert})
    return found


def prove(expected: dict[str, Any], log: Path) -> Proof:
    """Compare a receiver's log with expected.json."""
    wanted = due(expected)
    proof = Proof(expected=len(wanted))
    bodies: dict[str, str] = {}
    events: dict[str, dict[str, Any]] = {}
    receipts: Counter[str] = Counter()
    sequences: dict[str, list[int]] = defaultdict(list)
    for line in _lines(log):
        at, path, message, status, digest, body = line.split("\t", 5)
        proof.requests += 1
        if bodies.setdefault(message, digest) != digest:
            proof.problems.append(f"webhook-id {message} came with two bodies")
        if int(status) not in ACCEPTED:
            proof.refused += 1
            continue
        content = json.loads(body)
        for event in content if isinstance(content, list) else [content]:
            number = event["id"]
            receipts[number] += 1
            first = events.setdefault(number, event)
            if first is not event:
                if first != event:
                    proof.problems.append(f"Alert {number} came with two contents")
                continue
            _first_receipt(proof, event, float(at), path)
            sequences[event["data"]["service_user_id"]].append(event["data"]["sequence"])
    proof.received = len(events)
    proof.duplicates = receipts.total() - len(receipts)
    _compare(proof, wanted, events)
    _sequences(proof, sequences)
    proof.latencies.sort()
    return proof


def _lines(log: Path) -> Iterator[str]:
    with log.open(encoding="utf-8") as lines:
        yield from lines


def _first_receipt(proof: Proof, event: dict[str, Any], at: float, path: str) -> None:
    decided = datetime.fromisoformat(event["time"]).timestamp()
    proof.latencies.append(at - decided)
    proof.first_receipt = proof.first_receipt or at
    proof.last_receipt = at
    proof.last_decision = max(proof.last_decision, decided)
    if path.rpartition("/")[2] != event["data"]["service_user_id"]:
        proof.problems.append(f"Alert {event['id']} came to {path}, somebody else's")


def _compare(proof: Proof, wanted: dict[str, _Due], events: dict[str, dict[str, Any]]) -> None:
    lost, foreign = wanted.keys() - events.keys(), events.keys() - wanted.keys()
    proof.lost, proof.foreign = len(lost), len(foreign)
    if lost:
        proof.problems.append(f"{len(lost)} lost, such as {min(lost)}: {wanted[min(lost)]}")
    if foreign:
        some = min(foreign)
        proof.problems.append(f"{len(foreign)} foreign, such as {some}: {events[some]['data']}")
    for number in wanted.keys() & events.keys():
        if _Due.of(events[number]["data"]) != wanted[number]:
            got = events[number]["data"]
            proof.problems.append(f"Alert {number} says {got}, expected {wanted[number]}")


def _sequences(proof: Proof, sequences: dict[str, list[int]]) -> None:
    for user, numbers in sequences.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            proof.problems.append(f"the sequence of {user} is not gapless from 1")
        awaited, ahead = 1, set[int]()
        for number in numbers:
            ahead.add(number)
            proof.overtaken = max(proof.overtaken, number - awaited - len(ahead) + 1)
            while awaited in ahead:
                ahead.remove(awaited)
                awaited += 1


def main() -> None:
    expected, log = (Path(word) for word in sys.argv[1:])
    proof = prove(json.loads(expected.read_text()), log)
    print(f"{proof.received:,} of {proof.expected:,} Alerts, {proof.duplicates:,} duplicates")
    for problem in proof.problems:
        print(f"WRONG: {problem}")
    raise SystemExit(1 if proof.problems else 0)


if __name__ == "__main__":
    main()
