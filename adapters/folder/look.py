"""What stands in the folder, by one look at it: nothing is opened for that."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LINES = (".jsonl", ".ndjson")
PACKED = ".gz"
GZIPPED = tuple(f"{ending}{PACKED}" for ending in LINES)
ENDINGS = LINES + GZIPPED
TICK_NS = 2_000_000_000
"""The coarsest clock of a file system: what changes again within a tick may look the same."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """How a file stood at one moment; one that is still the same need not be opened."""

    identity: str
    """Which file it is, whatever its name: `device:inode`."""
    size: int
    modified: int
    changed: int
    """When anything about it changed; unlike `modified` nobody can set it back."""

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """What counts of it."""
        identity = f"{status.st_dev}:{status.st_ino}"
        return cls(identity, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def settled(self, now: int) -> bool:
        """Whether a later change must show in the status."""
        return abs(now - self.changed) > TICK_NS


@dataclass(slots=True)
class FolderLook:
    """What a folder holds, by name; dot files are nobody's business."""

    files: dict[str, FileStatus] = field(default_factory=dict)
    """Those to read."""
    others: dict[str, str] = field(default_factory=dict)
    """Plain files with other endings, and which file each is."""
    odd: set[str] = field(default_factory=set)
    """With a right ending, but no plain files with a printable name."""
    rest: set[str] = field(default_factory=set)
    """Subfolders and whatever else there is."""

    @property
    def unread(self) -> set[str]:
        """All that is not read."""
        return self.odd | self.rest | self.others.keys()


def look(folder: Path) -> FolderLook:
    """OSError when the folder can't be read."""
    found = FolderLook()
    device = folder.stat().st_dev
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            plain = entry.is_file(follow_symlinks=False) and name.isprintable()
            if not name.endswith(ENDINGS):
                if plain:
                    found.others[name] = f"{device}:{entry.inode()}"
                else:
                    found.rest.add(name)
            elif not plain:
                found.odd.add(name)
            else:
                try:
                    found.files[name] = FileStatus.of(entry.stat(follow_symlinks=False))
                except FileNotFoundError:  # moved away since it was listed
                    continue
    return found


def is_gzipped(name: str) -> bool:
    """By the ending, which a rotation may have put another behind: `facts.jsonl.gz.1`."""
    return not name.endswith(LINES) and any(ending in name for ending in GZIPPED)


def few(names: Iterable[str], most: int = 5) -> list[str]:
    """The first of the names, for whoever needs only an idea of them."""
    return sorted(names)[:most]
