"""One rule, and how it stands in a document; the place of every mistake is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.conditions import AllOf, AnyOf, Condition, Not
from router.document import Document, Location, Place
from router.paths import TooLarge, paths
from router.whenline import Mistake, parse_line
from router.wording import did_you_mean

KEYS = ("name", "description", "when", "alert", "suppress")
GROUPS = ("all", "any", "not")
DEEPEST = 10
"""How deep groups may stand in groups."""
LONGEST_TEXT = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_CODE = re.compile(r"[A-Z0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; exactly one of `alert` and `suppress` is there."""

    name: str
    description: str
    when: AllOf
    alert: str | None
    """The DCC Alert code to send."""
    suppress: str | None
    """The reason why the candidate must not be told."""
    location: Location


class RuleReader:
    """Reads rules out of documents, one after the other; problems go to their document."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.names: dict[str, Location] = {}
        self.document = Document(Path())

    def add(self, place: Place, message: str) -> None:
        self.document.add(self.document.at(*place), message)

    def read(self, document: Document) -> None:
        self.document = document
        value = document.value
        if value is None:
            if not document.problems:
                self.add((), "holds no rules; a file of rules begins with `rules:`")
            return
        if not isinstance(value, dict):
            self.add((), "must begin with `rules:` and a list of rules below it")
            return
        self.unknown_keys((), value, ("rules",))
        listed = value.get("rules")
        if not isinstance(listed, list) or not listed:
            self.add(("rules",), "`rules:` must be a list with at least one rule")
            return
        for number, item in enumerate(listed):
            self.rule(("rules", number), item)

    def unknown_keys(self, place: Place, value: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in value:
            if key not in known:
                where = self.document.key(*place, key)
                self.document.add(where, f"unknown key {key!r}{did_you_mean(key, known)}")

    def rule(self, place: Place, item: Any) -> None:
        if not isinstance(item, dict):
            self.add(place, "a rule has `name:`, `when:` and either `alert:` or `suppress:`")
            return
        before = len(self.document.problems)
        self.unknown_keys(place, item, KEYS)
        name = self.name(place, item)
        description = self.text(place, item, "description") if "description" in item else ""
        alert, suppress = self.consequence(place, item)
        when = self.when(place, item)
        if len(self.document.problems) == before and when is not None:
            where = self.document.at(*place)
            self.rules.append(Rule(name, description, when, alert, suppress, where))

    def name(self, place: Place, item: dict[str, Any]) -> str:
        if "name" not in item:
            self.add(place, "missing key 'name'")
            return ""
        name, where = item["name"], self.document.at(*place, "name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            shape = "at most 80 lower case letters, digits and hyphens, no hyphen first"
            self.add((*place, "name"), f"name: must be {shape}")
        elif name in self.names:
            first = self.names[name]
            line = "line" if first.file == where.file else f"{first.file}, line"
            message = f"duplicate rule name {name!r}; first used in {line} {first.line}"
            self.add((*place, "name"), message)
        else:
            self.names[name] = where
            return name
        return ""

    def text(self, place: Place, item: dict[str, Any], key: str) -> str:
        value = item[key]
        if not isinstance(value, str):
            self.add((*place, key), f"{key}: must be text (in quotes if in doubt)")
        elif not value.strip():
            self.add((*place, key), f"{key}: must not be empty")
        elif len(value) > LONGEST_TEXT:
            self.add((*place, key), f"{key}: must have at most {LONGEST_TEXT:,} characters")
        else:
            return value
        return ""

    def consequence(self, place: Place, item: dict[str, Any]) -> tuple[str | None, str | None]:
        given = [key for key in item if key in {"alert", "suppress"}]
        if len(given) != 1:
            said = "both are there" if given else "neither is there"
            where = self.document.key(*place, given[-1]) if given else self.document.at(*place)
            self.document.add(where, f"a rule has either `alert:` or `suppress:`; {said}")
            return None, None
        text = self.text(place, item, given[0])
        if given == ["suppress"]:
            return None, text
        if text and not _CODE.fullmatch(text):
            shape = "a code of at most 10 capital letters and digits, such as N64"
            self.add((*place, "alert"), f"alert: must be {shape}")
        return text, None

    # --- conditions

    def when(self, place: Place, item: dict[str, Any]) -> AllOf | None:
        if "when" not in item:
            self.add(place, "missing key 'when'")
            return None
        parts = self.lines((*place, "when"), item["when"])
        if parts is None:
            return None
        try:
            paths(AllOf(parts))
        except TooLarge as error:
            self.document.add(self.document.key(*place, "when"), f"when: {error}")
            return None
        return AllOf(parts)

    def lines(self, place: Place, value: Any, depth: int = 0) -> tuple[Condition, ...] | None:
        if not isinstance(value, list) or not value:
            message = f"{place[-1]}: must be a list of conditions, each with a dash"
            self.add(place, message)
            return None
        if depth > DEEPEST:
            self.add(place, "nested too deeply; split it into several rules")
            return None
        found = [self.line((*place, number), item, depth) for number, item in enumerate(value)]
        parts = tuple(part for part in found if part is not None)
        return parts if len(parts) == len(found) else None

    def line(self, place: Place, item: Any, depth: int) -> Condition | None:
        if isinstance(item, str):
            return self.comparison(place, item)
        if not isinstance(item, dict):
            self.add(place, "a condition is one line of text, or `any:`, `all:` or `not:`")
            return None
        if len(item) != 1 or next(iter(item)) not in GROUPS:
            self.wrong_group(place, item)
            return None
        group, lines = next(iter(item.items()))
        parts = self.lines((*place, group), lines, depth + 1)
        if parts is None:
            return None
        where = self.document.key(*place, group)
        if group == "any":
            return AnyOf(parts, where)
        return AllOf(parts, where) if group == "all" else Not(AllOf(parts, where))

    def wrong_group(self, place: Place, item: dict[str, Any]) -> None:
        wrong = next((key for key in item if key not in GROUPS), None)
        if wrong is None:
            self.add(place, "one of `any:`, `all:` and `not:` each; begin the next with a dash")
        elif re.search(r"\s", wrong):
            hint = "put the whole line in quotes of the other kind"
            self.add(place, f"YAML takes ': ' within a condition for a key; {hint}")
        else:
            where = self.document.key(*place, wrong)
            self.document.add(where, f"unknown key {wrong!r}{did_you_mean(wrong, GROUPS)}")

    def comparison(self, place: Place, text: str) -> Condition | None:
        try:
            return parse_line(text, self.document.at(*place))
        except Mistake as mistake:
            where = _within(self.document, place, text, mistake.at)
            self.document.add(where, mistake.message)
            return None


def _within(document: Document, place: Place, text: str, offset: int) -> Location:
    """The column inside a line of `when`, where its source is the text itself or in quotes."""
    where = document.at(*place)
    written = document.written.get(place, "")
    if written == text:
        shift = offset
    elif written[1:-1] == text:
        shift = offset + 1
    else:
        return where
    return document.location(where.line - 1, where.column - 1 + shift)
