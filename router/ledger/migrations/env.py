"""What Alembic runs for `command.upgrade`: on the connection that the opened ledger has."""

from __future__ import annotations

from alembic import context

from router.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
