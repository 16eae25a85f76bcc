"""The operators' language: rules in YAML, read with the place of every mistake.

A rule has a name, the conditions under `when` that must all hold for a candidate, and either the
Alert code to send or the reason not to. The order of rules is that of the files by name, and of
the rules in them; the first alerting rule that matches gives the code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.conditions import AllOf, AnyOf, Comparison, Condition, Not, comparisons
from router.document import Document, Location, Problem
from router.paths import MOST, TooManyPaths, paths
from router.whenline import Mistake, parse_line
from router.wording import did_you_mean
from router.yamlfile import read

KEYS = ("name", "description", "when", "alert", "suppress")
GROUPS = ("all", "any", "not")
DEEPEST = 10
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


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a folder."""

    rules: tuple[Rule, ...]
    files: Mapping[str, str]
    """The text of each file by its path below the folder."""
    digest: str
    """SHA-256 over `files`: names the rules under which a decision was made."""

    @property
    def text(self) -> str:
        """All files as JSON, kept as evidence."""
        return json.dumps(dict(self.files), ensure_ascii=False)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that some condition reads."""
        return frozenset(each.field for rule in self.rules for each in comparisons(rule.when))


def load(folder: Path) -> tuple[Rules | None, list[Problem]]:
    """Read every rule below `folder`; Rules only when there is no problem in any of them."""
    files = rule_files(folder)
    if not files:
        message = (
            "holds no rules (*.yaml)" if folder.is_dir() else "there is no such folder of rules"
        )
        return None, [Problem(Location(folder), message)]
    reader = _Reader()
    texts: dict[str, str] = {}
    for file in files:
        document = read(file)
        reader.read(document)
        texts[file.relative_to(folder).as_posix()] = "\n".join(document.lines)
        reader.problems += document.problems
    if reader.problems:
        return None, reader.problems
    if not reader.rules:
        return None, [Problem(Location(files[0]), "no rules in any file: nobody would be told")]
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()
    return Rules(tuple(reader.rules), texts, digest), []


def rule_files(folder: Path) -> list[Path]:
    """The files of rules below a folder, in their order; tests of rules are not among them."""
    found = (*folder.rglob("*.yaml"), *folder.rglob("*.yml"))
    return sorted(
        (
            file
            for file in found
            if file.is_file() and not file.name.endswith((".test.yaml", ".test.yml"))
        ),
        key=lambda file: file.relative_to(folder).as_posix(),
    )


class _Reader:
    """Reads rules out of documents and gathers all that is wrong."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.problems: list[Problem] = []
        self.names: dict[str, Location] = {}

    def read(self, document: Document) -> None:
        value = document.value
        if value is None:
            if not document.problems:
                document.add(document.at(), "an empty file; a file of rules begins with `rules:`")
            return
        if not isinstance(value, dict):
            document.add(document.at(), "must begin with `rules:` and a list of rules below it")
            return
        for key in value:
            if key != "rules":
                hint = did_you_mean(key, ("rules",))
                document.add(document.key(key), f"unknown key {key!r}{hint}")
        listed = value.get("rules")
        if not isinstance(listed, list) or not listed:
            document.add(document.at("rules"), "`rules:` must be a list with at least one rule")
            return
        for number, item in enumerate(listed):
            self.rule(document, number, item)

    def rule(self, document: Document, number: int, item: Any) -> None:
        place = ("rules", number)
        where = document.at(*place)
        if not isinstance(item, dict):
            document.add(where, "a rule has `name:`, `when:` and either `alert:` or `suppress:`")
            return
        before = len(document.problems)
        for key in item:
            if key not in KEYS:
                hint = did_you_mean(key, KEYS)
                document.add(document.key(*place, key), f"unknown key {key!r}{hint}")
        name = self.name(document, place, item)
        description = self.text(document, place, item, "description", required=False)
        alert, suppress = self.consequence(document, place, item)
        when = self.when(document, (*place, "when"), item.get("when"), has="when" in item)
        if len(document.problems) > before or when is None:
            return
        try:
            paths(when)
        except TooManyPaths:
            message = (
                f"more than {MOST} alternatives (any: times any:); split it into several rules"
            )
            document.add(document.key(*place, "when"), message)
            return
        self.rules.append(Rule(name, description, when, alert, suppress, where))

    def text(
        self,
        document: Document,
        place: tuple[str | int, ...],
        item: dict[str, Any],
        key: str,
        *,
        required: bool = True,
    ) -> str:
        value = item.get(key)
        if key not in item and not required:
            return ""
        if not isinstance(value, str) or not value.strip() or len(value) > 1000:
            document.add(document.at(*place, key), f"{key}: must be text (in quotes if in doubt)")
            return ""
        return value

    def name(self, document: Document, place: tuple[str | int, ...], item: dict[str, Any]) -> str:
        if "name" not in item:
            document.add(document.at(*place), "missing key 'name'")
            return ""
        name = item["name"]
        where = document.at(*place, "name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            document.add(where, "name: must be lower case letters, digits and hyphens")
            return ""
        if name in self.names:
            document.add(where, f"duplicate rule name {name!r}; first used at {self.names[name]}")
            return ""
        self.names[name] = where
        return name

    def consequence(
        self, document: Document, place: tuple[str | int, ...], item: dict[str, Any]
    ) -> tuple[str | None, str | None]:
        given = [key for key in ("alert", "suppress") if key in item]
        if len(given) != 1:
            said = "both are there" if given else "neither is there"
            where = document.key(*place, "suppress") if given else document.at(*place)
            document.add(where, f"a rule has either `alert:` or `suppress:`; {said}")
            return None, None
        text = self.text(document, place, item, given[0])
        if given == ["suppress"]:
            return None, text
        if text and not _CODE.fullmatch(text):
            document.add(document.at(*place, "alert"), "alert: must be a code such as N64")
        return text, None

    def when(
        self, document: Document, place: tuple[str | int, ...], value: Any, *, has: bool
    ) -> AllOf | None:
        if not has:
            document.add(document.at(*place[:-1]), "missing key 'when'")
            return None
        parts = self.lines(document, place, value)
        return AllOf(parts) if parts is not None else None

    def lines(
        self, document: Document, place: tuple[str | int, ...], value: Any
    ) -> tuple[Condition, ...] | None:
        if not isinstance(value, list) or not value:
            document.add(document.at(*place), f"{place[-1]}: must be a list of conditions")
            return None
        if len(place) > 2 * DEEPEST:
            document.add(document.at(*place), "nested too deeply; split it into several rules")
            return None
        found = [self.line(document, (*place, n), item) for n, item in enumerate(value)]
        return None if None in found else tuple(part for part in found if part is not None)

    def line(self, document: Document, place: tuple[str | int, ...], item: Any) -> Condition | None:
        if isinstance(item, str):
            return self.comparison(document, place, item)
        if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in GROUPS:
            hint = ""
            if isinstance(item, dict) and item and (key := next(iter(item))) not in GROUPS:
                hint = did_you_mean(str(key), GROUPS)
            message = "a condition is one line of text, or `any:`, `all:` or `not:` with lines"
            document.add(document.at(*place), message + hint)
            return None
        group = next(iter(item))
        parts = self.lines(document, (*place, group), item[group])
        if parts is None:
            return None
        if group == "any":
            return AnyOf(parts)
        return AllOf(parts) if group == "all" else Not(AllOf(parts))

    def comparison(
        self, document: Document, place: tuple[str | int, ...], text: str
    ) -> Comparison | None:
        where = document.at(*place)
        try:
            return parse_line(text, where)
        except Mistake as mistake:
            document.add(_within(document, place, text, mistake.at), mistake.message)
            return None


def _within(document: Document, place: tuple[str | int, ...], text: str, offset: int) -> Location:
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
