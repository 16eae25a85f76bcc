"""For Alembic's own command line (`make revision`); the program migrates through opening.py."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine

from router.ledger.tables import metadata

url = context.config.get_main_option("sqlalchemy.url")
if url and not context.is_offline_mode():
    with create_engine(url, poolclass=NullPool).connect() as connection:  # none is left open
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()
