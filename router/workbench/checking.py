"""What `hubherald check` looks at: all files that operators edit, tests of rules among them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from router.config.ledgerurl import ledger_file
from router.config.loading import Config, survey
from router.errors import LedgerError
from router.files.codes import Code
from router.files.problems import Problem, in_order
from router.files.yamlfile import read
from router.lanes.succession import Stranded
from router.language.folder import TESTS, find
from router.workbench.ruletests.file import load as load_tests


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to say."""

    problems: Sequence[Problem]
    warnings: Sequence[Problem]
    config: Config | None
    """What would run; None where a mistake forbids it."""
    tests: int
    """How many tests of rules there are."""


def left_waiting(config: Config) -> Sequence[Stranded]:
    """What waits in the ledger and would go nowhere under these files; nothing without a ledger."""
    own = ledger_file(config.ledger.url)
    try:
        there = own is not None and own.exists()
    except OSError:  # which is a mistake of the configuration, and told as one
        there = False
    if not there:
        return []  # and no database is imported where files are checked before they are deployed
    from router.ledger.backlog import left_behind  # noqa: PLC0415
    from router.ledger.reader import open_reader  # noqa: PLC0415

    opened = open_reader(config.ledger.url)
    if opened is None:
        return []
    with closing(opened), suppress(LedgerError):
        return left_behind(opened, config.users.channels)
    return []


def ledger_trouble(config: Config) -> tuple[list[Problem], list[Problem]]:
    """Why a router would not get a ledger from its server; mistakes, and what to warn of.

    From here it may be out of reach, and not from where the router is going to run.
    """
    if ledger_file(config.ledger.url) is not None:
        return [], []
    from router.ledger.database import server_trouble  # noqa: PLC0415 - see above

    found = server_trouble(config.ledger.url, config.ledger.secret)
    if found is None:
        return [], []
    where = read(config.file).at("ledger", "url")
    problem = [Problem(where, f"url: {found.message}", Code.CONFLICT)]
    return (problem, []) if found.answered else ([], problem)


def check(file: Path, environment: Mapping[str, str] = os.environ) -> Checked:
    """Every problem in hubherald.yaml and in the files that it names; tests are not run."""
    found = survey(file, environment)
    beside = find(found.rules_folder)[0] if found.rules_folder else []
    tests = [file for file in beside if file.name.endswith(TESTS)]
    rule_tests, in_tests = load_tests(tests, found.rules)
    problems = in_order([*found.mistakes, *found.findings, *in_tests])
    return Checked(problems, found.warnings, found.config, len(rule_tests))
