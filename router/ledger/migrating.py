"""Bringing a ledger's tables up to this program, with Alembic."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from router.errors import LedgerError
from router.ledger.reader import MIGRATIONS, NEWEST


def migrate(connection: Connection, name: str, *, may_change: bool) -> bool:
    """In a transaction that has begun; gives whether there were no tables.

    LedgerError when the ledger is newer than this program, or older and may not be changed.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    present = MigrationContext.configure(connection).get_current_heads()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if any(revision not in known for revision in present):
        raise LedgerError(
            f"{name}: written by a newer Hubherald (revision {present[0]}, this program knows "
            f"up to {NEWEST}); install the newer version again"
        )
    if not may_change:
        raise LedgerError(
            f"{name}: made by an older Hubherald, or empty; `hubherald run` mends that"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return not present
