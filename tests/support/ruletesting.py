"""Tests of rules for tests: written to a file and run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.language.rules import Rules
from router.workbench.ruletests.file import RuleTest
from router.workbench.ruletests.file import load as load_tests
from router.workbench.ruletests.runner import Report, run
from support.rulemaking import said
from support.samples import user

GAS = {"point": "mprn", "supplier_id": user(1)}
SUPPLIER = {"id": user(1), "roles": ["gas_supplier"]}
HEARD = {"user": user(1), "roles": ["gas_supplier"], "code": "N64"}


def rule_test(name: str = "a test", *, alerts: Any = (HEARD,), **more: Any) -> dict[str, Any]:
    """A gas supplier who hears of it, unless said otherwise."""
    given = {"registrations": [GAS], "users": [SUPPLIER], **more.pop("given", {})}
    expect = {"alerts": list(alerts), **more.pop("expect", {})}
    return {"name": name, "given": given, "expect": expect, **more}


def write_tests(folder: Path, *tests: Any, **shared: Any) -> Path:
    """A file of these tests."""
    file = folder / "some.test.yaml"
    file.write_text(json.dumps({"tests": tests, **shared}))
    return file


def outcome(rules: Rules, folder: Path, *tests: Any, **shared: Any) -> Report:
    """What comes of these tests."""
    return run(rules, [write_tests(folder, *tests, **shared)])


def failure(report: Report) -> str:
    """What is said of the only test, which must fail."""
    assert report.problems == ()
    (result,) = report.results
    assert not result.passed
    assert not report.passed
    return result.message


def loaded(rules: Rules, folder: Path, *tests: Any) -> Sequence[RuleTest]:
    """These tests, which must be right and pass."""
    assert outcome(rules, folder, *tests).passed
    found, problems = load_tests([folder / "some.test.yaml"], rules)
    assert not problems, said(problems)
    return found
