"""A copy of the ledger as it is at one moment, made while the router goes on.

SQLite's own backup, within one transaction: what is written meanwhile is not in it, and makes it
begin anew never. The copy knows that it is one: the router that starts on it gives no number again.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from router.domain.timestamps import stamp
from router.errors import UsageError
from router.files.newfiles import Access, make_file, sync_folder
from router.ledger.database import Database
from router.ledger.driver import read
from router.ledger.sqlitefile import SqliteFile

PAGES = 5_000
"""That are copied between two looks at how far it is: 20 MB."""
_MARK = (
    "INSERT INTO lives (id, running, deaths, copied_at) VALUES (1, 0, 0, ?) ON CONFLICT (id)"
    " DO UPDATE SET running = 0, deaths = 0, copied_at = excluded.copied_at"
)


def back_up(
    database: Database,
    file: Path,
    now: datetime,
    *,
    access: Access,
    begin: Callable[[int], None] = lambda _: None,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Copy it to a file that is not there yet. UsageError when that can't be written.

    `begin` is told how many pages there are, `advance` how many more are copied. The file is there
    as a whole or not at all.
    """
    if not isinstance(database.store, SqliteFile):
        raise UsageError(
            f"{database.name} is on a server, which has means of its own: pg_dump, or an archive of"
            f" its log; before a router starts on what was restored, it needs a head that knows"
            f" more (operations.heads)"
        )
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        if file.exists() or file.is_symlink():
            raise FileExistsError(errno.EEXIST, "it is there already")
        unfinished.unlink(missing_ok=True)  # of a copy that was killed
        make_file(unfinished, access).close()
        _copy(database, unfinished, now, begin, advance)
        os.link(unfinished, file)  # which takes nobody else's place
        unfinished.unlink()
        sync_folder(file.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file}: the backup can't be written: {why}") from None


def _copy(
    database: Database,
    file: Path,
    now: datetime,
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> None:
    done = 0

    def progress(_status: int, remaining: int, total: int) -> None:
        nonlocal done
        advance(total - remaining - done)
        done = total - remaining

    with database.transaction() as connection, closing(sqlite3.connect(file)) as copy:
        begin(read(connection, "PRAGMA page_count")[0][0])
        read(connection, "SELECT count(*) FROM alembic_version")  # from here on it is one moment
        driver: Any = connection.connection.driver_connection
        driver.backup(copy, pages=PAGES, progress=progress)
        copy.execute("PRAGMA synchronous = FULL")
        with copy:
            copy.execute(_MARK, (stamp(now),))
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
