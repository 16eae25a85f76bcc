"""`hubherald test`: the unit tests of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from router import rules as rulesfolder
from router import ruletest
from router.cli.printing import as_json, line, output, plural
from router.conditions import comparisons
from router.config import settings
from router.errors import FilesError
from router.rules import Rules
from router.ruletest import Report, find_tests


@click.command("test")
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@output
@click.pass_context
def command(ctx: click.Context, paths: Sequence[Path], output: str) -> None:
    """Run the unit tests of rules: every *.test.yaml in PATH, or in the folder of rules.

    The rules are those of the configuration, decided by the real engine. Also tells which
    conditions no test saw hold, or fail: nobody would notice if they were wrong. Exit 1 when a
    test fails, or when there is none.

    \b
    Example:
      hubherald test
      hubherald test rules/alerts.test.yaml
    """
    folder = settings(ctx.obj).rules_folder
    rules, problems = rulesfolder.load(folder)
    if rules is None:
        raise FilesError(problems)
    report = ruletest.run(rules, [file for path in paths or (folder,) for file in find_tests(path)])
    if report.problems:
        raise FilesError(report.problems)
    if output == "json":
        as_json(list(_rows(report)))
    else:
        _tell(report, rules)
    if not report.results:
        click.echo(f"no tests in {', '.join(map(str, paths or (folder,)))} (*.test.yaml)", err=True)
    if not report.results or not report.passed:
        ctx.exit(1)


def _tell(report: Report, rules: Rules) -> None:
    for result in report.results:
        if not result.passed:
            line(f"{result.location}: FAILED: {result.test}")
            for message in result.message.splitlines():
                line(f"    {message}")
    for each in report.uncovered:
        comparison = each.comparison
        line(f"{comparison.location}: never {each.never} in a test: {comparison.text}")
    passed = sum(result.passed for result in report.results)
    failed = len(report.results) - passed
    # each condition of each rule can be seen to hold, and to fail
    conditions = 2 * sum(len(list(comparisons(rule.when))) for rule in rules.rules)
    seen = conditions - len(report.uncovered)
    line(
        f"{plural(passed, 'test')} passed, {failed} failed; "
        f"{seen} of {conditions} outcomes of conditions seen"
    )


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    for result in report.results:
        yield {
            "kind": "test",
            "test": result.test,
            "passed": result.passed,
            "message": result.message,
            "file": str(result.location.file),
            "line": result.location.line,
        }
    for each in report.uncovered:
        yield {
            "kind": "uncovered",
            "rule": each.rule.name,
            "condition": each.comparison.text,
            "never": each.never,
            "file": str(each.comparison.location.file),
            "line": each.comparison.location.line,
        }
