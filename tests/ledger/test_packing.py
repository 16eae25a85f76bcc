"""What is stored shortly comes back as it was, byte for byte; what repeats stands once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chains import broken
from support.ledgers import RULES, USERS, ask, decided, fill, lane_of, made, standing
from support.ledgers import recorded as record_batch
from support.samples import DCC, NOW, activation, body, device, hub, mprn, registration, user

from router.deciding.batch import Accepted, Batch
from router.deciding.decisions import Decision, Due, Verdict
from router.domain.facts import Fact, HubStatus, Point, SmetsVersion, parse
from router.domain.inventory import Party
from router.domain.users import Role
from router.ledger.abbreviations import short_body
from router.ledger.database import Database, Use, open_database
from router.ports import Alert, Cursor

pytestmark = pytest.mark.sqlite

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)
PHRASES = st.sampled_from(
    ["%s", "100%", "%%d", '","model":"', '"},', '"groups":[]}', "1.0", "source", DCC, device(3)]
)
TEXTS = WORDS | PHRASES
VERSIONS = st.text("0123456789abcXYZ._-", min_size=1, max_size=8)
MOMENTS = st.datetimes(min_value=NOW.replace(tzinfo=None, year=1900)).map(
    lambda each: each.isoformat() + "Z"
)
HUBS = st.builds(
    hub,
    st.just(device(3)),
    status=st.sampled_from(HubStatus),
    smets_version=st.sampled_from(SmetsVersion),
    csp_region=st.none() | TEXTS,
    model=st.none() | TEXTS,
    hardware_version=st.none() | TEXTS,
    replaced_by=st.none() | st.just(device(4)),
    groups=st.just(()) | st.just(("pilot", "north")),
)
REGISTRATIONS = st.builds(
    registration,
    st.just(mprn(5)),
    st.none() | st.just(user(1)),
    point=st.just(Point.MPRN),
    device_id=st.just(device(3)),
    until=st.none() | st.just(date(2030, 1, 1)),
    operator=st.none() | st.sampled_from([user(2), DCC, device(3)]),
) | st.builds(registration, operator=st.none() | st.just(user(2)), device_id=st.just(device(3)))
FACTS = st.builds(
    lambda version, previous, at, source, event_id, more, form: json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": "hubherald.firmware.activated.v1",
            "data": {
                **json.loads(activation(device(3), version).model_dump_json()),
                "activated_at": at,
                "previous_firmware_version": previous,
                "outcome": "success",
            },
            **more,
        },
        **form,
    ).encode(),
    VERSIONS,
    st.none() | VERSIONS,
    MOMENTS,
    TEXTS,
    TEXTS,
    st.dictionaries(st.sampled_from(["note", "subject", "\x01\x02", "\x7f"]), TEXTS, max_size=2),
    st.sampled_from(
        [
            {},
            {"indent": 2},
            {"separators": (",", ":")},
            {"ensure_ascii": False, "separators": (", ", ": ")},
        ]
    ),
)


def case(
    raw: bytes, told: Sequence[str] = (user(1),), rule: str = "tell", **grounds: Any
) -> Accepted:
    """An activation of hub 3 that these users are told about by this rule."""
    made_up = decided("f-1", device(3), told)
    fact = parse(raw)
    assert isinstance(fact, Fact), fact
    verdicts = [
        Decision(Verdict.ALERTED, Party(name, Role.IMPORT_SUPPLIER), rule, alert_code="N64")
        for name in told
    ]
    due = tuple(Due(name, "N64", {"import_supplier": rule}) for name in told)
    return replace(made_up, fact=fact, decisions=tuple(verdicts), due=due, **grounds)


def recorded(database: Database, *accepted: Accepted, seconds: float = 0.0) -> None:
    """With no channel to go by."""
    batch = Batch(NOW + timedelta(seconds=seconds), accepted=list(accepted))
    record_batch(database, batch, standing({}))


def events(database: Database) -> list[bytes]:
    return [row[0] for row in ask(database, "SELECT event FROM alerts ORDER BY id")]


def stored(database: Database, question: str) -> Any:
    ((found,),) = ask(database, question)
    return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without facts, to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    made(folder).close()
    return folder / "ledger.db"


@settings(max_examples=100, deadline=None)
@given(
    FACTS, st.tuples(HUBS, st.lists(REGISTRATIONS, max_size=3).map(tuple)), TEXTS, st.floats(0, 5)
)
def test_every_record_comes_back_as_it_was_made(
    empty: Path, raw: bytes, grounds: Any, rule: str, seconds: float
) -> None:
    """The chain was hashed over what was made, and is told again from what is stored."""
    with (
        TemporaryDirectory() as folder,
        closing(open_database(f"sqlite:///{copy(empty, folder)}", Use.ROUTE)) as database,
    ):
        accepted = case(raw, [user(1), DCC, device(3)], rule, grounds=grounds)
        recorded(database, accepted, seconds=seconds)
        assert broken(database) == []
        assert ask(database, "SELECT body, content_digest FROM facts") == [
            (raw, accepted.fact.content_digest)
        ]
        told = grounds[0].model_dump_json(exclude_none=True)
        assert ask(database, "SELECT hub, rules_digest, users_digest FROM evaluations") == [
            (told, RULES, USERS)
        ]
        for event in events(database):
            assert Alert.from_event(event).event() == event


def test_what_repeats_stands_once(database: Database) -> None:
    lanes = {user(number): [lane_of(database, user(number))] for number in (1, 2, 3)}
    for first in range(0, 400, 100):
        devices = [device(1000 + first + each) for each in range(100)]
        fill(database, devices, lanes, first=first, at=NOW + timedelta(seconds=first / 7))
    assert stored(database, "SELECT count(*) FROM alerts") == 1200
    assert stored(database, "SELECT count(*) FROM stored_alerts WHERE event IS NOT NULL") == 0
    for table in ("wordings", "verdicts", "standings"):
        assert stored(database, f"SELECT count(*) FROM {table}") == 1, table
    assert broken(database) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(FACTS, TEXTS), min_size=2, max_size=6, unique_by=lambda each: each[0]))
def test_alerts_that_are_worded_alike_have_the_bytes_that_each_says_of_itself(
    empty: Path, found: list[tuple[bytes, str]]
) -> None:
    """One of them is encoded, the others are told by its wording."""
    with (
        TemporaryDirectory() as folder,
        closing(open_database(f"sqlite:///{copy(empty, folder)}", Use.ROUTE)) as database,
    ):
        for place, (raw, rule) in enumerate(found):
            named = json.dumps({**json.loads(raw), "id": f"f-{place}"}).encode()
            recorded(database, case(named, [user(1), DCC, device(3)], rule))
        assert broken(database) == []
        for event in events(database):
            assert Alert.from_event(event).event() == event


def test_an_alert_that_its_fact_can_not_tell_stands_whole(database: Database) -> None:
    """SQLite counts the parts of a second before 1970 from the other side."""
    at = "1969-12-31T23:59:58.25Z"
    long_ago = {**json.loads(activation(device(3)).model_dump_json()), "activated_at": at}
    recorded(database, case(body(long_ago)))
    assert stored(database, "SELECT wording_id FROM stored_alerts") is None
    (event,) = events(database)
    assert json.loads(event)["data"]["activated_at"] == "1969-12-31T23:59:58.250000Z"
    assert broken(database) == []


@pytest.mark.parametrize("raw", [b"{\n\t}", b"{}", "{\u00e9}".encode(), b"\xef\xbb\xbf{}"])
def test_a_body_is_short_in_whatever_form(raw: bytes) -> None:
    found = short_body(raw, device(3), "dsp", "f-1")
    assert found is not None
    assert found.encode() == raw


@pytest.mark.parametrize("raw", ["{}".encode("utf-16"), b"{\x01}", b"\xff"])
def test_a_body_that_is_no_plain_text_stands_as_it_came(raw: bytes) -> None:
    assert short_body(raw, device(3), "dsp", "f-1") is None


def test_a_number_that_was_not_committed_is_given_again(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON cursors BEGIN SELECT raise(abort, 'full'); END"
        )
    batch = Batch(NOW, accepted=[case(body(id="f-1"))])
    batch.cursors[("drop", "facts.jsonl")] = Cursor("facts.jsonl", 17, 1)
    with pytest.raises(sqlite3.DatabaseError, match="full"):
        record_batch(database, batch, standing({}))
    assert stored(database, "SELECT count(*) FROM wordings") == 0
    recorded(database, case(body(id="f-2")))
    assert len(events(database)) == 1
    assert broken(database) == []


def test_what_another_process_numbered_is_found(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as database:
        recorded(database, case(body(id="1")))
    with closing(open_database(f"sqlite:///{tmp_path}/ledger.db", Use.ROUTE)) as database:
        recorded(database, case(body(id="2")))
        assert stored(database, "SELECT count(*) FROM wordings") == 1
        assert broken(database) == []
