"""The little project that `hubherald adapter new` writes: an adapter that works, to be changed.

It delivers into a file, so that its tests need no server and pass at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from router.entrypoints import ADAPTERS, installed
from router.errors import UsageError

_FILES = Path(__file__).parent / "files"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_PLACES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "init.py.txt": "@module@/__init__.py",
    "adapter.py.txt": "@module@/adapter.py",
    "test_adapter.py.txt": "tests/test_adapter.py",
    "test_conformance.py.txt": "tests/test_conformance.py",
}


def write(name: str, folder: Path | None = None) -> list[Path]:
    """Write a project for an adapter of this name, into `folder` or `hubherald-NAME`; its files.

    UsageError when the name can't be one or is taken, or the folder is there already.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"{name!r} can't be the name of an adapter: write up to {_LONGEST} small letters,"
            " digits and single hyphens, a letter first, such as sftp or my-queue"
        )
    if name in installed(ADAPTERS):
        raise UsageError(f"an adapter {name!r} is installed already; choose another name")
    folder = folder or Path(f"hubherald-{name}")
    words = {
        "@name@": name,
        "@module@": f"hubherald_{name.replace('-', '_')}",
        "@class@": "".join(part.capitalize() for part in name.split("-")),
    }
    if folder.exists():
        raise UsageError(f"{folder} is there already; nothing was written")
    written = []
    for template, place in _PLACES.items():
        file = folder / _filled(place, words)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = (_FILES / template).read_text(encoding="utf-8")
        file.write_text(_filled(text, words), encoding="utf-8")
        written.append(file)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        text = text.replace(placeholder, word)
    return text
