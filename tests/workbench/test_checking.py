"""What `hubherald check` says of all files: each kind of mistake, at its place, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.badfiles import bad_files, check_bad, codes_of

from router.files.codes import Code
from router.workbench import starter
from router.workbench.checking import check

USERS = """\
service_users:
  - id: 90-B3-D5-1F-30-01-00-01
    name: Acme Energy
    roles: [import_supplier, gas_supplier]
    duis_version: "5.4"
    channels: [{adapter: log}]
  - id: 90-B3-D5-1F-30-02-00-01
    name: Northern Grid
    roles: [electricity_distributor]
    subscriptions: [firmware]
    channels: [{adapter: log}]
"""
"""Who there is for bad rules."""


def with_bad_rules(bad: Path, folder: Path) -> Path:
    """A starter with one bad file of rules, or of tests beside the shipped rules."""
    starter.write(folder)
    (folder / "service_users.yaml").write_text(USERS, encoding="utf-8")
    if not bad.name.endswith(".test.yaml"):
        shutil.rmtree(folder / "rules")
        (folder / "rules").mkdir()
    shutil.copy(bad, folder / "rules" / bad.name)
    return folder / "hubherald.yaml"


@pytest.mark.parametrize("bad", bad_files("rules"), ids=lambda file: file.name)
def test_each_mistake_in_rules_and_tests_is_found_where_it_is(bad: Path, tmp_path: Path) -> None:
    checked = check(with_bad_rules(bad, tmp_path), {})
    check_bad(bad, [each for each in checked.problems if each.location.file.name == bad.name])


def test_every_code_has_a_file_that_shows_it() -> None:
    shown = {
        code
        for kind in ("config", "users", "rules")
        for bad in bad_files(kind)
        for code in codes_of(bad)
    }
    assert shown == set(Code) - {Code.ENGINE}  # that is of a build, and no file shows it


def test_a_starter_has_no_problem(tmp_path: Path) -> None:
    starter.write(tmp_path)
    checked = check(tmp_path / "hubherald.yaml", {})
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.config is not None
    assert checked.tests > 0


def test_tests_are_looked_at_beside_rules_with_mistakes(tmp_path: Path) -> None:
    """But no rule is called unknown that may be there, and only can't be read."""
    starter.write(tmp_path)
    rules = tmp_path / "rules"
    (rules / "suppressions.yaml").write_text("rules: [", encoding="utf-8")
    (rules / "more.test.yaml").write_text("tests: 5", encoding="utf-8")
    found = check(tmp_path / "hubherald.yaml", {})
    assert found.config is None
    assert [(each.location.file.name, each.code) for each in found.problems] == [
        ("more.test.yaml", Code.WRONG_TYPE),
        ("suppressions.yaml", Code.YAML),
    ]


def test_what_waits_in_vain_is_found_and_hinders_nothing(tmp_path: Path) -> None:
    starter.write(tmp_path)
    emergency = "rules: [{name: emergency, when: [hub.status exists], suppress: not today}]"
    (tmp_path / "rules" / "more.yaml").write_text(emergency, encoding="utf-8")
    found = check(tmp_path / "hubherald.yaml", {})
    assert found.config is not None
    assert {each.code for each in found.problems} == {Code.SHADOWED}
    assert list(found.config.warnings) == list(found.problems)


def test_without_a_configuration_nothing_else_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.test.yaml").write_text("tests: 5", encoding="utf-8")
    assert [each.code for each in check(tmp_path / "hubherald.yaml", {}).problems] == [Code.FILE]
