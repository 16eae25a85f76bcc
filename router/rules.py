"""The operators' language: rules in YAML, read with the place of every mistake.

A rule has a name, the conditions under `when` that must all hold for a candidate, and either the
Alert code to send or the reason not to. The order of rules is that of the files by name, and of
the rules in them; the first alerting rule that matches gives the code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from router.codes import Code
from router.conditions import comparisons
from router.document import Document, Location, Problem
from router.rule import Rule, RuleReader
from router.yamlfile import MAX_BYTES, parse


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
        """All files as JSON, kept as evidence; `digest` is the SHA-256 of exactly this."""
        return _as_json(self.files)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that some condition reads."""
        return frozenset(each.field for rule in self.rules for each in comparisons(rule.when))

    def without(self, names: Collection[str]) -> Rules:
        """The same files, less the rules of these names: for what-if questions only."""
        left = tuple(rule for rule in self.rules if rule.name not in names)
        return self if len(left) == len(self.rules) else replace(self, rules=left)


def _as_json(files: Mapping[str, str]) -> str:
    return json.dumps(dict(files), sort_keys=True)


# --- files ----------------------------------------------------------------------------------


def load(folder: Path) -> tuple[Rules | None, list[Problem]]:
    """Read every rule below `folder`; Rules only when there is no problem in any of them.

    Never raises for what the folder or its files hold.
    """
    found, problems = find(folder)
    texts: dict[str, str] = {}
    reader = RuleReader()
    for file in found:
        if file.name.endswith(".test.yaml"):
            continue
        document, text = _open(file)
        reader.read(document)
        texts[file.relative_to(folder).as_posix()] = text
        problems += document.problems
    if not texts and not problems:
        message = "no rules (*.yaml) in this folder: nobody would be told"
        problems.append(Problem(Location(folder), message, Code.EMPTY))
    if problems:
        return None, problems
    digest = hashlib.sha256(_as_json(texts).encode()).hexdigest()
    return Rules(tuple(reader.rules), texts, digest), []


def find(folder: Path) -> tuple[list[Path], list[Problem]]:
    """Every *.yaml below `folder` in the order of rules, tests of rules among them.

    Hidden files and folders are left out: editors and mounted volumes keep copies in them.
    """
    problems: list[Problem] = []

    def unreadable(error: OSError) -> None:
        where = Path(os.fsdecode(error.filename or folder))
        problems.append(Problem(Location(where), f"cannot be read: {error.strerror}", Code.FILE))

    found: list[Path] = []
    try:
        for place, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(place, name) for name in files if not name.startswith(".")]
    except ValueError:  # a path that cannot be one
        message = "cannot be read: not the name of a folder"
        problems.append(Problem(Location(folder), message, Code.FILE))
    if not problems and not folder.is_dir():
        problems.append(Problem(Location(folder), "cannot be read: not a folder", Code.FILE))
    problems += [
        Problem(Location(file), "would not be read; give its name the ending .yaml", Code.FILE)
        for file in found
        if file.suffix == ".yml"
    ]
    chosen = (file for file in found if file.suffix == ".yaml")
    return sorted(chosen, key=lambda file: file.relative_to(folder).as_posix()), problems


def _open(file: Path) -> tuple[Document, str]:
    """A document and its whole text, from one reading: evidence must be what was decided by."""
    try:
        if not file.is_file():
            raise FileNotFoundError(0, "there is no such file, or it is not a plain one")
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        document = Document(file)
        document.add(Location(file), f"cannot be read: {error.strerror}", Code.FILE)
        return document, ""
    return parse(raw, file), raw.decode(errors="replace")
