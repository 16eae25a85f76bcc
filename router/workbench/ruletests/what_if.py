"""A file that holds all that one decision needs, so that no ledger is asked.

It is a test of rules, whatever it expects, or a file with nothing but `given:` and `at:`: what an
operator writes down to ask "what if".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from router.domain.identifiers import Moment, ShortText
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.values import read_model
from router.language.rules import Rules
from router.ports import Options
from router.workbench.ruletests import given
from router.workbench.ruletests.given import Given


class WhatIfEntry(Options):
    """One test, or a file that is no file of tests."""

    name: ShortText | None = None
    given: Given
    at: Moment | None = None
    without: tuple[str, ...] = ()
    expect: Any = None
    """What a test expects is for `hubherald test`."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is given, and when it is decided."""

    given: Given
    at: datetime
    """The moment of the decision: that of the activation where the file does not say."""
    without: tuple[str, ...] = ()
    """Rules that are taken away."""


def is_what_if(document: Document) -> bool:
    """Whether a file is one of these, and not a fact."""
    value = document.value
    keys = value.keys() if isinstance(value, dict) else set()
    return bool({"given", "tests"} & keys) and "specversion" not in keys


def tests(document: Document) -> list[str]:
    """The names of the tests in a file; none where it is no file of tests."""
    listed = document.value.get("tests") if isinstance(document.value, dict) else None
    if not isinstance(listed, list):
        return []
    return [str(each.get("name")) if isinstance(each, dict) else "" for each in listed]


def load(document: Document, rules: Rules, number: int | None = None) -> WhatIf | None:
    """The what-if of a file, or of one of its tests; None when problems were added.

    `rules` are those that it is for: it may name some that are taken away.
    """
    value, shared = document.value, None
    place: Place = ()
    if document.problems:
        return None
    if number is None and not (isinstance(value, dict) and "given" in value):
        document.add(document.at(), "must have `given:`, or be a file of tests", Code.MISSING_KEY)
        return None
    if number is not None:
        shared, place = value.get("given"), ("tests", number)
        if shared and read_model(document, Given, given.filled(shared), "given") is None:
            return None  # the test would repeat what is wrong with it
        value = value["tests"][number]
    if isinstance(value, dict):
        value = {**value, "given": given.filled(value.get("given"), shared)}
    entry = read_model(document, WhatIfEntry, value, *place)
    if entry is None:
        return None
    given.check(document, entry.given, *place, "given")
    for index, name in enumerate(entry.without):
        given.check_rule(document, name, rules, *place, "without", index)
    if document.problems:
        return None
    at = entry.at or entry.given.activation.activated_at
    return WhatIf(entry.given, at, entry.without)
