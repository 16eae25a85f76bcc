"""From messages to facts, beside the event loop where that takes more than a moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.deciding.batch import Arrival
from router.deciding.judgement import Found
from router.domain.facts import Activation, Defect, Fact, Hub, QuarantineReason, parse_all

AT_ONCE = 8 * 1024
"""Bytes that are read on the loop: a lone fact is decided without going to a thread and back."""


async def read_all(arrivals: Sequence[Arrival]) -> list[Found]:
    """What stands in each of them, in their order; several facts where one came as a batch."""
    if sum(len(each.message.body) for each in arrivals) <= AT_ONCE:
        return read(arrivals)
    return await asyncio.to_thread(read, arrivals)


def read(arrivals: Sequence[Arrival]) -> list[Found]:
    """The same, here and now."""
    found: list[Found] = []
    for arrival in arrivals:
        facts = [_told(arrival, each) for each in parse_all(arrival.message.body)]
        if len(facts) == 1:
            found.append((arrival, facts[0]))
        else:
            found += [(_part(arrival, number, each), each) for number, each in enumerate(facts, 1)]
    return found


def _told(arrival: Arrival, found: Fact | Defect) -> Fact | Defect:
    """With what its sender called it, where that is nothing that we read."""
    if isinstance(found, Fact) or found.reason is not QuarantineReason.MALFORMED:
        return found
    called = [
        f"{name} {said[:60]!r}"
        for name in ("content_type", "content_encoding")
        if (said := arrival.message.evidence.get(name)) and not _READ.search(said)
    ]
    if not called:
        return found
    return replace(found, detail=f"{found.detail}; it came with {' and '.join(called)}")


_READ = re.compile(r"(?i)json|gzip|identity")


def _part(arrival: Arrival, number: int, fact: Fact | Defect) -> Arrival:
    """One fact of a batch as if it had come alone: it is kept, and quarantined, by itself."""
    origin = f"{arrival.message.origin}[{number}]"
    return replace(arrival, message=replace(arrival.message, body=fact.body, origin=origin))


@dataclass(frozen=True, slots=True)
class Awaited:
    """The hubs for whose word, or first registration, others may wait in quarantine."""

    devices: frozenset[str]
    hubs: frozenset[str]
    """Those of them that are known from here on, if they were not before."""


def awaited(found: Sequence[Found]) -> Awaited:
    """What these are waited for.

    What leaves quarantine itself takes nobody along: those follow by themselves, and are noted.
    """
    told = [
        fact.data
        for arrival, fact in found
        if arrival.quarantined_id is None
        and isinstance(fact, Fact)
        and not isinstance(fact.data, Activation)
    ]
    return Awaited(
        frozenset(each.device_id for each in told),
        frozenset(each.device_id for each in told if isinstance(each, Hub)),
    )
