"""What the tests of the core share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import intaking
import ledgers
import pytest

from router.deciding.engine import Engine
from router.language.folder import load
from router.language.rules import Rules
from router.ledger.database import Database


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
