"""From messages to facts, beside the event loop where that takes more than a moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.deciding.batch import Arrival
from router.deciding.judgement import Found
from router.domain.facts import Activation, Defect, Fact, Hub, parse_all
from router.domain.words import QuarantineReason
from router.domain.wrapping import Room, is_packed
from router.intake.gathered import BATCH_BYTES, GATHER

AT_ONCE = 8 * 1024
"""Bytes that are read on the loop: a lone fact is decided without going to a thread and back."""


@dataclass(frozen=True, slots=True)
class Read:
    """What stands in messages, in their order; several facts where one came as a batch."""

    found: Sequence[Found] = ()
    rest: Sequence[Arrival] = ()
    """Messages that were not read: those before them make a batch."""


async def read_some(arrivals: Sequence[Arrival]) -> Read:
    """The first of them, and others as long as what stands in them is no more than a batch.

    GATHER facts, or BATCH_BYTES as they are when unpacked: what packs much into little would else
    be decided with all that came with it, for minutes.
    """
    bodies = [each.message.body for each in arrivals]
    if sum(map(len, bodies)) <= AT_ONCE and not any(map(is_packed, bodies)):
        return read(arrivals)
    return await asyncio.to_thread(read, arrivals)


def read(arrivals: Sequence[Arrival]) -> Read:
    """The same, here and now."""
    found: list[Found] = []
    size = 0
    for place, arrival in enumerate(arrivals):
        if found and (len(found) >= GATHER or size >= BATCH_BYTES):
            return Read(found, arrivals[place:])
        room = Room()
        body = arrival.message.body
        facts = [_told(arrival, each) for each in parse_all(body, room=room)]
        size += len(body) + room.used
        if len(facts) == 1:
            found.append((arrival, facts[0]))
        else:
            found += [(_part(arrival, number, each), each) for number, each in enumerate(facts, 1)]
    return Read(found)


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
