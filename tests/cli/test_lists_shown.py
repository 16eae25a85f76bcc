"""Every command that lists, on a terminal of 80 columns: as the files in golden/ have it.

`make golden` writes them anew; look at what changed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.estate import HUB, S1, S2, S3, S4, SUPPLIER, Estate
from support.liverouter import RULE
from support.terminal import on_a_terminal

from router.domain.timestamps import stamp
from router.ledger.actions import Operator
from router.ledger.database import Use, open_database
from router.ledger.pauses import PauseTerms, pause_lanes

pytestmark = pytest.mark.once

GOLDEN = Path(__file__).parent / "golden"
RENEW = os.environ.get("GOLDEN") == "renew"
NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
ANN = Operator("ann", NOW)
LATER = timedelta(days=1)
HUBS = {user: f"{HUB[:-1]}{number}" for number, user in enumerate((S1, S2, S3, S4), 1)}
NAMES = {
    S1: "Amber Energy",
    S2: "The Old and Honourable Company of Suppliers of Great Yarmouth and the Broads plc",
    S3: "Cinder Gas and Electricity",
    S4: "Dapple",
}
COMMANDS = {
    "adapters": "adapters",
    "actions-list": "actions list",
    "alerts-list": "alerts list",
    "alerts-list-limited": "alerts list --oldest --limit 2",
    "alerts-none": "alerts list --state parked",
    "alerts-retry": "alerts retry --state waiting --dry-run",
    "diff": "diff narrow --since 1900-01-01",
    "lanes-list": "lanes list",
    "lanes-closed": "lanes list --closed --reverse",
    "quarantine-list": "quarantine list",
    "rollout": "rollout",
    "rollout-version": "rollout 01020304",
    "rules-list": "rules list",
    "status": "status",
}
RELATIVE = {"adapters", "status"}
"""What is installed, and what says how long ago things were: these have to fit, no more."""
NARROW = RULE.replace("    alert", f'      - hub.device_id != "{HUBS[S1]}"\n    alert')


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By file what its command shows; of the lanes one fails, one is refused, one is paused."""
    estate = Estate(tmp_path_factory.mktemp("lists"))
    estate.configure(Path("rules"))
    for folder, text in (("rules", RULE), ("narrow", NARROW)):
        (estate.folder / folder).mkdir()
        (estate.folder / folder / "rules.yaml").write_text(text.format(name="tell-suppliers"))
    for user, hub in HUBS.items():
        estate.user(user, SUPPLIER, name=NAMES[user])
        estate.hub(hub)
        estate.registration("import_mpan", user, device_id=hub)
    estate.run(now=NOW)
    database = open_database(f"sqlite:///{estate.folder}/hubherald.db", Use.CHANGE)
    for user in (S2, S3, S4):
        pause_lanes(database, user, None, ANN, PauseTerms("works, INC-4711", NOW + LATER))
    database.close()
    for hub in HUBS.values():
        estate.activation("01020304", device_id=hub)
        estate.activation("01020305", device_id=hub, outcome="failure")
    estate.activation("01020306", device_id=HUBS[S2])
    estate.activation("far-too-long", device_id=HUBS[S1])
    estate.line(b"this is no fact, and what is wrong with it takes more words than fit a line")
    estate.run(now=NOW)
    trouble(estate)
    commands = [["--config", "hubherald.yaml", *words.split()] for words in COMMANDS.values()]
    said = on_a_terminal(80, *commands, folder=estate.folder)
    return dict(zip(COMMANDS, said, strict=True))


def trouble(estate: Estate) -> None:
    """One lane fails, another was closed by its receiver: a router's clock that stood still."""
    again, said = stamp(NOW + LATER), "retry: server: answered 503 Service Unavailable: come back"
    refused = "answered 401 Unauthorized: this signature is not known here"
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection, connection:
        connection.execute(
            "UPDATE lanes SET closed = NULL, closed_detail = NULL, closed_until = NULL,"
            " closed_at = NULL, rest_until = ?, last_answer = ?, last_answer_at = ?"
            " WHERE service_user_id = ?",
            (again, said, stamp(NOW), S2),
        )
        connection.execute(
            "UPDATE lanes SET closed = 'credentials', closed_detail = ?, closed_until = NULL,"
            " last_answer = ? WHERE service_user_id = ?",
            (refused, refused, S3),
        )
        ((failing,),) = connection.execute(
            "UPDATE deliveries SET attempts = 2 WHERE sequence = 1 AND lane_id ="
            " (SELECT id FROM lanes WHERE service_user_id = ?) RETURNING id",
            (S2,),
        ).fetchall()
        connection.executemany(
            "INSERT INTO outcomes (delivery_id, attempt, at, outcome, reason, detail, link)"
            " VALUES (?, ?, ?, 'retry', 'server', 'answered 503', 1)",
            [(failing, number, stamp(NOW)) for number in (1, 2)],
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_shown_as_it_was_looked_at(shown: dict[str, str], name: str) -> None:
    assert max(map(len, shown[name].splitlines())) <= 80
    if name in RELATIVE:
        return
    file = GOLDEN / f"{name}.txt"
    told = f"$ hubherald {COMMANDS[name]}\n{shown[name]}"
    if RENEW:
        file.parent.mkdir(exist_ok=True)
        file.write_text(told)
    assert told == file.read_text(), "look at it; `make golden` takes it for right"


def test_no_other_file_is_kept() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == COMMANDS.keys() - RELATIVE
