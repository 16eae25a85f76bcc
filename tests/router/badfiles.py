"""Files with mistakes in them, each of which says itself what must be found where.

A line `# expect LINE:COL MESSAGE` gives a position and how the message there begins.
"""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "bad_files"
_EXPECTED = re.compile(r"^# expect (\d+:\d+) (.*)$", re.MULTILINE)


def bad_files(kind: str) -> list[Path]:
    """The bad files of one kind: `config` or `users`."""
    return sorted((_FOLDER / kind).iterdir())


def check_bad(file: Path, found: list[str]) -> None:
    """All that a bad file expects was found at its place, and nothing else."""
    said = _EXPECTED.findall(file.read_text(encoding="utf-8"))
    assert said, f"{file} does not say what is wrong with it"
    wanted = [f"{file.name}:{place}: {message}" for place, message in said]
    missing = [each for each in wanted if not any(line.startswith(each) for line in found)]
    assert not missing, f"found instead: {found}"
    assert len(found) == len(wanted), found
