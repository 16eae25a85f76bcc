"""`hubherald test`: the unit tests of rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli import test_report
from router.cli.bar import Bar
from router.cli.context import rules_folder
from router.cli.printing import as_json, line, output
from router.errors import FilesError, UsageError
from router.files.newfiles import write_over

if TYPE_CHECKING:
    from router.language.rules import Rules
    from router.workbench.ruletests.mutation import Tried


@click.command("test")
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@click.option("--coverage", is_flag=True, help="List the conditions never seen to hold or to fail.")
@click.option("--mutate", is_flag=True, help="Change each condition; list what no test notices.")
@click.option(
    "--junit",
    "junit_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results as JUnit XML, for CI systems.",
)
@output
@click.pass_context
def command(
    ctx: click.Context,
    paths: Sequence[Path],
    *,
    coverage: bool,
    mutate: bool,
    junit_file: Path | None,
    output: str,
) -> None:
    """Run the unit tests of rules: every *.test.yaml in PATH, or in the folder of rules.

    The rules are those of the configuration, decided by the real engine. Of a test that fails,
    lines with - were expected and did not come, lines with + came and were not expected; below
    them stands why. Exit 1 when a test fails, or when there is none.

    --coverage and --mutate find what the tests leave open, and exit 1 when there is any.
    --mutate leaves out each condition and each rule in turn, turns conditions round, takes
    members off lists, makes < to <= and any: to all:, and tells which of these changes no test
    would notice.

    \b
    Example:
      hubherald test
      hubherald test rules/alerts.test.yaml
      hubherald test --coverage --mutate
      hubherald test --junit results.xml
    """
    from router.language.folder import load as load_rules
    from router.workbench.ruletests.junit import junit
    from router.workbench.ruletests.runner import Report, find_tests
    from router.workbench.ruletests.runner import run as run_tests

    folder = rules_folder(ctx.obj)
    files = {path: find_tests(path) for path in paths or (folder,)}
    chosen = list(dict.fromkeys(file for found in files.values() for file in found))
    rules, problems = load_rules(folder)
    report = run_tests(rules, chosen) if rules else Report(problems=tuple(problems))
    if junit_file is not None:
        _write(junit_file, junit(report, Path.cwd()))
    if report.problems and output != "json":
        raise FilesError(report.problems)
    ready = rules is not None and report.results and report.passed
    tried = _mutate(rules, chosen) if mutate and rules and ready else None
    if output == "json":
        as_json(list(test_report.rows(report, tried, coverage=coverage)))
    else:
        test_report.tell(report, tried, coverage=coverage)
    empty = [path for path, found in files.items() if not found]
    for path in empty:
        line(f"no tests in {path} (*.test.yaml)", err=True)
    if mutate and not report.passed:
        line("nothing was changed: for --mutate all tests must pass first", err=True)
    unseen = coverage and report.uncovered
    if empty or not report.passed or unseen or any(not each.noticed_by for each in tried or ()):
        ctx.exit(1)


def _mutate(rules: Rules, files: Sequence[Path]) -> list[Tried]:
    from router.workbench.ruletests import mutation
    from router.workbench.ruletests.file import load as load_tests

    tests, _ = load_tests(files, rules)
    changed = mutation.changes(rules)
    tried: list[Tried] = []
    with Bar("changing rules", len(changed)) as bar:
        for each in mutation.attempt(rules, tests, changed):
            bar.advance(1)
            tried += [each] if each else []
    return tried


def _write(file: Path, content: bytes) -> None:
    try:
        write_over(file, content)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
