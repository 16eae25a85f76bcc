"""How facts are cut into batches must make no difference to what follows from them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.intaking import USERS, Running, fact
from support.ledgers import made
from support.samples import GAS, activation, device, hub, mpan, registration, user

from router.deciding.engine import Engine
from router.domain.words import Point
from router.language.rules import Rules
from router.ledger.thread import LedgerThread

NUMBERS = st.integers(1, 3)
HUBS = st.builds(
    lambda number, status, day: (hub(device(number), status=status), day),
    NUMBERS,
    st.sampled_from(["Commissioned", "Commissioned", "Pending"]),
    st.integers(1, 3),
)
REGISTRATIONS = st.builds(
    lambda number, point, supplier, day: (
        registration(
            GAS if point is Point.MPRN else mpan(number % 2),
            user(supplier),
            point=point,
            device_id=device(number),
        ),
        day,
    ),
    NUMBERS,
    st.sampled_from([Point.IMPORT_MPAN, Point.MPRN]),
    NUMBERS,
    st.integers(1, 3),
)
ACTIVATIONS = st.builds(
    lambda number, version: (activation(device(number), version), 1),
    NUMBERS,
    st.sampled_from(["9002", "9003"]),
)
IDS = st.sampled_from("abcdefgh")
BODIES = st.one_of(
    st.builds(
        lambda each, event_id: fact(each[0], event_id, time=f"2026-01-0{each[1]}T00:00:00Z"),
        HUBS | REGISTRATIONS | ACTIVATIONS | ACTIVATIONS,
        IDS,
    ),
    st.just(b"{no"),
)
TOLD = {
    "facts": "SELECT source, event_id, effect, content_digest FROM facts ORDER BY 1, 2",
    "decisions": "SELECT event_id, party_id, role, verdict, rule FROM decisions d"
    " JOIN facts f ON f.id = fact_id ORDER BY 1, 2, 3",
    "alerts": "SELECT service_user_id, sequence, alert_id, event FROM alerts ORDER BY 1, 2",
    "deliveries": "SELECT lane_id, sequence, state FROM deliveries ORDER BY 1, 2",
    "holding": "SELECT q.reason, event_id, content_digest FROM quarantined q"
    " JOIN holding ON quarantined_id = id ORDER BY 1, 2, 3",
    "hubs": "SELECT * FROM hubs ORDER BY 1",
    "registrations": "SELECT * FROM registrations ORDER BY 1, 2, 3",
    "firmware": "SELECT * FROM firmware ORDER BY 1",
    "cursors": "SELECT * FROM cursors",
}
"""What must be the same; not the records of what was in quarantine for a while."""


def outcome(
    groups: Sequence[Sequence[bytes]],
    shipped_rules: Rules,
    shipped_engine: Engine,
    deliveries: Mapping[bytes, int] | None = None,
) -> dict[str, list[tuple[Any, ...]]]:
    """What the ledger says when these batches have been taken in."""
    with tempfile.TemporaryDirectory() as folder, LedgerThread(made(Path(folder))) as ledger:
        running = Running(ledger, shipped_rules, shipped_engine)
        asyncio.run(running.take(*groups, deliveries=deliveries))
        return {name: running.ask(question) for name, question in TOLD.items()}


BEFORE = [
    fact(each, f"before-{number}-{kind}", time="2025-01-01T00:00:00Z")
    for number in (1, 2, 3)
    for kind, each in (
        ("hub", hub(device(number))),
        ("registration", registration(mpan(number % 2), user(1), device_id=device(number))),
    )
]
"""Hubs that are known and registered, so that no activation waits."""
LISTED = st.lists(st.lists(BODIES, min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LISTED)
def test_how_facts_are_cut_into_batches_makes_no_difference(
    shipped_rules: Rules, shipped_engine: Engine, groups: list[list[bytes]]
) -> None:
    cut_otherwise([BEFORE, *groups], shipped_rules, shipped_engine, TOLD)


OLDER_BEHIND = [
    fact(registration(device_id=device(1)), "newer", time="2026-01-03T00:00:00Z"),
    fact(hub(device(1)), "hub", time="2026-01-01T00:00:00Z"),
    fact(registration(device_id=device(1)), "older", time="2026-01-01T00:00:00Z"),
]
"""The first waits for the second, and makes the third stale, also where each is taken up alone."""


@example([OLDER_BEHIND])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LISTED)
def test_nor_where_some_wait_but_for_the_registrations_that_count_for_those(
    shipped_rules: Rules, shipped_engine: Engine, groups: list[list[bytes]]
) -> None:
    """All registrations of the batch that brings its hub count for an activation that waited."""
    same = TOLD.keys() - {"decisions", "alerts", "deliveries"}
    cut_otherwise(groups, shipped_rules, shipped_engine, same)


def cut_otherwise(
    groups: Sequence[Sequence[bytes]], rules: Rules, engine: Engine, same: Iterable[str]
) -> None:
    """The same facts one by one, all together, and all under suspicion."""
    found = outcome(groups, rules, engine)
    alone = [[each] for group in groups for each in group]
    together = [[each for group in groups for each in group]]
    suspected = dict.fromkeys(together[0], 1)
    for other, deliveries in ((alone, None), (together, None), (together, suspected)):
        again = outcome(other, rules, engine, deliveries)
        for name in same:
            assert again[name] == found[name], name
    for told in USERS:
        sequences = [row[1] for row in found["alerts"] if row[0] == told]
        assert sequences == list(range(1, len(sequences) + 1))
