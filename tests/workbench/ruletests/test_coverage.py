"""Which outcomes of conditions tests have seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rulemaking import rule, said, write
from support.ruletesting import outcome, rule_test

from router.language.folder import load as load_rules
from router.language.rules import Rules
from router.workbench.ruletests.coverage import Coverage, Share

GAS = 'recipient.role == "gas_supplier"'


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    write(tmp_path, rule([GAS], "alert-gas"), file="a.yaml")
    any_of = {"any": ['hub.model == "A"', {"not": ['hub.groups has "quiet"']}]}
    write(tmp_path, rule([any_of], "hush", suppress="asked for"), file="b.yaml")
    found, problems = load_rules(tmp_path)
    assert found is not None, said(problems)
    return found


def unseen(coverage: Coverage) -> list[tuple[str, str, str]]:
    return [(e.rule.name, e.comparison.text, e.never) for e in coverage.uncovered()]


def test_what_nobody_looked_at_is_uncovered_twice(rules: Rules) -> None:
    coverage = Coverage(rules)
    assert unseen(coverage)[:3] == [
        ("alert-gas", GAS, "failed"),
        ("alert-gas", GAS, "held"),
        ("hush", 'hub.model == "A"', "failed"),
    ]
    assert [(each.seen, each.outcomes, each.percent) for each in coverage.shares()] == [
        (0, 2, 0),
        (0, 4, 0),
        (0, 6, 0),
    ]


def test_each_outcome_counts_once_also_in_groups(rules: Rules, tmp_path: Path) -> None:
    coverage = Coverage(rules)
    for _ in range(2):
        coverage.saw({"recipient.role": "gas_supplier", "hub.model": "A"})
    assert unseen(coverage) == [
        ("alert-gas", GAS, "failed"),
        ("hush", 'hub.model == "A"', "failed"),
        ("hush", 'hub.groups has "quiet"', "held"),
    ]
    coverage.saw({"recipient.role": "import_supplier", "hub.groups": ("quiet",)})
    assert unseen(coverage) == []
    assert coverage.shares() == [
        Share(2, 2, tmp_path / "a.yaml"),
        Share(4, 4, tmp_path / "b.yaml"),
        Share(6, 6),
    ]
    assert [each.percent for each in coverage.shares()] == [100, 100, 100]


def test_a_rule_that_is_taken_away_is_not_seen(rules: Rules) -> None:
    coverage = Coverage(rules)
    coverage.saw({"recipient.role": "gas_supplier", "hub.model": "A"}, without=["hush"])
    assert [each.seen for each in coverage.shares()] == [1, 0, 1]


def test_it_is_all_only_when_nothing_is_left() -> None:
    assert Share(999, 1000).percent == 99


def test_a_report_has_it(rules: Rules, tmp_path: Path) -> None:
    report = outcome(rules, tmp_path, rule_test(alerts=[]))
    assert [(each.comparison.text, each.never) for each in report.uncovered] == [
        (GAS, "failed"),
        ('hub.model == "A"', "held"),
        ('hub.groups has "quiet"', "held"),
    ]
    assert [each.seen for each in report.coverage] == [1, 2, 3]
