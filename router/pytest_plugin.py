"""What pytest loads wherever Hubherald is installed: next to nothing, and nothing of the router.

The end of a run says what the harnesses of conformance suites declared that there is not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

DECLARED = "declared by "
"""How the reason of a test begins that a harness can't: see router.conformance.declared."""
_BEGINS = f"Skipped: {DECLARED}"


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """What a harness declares is no test that somebody skips: it has a name of its own."""
    said = report.longrepr if report.outcome == "skipped" else None
    if isinstance(said, tuple | list) and str(said[-1]).startswith(_BEGINS):
        return "declared", "d", "DECLARED"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each reason; nothing at all where no suite ran."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("declared", ()):
        harness, need, reason = report.longrepr[-1].removeprefix(_BEGINS).split(": ", 2)
        found[harness, reason].append(need)
    if found:
        terminalreporter.section("conformance: what harnesses declare not to be there")
    for (harness, reason), needs in sorted(found.items()):
        missing = ", ".join(sorted({*needs}))
        tests = "1 test" if len(needs) == 1 else f"{len(needs)} tests"
        terminalreporter.write_line(f"{harness}: no {missing} ({tests}): {reason}")
