"""Tampering: whatever is changed in the ledger is found, and the first record of it is named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy

import pytest
from support.chains import aged
from support.fullledger import fill_full, fill_rendered
from support.ledgers import fill, lane_of, made, swap, wish
from support.samples import device, user

from router.ledger.database import Database, Use, open_database
from router.ledger.proof import verification
from router.ledger.proof.flaws import Flaw
from router.ledger.proof.heads import Ends, as_text, ends_of, read_head
from router.ledger.proof.verification import Verified, verify
from router.ledger.recorder import STORED
from router.ledger.tables import RECORDS

pytestmark = pytest.mark.sqlite

NUMBERED = [table.name for table in RECORDS if "id" in table.c]
Tampered = Callable[..., Verified]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with every kind of record, as it was written."""
    folder = tmp_path_factory.mktemp("sound")
    with closing(made(folder)) as database:
        fill_full(database)
        fill_rendered(database)
    return folder / "ledger.db"


@pytest.fixture(scope="module")
def old(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as an older Hubherald has left it."""
    file = Path(copy(sound, tmp_path_factory.mktemp("old")))
    with closing(open_database(f"sqlite:///{file}", Use.CHANGE)) as database:
        aged(database)
    return file


@pytest.fixture
def tampered(sound: Path, tmp_path: Path) -> Tampered:
    """Somebody changes a copy of the ledger; what verification says of it."""

    def change(*statements: str, of: Path = sound, heads: tuple[Ends, ...] = ()) -> Verified:
        file = Path(copy(of, tmp_path / f"{len(list(tmp_path.iterdir()))}.db"))
        with closing(sqlite3.connect(file)) as connection, connection:
            for each in statements:
                assert connection.execute(each).rowcount, each
        return verified(file, heads)

    return change


def verified(file: Path, heads: tuple[Ends, ...] = ()) -> Verified:
    with closing(open_database(f"sqlite:///{file}", Use.READ)) as database:
        return verify(database, heads)


def asked(file: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(question).fetchall()


def place(flaw: Flaw | None) -> tuple[str, str | None, int | None]:
    assert flaw is not None
    return flaw.what, flaw.table, flaw.number


def test_what_was_not_touched_is_as_it_was_written(sound: Path, old: Path) -> None:
    counted = sum(asked(sound, f"SELECT count(*) FROM {each.name}")[0][0] for each in RECORDS)
    for file in (sound, old):
        found = verified(file)
        assert (found.flaw, found.records) == (None, counted)
        assert [each.writer for each in found.ends] == ["operator", "router"]
    assert (verified(sound).uncovered, verified(old).uncovered) == (0, 3)


@pytest.mark.parametrize("table", RECORDS, ids=lambda table: table.name)
def test_a_changed_value_is_found_and_its_record_named(
    sound: Path, tampered: Tampered, table: object
) -> None:
    name = getattr(table, "name", "")
    stored = STORED[name]
    key = next(iter(stored.columns)).name
    for which in ("min", "max"):
        (row,) = asked(sound, f"SELECT {which}({key}) FROM {stored.name}")
        at = f"WHERE {key} = {row[0]!r}"
        for column in stored.columns:
            unread = str(column) == "stored_alerts.device_id"  # old rows have it, and their facts
            if column.name in {key, "link"} or column.name.endswith("_id") or unread:
                continue
            ((was,),) = asked(sound, f"SELECT {column.name} FROM {stored.name} {at}")
            other = (
                "x'00'" if isinstance(was, bytes) else was + 99 if isinstance(was, int) else "'?'"
            )
            flaw = tampered(f"UPDATE {stored.name} SET {column.name} = {other} {at}").flaw
            number = row[0] if isinstance(row[0], int) else None
            assert place(flaw) == ("changed", name, number), (str(column), str(flaw))


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("verdicts SET rule = 'another'", "decisions"),
        ("wordings SET template = 'another'", "alerts"),
        ("standings SET rules_digest = users_digest", "evaluations"),
    ],
)
def test_what_many_records_share_is_found_at_the_first(
    tampered: Tampered, change: str, table: str
) -> None:
    assert place(tampered(f"UPDATE {change}").flaw) == ("changed", table, 1)


@pytest.mark.parametrize("name", [table.name for table in RECORDS])
@pytest.mark.parametrize("which", ["first", "second", "last"])
def test_a_record_that_is_gone_is_named(
    sound: Path, tampered: Tampered, name: str, which: str
) -> None:
    stored = STORED[name]
    key = next(iter(stored.columns)).name
    order = {"first": "1 LIMIT 1", "second": "1 LIMIT 1 OFFSET 1", "last": "1 DESC LIMIT 1"}
    ((row,),) = asked(sound, f"SELECT {key} FROM {stored.name} ORDER BY {order[which]}")
    flaw = tampered(f"DELETE FROM {stored.name} WHERE {key} = {row!r}").flaw
    assert flaw is not None
    assert (flaw.what, flaw.table) == ("removed", name)
    assert flaw.number == (row if isinstance(row, int) else None)


@pytest.mark.parametrize("name", [*NUMBERED, "links"])
@pytest.mark.parametrize("number", ["max(id) + 1", "min(id) - 1", "-7"])
def test_a_record_that_was_added_is_named(
    sound: Path, tampered: Tampered, name: str, number: str
) -> None:
    stored = "links" if name == "links" else STORED[name].name
    names = [row[1] for row in asked(sound, f"PRAGMA table_info({stored})") if row[1] != "id"]
    unique = {"stored_facts": "event_id", "stored_alerts": "alert_id", "quarantined": "key"}
    fresh = {unique.get(stored): "'another'", "sequence": "77", "number": "77"}
    copied = ", ".join(fresh.get(each, each) for each in names)
    ((made_up,),) = asked(sound, f"SELECT {number} FROM {stored} LIMIT 1")
    flaw = tampered(
        f"INSERT INTO {stored} (id, {', '.join(names)}) SELECT {made_up}, {copied}"
        f" FROM {stored} WHERE id = 1"
    ).flaw
    assert flaw is not None
    assert flaw.what in {"added", "added or moved", "moved"}, str(flaw)
    assert (flaw.table, flaw.number) == (name, made_up), str(flaw)


@pytest.mark.parametrize("name", NUMBERED)
def test_records_that_changed_places_are_named(sound: Path, tampered: Tampered, name: str) -> None:
    stored = STORED[name].name
    swap_ = [f"UPDATE {stored} SET id = {to} WHERE id = {of}" for of, to in ((1, -1), (2, 1))]
    flaw = tampered(*swap_, f"UPDATE {stored} SET id = 2 WHERE id = -1").flaw
    assert flaw is not None
    assert flaw.table == name
    assert flaw.number in {1, 2}, str(flaw)
    ((together,),) = asked(sound, f"SELECT count(DISTINCT link) FROM {stored} WHERE id < 3")
    assert flaw.what == "moved" or together == 2, str(flaw)


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("to", ["-5", "(SELECT max(id) + 1 FROM {})"])
def test_a_record_with_another_number_was_moved(tampered: Tampered, name: str, to: str) -> None:
    stored = STORED[name].name
    flaw = tampered(f"UPDATE {stored} SET id = {to.format(stored)} WHERE id = 1").flaw
    assert flaw is not None
    assert flaw.table == name
    assert "moved" in flaw.what, str(flaw)


@pytest.mark.parametrize("name", [table.name for table in RECORDS])
@pytest.mark.parametrize("link", ["max(id)", "min(id)", "9999", "-1"])
def test_a_record_in_another_link_was_moved(
    sound: Path, tampered: Tampered, name: str, link: str
) -> None:
    stored = STORED[name]
    key = next(iter(stored.columns)).name
    ((row, own),) = asked(sound, f"SELECT {key}, link FROM {stored.name} ORDER BY 2 DESC LIMIT 1")
    ((other,),) = asked(sound, f"SELECT {link} FROM links WHERE id <> {own} LIMIT 1")
    flaw = tampered(f"UPDATE {stored.name} SET link = {other} WHERE {key} = {row!r}").flaw
    assert flaw is not None
    assert flaw.table == name
    assert "moved" in flaw.what, str(flaw)
    assert flaw.number == (row if isinstance(row, int) else None)


# --- links and heads ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE links SET at = at + 1 WHERE id = 3", "changed"),
        ("UPDATE links SET hash = previous WHERE id = 3", "changed"),
        ("UPDATE links SET previous = hash WHERE id = 3", "changed"),
        ("UPDATE links SET marks = x'0909' WHERE id = 3", None),
        ("UPDATE links SET number = 900 WHERE id = 3", "moved"),
        ("UPDATE links SET writer = 'operator' WHERE id = 3", "moved"),
        ("DELETE FROM links WHERE id = 3", "removed"),
        ("UPDATE links SET id = 900 WHERE id = 3", "removed"),
    ],
)
def test_a_link_that_is_not_as_it_was_is_named(
    tampered: Tampered, change: str, what: str | None
) -> None:
    assert place(tampered(change).flaw) == (what or "changed", "links", 3)


def cut(sound: Path, writer: str, first: int) -> list[str]:
    """What takes the end of a chain away, with all of its records."""
    ((found,),) = asked(
        sound,
        f"SELECT json_group_array(id) FROM links WHERE writer = '{writer}' AND number >= {first}",
    )
    numbers = ", ".join(map(str, json.loads(str(found))))
    tables = [STORED[table.name].name for table in RECORDS]
    of_links = [f"DELETE FROM {each} WHERE link IN ({numbers})" for each in tables]
    there = [
        each
        for each, table in zip(of_links, tables, strict=True)
        if asked(sound, f"SELECT 1 FROM {table} WHERE link IN ({numbers}) LIMIT 1")
    ]
    return [*there, f"DELETE FROM links WHERE id IN ({numbers})"]


def test_a_tail_that_was_cut_is_seen_against_a_head(sound: Path, tampered: Tampered) -> None:
    with closing(open_database(f"sqlite:///{sound}", Use.READ)) as database:
        head = ends_of(database)
    router = next(each for each in head if each.writer == "router")
    gone = cut(sound, "router", router.link)
    assert tampered(*gone).flaw is None
    flaw = tampered(*gone, heads=(head,)).flaw
    assert flaw is not None
    assert (flaw.what, flaw.writer) == ("cut", "router")


def test_a_chain_that_was_dropped_is_seen_against_a_head(sound: Path, tampered: Tampered) -> None:
    with closing(open_database(f"sqlite:///{sound}", Use.READ)) as database:
        head = ends_of(database)
    gone = cut(sound, "operator", 1)
    ((link,),) = asked(sound, "SELECT min(id) FROM links WHERE writer = 'operator'")
    assert place(tampered(*gone).flaw) == ("removed", "links", link)
    flaw = tampered(*gone, *cut(sound, "router", 1), heads=(head,)).flaw
    assert flaw is not None
    assert flaw.what == "dropped"


def test_a_chain_that_was_written_anew_is_seen_against_a_head(sound: Path, tmp_path: Path) -> None:
    file = Path(copy(sound, tmp_path / "ledger.db"))
    with closing(open_database(f"sqlite:///{file}", Use.CHANGE)) as database:
        head = ends_of(database)
        aged(database)
    assert verified(file).flaw is None
    flaw = verified(file, (head,)).flaw
    assert flaw is not None
    assert flaw.what == "rewritten"


def test_a_head_is_read_as_it_was_written(database: Database, tmp_path: Path) -> None:
    fill(database, [device(1)], {user(1): [lane_of(database)]})
    file = tmp_path / "head.json"
    file.write_text(as_text(ends_of(database)))
    assert read_head(file) == ends_of(database)
    assert verify(database, [read_head(file)]).flaw is None
    swap(database, wish(lane_of(database)))
    assert verify(database, [read_head(file)]).flaw is None


# --- what was sent --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "what", "table"),
    [
        (
            "UPDATE deliveries SET rendered = x'00' WHERE id = (SELECT max(id) FROM"
            " deliveries WHERE rendered IS NOT NULL)",
            "changed",
            "deliveries",
        ),
        (
            "UPDATE deliveries SET rendered = NULL WHERE id = (SELECT max(id) FROM"
            " deliveries WHERE rendered IS NOT NULL)",
            "changed",
            "deliveries",
        ),
        ("UPDATE forms SET rendered = x'00' WHERE adapter = 'duis'", "changed", "deliveries"),
        ("UPDATE forms SET rendered = x'00' WHERE rendered IS NULL", "added", "deliveries"),
        ("DELETE FROM forms", "changed", "deliveries"),
        ("UPDATE deliveries SET rendered = x'00' WHERE id = 1", "added", "deliveries"),
        ("UPDATE deliveries SET rendered = x'00' WHERE attempts = 0", "added", "deliveries"),
        ("UPDATE deliveries SET alert = 2 WHERE id = 1", "changed", "deliveries"),
        ("DELETE FROM deliveries WHERE id = 1", "removed", "deliveries"),
        ("UPDATE attempts SET sent = x'00' WHERE sent IS NOT NULL", "changed", "attempts"),
    ],
)
def test_other_bytes_than_those_sent_are_found(
    tampered: Tampered, change: str, what: str, table: str
) -> None:
    flaw = tampered(change).flaw
    assert flaw is not None
    assert (flaw.what, flaw.table) == (what, table), str(flaw)


# --- old ledgers ----------------------------------------------------------------------------


@pytest.mark.parametrize("table", [table for table in RECORDS if table.name in NUMBERED])
def test_in_an_old_ledger_the_link_is_named_or_what_is_gone(
    old: Path, tampered: Tampered, table: object
) -> None:
    name = getattr(table, "name", "")
    stored = STORED[name].name
    text = {"outcomes": "outcome", "stored_decisions": "link", "attempts": "at"}.get(stored)
    text = text or ("detail" if name in {"actions", "quarantined"} else "source")
    text = "decided_at" if name == "alerts" else text
    text = "verdict_id" if name == "decisions" else text
    flaw = tampered(f"UPDATE {stored} SET {text} = 7 WHERE id = 1", of=old).flaw
    assert flaw is not None
    assert flaw.what == "changed"
    ((number,),) = asked(
        old, f"SELECT number FROM links WHERE id = (SELECT link FROM {stored} WHERE id = 1)"
    )
    assert flaw.link == number
    assert name in str(flaw)
    gone = tampered(f"DELETE FROM {stored} WHERE id = 1", of=old).flaw
    assert place(gone) == ("removed", name, 1)


# --- beside a router ------------------------------------------------------------------------


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(verification, "SLICE", 3)
    yield


@pytest.mark.usefixtures("small_slices")
def test_it_is_read_in_slices_while_the_router_writes(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as router:
        fill_full(router)
        lane = lane_of(router)
        done = []

        def goes_on(count: int) -> None:
            done.append(count)
            fill(router, [device(50 + len(done))], {user(1): [lane]}, first=500 + len(done))

        totals: list[int] = []
        with closing(open_database(router.url, Use.READ)) as beside:
            found = verify(beside, begin=totals.append, advance=goes_on)
            assert found.flaw is None
            assert len(done) > 3
            assert [found.links] == totals == [sum(done)]
            assert verify(beside).links == found.links + len(done)
