"""The hash chain: anybody can tell it again from the rows, and no row changes unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from support.chains import broken, chain
from support.fullledger import fill_full
from support.ledgers import (
    RULES,
    ask,
    made,
    swap,
)
from support.samples import NOW

from router.domain.timestamps import stamp
from router.domain.words import QuarantineReason
from router.ledger.chain import GENESIS
from router.ledger.database import Database
from router.ledger.deliveries import lost_attempts
from router.ledger.recorder import STORED, Recorder
from router.ledger.tables import RECORDS, actions

LATER = timedelta(minutes=5)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Database]:
    """A ledger with every kind of record, by both writers, in many transactions."""
    with closing(made(tmp_path)) as database:
        fill_full(database)
        yield database


def test_every_kind_of_record_is_there(full: Database) -> None:
    for table in RECORDS:
        assert ask(full, f"SELECT count(*) FROM {table.name}")[0][0] > 0, table.name


def test_the_chain_can_be_told_again_from_the_rows(full: Database) -> None:
    assert broken(full) == []


@pytest.mark.parametrize("writer", ["router", "operator"])
def test_each_writer_has_a_gapless_chain_of_its_own(full: Database, writer: str) -> None:
    own = [link for link in chain(full) if link["writer"] == writer]
    assert own
    assert [link["number"] for link in own] == list(range(1, len(own) + 1))
    hashes = [GENESIS, *(link["hash"] for link in own)]
    assert [link["previous"] for link in own] == hashes[:-1]


def test_a_transaction_is_one_link_and_every_record_has_one(full: Database) -> None:
    numbers = {link["id"] for link in chain(full)}
    covered = {
        row[0] for table in RECORDS for row in ask(full, f"SELECT DISTINCT link FROM {table.name}")
    }
    assert covered == numbers
    of_last = ask(full, "SELECT count(DISTINCT link) FROM quarantined")
    assert of_last == [(1,)]
    assert ask(full, "SELECT link FROM facts WHERE event_id = 'f-6'") == ask(
        full, "SELECT DISTINCT link FROM quarantined"
    )


@pytest.mark.sqlite  # whose columns take any value
def test_a_changed_value_is_seen_wherever_it_stands(full: Database) -> None:
    tried = 0
    unread = {"stored_alerts.device_id"}  # old rows have it, and their facts as well
    for name in (table.name for table in RECORDS):
        table = STORED[name]
        for column in table.columns:
            if column.primary_key or column.foreign_keys or str(column) in unread:
                continue
            of_last = f"rowid = (SELECT max(rowid) FROM {table.name})"
            column_of = f'SELECT link, "{column.name}" FROM {table.name} WHERE {of_last}'
            change = f'UPDATE {table.name} SET "{column.name}" = ? WHERE {of_last}'
            ((link, was),) = ask(full, column_of)
            other = was[::-1] + was[:1] if was and not isinstance(was, int) else 7
            with full.transaction() as connection:
                connection.exec_driver_sql(change, (other,))
            assert broken(full) == [link], change
            with full.transaction() as connection:
                connection.exec_driver_sql(change, (was,))
            tried += 1
    assert tried > 40
    assert broken(full) == []


@pytest.mark.parametrize(
    "change", ["verdicts SET rule", "verdicts SET role", "wordings SET template"]
)
def test_a_change_of_what_stands_once_is_seen_in_all_that_rest_on_it(
    full: Database, change: str
) -> None:
    with full.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE {change} = 'another'")
    alerted = {row[0] for row in ask(full, "SELECT link FROM stored_alerts")}
    assert set(broken(full)) == alerted


def test_other_rules_and_another_wording_are_seen(full: Database) -> None:
    with full.transaction() as connection:
        connection.exec_driver_sql("UPDATE standings SET rules_digest = users_digest")
    assert set(broken(full)) == {row[0] for row in ask(full, "SELECT link FROM evaluations")}
    with full.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE standings SET rules_digest = '{RULES}'")
        assert not connection.exec_driver_sql("UPDATE stored_alerts SET wording_id = NULL").closed
    assert set(broken(full)) == {row[0] for row in ask(full, "SELECT link FROM stored_alerts")}


@pytest.mark.parametrize("table", ["outcomes", "attempts", "stored_decisions", "actions"])
def test_a_row_that_is_gone_or_new_is_seen(full: Database, table: str) -> None:
    with full.transaction() as connection:
        number = connection.execute(text(f"SELECT max(link) FROM {table}")).scalar_one()
        connection.execute(text(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})"))
    assert broken(full) == [number]


def test_the_order_of_records_is_seen(full: Database) -> None:
    with full.transaction() as connection:
        for of, to in ((1, -1), (2, 1), (-1, 2)):
            connection.execute(
                text("UPDATE attempts SET id = :to WHERE id = :of"), {"of": of, "to": to}
            )
    assert len(broken(full)) == 1


def test_nothing_recorded_is_no_link(full: Database) -> None:
    before = len(chain(full))
    with full.transaction() as connection:
        Recorder(connection, "router", stamp(NOW)).write()
    swap(full)
    assert lost_attempts(full, NOW) >= 0
    assert len(chain(full)) <= before + 1


def test_a_transaction_that_fails_leaves_no_gap(full: Database) -> None:
    row = {"at": 1, "operator": "someone", "action": "test", "detail": "{}"}

    class Interrupted(Exception):
        """What may come between a record and its commit."""

    before = chain(full)
    with pytest.raises(Interrupted), full.transaction() as connection:
        recorder = Recorder(connection, "operator", stamp(NOW))
        recorder.add(actions, dict(row))
        recorder.write()
        raise Interrupted
    assert chain(full) == before
    with full.transaction() as connection:
        recorder = Recorder(connection, "operator", stamp(NOW))
        numbers = [recorder.add(actions, dict(row)) for _ in range(2)]
        recorder.write()
    after = chain(full)
    assert after[-1]["id"] == before[-1]["id"] + 1
    assert after[-1]["hash"] == after[-1]["again"]
    highest = ask(full, "SELECT max(id) FROM actions")[0][0]
    assert numbers == [highest - 1, highest]


def test_reasons_are_plain_text_in_the_ledger(full: Database) -> None:
    reasons = {row[0] for row in ask(full, "SELECT reason FROM quarantined")}
    assert reasons == {QuarantineReason.MALFORMED.value, QuarantineReason.UNKNOWN_TYPE.value}
