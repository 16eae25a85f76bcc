"""What the ledger knows of one hub now."""

from __future__ import annotations

from router.domain.inventory import Home, Running
from router.ledger.database import Database
from router.ledger.inventory import read_inventory


def find_home(database: Database, device_id: str) -> tuple[Home, Running | None] | None:
    """A hub with its registrations and what it runs; None when it is not in the inventory."""
    with database.transaction() as connection:
        known = read_inventory(connection, [device_id])
    if device_id not in known.hubs:
        return None
    return known.home(device_id), known.running.get(device_id)
