"""Explaining: which comparisons are to blame, and what is decided without sending."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.conditions import holds
from router.decisions import Verdict
from router.explaining import blamed, explain
from router.facts import Activation, Hub, Registration
from router.inventory import Home
from router.rules import Rules, load
from router.users import Role, ServiceUser

HUB = "90-B3-D5-1F-30-00-10-01"
S1 = "90-B3-D5-1F-30-01-00-01"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NORTH = 'hub.csp_region == "North"'
PILOT = 'hub.groups has "pilot"'
MODEL = 'hub.model startswith "CH"'


def rules(folder: Path, when: str) -> Rules:
    text = f"rules:\n  - name: only\n    when:\n{when}\n    alert: N64\n"
    (folder / "only.yaml").write_text(text)
    found, problems = load(folder)
    assert found is not None, problems
    return found


@pytest.mark.parametrize(
    ("when", "values", "told"),
    [
        ([f"- {NORTH}", f"- {PILOT}"], {"hub.csp_region": "North"}, [PILOT]),
        ([f"- {NORTH}", f"- {PILOT}"], {}, [NORTH, PILOT]),
        (["- any:", f"  - {NORTH}", f"  - {PILOT}"], {"hub.model": "CH-1"}, [NORTH, PILOT]),
        (["- any:", f"  - {NORTH}", f"  - {PILOT}"], {"hub.csp_region": "North"}, []),
        (["- not:", f"  - {NORTH}"], {"hub.csp_region": "North"}, [NORTH]),
        (
            ["- not:", "  - any:", f"    - {NORTH}", f"    - {MODEL}"],
            {"hub.model": "CH-1", "hub.csp_region": "South"},
            [MODEL],
        ),
        (
            ["- not:", "  - all:", f"    - {NORTH}", f"    - {MODEL}"],
            {"hub.model": "CH-1", "hub.csp_region": "North"},
            [NORTH, MODEL],
        ),
    ],
    ids=["one of two", "both", "any", "any holds", "not", "not any", "not all"],
)
def test_only_what_made_a_condition_fail_is_blamed(
    tmp_path: Path, when: list[str], values: dict[str, str], told: list[str]
) -> None:
    (rule,) = rules(tmp_path, "\n".join(f"      {line}" for line in when)).rules
    found = blamed(rule.when, values)
    assert [each.comparison.text for each in found] == told
    assert holds(rule.when, values) == (not told)
    assert all(each.value == values.get(each.comparison.field) for each in found)


def home(*registrations: Registration) -> Home:
    hub = Hub(device_id=HUB, status="Commissioned", smets_version="SMETS2", csp_region="North")
    return Home(hub, registrations)


def registration(supplier: str | None) -> Registration:
    return Registration(
        device_id=HUB,
        mpxn="1800021679848",
        point="import_mpan",
        supplier_id=supplier,
        effective_from="2020-01-01",
    )


ACTIVATION = Activation(
    device_id=HUB, firmware_version="9002", activated_at="2026-06-01T00:00:00Z", outcome="success"
)


def test_each_candidate_has_its_verdict_and_every_rule_behind_it(tmp_path: Path) -> None:
    user = ServiceUser(id=S1, name="One", roles=frozenset({Role.IMPORT_SUPPLIER}))
    found = explain(
        ACTIVATION,
        home(registration(S1)),
        rules=rules(tmp_path, f"      - {NORTH}"),
        users={S1: user},
        now=NOW,
    )
    (explained,) = found.decisions
    assert (explained.decision.verdict, explained.decision.rule) == (Verdict.ALERTED, "only")
    assert [(each.rule.name, each.matched, each.failed) for each in explained.rules] == [
        ("only", True, ())
    ]
    assert list(found.registrations) == [registration(S1)]


def test_who_cannot_be_told_is_explained_too(tmp_path: Path) -> None:
    given = rules(tmp_path, f"      - {NORTH}")
    nobody = explain(ACTIVATION, home(), rules=given, users={}, now=NOW)
    assert [each.decision.verdict for each in nobody.decisions] == [Verdict.NO_RECIPIENT]
    stranger = explain(ACTIVATION, home(registration(S1)), rules=given, users={}, now=NOW)
    (explained,) = stranger.decisions
    assert explained.decision.verdict is Verdict.NO_ELIGIBLE_USER
    assert explained.rules == ()
