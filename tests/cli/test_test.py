"""`hubherald test`: what operators and their CI systems meet."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import etree
from support.commandline import PROGRAM, call, rows
from support.estate import ROOT, Estate


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """The shipped rules with their tests, to be edited."""
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    estate.configure(tmp_path / "rules")
    return estate


def edit(estate: Estate, file: str, old: str, new: str) -> Path:
    """Change one of its files in one place, or in all of them."""
    edited = estate.folder / "rules" / file
    assert old in edited.read_text()
    edited.write_text(edited.read_text().replace(old, new))
    return edited


TRANSPORTER = """
  - name: so does a transporter that subscribed
    given:
      users:
        - {id: 90-B3-D5-1F-30-02-00-02, roles: [gas_transporter], subscriptions: [firmware]}
      registrations:
        - {point: mprn, network_operator_id: 90-B3-D5-1F-30-02-00-02}
    expect:
      alerts:
        - {user: 90-B3-D5-1F-30-02-00-02, roles: [gas_transporter], code: N64}
"""


def test_the_shipped_rules_pass_with_nothing_left_open(estate: Estate) -> None:
    result = call("test", "--coverage", "--mutate", folder=estate.folder)
    assert (result.exit_code, result.stderr) == (0, "")
    *shares, total, tests, changes = result.stdout.splitlines()
    assert all(line.endswith("  100 %") for line in shares[1:])
    assert re.fullmatch(r"all +(\d+) of \1  100 %", total)
    assert re.fullmatch(
        r"[1-9]\d* tests passed, 0 failed; (\d+) of \1 outcomes of conditions seen", tests
    )
    assert re.fullmatch(r"(\d\d+) of \1 changes noticed", changes)


def test_some_are_run_by_a_part_of_their_name(estate: Estate) -> None:
    all_of_them = rows("test", folder=estate.folder)
    for pattern in ("SUBSCRIBED", "*sub?cribed*"):
        some = rows("test", "--run", pattern, folder=estate.folder)
        assert 0 < len(some) < len(all_of_them)
        assert all("subscribed" in row["test"] for row in some)
    none = call("test", "--run", "xyzzy", folder=estate.folder)
    assert none.exit_code == 1
    assert none.stderr == "no test has 'xyzzy' in its name\n"


def test_less_than_all_is_enough_where_that_is_said(estate: Estate) -> None:
    few = ("test", "--coverage", "--mutate", "--run", "subscribed")
    assert call(*few, folder=estate.folder).exit_code == 1
    assert call(*few, "--threshold", "100", folder=estate.folder).exit_code == 1
    assert call(*few, "--threshold", "1", folder=estate.folder).exit_code == 0
    assert call("test", "--threshold", "90", folder=estate.folder).exit_code == 2


def test_without_options_the_outcomes_are_only_counted(estate: Estate) -> None:
    result = call("test", estate.folder / "rules" / "alerts.test.yaml", folder=estate.folder)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    found = re.search(r"; (\d+) of (\d+) outcomes of conditions seen", line)
    assert found
    assert int(found[1]) < int(found[2])  # suppressions have tests of their own


def test_a_failing_test_is_told_with_its_position(estate: Estate) -> None:
    edit(estate, "alerts.yaml", "alert: N64", "alert: N65")
    result = call("test", folder=estate.folder)
    assert result.exit_code == 1
    file = re.escape(str(estate.folder / "rules" / "alerts.test.yaml"))
    assert re.search(rf"^{file}:\d+:\d+: FAILED: ", result.stdout, re.MULTILINE)
    assert re.search(r"^    - N64  Acme Energy  90-\S+  gas_supplier", result.stdout, re.MULTILINE)
    assert re.search(r"^    \+ N65  Acme Energy  90-\S+  gas_supplier", result.stdout, re.MULTILINE)
    assert "\x1b" not in result.stdout


def test_differences_are_coloured_on_a_terminal_only(estate: Estate) -> None:
    edit(estate, "alerts.yaml", "alert: N64", "alert: N65")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "test"], cwd=estate.folder, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while got := os.read(ours, 65_536):
                shown += got
        except OSError:  # the terminal's other end is closed
            pass
        finally:
            os.close(ours)
        assert process.wait(60) == 1
    assert b"\x1b[31m    - N64 " in shown
    assert b"\x1b[32m    + N65 " in shown


def test_what_no_test_saw_is_a_finding_of_coverage(estate: Estate) -> None:
    file = edit(estate, "suppressions.yaml", '== "Pending"', 'in ["Pending"]')
    (estate.folder / "rules" / "more.yaml").write_text(
        "rules:\n  - name: more\n    when:\n      - hub.model exists\n    suppress: why\n"
    )
    assert call("test", folder=estate.folder).exit_code == 0
    result = call("test", "--coverage", folder=estate.folder)
    assert result.exit_code == 1
    more = file.with_name("more.yaml")
    assert result.stdout.startswith(
        f"{more}:4:9: never held in a test: hub.model exists\n"
        "          - hub.model exists\n"
        "            ^\n"
    )
    assert re.search(rf"^{re.escape(str(more))} +1 of 2 +50 %$", result.stdout, re.MULTILINE)
    listed = call("test", "--coverage", "-o", "json", folder=estate.folder)
    assert listed.exit_code == 1
    told = json.loads(listed.stdout)
    assert [row for row in told if row["kind"] == "uncovered"] == [
        {
            "kind": "uncovered",
            "rule": "more",
            "condition": "hub.model exists",
            "never": "held",
            "file": str(more),
            "line": 4,
            "column": 9,
        }
    ]
    shares = [row for row in told if row["kind"] == "coverage"]
    assert [(row["file"], row["percent"]) for row in shares][1:] == [
        (str(more), 50),
        (str(file), 100),
        (None, 96),
    ]


def test_a_change_that_no_test_notices_is_told_with_its_place(estate: Estate) -> None:
    edit(estate, "alerts.test.yaml", TRANSPORTER, "")
    assert call("test", "--coverage", folder=estate.folder).exit_code == 0
    result = call("test", "--mutate", folder=estate.folder)
    assert result.exit_code == 1
    where, line, caret, _, changes = result.stdout.splitlines()
    assert re.fullmatch(
        r'.*/rules/alerts\.yaml:\d+:9: no test notices when this condition has no "gas_transporter"'
        r' in its list: recipient\.role in \["electricity_distributor", "gas_transporter"\]',
        where,
    )
    assert line[caret.index("^") :].startswith("recipient.role in [")
    found = re.fullmatch(r"(\d+) of (\d+) changes noticed", changes)
    assert found
    assert int(found[1]) == int(found[2]) - 1
    listed = json.loads(call("test", "--mutate", "-o", "json", folder=estate.folder).stdout)
    told = [row for row in listed if row["kind"] == "change"]
    assert len(told) == int(found[2])
    (left,) = [row for row in told if row["noticed_by"] is None]
    assert (left["rule"], left["what"], left["needless"]) == (
        "alert-network-operators",
        "condition",
        False,
    )


def test_the_changes_of_one_condition_are_told_together(estate: Estate) -> None:
    (estate.folder / "rules" / "more.yaml").write_text(
        """\
