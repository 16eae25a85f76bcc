"""Whether files that operators edit have changed, by looking at them again and again.

Not by the operating system's notifications: these belong to one directory as it was when the
watch began. Rules are also deployed by moving a symbolic link to another folder, by mounting a new
volume or over a network, and all of that shows in what the files look like.
"""

from __future__ import annotations

from pathlib import Path

from router.language.folder import find

Look = frozenset[tuple[str, int, int, int]]
"""What each file looked like: absolute path, inode, size and time of last change (nanoseconds).

The time is that of the inode: it shows new permissions too, and no program can set it back.
"""


def look(rules_folder: Path, users_file: Path) -> Look:
    """Rules with their tests, and users, as they are now; never raises."""
    files = [*find(rules_folder)[0], users_file]
    return frozenset(seen for file in files if (seen := _seen(file)) is not None)


def _seen(file: Path) -> tuple[str, int, int, int] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return str(file.absolute()), found.st_ino, found.st_size, found.st_ctime_ns
