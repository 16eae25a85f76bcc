"""`hubherald test`: the unit tests of rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
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
    from router.workbench.ruletests.coverage import Share
    from router.workbench.ruletests.mutation import Tried


@click.command("test")
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "--run",
    "wanted",
    metavar="PATTERN",
    help="Only tests with this in their name; * and ? stand for any characters.",
)
@click.option("--coverage", is_flag=True, help="List the conditions never seen to hold or to fail.")
@click.option("--mutate", is_flag=True, help="Change each condition; list what no test notices.")
@click.option(
    "--threshold",
    metavar="PERCENT",
    type=click.IntRange(0, 100),
    help="With --coverage or --mutate: fail below so much, in place of 100.",
)
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
    wanted: str | None,
    coverage: bool,
    mutate: bool,
    threshold: int | None,
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
      hubherald test --run "*subscribed*"
      hubherald test --coverage --mutate --threshold 90
      hubherald test --junit results.xml
    """
    from router.language.folder import load as load_rules
    from router.workbench.ruletests.junit import junit
    from router.workbench.ruletests.runner import Report, find_tests
    from router.workbench.ruletests.runner import run as run_tests

    if threshold is not None and not (coverage or mutate):
        raise click.UsageError("--threshold goes with --coverage or --mutate")
    folder, name = rules_folder(ctx.obj), _like(wanted)
    files = {path: find_tests(path) for path in paths or (folder,)}
    chosen = list(dict.fromkeys(file for found in files.values() for file in found))
    rules, problems = load_rules(folder)
    report = run_tests(rules, chosen, name) if rules else Report(problems=tuple(problems))
    if junit_file is not None:
        _write(junit_file, junit(report, Path.cwd()))
    if report.problems and output != "json":
        raise FilesError(report.problems)
    ready = rules is not None and report.results and report.passed
    tried = _mutate(rules, chosen, name) if mutate and rules and ready else None
    if output == "json":
        as_json(list(test_report.rows(report, tried, coverage=coverage)))
    else:
        test_report.tell(report, tried, coverage=coverage)
    empty = [path for path, found in files.items() if not found]
    for path in empty:
        line(f"no tests in {path} (*.test.yaml)", err=True)
    if mutate and not report.passed:
        line("nothing was changed: for --mutate all tests must pass first", err=True)
    none = wanted is not None and not (report.results or report.problems or empty)
    if none:
        line(f"no test has {wanted!r} in its name", err=True)
    least = 100 if threshold is None else threshold
    unseen = coverage and _short(len(report.uncovered), report.coverage[-1:], least)
    if empty or none or not report.passed or unseen or _unnoticed(tried or (), least):
        ctx.exit(1)


def _like(pattern: str | None) -> Callable[[str], bool]:
    """Whether a name has this in it, in whatever case."""
    asked = f"*{pattern or ''}*".lower()
    return lambda name: fnmatchcase(name.lower(), asked)


def _short(uncovered: int, of_all: Sequence[Share], least: int) -> bool:
    return uncovered > 0 and any(each.percent < least for each in of_all)


def _unnoticed(tried: Sequence[Tried], least: int) -> bool:
    noticed = sum(each.noticed_by is not None for each in tried)
    return 100 * noticed < least * len(tried)


def _mutate(rules: Rules, files: Sequence[Path], wanted: Callable[[str], bool]) -> list[Tried]:
    from router.workbench.ruletests import mutation
    from router.workbench.ruletests.file import load as load_tests

    tests = [test for test in load_tests(files, rules)[0] if wanted(test.entry.name)]
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
