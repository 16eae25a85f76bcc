"""cursors of files: a cursor belongs to what was read, and not to a name alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the ledger to this revision."""

    for name in ("digest", "identity"):  # empty: older rows go on by name and offset, once
        op.add_column("cursors", sa.Column(name, sa.Text(), nullable=False, server_default=""))
