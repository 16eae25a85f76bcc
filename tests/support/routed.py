"""Ledgers that real runs have filled, for the tests of asking and acting."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from router.ledger.database import Database, Use, open_database
from router.ledger.queries.story import StoryPart
from support import ledgers
from support.commandline import start
from support.estate import D1, S1, S2, SUPPLIER, Estate
from support.listener import Listener

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
OTHER_HUB = "90-B3-D5-1F-30-00-10-02"
T = TypeVar("T")


@contextmanager
def ledger(estate: Estate, use: Use = Use.READ) -> Iterator[Database]:
    with closing(open_database(ledgers.url(estate.folder, "hubherald.db"), use)) as database:
        yield database


def of_kind(told: list[StoryPart], kind: type[T]) -> list[T]:
    return [row for row in told if isinstance(row, kind)]


def two_suppliers(estate: Estate) -> None:
    """Electricity by S1, gas by S2, a distributor who has not subscribed."""
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.user(D1, ["electricity_distributor"])
    estate.hub()
    estate.registration("import_mpan", S1, network_operator_id=D1)
    estate.registration("mprn", S2)


def tried_once(estate: Estate, receiver: Listener) -> datetime:
    """One Alert to S1 whose receiver answered 503 to the first attempt; gives the moment."""
    channel = {"adapter": "webhook", "url": receiver.url, "hold_hours": 1}
    estate.user(S1, SUPPLIER, channels=[channel])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    with start("run", folder=estate.folder) as router:
        while not receiver.refused:
            assert router.poll() is None
        router.send_signal(signal.SIGTERM)
        assert router.wait() == 0
    return datetime.now(UTC)
