"""rollouts: the hubs of a version are counted without reading the facts themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the ledger to this revision."""

    op.create_index(
        "ix_facts_firmware_version",
        "facts",
        ["firmware_version", "outcome", "device_id", "activated_at"],
        sqlite_where=sa.text("firmware_version IS NOT NULL"),
        postgresql_where=sa.text("firmware_version IS NOT NULL"),
    )
