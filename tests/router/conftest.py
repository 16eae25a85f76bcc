"""What the tests of the core share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import ledgers
import pytest

from router.ledger.opening import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A real ledger on disk, opened as the router does."""
    with closing(ledgers.made(tmp_path)) as opened:
        yield opened
