"""What waits in quarantine on an older ledger has its type, and waits since it was received."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine
from support.ledgers import ask
from support.samples import HUB, NOW

from router.domain.timestamps import stamp
from router.domain.words import FactType
from router.ledger.database import Use, open_database
from router.ledger.reader import MIGRATIONS
from router.ledger.steps import resume

pytestmark = pytest.mark.sqlite

TYPE = FactType.REGISTRATION.value


def test_it_is_told_from_its_record(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as older:
        scripts.attributes["connection"] = older
        upgrade(scripts, "0010")
        older.exec_driver_sql("INSERT INTO links VALUES (1, 'router', 1, ?, '', '')", (stamp(NOW),))
        older.exec_driver_sql(
            "INSERT INTO quarantined (id, key, intake, type, device_id, reason, detail,"
            " received_at, origin, content_digest, body, link)"
            " VALUES (7, 'k', 'drop', ?, ?, 'unknown_hub', '', ?, '', '', '', 1)",
            (TYPE, HUB, stamp(NOW)),
        )
        older.exec_driver_sql("INSERT INTO holding VALUES (7, 'unknown_hub', ?, 0)", (HUB,))
        older.exec_driver_sql("INSERT INTO lives VALUES (1, 0, 0)")
    engine.dispose()
    with closing(open_database(url, Use.ROUTE)) as database:
        assert ask(database, "SELECT type, waits_since FROM holding") == [(TYPE, stamp(NOW))]
        resume(database, NOW, NOW - NOW)
        assert ask(database, "SELECT seen_at FROM lives") == [(stamp(NOW),)]
