"""forms: a delivery goes again as it was sent; and which lanes no file names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"

_SENT_BY = """
UPDATE deliveries SET sent_by = (SELECT adapter FROM lanes WHERE lanes.id = lane_id)
WHERE rendered IS NOT NULL
   OR (attempts > 0 AND state IN ('waiting', 'sending', 'unknown', 'parked'))
"""


def upgrade() -> None:
    """Bring the ledger to this revision."""

    op.create_table(
        "forms",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("rendered", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_forms_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("delivery_id", "adapter", name=op.f("pk_forms")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_forms_batch", "forms", ["batch"], unique=False)
    op.add_column("deliveries", sa.Column("sent_by", sa.Text(), nullable=True))
    op.execute(_SENT_BY)
    op.create_index(
        "ix_deliveries_together",
        "deliveries",
        ["lane_id", "batch"],
        unique=False,
        sqlite_where=sa.text("batch IS NOT NULL AND state IN ('waiting', 'unknown')"),
        postgresql_where=sa.text("batch IS NOT NULL AND state IN ('waiting', 'unknown')"),
    )
    op.add_column("lanes", sa.Column("unnamed_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE lanes SET unnamed_at = closed_at WHERE closed = 'user_removed'")
