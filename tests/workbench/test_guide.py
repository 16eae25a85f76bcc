"""The operators' guide: its tables are current, and whatever it tells to paste works."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.rulemaking import SHIPPED, said, shipped

from router.files.codes import Code
from router.files.yamlfile import parse
from router.language.conditions import OPERATORS
from router.language.fields import FIELDS
from router.language.folder import load as load_rules
from router.language.rules import Rules
from router.workbench import guide
from router.workbench.ruletests import mutation, what_if
from router.workbench.ruletests.file import load as load_tests
from router.workbench.ruletests.mutants import mutants
from router.workbench.ruletests.runner import run as run_tests

GUIDE = (SHIPPED / "README.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE))


@dataclass(frozen=True)
class Example:
    """A file of rules in the guide, with its tests."""

    name: str
    rules: str
    tests: str


def examples() -> Iterator[Example]:
    for name, text in BLOCKS.items():
        tests = BLOCKS.get(name.replace(".yaml", ".test.yaml"))
        if name.startswith("rules/") and not name.endswith(".test.yaml"):
            assert tests is not None, f"{name} has no tests"
            yield Example(Path(name).stem, text, tests)


def beside_shipped(example: Rules) -> Rules:
    """The rules of an example among those that are shipped, in place of those of their names."""
    own = {rule.name for rule in example.rules}
    others = tuple(rule for rule in shipped().rules if rule.name not in own)
    return Rules(others + example.rules, example.files, example.digest)


def test_its_tables_are_current() -> None:
    assert guide.renewed(GUIDE) == GUIDE, "run `make guide`"
    for name, table in guide.TABLES.items():
        assert f"`make guide`: {name} -->\n{table()}<!-- end -->" in GUIDE


def test_its_tables_can_be_renewed(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(re.sub(r"^\| .*\n", "", GUIDE, flags=re.MULTILINE), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "router.workbench.guide", file], check=True)
    renewed = file.read_text(encoding="utf-8")
    for table in guide.TABLES.values():
        assert table() in renewed


def test_its_tables_have_all_there_is() -> None:
    assert [line.split("`")[1] for line in guide.fields().splitlines()[2:]] == list(FIELDS)
    assert set(re.findall(r"`([^`]+)`", guide.kinds())) == set(OPERATORS)
    assert [line.split("`")[1] for line in guide.codes().splitlines()[2:]] == list(Code)


def test_it_has_ten_examples() -> None:
    headings = re.findall(r"^### (\d+)\. ", GUIDE, re.MULTILINE)
    assert headings == [str(number) for number in range(1, 11)]
    assert len(list(examples())) == 11  # with the one that shows the language
    assert GUIDE.count("```yaml\n") == len(BLOCKS)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_works_beside_the_shipped_rules(tmp_path: Path, example: Example) -> None:
    (tmp_path / f"{example.name}.yaml").write_text(example.rules)
    tests = tmp_path / f"{example.name}.test.yaml"
    tests.write_text(example.tests)
    rules, problems = load_rules(tmp_path)
    assert rules is not None, said(problems)
    every = beside_shipped(rules)
    report = run_tests(every, [tests])
    assert not report.problems, said(list(report.problems))
    assert [result.message for result in report.results if not result.passed] == []
    own = {rule.name for rule in rules.rules}
    assert [
        (each.comparison.text, each.never) for each in report.uncovered if each.rule.name in own
    ] == []
    found, _ = load_tests([tests], every)
    changed = [change for rule in rules.rules for change in mutants(rule)]
    tried = [each for each in mutation.attempt(every, found, changed) if each]
    assert tried
    assert [(each.mutant.text, each.mutant.change) for each in tried if not each.noticed_by] == []


def test_what_it_gives_to_explain_can_be_read() -> None:
    document = parse(BLOCKS["what-if.yaml"].encode(), Path("what-if.yaml"))
    assert what_if.is_what_if(document)
    assert what_if.load(document, shipped()), document.problems
    command = re.search(r"`hubherald explain rules/(\S+) --test '([^']+)'`", GUIDE)
    assert command
    tests = parse(BLOCKS[f"rules/{command[1]}"].encode(), Path(command[1]))
    assert command[2] in what_if.tests(tests)


def test_its_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= anchors
    assert re.findall(r"\]\((?!#)", GUIDE) == []  # `init` copies it to where nothing else is
