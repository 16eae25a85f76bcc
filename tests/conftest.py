"""What all tests share: how hard hypothesis tries, ledgers, engines, RabbitMQ, the DCC's tools."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from support import intaking, ledgers
from support.broker import Broker
from support.dcc import Parser, Validator, parsing, validating
from support.postgres import Postgres

from router.deciding.engine import Engine
from router.language.folder import load
from router.language.rules import Rules
from router.ledger.database import Database, Use, open_database

# No deadline: tests do not assert on time. In CI a run must mean the same when it is run again.
settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
# for the other versions of Python, after a whole run on one of them
settings.register_profile("brief", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What a file of tests leaves open fails there each time, not by chance in a later one."""
    yield
    gc.collect()


BOTH = ("ledger", "intake", "delivery")
"""The suites that run on both databases."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is not about SQLite's own files runs on a PostgreSQL server, too."""
    below = metafunc.definition.path.relative_to(Path(__file__).parent).parts[0]
    on_disk = {"database", "tmp_path"} & {*metafunc.fixturenames}
    if below not in BOTH or not on_disk or metafunc.definition.get_closest_marker("sqlite"):
        return
    both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.once)]
    metafunc.parametrize("kept_on", both, indirect=True, scope="function")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL cluster; whoever stops it starts it again."""
    with Postgres() as running:
        yield running


@pytest.fixture(scope="session")
def empty_ledger(postgres: Postgres) -> str:
    """The name of a database there with all tables and nothing in them."""
    postgres.ask("CREATE DATABASE empty_ledger")
    open_database(postgres.url("empty_ledger"), Use.CHANGE).close()
    return "empty_ledger"


@pytest.fixture(scope="session")
def on_server(postgres: Postgres, empty_ledger: str) -> ledgers.OnServer:
    """Where ledgers are that are not in files."""
    return ledgers.OnServer(postgres, empty_ledger)


@pytest.fixture(autouse=True)
def kept_on(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which of both databases a test runs on."""
    kind: str = getattr(request, "param", "sqlite")
    if kind == "postgresql":
        ledgers.Places.server = request.getfixturevalue("on_server")
    yield kind
    if kind == "postgresql" and ledgers.Places.server is not None:
        ledgers.Places.server.empty()
        ledgers.Places.server = None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A real ledger on disk, opened as the router does."""
    with closing(ledgers.made(tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shipped_rules() -> Rules:
    """The rules that operators start from."""
    found, problems = load(intaking.SHIPPED)
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def shipped_engine(shipped_rules: Rules) -> Iterator[Engine]:
    """The engine with these rules."""
    with closing(Engine(shipped_rules)) as engine:
        yield engine


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A private RabbitMQ node; whoever stops it starts it again."""
    with Broker() as running:
        yield running


@pytest.fixture(scope="session")
def validator() -> Iterator[Validator]:
    """Says whether the DCC would take a message."""
    with validating() as started:
        yield started


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    """Says what Service Users' software makes of a message."""
    with parsing() as started:
        yield started
