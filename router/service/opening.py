"""The ledger as the router opens it, and what an operator should know of it then."""

from __future__ import annotations

import structlog

from router.config.loading import Config
from router.ledger.database import Database, Use, open_database
from router.ledger.sqlitefile import SqliteFile

_log = structlog.get_logger(__name__)


def opened(config: Config) -> Database:
    """Opened to route. LedgerError when it can't be used."""
    own = config.ledger
    return open_database(own.url, Use.ROUTE, access=own.access, password=own.secret)


def tell_of(database: Database) -> None:
    """Log what an operator should know of it."""
    path = database.name
    lock = database.store.lock if isinstance(database.store, SqliteFile) else None
    if lock is not None and lock.names() > 1:
        advice = (
            f"who opens it by another than this does not see all of it and spoils it; find them "
            f"with `find / -xdev -samefile {path}` and remove them"
        )
        _log.warning("ledger.linked", path=path, names=lock.names(), advice=advice)
    if lock is not None and lock.exposed():
        advice = f"it holds meter points, and is not ours to close; as its owner: chmod o= {path}*"
        _log.warning("ledger.exposed", path=path, advice=advice)
    if not database.made:
        return
    told = "a new, empty ledger: each sequence begins at 1"
    if lock is not None and lock.before:
        advice = (
            "a router has held a ledger here before; unless it was taken away on purpose, stop "
            "this router, put it back or restore a backup"
        )
        _log.warning("ledger.made", path=path, detail=told, advice=advice)
    else:
        _log.info("ledger.made", path=path, detail=told)
