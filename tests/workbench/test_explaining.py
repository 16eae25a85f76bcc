"""Explaining: which comparisons are to blame, and what is decided without sending."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.fieldvalues import fields_of
from support.rulemaking import SHIPPED, shipped

from router.deciding.decisions import Verdict
from router.deciding.engine import Engine
from router.domain.facts import Activation, Hub, Registration
from router.domain.inventory import Home
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.language.conditions import holds
from router.language.folder import load
from router.language.rules import Rules
from router.workbench.explaining import blamed, explain
from router.workbench.ruletests.file import RuleTest
from router.workbench.ruletests.file import load as load_tests
from router.workbench.ruletests.runner import find_tests
from router.workbench.ruletests.runner import run as run_tests

HUB = "90-B3-D5-1F-30-00-10-01"
S1 = "90-B3-D5-1F-30-01-00-01"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NORTH = 'hub.csp_region == "North"'
PILOT = 'hub.groups has "pilot"'
MODEL = 'hub.model startswith "CH"'


def shipped_tests() -> list[RuleTest]:
    tests, problems = load_tests(find_tests(SHIPPED), shipped())
    assert not problems
    return tests


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
    assert explained.user == user
    (seen,) = explained.rules
    assert (seen.rule.name, seen.matched) == ("only", True)
    assert [(each.text, each.held) for each in seen.lines] == [(NORTH, True)]
    assert list(found.registrations) == [registration(S1)]
    assert [(each.service_user_id, each.alert_code) for each in found.due] == [(S1, "N64")]


def test_each_line_is_seen_with_its_place_in_groups(tmp_path: Path) -> None:
    when = f"""
      - {NORTH}
      - any:
          - {PILOT}
          - not:
              - {MODEL}
              - all:
                  - activation.outcome == "success"
"""
    user = ServiceUser(id=S1, name="One", roles=frozenset({Role.IMPORT_SUPPLIER}))
    found = explain(
        ACTIVATION,
        home(registration(S1)),
        rules=rules(tmp_path, when.strip("\n")),
        users={S1: user},
        now=NOW,
    )
    (explained,) = found.decisions
    (seen,) = explained.rules
    assert seen.matched
    assert [(each.depth, each.text, each.held) for each in seen.lines] == [
        (0, NORTH, True),
        (0, "any:", True),
        (1, PILOT, False),
        (1, "not:", True),
        (2, MODEL, False),
        (2, "all:", True),
        (3, 'activation.outcome == "success"', True),
    ]
    assert [each.location.line for each in seen.lines if each.location] == [*range(4, 11)]
    saw = [each.seen.value for each in seen.lines if each.seen]
    assert saw == ["North", None, None, "success"]


@pytest.mark.parametrize("test", shipped_tests(), ids=lambda test: test.entry.name)
def test_it_says_what_the_engine_decides(test: RuleTest) -> None:
    given, given_rules = test.entry.given, shipped().without(test.entry.without)
    found = explain(
        given.activation,
        test.home,
        rules=given_rules,
        users=test.users,
        now=test.entry.at or given.activation.activated_at,
    )
    # what `hubherald test` found to be so: it decides by the engine
    assert run_tests(shipped(), [test.location.file]).passed
    alerts = {(each.service_user_id, frozenset(each.rules)) for each in found.due}
    assert alerts == {(each.user, frozenset(each.roles)) for each in test.entry.expect.alerts}
    suppressed = {
        (each.decision.party.id, each.decision.party.role, each.decision.rule)
        for each in found.decisions
        if each.decision.verdict is Verdict.SUPPRESSED and each.decision.party
    }
    if test.entry.expect.suppressed is not None:
        expected = test.entry.expect.suppressed
        assert suppressed == {(each.user, each.role, each.rule) for each in expected}
    engine = Engine(given_rules)
    try:
        for each in found.decisions:
            assert each.user
            assert each.decision.party
            role = each.decision.party.role
            values = fields_of(given.activation, test.home.hub, role, each.user)
            matched = {index for index, rule in enumerate(each.rules) if rule.matched}
            assert engine.evaluate([values]) == [matched]
    finally:
        engine.close()


def test_who_cannot_be_told_is_explained_too(tmp_path: Path) -> None:
    given = rules(tmp_path, f"      - {NORTH}")
    nobody = explain(ACTIVATION, home(), rules=given, users={}, now=NOW)
    assert [each.decision.verdict for each in nobody.decisions] == [Verdict.NO_RECIPIENT]
    stranger = explain(ACTIVATION, home(registration(S1)), rules=given, users={}, now=NOW)
    (explained,) = stranger.decisions
    assert explained.decision.verdict is Verdict.NO_ELIGIBLE_USER
    assert explained.rules == ()
