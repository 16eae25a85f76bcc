"""Files with mistakes in them, each of which says itself what must be found where.

A line `# expect LINE:COL CODE MESSAGE` gives a place, a code and how the message there begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from router.files.problems import Problem

_TESTS = Path(__file__).parents[1]
_FOLDERS = {
    "config": _TESTS / "bad_files" / "config",
    "users": _TESTS / "bad_files" / "users",
    "rules": _TESTS / "bad_rules",
}
_EXPECTED = re.compile(r"^# expect (\d+:\d+ ([a-z-]+) .*)$", re.MULTILINE)


def bad_files(kind: str) -> list[Path]:
    """The bad files of one kind: `config`, `users` or `rules`, which has tests of rules too."""
    return sorted(_FOLDERS[kind].iterdir())


def _text(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")


def codes_of(file: Path) -> set[str]:
    """The codes that a bad file expects."""
    return {code for _, code in _EXPECTED.findall(_text(file))}


def check_bad(file: Path, problems: Sequence[Problem]) -> None:
    """All that a bad file expects was found at its place, and nothing else."""
    wanted = [said for said, _ in _EXPECTED.findall(_text(file))]
    assert wanted, f"{file} does not say what is wrong with it"
    found = [
        f"{each.location.line}:{each.location.column} {each.code} {each.message}"
        for each in problems
    ]
    missing = [each for each in wanted if not any(said.startswith(each) for said in found)]
    assert not missing, f"found instead: {found}"
    assert len(found) == len(wanted), found
