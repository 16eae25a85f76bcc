"""What came of tests, as the JUnit XML that CI systems read.

It follows the XSD of Jenkins' xUnit plugin (junit-10), with one addition that GitLab, CircleCI
and others look for: the file and line of each test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from lxml import etree

from router.files.problems import Problem
from router.workbench.ruletests.runner import Report, Result

_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML can't hold."""


def junit(report: Report, base: Path) -> bytes:
    """The document: a suite for each file, with its tests and the problems in it.

    Files below `base` are named from there, as CI systems know them.
    """
    root = etree.Element("testsuites", name="hubherald test")
    listed: list[Result | Problem] = [*report.problems, *report.results]
    for file, members in groupby(sorted(listed, key=_place), key=lambda each: each.location.file):
        name = _fit(str(file.relative_to(base) if file.is_relative_to(base) else file))
        root.append(_suite(name, list(members)))
    _count(root, listed)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _place(each: Result | Problem) -> tuple[str, int, int]:
    where = each.location
    return str(where.file), where.line, where.column


def _suite(file: str, members: Sequence[Result | Problem]) -> etree._Element:
    suite = etree.Element("testsuite", name=file, file=file)
    _count(suite, members)
    for each in members:
        suite.append(_mistake(each, file) if isinstance(each, Problem) else _test(each, file))
    return suite


def _count(element: etree._Element, members: Sequence[Result | Problem]) -> None:
    results = [each for each in members if isinstance(each, Result)]
    element.set("tests", str(len(members)))
    element.set("failures", str(sum(not each.passed for each in results)))
    element.set("errors", str(len(members) - len(results)))
    element.set("time", _seconds(sum(each.seconds for each in results)))


def _test(result: Result, file: str) -> etree._Element:
    testcase = _testcase(result.test, file, result.location.line, result.seconds)
    if not result.passed:
        first = result.message.partition("\n")[0]
        failure = etree.SubElement(testcase, "failure", type="failure", message=_fit(first))
        failure.text = _fit(f"{result.location}: {result.test}\n{result.message}")
    return testcase


def _mistake(problem: Problem, file: str) -> etree._Element:
    line = problem.location.line
    testcase = _testcase(f"line {line}: {problem.code}", file, line)
    said = _fit(problem.message)
    error = etree.SubElement(testcase, "error", type=str(problem.code), message=said)
    error.text = _fit(problem.render())
    return testcase


def _testcase(name: str, file: str, line: int, seconds: float = 0.0) -> etree._Element:
    testcase = etree.Element("testcase", name=_fit(name), classname=_class(file), file=file)
    testcase.set("line", str(line))
    testcase.set("time", _seconds(seconds))
    return testcase


def _class(file: str) -> str:
    """Dots between the folders: what stands before the last of them counts as a package."""
    return file.removesuffix(".yaml").removesuffix(".test").strip("/").replace("/", ".")


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
