"""The folder of rules, in the operators' language: read, and judged for what none of them can do.

A rule has a name, the conditions under `when` that must all hold for a candidate, and either the
Alert code to send or the reason not to.
"""

from __future__ import annotations

import os
from pathlib import Path

from router.files.codes import Code
from router.files.document import Document
from router.files.plainfile import open_plain
from router.files.problems import Location, Problem
from router.files.yamlfile import MAX_BYTES, parse
from router.language import budget, contradictions
from router.language.rule_reader import RuleReader
from router.language.rules import Rules

TESTS = ".test.yaml"
"""How the names of files with tests of rules end."""
MOST_TEXT = 8_000_000
"""Characters of all rules together: they are kept, with every decision's digest."""
MOST_FILES = 10_000
"""How much is looked at: `rules: /` must not be a walk through all disks."""


def load(folder: Path) -> tuple[Rules | None, list[Problem]]:
    """The rules below `folder`, or every problem of them; rules that can never match are one.

    Never raises for what the folder or its files hold.
    """
    found, problems = survey(folder)
    return None if problems else found, problems


def survey(folder: Path) -> tuple[Rules, list[Problem]]:
    """The rules that can be read, and the same problems as `load` has."""
    found, problems = read(folder)
    return found, problems + (budget.find(found) or contradictions.find(found))


def read(folder: Path) -> tuple[Rules, list[Problem]]:
    """The rules that can be read, whatever they come to, and what can't be read."""
    files, problems = find(folder)
    texts: dict[str, str] = {}
    reader = RuleReader()
    size = 0
    for file in files:
        if file.name.endswith(TESTS):
            continue
        document, text = _open(file)
        size += len(text)
        if size > MOST_TEXT:
            message = f"more than {MOST_TEXT:,} characters of rules below, all files together"
            return Rules.of([], {}), [*problems, Problem(Location(folder), message, Code.TOO_LARGE)]
        reader.read(document)
        texts[file.relative_to(folder).as_posix()] = text
        problems += document.problems
    if not texts and not problems:
        message = "no rules (*.yaml) in this folder: nobody would be told"
        problems.append(Problem(Location(folder), message, Code.EMPTY))
    return Rules.of(reader.rules, texts), problems


def find(folder: Path) -> tuple[list[Path], list[Problem]]:
    """Every *.yaml below `folder` in the order of rules, tests of rules among them.

    Hidden files and folders are left out: editors and mounted volumes keep copies in them. Links to
    folders are followed: mounted volumes are made of them.
    """
    problems: list[Problem] = []

    def unreadable(error: OSError) -> None:
        where = Path(os.fsdecode(error.filename or folder))
        problems.append(Problem(Location(where), f"cannot be read: {error.strerror}", Code.FILE))

    found: list[Path] = []
    walked: set[Path] = set()
    seen = 0
    try:
        for place, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
            if (real := Path(place).resolve()) in walked:  # a link that leads back
                folders[:] = []
                continue
            walked.add(real)
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(place, name) for name in files if not name.startswith(".")]
            seen += len(folders) + len(files)
            if seen > MOST_FILES:
                message = f"more than {MOST_FILES:,} files below; is this the folder of rules?"
                return [], [Problem(Location(folder), message, Code.TOO_LARGE)]
    except ValueError:  # a path that cannot be one
        message = "cannot be read: not the name of a folder"
        problems.append(Problem(Location(folder), message, Code.FILE))
    if not problems and not folder.is_dir():
        problems.append(Problem(Location(folder), "cannot be read: not a folder", Code.FILE))
    problems += [
        Problem(Location(file), "would not be read; give its name the ending .yaml", Code.FILE)
        for file in found
        if file.suffix != ".yaml" and file.suffix.lower() in {".yml", ".yaml"}
    ]
    chosen = (file for file in found if file.suffix == ".yaml")
    return sorted(chosen, key=lambda file: file.relative_to(folder).as_posix()), problems


def _open(file: Path) -> tuple[Document, str]:
    """A document and its whole text, from one reading: evidence must be what was decided by."""
    try:
        with open_plain(file) as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        document = Document(file)
        document.add(Location(file), f"cannot be read: {error.strerror}", Code.FILE)
        return document, ""
    return parse(raw, file), raw.decode(errors="replace")
