"""What came of the tests of rules, in words and in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from router.cli.printing import as_table, line
from router.files.counts import plural
from router.files.problems import Location

if TYPE_CHECKING:
    from router.workbench.ruletests.coverage import Uncovered
    from router.workbench.ruletests.mutation import Tried
    from router.workbench.ruletests.runner import Report

_COLOURS = {"-": "red", "+": "green"}


def tell(report: Report, tried: Sequence[Tried] | None, *, coverage: bool) -> None:
    """Print it: the tests that failed, what they leave open, and what there is in numbers."""
    failed = [result for result in report.results if not result.passed]
    if failed:
        line("- was expected and did not come, + came and was not expected:")
    for result in failed:
        line(f"{result.location}: FAILED: {result.test}")
        for said in result.message.splitlines():
            line(f"    {said}", style=_COLOURS.get(said[:1]))
    if coverage:
        for each in report.uncovered:
            _at(each.comparison.location, _unseen(each))
        _shares(report)
    unnoticed = (each for each in tried or () if each.noticed_by is None)
    for _, same in groupby(unnoticed, key=lambda each: (each.mutant.location, each.needless)):
        found = list(same)
        _at(found[0].mutant.location, _unnoticed(found))
    _numbers(report)
    if tried is not None:
        noticed = sum(each.noticed_by is not None for each in tried)
        line(f"{noticed:,} of {plural(len(tried), 'change')} noticed")


def _at(where: Location, said: str) -> None:
    """A finding, and the line it is about."""
    line(f"{where}: {said}")
    for row in where.excerpt.splitlines():
        line(row)


def _unseen(each: Uncovered) -> str:
    return f"never {each.never} in a test: {each.comparison.text}"


def _unnoticed(tried: Sequence[Tried]) -> str:
    """What is said of the changes of one condition, group or rule."""
    mutant = tried[0].mutant
    if tried[0].needless:
        return f"this condition changes nothing, leave it out: {mutant.text}"
    *some, last = (each.mutant.change for each in tried)
    changes = f"{', '.join(some)} or {last}" if some else last
    if mutant.what == "group":
        return f"no test notices when this {mutant.text} {changes}"
    return f"no test notices when this {mutant.what} {changes}: {mutant.text}"


def _shares(report: Report) -> None:
    rows = [
        {
            "file": str(each.file) if each.file else "all",
            "seen": f"{each.seen:,} of {each.outcomes:,}",
            "percent": f"{each.percent} %",
        }
        for each in report.coverage
    ]
    as_table(rows, ("file", "seen", "percent"), nothing="no conditions")


def _numbers(report: Report) -> None:
    if not report.results:
        return
    passed = sum(result.passed for result in report.results)
    *_, total = report.coverage
    line(
        f"{plural(passed, 'test')} passed, {len(report.results) - passed:,} failed; "
        f"{total.seen:,} of {total.outcomes:,} outcomes of conditions seen"
    )


# --- rows -----------------------------------------------------------------------------------


def rows(
    report: Report, tried: Sequence[Tried] | None, *, coverage: bool
) -> Iterator[dict[str, Any]]:
    """The same as flat rows; `kind` says which."""
    for problem in report.problems:
        said = {"code": str(problem.code), "message": problem.message}
        yield {"kind": "problem", **said, **_place(problem.location)}
    for result in report.results:
        yield {
            "kind": "test",
            "test": result.test,
            "passed": result.passed,
            "message": result.message,
            "seconds": round(result.seconds, 6),
            **_place(result.location),
        }
    if coverage:
        yield from _coverage(report)
    for one in tried or ():
        yield {
            "kind": "change",
            "rule": one.mutant.rule.name,
            "what": one.mutant.what,
            "change": one.mutant.change,
            "text": one.mutant.text,
            "noticed_by": one.noticed_by,
            "needless": one.needless,
            **_place(one.mutant.location),
        }


def _coverage(report: Report) -> Iterator[dict[str, Any]]:
    for each in report.uncovered:
        yield {
            "kind": "uncovered",
            "rule": each.rule.name,
            "condition": each.comparison.text,
            "never": each.never,
            **_place(each.comparison.location),
        }
    for share in report.coverage:
        yield {
            "kind": "coverage",
            "file": str(share.file) if share.file else None,
            "seen": share.seen,
            "outcomes": share.outcomes,
            "percent": share.percent,
        }


def _place(where: Location) -> dict[str, Any]:
    return {"file": str(where.file), "line": where.line, "column": where.column}
