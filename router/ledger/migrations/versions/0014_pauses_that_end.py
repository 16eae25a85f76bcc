"""Until when an operator has paused a lane."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """The pauses of before end when somebody resumes."""
    op.add_column("lanes", sa.Column("closed_until", sa.BigInteger()))
