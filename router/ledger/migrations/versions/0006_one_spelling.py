"""one spelling: an MPRN is kept without leading zeros.

Where a registration stands there in several spellings, the newest stays. Only what begins with a
zero is read, by the index, so that an estate without leading zeros waits for nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from router.ledger.dialects import upsert as insert

revision = "0006"
down_revision = "0005"

_KEY = ("device_id", "mpxn", "effective_from")
_REST = ("point", "supplier_id", "network_operator_id", "effective_to", "updated_at")


def upgrade() -> None:
    """Bring the ledger to this revision."""

    rows = sa.table("registrations", *(sa.column(name) for name in (*_KEY, *_REST)))
    digits = sa.func.ltrim(rows.c.mpxn, "0")
    # as router/domain/meterpoints.py has it: zeros that make up six digits stay
    shortest = sa.func.substr(rows.c.mpxn, sa.func.length(rows.c.mpxn) - 5)
    kept = sa.case((sa.func.length(digits) < 6, shortest), else_=digits)
    padded = sa.and_(
        rows.c.mpxn >= "0",
        rows.c.mpxn < "1",
        rows.c.point == "mprn",
        digits != "",
        kept != rows.c.mpxn,
    )
    respelt = sa.select(
        *(kept.label("mpxn") if name == "mpxn" else rows.c[name] for name in (*_KEY, *_REST))
    ).where(padded)
    write = insert(rows).from_select([*_KEY, *_REST], respelt)
    op.execute(
        write.on_conflict_do_update(
            index_elements=_KEY,
            set_={name: write.excluded[name] for name in _REST},
            where=write.excluded.updated_at > rows.c.updated_at,
        )
    )
    op.execute(sa.delete(rows).where(padded))
