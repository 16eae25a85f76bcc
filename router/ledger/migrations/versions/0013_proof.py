"""Records can be told apart in a link, attempts say which bytes they sent, backups what they are.

Older links and attempts stay as they are: they are hashed in the form of their time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; no row is written anew."""
    op.add_column("links", sa.Column("marks", sa.LargeBinary()))
    op.add_column(
        "attempts", sa.Column("alert", sa.BigInteger().with_variant(sa.Integer(), "sqlite"))
    )
    op.add_column("attempts", sa.Column("sent", sa.LargeBinary()))
    op.add_column("lives", sa.Column("copied_at", sa.BigInteger()))
