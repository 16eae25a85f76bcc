"""`hubherald rollout`: hubs, Alerts and users of each version, held against plain SQL."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import ledgers
from support.beside import Beside
from support.commandline import call, row, rows
from support.estate import HUB, S1, S2, SUPPLIER, Estate
from support.ledgers import ask
from support.madeup import market, route
from support.routed import ledger

from router.ledger.queries import rollout_totals

OTHER = f"{HUB[:-1]}2"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two homes: V1 on both, V2 on one, where it failed at first; S2 is suspended."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER, status="suspended")
    for hub in (HUB, OTHER):
        estate.hub(hub)
        estate.registration("import_mpan", S1, device_id=hub)
        estate.registration("mprn", S2, device_id=hub)
        estate.activation("V1", device_id=hub)
    estate.activation("V2", outcome="failure", activated_at="2026-06-02T12:00:00Z")
    estate.activation("V2", activated_at="2026-06-03T12:00:00Z")
    estate.run()
    return estate


def rollout(estate: Estate) -> list[dict[str, Any]]:
    return rows("rollout", folder=estate.folder)


def told(found: dict[str, Any]) -> tuple[int, ...]:
    names = ("due", "delivered", "outstanding", "parked", "withdrawn")
    return tuple(found[f"alerts_{name}"] for name in names)


def test_each_version_has_its_hubs_and_alerts_the_newest_first(estate: Estate) -> None:
    two, one = rollout(estate)
    hubs = ("firmware_version", "hubs_activated", "hubs_failed", "hubs_running")
    assert [two[name] for name in hubs] == ["V2", 1, 1, 1]
    assert [one[name] for name in hubs] == ["V1", 2, 0, 1]
    assert (told(two), told(one)) == ((2, 1, 1, 0, 0), (4, 2, 2, 0, 0))
    assert two["first_activated_at"] == "2026-06-02T12:00:00Z"
    assert two["last_activated_at"] == "2026-06-03T12:00:00Z"


def test_what_one_channel_delivered_and_another_was_spared_is_delivered(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    channels = [{"adapter": "folder", "name": name, "path": name} for name in ("a", "b")]
    estate.user(S1, SUPPLIER, channels=channels)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("V1")
    estate.run()
    with Beside(ledgers.url(tmp_path, "hubherald.db")) as connection:
        connection.execute("UPDATE deliveries SET state = 'waiting' WHERE lane_id = 1")
    estate.users[0]["channels"] = channels[1:]
    estate.write_users()
    estate.run()
    assert row("lanes", "move", f"{S1}/a", f"{S1}/b", folder=tmp_path)["withdrawn"] == 1
    (one,) = rollout(estate)
    assert told(one) == (1, 1, 0, 0, 0)


def test_a_version_has_its_users(estate: Estate) -> None:
    one = row("rollout", "V1", folder=estate.folder)
    assert (one["hubs_activated"], told(one)) == (2, (4, 2, 2, 0, 0))
    first, second = one["service_users"]
    assert (first["service_user_id"], told(first)) == (S1, (2, 2, 0, 0, 0))
    assert first["oldest_outstanding"] is None
    assert (second["service_user_id"], told(second)) == (S2, (2, 0, 2, 0, 0))
    assert second["oldest_outstanding"] is not None
    said = call("rollout", "V2", folder=estate.folder).stdout.splitlines()
    assert said[:2] == [
        "V2: 1 hub activated it, 1 failed, 1 run it now",
        "from 2026-06-02T12:00:00Z to 2026-06-03T12:00:00Z",
    ]
    assert said[2] == "2 Alerts: 1 delivered, 1 outstanding, 0 parked, 0 withdrawn"


def test_an_alert_on_two_channels_counts_once_and_as_what_is_left_to_do(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    folders = [
        {"adapter": "folder", "path": "sent/one", "name": "one"},
        {"adapter": "folder", "path": "sent/two", "name": "two"},
    ]
    estate.user(S1, SUPPLIER, channels=folders)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    assert call("lanes", "pause", S1, "two", folder=tmp_path).exit_code == 0
    estate.activation("V1")
    estate.run()
    assert [told(each) for each in rollout(estate)] == [(1, 0, 1, 0, 0)]
    assert call("lanes", "resume", S1, folder=tmp_path).exit_code == 0
    estate.run()
    assert [told(each) for each in rollout(estate)] == [(1, 1, 0, 0, 0)]


def test_an_unknown_version_is_said_with_those_there_are(estate: Estate) -> None:
    done = call("rollout", "V3", folder=estate.folder)
    assert done.exit_code == 1
    assert "no hub has activated 'V3'; known here: V1, V2" in done.stderr
    assert call("rollout", "V3", "-o", "json", folder=estate.folder).exit_code == 1


def test_nothing_was_activated_yet(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.run()
    assert call("rollout", folder=tmp_path).stdout == "no activations yet\n"
    assert rollout(estate) == []


@pytest.mark.sqlite  # as `simulate` writes it
def test_a_whole_market_adds_up(tmp_path: Path) -> None:
    folder = market(tmp_path / "market", seed=9)
    route(folder)
    found = rows("rollout", folder=folder)
    estate = Estate.__new__(Estate)
    estate.folder = folder
    with ledger(estate) as database:
        facts = ask(
            database,
            "SELECT firmware_version, outcome, device_id, id FROM facts"
            " WHERE firmware_version IS NOT NULL",
        )
        alerts = Counter(
            json.loads(event)["data"]["firmware_version"]
            for (event,) in ask(database, "SELECT event FROM alerts")
        )
        newest = Counter(name for (name,) in ask(database, "SELECT version FROM firmware"))
    hubs = {(version, outcome, hub) for version, outcome, hub, _ in facts}
    for each in found:
        version = each["firmware_version"]
        ours = [key for key in hubs if key[0] == version]
        assert each["hubs_activated"] == sum(outcome == "success" for _, outcome, _ in ours)
        assert each["hubs_failed"] == sum(outcome == "failure" for _, outcome, _ in ours)
        assert each["hubs_running"] == newest[version]
        assert told(each) == (alerts[version], 0, alerts[version], 0, 0)  # all are suspended
        users = row("rollout", version, folder=folder)["service_users"]
        assert sum(user["alerts_due"] for user in users) == each["alerts_due"]
    assert len(found) == len({version for version, *_ in facts}) > 2


def test_all_of_it_is_counted_up_to_a_moment(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For gauges: what comes later the router counts itself."""
    monkeypatch.setattr(rollout_totals, "PORTION", 3)
    with ledger(estate) as database:
        upto = rollout_totals.newest_records(database)
        found = rollout_totals.rollout_totals(database, upto)
        assert rollout_totals.rollout_totals(database, upto, lambda: False) is None
    assert found is not None
    assert found.activations == {("V1", "success"): 2, ("V2", "success"): 1, ("V2", "failure"): 1}
    assert (found.alerts, found.delivered) == ({"V1": 4, "V2": 2}, {"V1": 2, "V2": 1})
    with ledger(estate) as database:
        none = rollout_totals.rollout_totals(database, rollout_totals.Upto(0, 0, 0))
    assert none == rollout_totals.RolloutTotals()
