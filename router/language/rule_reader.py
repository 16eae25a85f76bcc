"""One rule, and how it stands in a document; the place of every mistake is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.files.codes import Code, not_text_code
from router.files.document import Document, Place
from router.files.messages import not_text
from router.files.problems import Location
from router.language.alternatives import TooLarge, alternatives_of
from router.language.condition_line import Mistake, parse_line
from router.language.conditions import AllOf, AnyOf, Condition, Not
from router.language.rules import Rule

KEYS = ("name", "description", "when", "alert", "suppress")
CONSEQUENCES = {"alert", "suppress"}
GROUPS = ("all", "any", "not")
DEEPEST = 10
"""How deep groups may stand in groups."""
LONGEST_TEXT = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_CODE = re.compile(r"[A-Z0-9]{1,10}")


class RuleReader:
    """Reads rules out of documents, one after the other; problems go to their document."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.names: dict[str, Location] = {}
        self.document = Document(Path())

    def add(self, place: Place, message: str, code: Code) -> None:
        self.document.add(self.document.at(*place), message, code)

    def read(self, document: Document) -> None:
        self.document = document
        value = document.value
        if value is None:
            if not document.problems:
                message = "no rules in this file; it begins with `rules:`"
                self.add((), message, Code.EMPTY)
            return
        if not isinstance(value, dict):
            message = "must begin with `rules:` and a list of rules below it"
            self.add((), message, Code.WRONG_TYPE)
            return
        if "rules" not in value and {"tests", "given"} & value.keys():
            message = "these are tests of rules; the name of their file must end in .test.yaml"
            self.add((), message, Code.FILE)
            return
        self.keys((), value, ("rules",), needed=("rules",))
        listed = value.get("rules")
        if "rules" in value and (not isinstance(listed, list) or not listed):
            code = Code.WRONG_TYPE if listed else Code.EMPTY
            self.add(("rules",), "`rules:` must be a list with at least one rule", code)
        if not isinstance(listed, list):
            return
        for number, item in enumerate(listed):
            if document.is_full:
                return
            self.rule(("rules", number), item)

    def keys(
        self, place: Place, value: dict[str, Any], known: Sequence[str], needed: Sequence[str]
    ) -> set[str]:
        """Find keys that mean nothing, and which are not there; gives those that are misspelt."""
        wrong = [key for key in value if key not in known]
        meant = {self.document.add_unknown_key((*place, key), known) for key in wrong}
        for key in needed:
            if key not in value and key not in meant:
                self.add(place, f"{key!r} is needed here", Code.MISSING_KEY)
        return meant

    def rule(self, place: Place, item: Any) -> None:
        if not isinstance(item, dict):
            message = "a rule has `name:`, `when:` and either `alert:` or `suppress:`"
            self.add(place, message, Code.EMPTY if item is None else Code.WRONG_TYPE)
            return
        before = len(self.document.problems)
        meant = self.keys(place, item, KEYS, needed=("name", "when"))
        name = self.name(place, item)
        description = self.text(place, item, "description")
        alert, suppress = self.consequence(place, item, meant)
        when = self.when(place, item)
        if len(self.document.problems) == before and when is not None:
            where = self.document.at(*place)
            self.rules.append(Rule(name, description, when, alert, suppress, where))

    def name(self, place: Place, item: dict[str, Any]) -> str:
        name, where = self.text(place, item, "name"), self.document.at(*place, "name")
        if not name:
            return ""
        if not _NAME.fullmatch(name):
            shape = "at most 80 lower case letters, digits and hyphens, no hyphen first"
            self.add((*place, "name"), f"name: must be {shape}", Code.VALUE)
        elif name in self.names:
            first = self.names[name]
            line = "line" if first.file == where.file else f"{first.file}, line"
            message = f"a rule named {name!r} stands already in {line} {first.line}"
            self.add((*place, "name"), message, Code.DUPLICATE_NAME)
        else:
            self.names[name] = where
            return name
        return ""

    def text(self, place: Place, item: dict[str, Any], key: str) -> str:
        """The text at `key`; "" where there is none, or where it is wrong."""
        if key not in item:
            return ""
        value, place = item[key], (*place, key)
        others = (each for each in self.document.problems if each.code is not Code.MISSING_KEY)
        if any(self.document.at(*place) == known.location for known in others):
            return ""  # a second mistake would hide the first
        if not isinstance(value, str) or not value.strip():
            value = None if isinstance(value, str) else value
            why = not_text(value, self.document.written.get(place))
            self.add(place, f"{key}: {why}", not_text_code(value))
        elif len(value) > LONGEST_TEXT:
            message = f"{key}: must have at most {LONGEST_TEXT:,} characters"
            self.add(place, message, Code.TOO_LARGE)
        else:
            return value
        return ""

    def consequence(
        self, place: Place, item: dict[str, Any], meant: set[str]
    ) -> tuple[str | None, str | None]:
        given = [key for key in item if key in CONSEQUENCES]
        if not given and meant & CONSEQUENCES:
            return None, None
        if len(given) != 1:
            said = "both are there" if given else "neither is there"
            where = self.document.key(*place, given[-1]) if given else self.document.at(*place)
            message = f"a rule has either `alert:` or `suppress:`; {said}"
            self.document.add(where, message, Code.CONFLICT if given else Code.MISSING_KEY)
            return None, None
        text = self.text(place, item, given[0])
        if given == ["suppress"]:
            return None, text
        if text and not _CODE.fullmatch(text):
            shape = "a code of at most 10 capital letters and digits, such as N64"
            self.add((*place, "alert"), f"alert: must be {shape}", Code.VALUE)
        return text, None

    # --- conditions

    def when(self, place: Place, item: dict[str, Any]) -> AllOf | None:
        if "when" not in item:
            return None
        parts = self.lines((*place, "when"), item["when"])
        if parts is None:
            return None
        try:
            alternatives_of(AllOf(parts))
        except TooLarge as error:
            where = self.document.key(*place, "when")
            self.document.add(where, f"when: {error}", Code.TOO_LARGE)
            return None
        return AllOf(parts)

    def lines(self, place: Place, value: Any, depth: int = 0) -> tuple[Condition, ...] | None:
        if not isinstance(value, list) or not value:
            message = f"{place[-1]}: must be a list of conditions, each with a dash"
            self.add(place, message, Code.WRONG_TYPE if value else Code.EMPTY)
            return None
        if depth > DEEPEST:
            self.add(place, "nested too deeply; split it into several rules", Code.TOO_LARGE)
            return None
        found = [self.line((*place, number), item, depth) for number, item in enumerate(value)]
        parts = tuple(part for part in found if part is not None)
        return parts if len(parts) == len(found) else None

    def line(self, place: Place, item: Any, depth: int) -> Condition | None:
        if isinstance(item, str):
            return self.comparison(place, item)
        if not isinstance(item, dict) or not item:
            message = "a condition is one line of text, or `any:`, `all:` or `not:`"
            self.add(place, message, Code.EMPTY if item in (None, {}) else Code.WRONG_TYPE)
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
            message = "one of `any:`, `all:` and `not:` each; begin the next with a dash"
            self.add(place, message, Code.CONDITION)
        elif re.search(r"\s", wrong):
            hint = "put the whole line in quotes of the other kind"
            message = f"YAML takes ': ' within a condition for a key; {hint}"
            self.add(place, message, Code.CONDITION)
        else:
            self.document.add_unknown_key((*place, wrong), GROUPS)

    def comparison(self, place: Place, text: str) -> Condition | None:
        try:
            return parse_line(text, self.document.at(*place))
        except Mistake as mistake:
            dashless = _dashless(self.document, place)
            if dashless is not None:
                message = "this line has no dash of its own, so YAML takes it for more of the last"
                self.document.add(dashless, message, Code.CONDITION)
                return None
            where = _within(self.document, place, text, mistake.at)
            self.document.add(where, mistake.message, mistake.code)
            return None


def _dashless(document: Document, place: Place) -> Location | None:
    """Where a second condition begins in what YAML takes for one text."""
    where, written = document.at(*place), document.written.get(place, "")
    if written[:1] in {"'", '"', "|", ">"}:
        return None
    for number, line in enumerate(written.splitlines()[1:]):
        if re.match(r"\s*[a-z_]+\.[a-z_]+\b", line):
            return document.location(where.line + number, len(line) - len(line.lstrip()))
    return None


def _within(document: Document, place: Place, text: str, offset: int) -> Location:
    """The column inside a line of `when`, where its source is the text itself or in quotes."""
    where = document.at(*place)
    written = document.written.get(place, "")
    # character for character, though what can't be seen is shown otherwise
    if len(written) == len(text):
        shift = offset
    elif len(written) == len(text) + 2 and written[0] in "'\"" and "\n" not in written:
        shift = offset + 1
    else:
        return where
    return document.location(where.line - 1, where.column - 1 + shift)