rules:
  - name: more
    when:
      - any:
          - hub.model == "A"
          - hub.hardware_version < "2.0"
    suppress: why
"""
    )
    result = call("test", "--mutate", folder=estate.folder)
    assert result.exit_code == 1
    more = estate.folder / "rules" / "more.yaml"
    assert [line for line in result.stdout.splitlines() if line.startswith(str(more))] == [
        f"{more}:2:5: no test notices when this rule is left out: more",
        f'{more}:5:13: no test notices when this condition is left out: hub.model == "A"',
        f"{more}:6:13: no test notices when this condition is left out or has <= in place of <: "
        'hub.hardware_version < "2.0"',
        f"{more}:4:9: no test notices when this any: is an all:",
    ]


def test_a_condition_that_changes_nothing_is_told_as_such(estate: Estate) -> None:
    old = '      - recipient.role == "gas_supplier"\n'
    edit(estate, "alerts.yaml", old, f"{old}      - recipient.role exists\n")
    result = call("test", "--mutate", folder=estate.folder)
    assert result.exit_code == 1
    said = "this condition changes nothing, leave it out: recipient.role exists\n"
    assert result.stdout.count("changes nothing") == 1
    assert said in result.stdout


def test_nothing_is_changed_before_all_tests_pass(estate: Estate) -> None:
    edit(estate, "alerts.yaml", "alert: N64", "alert: N65")
    result = call("test", "--mutate", folder=estate.folder)
    assert result.exit_code == 1
    assert "nothing was changed: for --mutate all tests must pass first" in result.stderr
    assert "noticed" not in result.stdout


def test_junit_has_every_test(estate: Estate) -> None:
    edit(estate, "suppressions.yaml", '== "Pending"', '== "Suspended"')
    file = estate.folder / "results.xml"
    result = call("test", "--junit", file, folder=estate.folder)
    assert result.exit_code == 1
    root = etree.parse(file).getroot()
    failed = re.search(r"(\d+) tests passed, (\d+) failed", result.stdout)
    assert failed
    assert int(root.get("tests", "")) == int(failed[1]) + int(failed[2])
    assert root.get("failures") == failed[2]
    told = rows("test", estate.folder / "rules" / "alerts.test.yaml", folder=estate.folder)
    names = [each.get("name") for each in root.iter("testcase")]
    assert {row["test"] for row in told} < set(names)
    nowhere = estate.folder / "nowhere" / "results.xml"
    result = call("test", "--junit", nowhere, folder=estate.folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {nowhere}: No such file or directory\n"


@pytest.mark.parametrize("file", ["alerts.yaml", "alerts.test.yaml"])
def test_mistakes_in_files_are_told_and_are_errors_of_junit(estate: Estate, file: str) -> None:
    broken = edit(estate, file, "name: ", "nmae: ")
    results = estate.folder / "results.xml"
    result = call("test", "--junit", results, "--mutate", "--coverage", folder=estate.folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{broken}:" in result.stderr
    assert re.search(r"^\d+ problems$", result.stderr, re.MULTILINE)
    errors = list(etree.parse(results).getroot().iter("error"))
    assert errors
    assert all(each.get("type") for each in errors)
    listed = call("test", "-o", "json", folder=estate.folder)
    assert listed.exit_code == 1
    told = json.loads(listed.stdout)
    assert len(told) == len(errors)
    assert {(row["kind"], row["file"]) for row in told} == {("problem", str(broken))}


def test_no_tests_are_a_failure_too(estate: Estate) -> None:
    empty = estate.folder / "empty"
    empty.mkdir()
    for paths in ([empty], [estate.folder / "rules", empty]):
        result = call("test", *paths, folder=estate.folder)
        assert result.exit_code == 1
        assert result.stderr == f"no tests in {empty} (*.test.yaml)\n"


def test_a_file_that_is_named_twice_is_run_once(estate: Estate) -> None:
    rules = estate.folder / "rules"
    once = rows("test", rules, folder=estate.folder)
    again = rows("test", rules, rules / "alerts.test.yaml", folder=estate.folder)
    assert len(again) == len(once)


def test_a_report_goes_by_no_link(estate: Estate) -> None:
    victim, link = estate.folder / "victim", estate.folder / "report.xml"
    victim.write_text("precious")
    link.symlink_to(victim)
    result = call("test", "--junit", link, folder=estate.folder)
    assert result.exit_code == 1
    assert f"{link}: a symbolic link stands in its place" in result.stderr
    assert victim.read_text() == "precious"
