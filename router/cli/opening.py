"""How commands come by the ledger and the rules: through hubherald.yaml alone.

A mistake in rules or users must not keep an operator from asking why something happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from router.cli.arguments import now
from router.config.loading import settings
from router.ledger.actions import Operator, system_user
from router.ledger.database import Database, Use, open_database


@contextmanager
def ledger(config_file: Path, use: Use = Use.READ) -> Iterator[Database]:
    """The ledger that the configuration names."""
    with closing(open_database(settings(config_file).ledger.url, use)) as database:
        yield database


def rules_folder(config_file: Path) -> Path:
    """The folder of rules, as seen from here when it lies below: its positions are read."""
    folder = settings(config_file).rules_folder
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def operator() -> Operator:
    """Who runs this command, at this moment."""
    return Operator(system_user(), now())
