"""The made-up estate: that it is what it says, and that its oracle is right.

The simulation shares nothing with the code that decides; here the two meet.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from router.domain.facts import Defect, Fact, Hub, Registration, misfit, parse
from router.domain.inventory import Home, in_effect, responsible
from router.domain.words import FactType, Point
from router.errors import UsageError
from router.files.yamlfile import read
from router.simulation import EstateSummary, Setting, simulate
from router.simulation.estate import SHOWCASE, Estate
from router.simulation.market import make_market
from router.simulation.shapes import SHAPES
from router.simulation.stories import KINDS

TODAY = date(2026, 3, 29)
"""Clocks go forward on it: whoever counts days in UTC goes wrong here."""
STATES = {"smets1", "pending", "decommissioned", "suspended", "installed"}
PAIRS = {"handed_over_old", "handed_over_new", "moved_later_old", "moved_later_new"}


def make(
    out: Path, hubs: int, activations: int, *, seed: int = 1, users: int = 20
) -> EstateSummary:
    """An estate of TODAY in a new folder."""
    rules = out.parent / "shipped"
    rules.mkdir(exist_ok=True)
    (rules / "alerts.yaml").write_text("rules: []\n")
    return simulate(hubs, users, activations, seed, out, rules=rules, setting=Setting(today=TODAY))


def digests(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def parsed(folder: Path) -> list[Fact | Defect]:
    lines = (folder / "inbox" / "facts.jsonl").read_bytes().split(b"\n")
    return [parse(line.rstrip(b"\r")) for line in lines if line]


def homes(folder: Path) -> dict[str, Home]:
    """The estate as the router reads it."""
    by_point: dict[str, list[Registration]] = defaultdict(list)
    points: dict[str, set[str]] = defaultdict(set)
    for row in rows(folder / "registrations.csv"):
        each = Registration.model_validate({key: value or None for key, value in row.items()})
        by_point[each.mpxn].append(each)
        points[each.device_id].add(each.mpxn)
    found = {}
    for row in rows(folder / "hubs.csv"):
        data: dict[str, Any] = {key: value or None for key, value in row.items()}
        hub = Hub.model_validate(data | {"groups": tuple(filter(None, row["groups"].split(";")))})
        known = [each for point in sorted(points[hub.device_id]) for each in by_point[point]]
        found[hub.device_id] = Home(hub, tuple(known))
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        make(tmp_path / name, 300, 200, seed=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    one, other = digests(tmp_path / "a"), digests(tmp_path / "c")
    assert all(one[name] != other[name] for name in ("registrations.csv", "inbox/facts.jsonl"))


def test_an_estate_has_the_files_of_an_installation(tmp_path: Path) -> None:
    out = tmp_path / "estate"
    make(out, 60, 40, users=8)
    assert sorted(digests(out)) == [
        "expected.json",
        "hubherald.yaml",
        "hubs.csv",
        "inbox/facts.jsonl",
        "registrations.csv",
        "rules/alerts.yaml",
        "service_users.yaml",
    ]
    users = read(out / "service_users.yaml")
    assert not users.problems
    assert len(users.value["service_users"]) == 8
    assert not read(out / "hubherald.yaml").problems


def test_small_estates_have_homes_and_stories_of_every_kind(tmp_path: Path) -> None:
    summary = make(tmp_path / "estate", 200, 150)
    assert set(summary.homes) == {shape.__name__ for shape in SHAPES} | STATES | PAIRS
    assert sum(summary.homes.values()) == 200
    assert set(summary.expected.stories) == {"plain", *(kind.name for kind in KINDS)}
    assert set(summary.expected.decisions) == {
        "alerted",
        "suppressed",
        "no_rule",
        "no_eligible_user",
        "no_recipient",
        "same_activation",
    }


def test_the_first_homes_of_a_small_estate_all_have_their_turn(tmp_path: Path) -> None:
    for seed in range(5):
        out = tmp_path / str(seed)
        make(out, 200, 150, seed=seed)
        activated = {
            fact.data.device_id
            for fact in parsed(out)
            if isinstance(fact, Fact) and fact.data.type == FactType.ACTIVATED
        }
        shown = {row["device_id"] for row in rows(out / "hubs.csv")[:SHOWCASE]}
        assert shown <= activated


def test_every_meter_point_has_good_check_digits(tmp_path: Path) -> None:
    make(tmp_path / "estate", 2_000, 0)
    for row in rows(tmp_path / "estate" / "registrations.csv"):
        assert misfit(Point(row["point"]), row["mpxn"]) is None


def test_hubs_and_meter_points_are_not_used_twice(tmp_path: Path) -> None:
    make(tmp_path / "estate", 3_000, 0)
    ids = [row["device_id"] for row in rows(tmp_path / "estate" / "hubs.csv")]
    assert len(set(ids)) == 3_000
    replaced = {
        row["replaced_by"]: row["device_id"] for row in rows(tmp_path / "estate" / "hubs.csv")
    }
    owner: dict[str, str] = {}
    for row in rows(tmp_path / "estate" / "registrations.csv"):
        first = owner.setdefault(row["mpxn"], row["device_id"])
        assert first in {row["device_id"], replaced.get(row["device_id"])}


def test_the_oracle_and_the_router_agree_on_who_is_responsible(tmp_path: Path) -> None:
    make(tmp_path / "estate", 4_000, 0, users=60)
    estate = Estate(make_market(60), 4_000, seed=1, today=TODAY)
    known = homes(tmp_path / "estate")
    for moment in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 26, 23, 30, tzinfo=UTC)):
        for built in estate.homes():
            found = responsible(in_effect(known[built.hub.device_id], moment))
            assert {(party.id, party.role.value) for party in found} == built.parties, built.kind


def test_lines_are_of_the_sort_that_they_are_said_to_be(tmp_path: Path) -> None:
    summary = make(tmp_path / "estate", 1_000, 5_000)
    tally = summary.expected
    found = parsed(tmp_path / "estate")
    assert len(found) == tally.lines
    facts = {fact.key for fact in found if isinstance(fact, Fact)}
    # conflicting ids share their key with a good fact; what waits has one of its own
    waiting = tally.quarantine["unknown_hub"] + tally.quarantine["no_registration"]
    assert len(facts) == sum(tally.facts.values()) + waiting
    defects = {(each.reason.value, each.body) for each in found if isinstance(each, Defect)}
    reasons = Counter(reason for reason, _ in defects)
    assert reasons == {
        reason: count
        for reason, count in tally.quarantine.items()
        if reason not in {"unknown_hub", "no_registration", "conflicting_id"}
    }
    assert tally.lines == (
        sum(tally.facts.values()) + sum(tally.quarantine.values()) + tally.repeated
    )


@pytest.mark.parametrize(("hubs", "activations"), [(1, 5), (60, 20), (100, 1_000), (500, 500)])
def test_there_are_as_many_activations_as_were_asked_for(
    tmp_path: Path, hubs: int, activations: int
) -> None:
    summary = make(tmp_path / "estate", hubs, activations)
    keys = {
        (fact.data.device_id, fact.data.activated_at, fact.data.firmware_version)
        for fact in parsed(tmp_path / "estate")
        if isinstance(fact, Fact) and fact.data.type == "hubherald.firmware.activated.v1"
    }
    # a conflicting id brings a version that nobody has activated
    assert len(keys) - summary.expected.quarantine["conflicting_id"] == activations


def test_expected_json_says_what_its_counts_say(tmp_path: Path) -> None:
    summary = make(tmp_path / "estate", 500, 400)
    found = expected(tmp_path / "estate")
    due = [alert for fact in found["facts"] for alert in fact["alerts"]]
    assert found["counts"] == summary.expected.flat()
    assert len(due) == found["counts"]["alerts"] > 400
    assert sum(len(alert["roles"]) for alert in due) == found["counts"]["decisions"]["alerted"]
    keys = {(fact["source"], fact["id"]) for fact in found["facts"]}
    activated = found["counts"]["facts"]["hubherald.firmware.activated.v1"]
    assert len(keys) == len(found["facts"]) == activated


def test_expected_json_follows_from_the_files_where_that_is_simple(tmp_path: Path) -> None:
    """Hubs of which a single fact tells, at homes where nothing ever changed, read by hand."""
    out = tmp_path / "estate"
    make(out, 500, 400)
    lines: dict[str, list[Fact]] = defaultdict(list)
    for fact in parsed(out):
        if isinstance(fact, Fact):
            lines[fact.data.device_id].append(fact)
    due = {(fact["source"], fact["id"]): fact["alerts"] for fact in expected(out)["facts"]}
    users = read(out / "service_users.yaml").value["service_users"]
    subscribed = {user["id"] for user in users if "subscriptions" in user}
    able = {(user["id"], role) for user in users for role in user["roles"]}
    points: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(out / "registrations.csv"):
        points[row["device_id"]].append(row)
    looked_at = 0
    for hub in rows(out / "hubs.csv"):
        own, told = points[hub["device_id"]], lines[hub["device_id"]]
        kinds = sorted(row["point"] for row in own)
        simple = kinds in (["import_mpan"], ["import_mpan", "mprn"])
        if len(told) != 1 or not simple or any(row["effective_to"] for row in own):
            continue
        roles: dict[str, list[str]] = defaultdict(list)
        for row in own:
            gas = row["point"] == "mprn"
            for company, role in (
                (row["supplier_id"], "gas_supplier" if gas else "import_supplier"),
                (
                    row["network_operator_id"],
                    "gas_transporter" if gas else "electricity_distributor",
                ),
            ):
                told_always = role.endswith("supplier")
                if (company, role) in able and (told_always or company in subscribed):
                    roles[company].append(role)
        silent = (
            hub["status"] in {"Pending", "Decommissioned"}
            or hub["smets_version"] == "SMETS1"
            or hub["replaced_by"]
            or b'"failure"' in told[0].body
        )
        alerts = {} if silent else {user: sorted(held) for user, held in roles.items()}
        said = {each["service_user_id"]: each["roles"] for each in due[told[0].key]}
        assert said == alerts
        looked_at += 1
    assert looked_at > 200


def test_the_largest_supplier_has_about_a_fifth_of_the_homes(tmp_path: Path) -> None:
    make(tmp_path / "estate", 3_000, 0, users=60)
    suppliers = Counter(
        row["supplier_id"]
        for row in rows(tmp_path / "estate" / "registrations.csv")
        if row["point"] == "import_mpan" and not row["effective_to"]
    )
    assert 0.15 < suppliers.most_common(1)[0][1] / suppliers.total() < 0.27


def test_suspended_users_and_folders_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    setting = Setting(channel="folder", suspended=2, today=TODAY)
    out = tmp_path / "estate"
    summary = simulate(200, 20, 100, 3, out, rules=tmp_path / "rules", setting=setting)
    users = read(out / "service_users.yaml").value["service_users"]
    suspended = [user["id"] for user in users if user.get("status") == "suspended"]
    assert expected(out)["suspended"] == sorted(suspended)
    assert len(suspended) == 2
    assert summary.expected.held > 0
    assert all(user["channels"][0]["path"] == f"outbox/{user['id']}" for user in users)


def test_progress_adds_up(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    steps: list[int] = []
    simulate(2_500, 20, 1_234, 1, tmp_path / "out", rules=tmp_path / "rules", progress=steps.append)
    assert sum(steps) == 2_500 + 1_234
    assert len(steps) > 3


@pytest.mark.parametrize(
    ("hubs", "users", "activations", "message"),
    [
        (0, 20, 10, "1 to 80,000,000 hubs, not 0"),
        (10, 3, 10, "8 to 5,000 Service Users, not 3"),
        (10, 20, -1, "-1 activations are not possible"),
    ],
)
def test_what_is_not_possible_is_said(
    tmp_path: Path, hubs: int, users: int, activations: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(tmp_path / "out", hubs, activations, users=users)


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "estate"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty; give a new folder"):
        make(out, 10, 10)
    assert [file.name for file in out.iterdir()] == ["mine.txt"]
