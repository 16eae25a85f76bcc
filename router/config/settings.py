"""hubherald.yaml by itself: enough for commands that look into the ledger.

What a source takes, its adapter alone knows: it is not asked here, so that a mistake in it keeps
nobody from asking why something happened, and nobody waits for a client library to be imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.config.configfile import ConfigFile, DccOptions, LedgerOptions, OperationsOptions
from router.domain.acceptance import Acceptance
from router.errors import ConfigUnreadError, FilesError
from router.files.codes import Code
from router.files.document import Document
from router.files.problems import Location, Problem, in_order
from router.files.values import expand, read_model
from router.files.yamlfile import read
from router.ports.inquiry import Inquiry


@dataclass(frozen=True, slots=True)
class Settings:
    """The keys of hubherald.yaml that are the router's own."""

    file: Path
    rules_folder: Path
    users_file: Path
    ledger: LedgerOptions
    dcc: DccOptions
    operations: OperationsOptions
    facts: Acceptance
    watch: bool


def own_settings(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read hubherald.yaml, but for the options of its sources. FilesError has all its problems."""
    document = open_config(file, environment)
    found = read_own(document, Inquiry())
    if found is None:
        raise refused(file, document.problems)
    return found


def refused(file: Path, problems: Sequence[Problem]) -> FilesError:
    """What to raise for these problems of a configuration and of what it names."""
    unread = any(each.code is Code.FILE and each.location == Location(file) for each in problems)
    return (ConfigUnreadError if unread else FilesError)(in_order(problems))


def open_config(file: Path, environment: Mapping[str, str]) -> Document:
    """The file with its variables filled in; without a value where there is nothing to read."""
    document = read(file, guarded=True)
    if document.value is not None:
        expand(document, environment)
    elif not file.exists():
        document.problems[:] = []
        hint = "`hubherald init DIR` writes one, --config FILE names another"
        document.add(document.location(0, 0), f"there is no such file; {hint}", Code.FILE)
    elif not document.problems:
        message = "nothing stands in this file; `hubherald schema config` has its keys"
        document.add(document.location(0, 0), message, Code.EMPTY)
    return document


def read_own(document: Document, inquiry: Inquiry) -> Settings | None:
    """The router's own keys; None where the document has problems."""
    if document.value is None:
        return None
    found = read_model(document, ConfigFile, document.value, ask=inquiry.ask)
    if found is None or document.problems:
        return None
    return Settings(
        file=document.file,
        rules_folder=found.rules,
        users_file=found.service_users,
        ledger=found.ledger,
        dcc=found.dcc,
        operations=found.operations,
        facts=found.facts.acceptance,
        watch=found.watch,
    )
