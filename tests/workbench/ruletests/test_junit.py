"""Results as JUnit XML: what CI systems take, whatever tests are called."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from support.rulemaking import read, rule
from support.ruletesting import outcome, rule_test

from router.files.codes import Code
from router.files.problems import Location, Problem
from router.workbench.ruletests.junit import junit
from router.workbench.ruletests.runner import Report, Result

# The part that we use of what the XSD of Jenkins' xUnit plugin takes, and `file` and `line` of a
# test, which it does not know, and others look for.
TAKEN = etree.DTD(
    io.StringIO("""
<!ENTITY % counts "tests CDATA #REQUIRED failures CDATA #REQUIRED errors CDATA #REQUIRED
                   time CDATA #REQUIRED">
<!ELEMENT testsuites (testsuite*)>
<!ATTLIST testsuites name CDATA #REQUIRED %counts;>
<!ELEMENT testsuite (testcase+)>
<!ATTLIST testsuite name CDATA #REQUIRED file CDATA #REQUIRED %counts;>
<!ELEMENT testcase (failure | error)?>
<!ATTLIST testcase name CDATA #REQUIRED classname CDATA #REQUIRED time CDATA #REQUIRED
                   file CDATA #REQUIRED line CDATA #REQUIRED>
<!ELEMENT failure (#PCDATA)>
<!ATTLIST failure type CDATA #REQUIRED message CDATA #REQUIRED>
<!ELEMENT error (#PCDATA)>
<!ATTLIST error type CDATA #REQUIRED message CDATA #REQUIRED>
""")
)
TIME = re.compile(r"[0-9]{1,3}\.[0-9]+")


def parsed(report: Report, base: Path = Path("/rules")) -> etree._Element:
    """The document, which must have the shape that is taken, and sums that are right."""
    root = etree.fromstring(junit(report, base))
    assert TAKEN.validate(root), TAKEN.error_log
    for element in root.iter("testsuites", "testsuite"):
        assert int(element.get("tests", "")) == len(element.findall(".//testcase"))
        assert int(element.get("failures", "")) == len(element.findall(".//failure"))
        assert int(element.get("errors", "")) == len(element.findall(".//error"))
    assert all(TIME.fullmatch(element.get("time", "-")) for element in root.iter("test*"))
    return root


def result(name: str, file: str = "/rules/a.test.yaml", message: str = "") -> Result:
    return Result(name, not message, message, Location(Path(file), 7, 5), 0.25)


def test_each_file_is_a_suite_and_each_test_a_case() -> None:
    two, other = result("two", message="- N64\n+ N65"), result("one", "/rules/deep/b.test.yaml")
    root = parsed(Report((result("one"), other, two)))
    assert [dict(each.attrib) for each in root] == [
        {
            "name": "a.test.yaml",
            "file": "a.test.yaml",
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "time": "0.500000",
        },
        {
            "name": "deep/b.test.yaml",
            "file": "deep/b.test.yaml",
            "tests": "1",
            "failures": "0",
            "errors": "0",
            "time": "0.250000",
        },
    ]
    assert root.get("time") == "0.750000"
    cases = root.findall(".//testcase")
    assert [(e.get("classname"), e.get("name"), e.get("line")) for e in cases] == [
        ("a", "one", "7"),
        ("a", "two", "7"),
        ("deep.b", "one", "7"),
    ]
    (failure,) = root.iter("failure")
    assert (failure.get("message"), failure.text) == (
        "- N64",
        "/rules/a.test.yaml:7:5: two\n- N64\n+ N65",
    )


def test_a_file_from_elsewhere_keeps_its_path() -> None:
    (suite,) = parsed(Report((result("one"),)), Path("/home"))
    assert suite.get("file") == "/rules/a.test.yaml"
    assert suite[0].get("classname") == "rules.a"


def test_problems_of_files_are_errors() -> None:
    where = Location(Path("/rules/a.yaml"), 3, 5, "    alert: n64")
    problem = Problem(where, "alert: must be a code", Code.VALUE)
    (suite,) = parsed(Report(problems=(problem, problem)))
    assert (suite.get("name"), suite.get("errors")) == ("a.yaml", "2")
    error = suite[0][0]
    assert (error.get("type"), error.get("message")) == ("value", "alert: must be a code")
    assert error.text == problem.render()


def test_without_tests_there_is_still_a_document() -> None:
    assert len(parsed(Report())) == 0


@given(st.text(), st.text(st.characters(exclude_categories=())), st.booleans())
def test_no_name_breaks_it(name: str, more: str, failed: bool) -> None:
    message = f"- {more}" if failed else ""
    root = parsed(Report((result(name, message=message), result(more))))
    assert len(root.findall(".//testcase")) == 2


@pytest.mark.parametrize("name", ["a\x00b", "a\x1b[2Jb", "a\ud800b", "a\ufffeb"])
def test_what_xml_cannot_hold_is_replaced(name: str) -> None:
    (case,) = parsed(Report((result(name),))).iter("testcase")
    assert re.fullmatch("a\N{REPLACEMENT CHARACTER}.*b", case.get("name", ""))


def test_what_was_run_is_in_it(tmp_path: Path) -> None:
    rules = read(tmp_path, rule(["recipient.role exists"]))
    report = outcome(
        rules, tmp_path, rule_test("<right> & 'quoted'"), rule_test("wrong", alerts=[])
    )
    root = parsed(report, tmp_path)
    assert [each.get("name") for each in root.iter("testcase")] == ["<right> & 'quoted'", "wrong"]
    (failure,) = root.iter("failure")
    assert str(failure.text).endswith(report.results[1].message)
