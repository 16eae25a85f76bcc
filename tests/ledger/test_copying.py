"""Moving house: a ledger in a file is copied to a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.fullledger import fill_full
from support.ledgers import OnServer, ask, fill, lane_of, made
from support.postgres import Postgres
from support.samples import device, user

from router.errors import UsageError
from router.ledger import lives
from router.ledger.copying import copy
from router.ledger.database import Database, Use, open_database
from router.ledger.proof.heads import ends_of
from router.ledger.proof.verification import verify
from router.ledger.tables import RECORDS, metadata

pytestmark = [pytest.mark.sqlite, pytest.mark.once]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Database]:
    """A ledger in a file with every kind of record."""
    with closing(made(tmp_path)) as database:
        fill_full(database)
        yield database


@pytest.fixture
def url(postgres: Postgres, empty_ledger: str, tmp_path: Path) -> Iterator[str]:
    """Of an empty ledger on a server."""
    place = OnServer(postgres, empty_ledger)
    yield place.url(tmp_path)
    place.drop()


def test_all_of_it_is_there_and_its_chains_are_the_same(old: Database, url: str) -> None:
    told: list[int] = []
    with closing(open_database(url, Use.CHANGE)) as new:
        found = copy(old, new, begin=told.append, advance=lambda count: told.append(-count))
        assert found.flaw is None
        assert sum(told) == 0
        assert ends_of(new) == ends_of(old)
        for table in RECORDS:
            every = f"SELECT {', '.join(table.columns.keys())} FROM {table.name}"
            assert sorted(map(repr, ask(new, every))) == sorted(map(repr, ask(old, every)))
        for name in (table.name for table in metadata.sorted_tables if table.name != "lives"):
            count = f"SELECT count(*) FROM {name}"
            assert ask(new, count) == ask(old, count)


def test_a_router_goes_on_there_and_on_the_old_one_only_when_told(old: Database, url: str) -> None:
    with closing(open_database(url, Use.CHANGE)) as new:
        copy(old, new)
    assert lives.moved_to(old) == url.replace("hubherald@", "")
    with closing(open_database(url, Use.ROUTE)) as router:
        assert lives.moved_to(router) is None
        lane = lane_of(router, user(3))
        fill(router, [device(77)], {user(3): [lane]}, first=900)
        assert verify(router).flaw is None
    lives.reopen(old)
    assert lives.moved_to(old) is None


def test_what_is_not_empty_is_left_as_it_is(old: Database, url: str) -> None:
    with closing(open_database(url, Use.CHANGE)) as new:
        copy(old, new)
        with pytest.raises(UsageError, match="there is something in it already"):
            copy(old, new)
        with pytest.raises(UsageError, match="from a file of SQLite to a PostgreSQL server"):
            copy(new, old)
        assert verify(new).flaw is None
