"""What the log says of files: each finding once, and few lines however many files there are."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

from adapters.folder.lines import LONGEST
from adapters.folder.look import ENDINGS, few
from router.ports import Cursor

MOST_SAID = 10_000
"""Findings that are remembered; one that is forgotten may be told again."""


class FolderLog:
    """The log of one folder."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._said: set[tuple[str, ...]] = set()
        self._missing: AbstractSet[str] = frozenset()

    def folder_unreadable(self, error: OSError) -> None:
        """The folder itself."""
        if self._first("folder", str(error.strerror)):
            self._log.warning("folder.unreadable", file="", reason=error.strerror)

    def unreadable(self, name: str, error: OSError) -> None:
        """One file."""
        if self._first("unreadable", name):
            self._log.warning("folder.unreadable", file=name, reason=error.strerror)

    def unread(self, names: AbstractSet[str], odd: AbstractSet[str]) -> None:
        """What is in the folder and is not read; `odd` has the right ending."""
        for name in sorted(odd):
            if self._first("odd", name):
                reason = "not a plain file with a printable name"
                self._log.warning("folder.ignored", file=name, reason=reason)
        news = [name for name in names - odd if self._first("unread", name)]
        if news:
            advice = f"only files that end in {', '.join(ENDINGS)} are read, and no subfolders"
            self._log.warning("folder.not_read", count=len(news), files=few(news), advice=advice)

    def missing(self, names: AbstractSet[str]) -> None:
        """One line for all of them: finished files are often moved away by the thousand."""
        news = sorted(names - self._missing)
        self._missing = names
        if news:
            self._log.info("folder.missing", count=len(news), files=news[:5])

    def renamed(self, was: str, name: str, mark: Cursor | None) -> None:
        """A file that is known by another name."""
        read_to = mark.offset if mark else 0
        self._log.info("folder.renamed", file=was, now=name, read_to=read_to)

    def replaced(
        self, mark: Cursor, *, found: bool, first: Sequence[str], packed: Sequence[str]
    ) -> None:
        """Another file under a known name. `found`: what was unread of the old one is read too;
        `first`: what is read before it, as a rotation left it; `packed`: what can't be."""
        say = self._log.info if found and not packed else self._log.warning
        advice = "another file has this name now; it is read from its beginning"
        if first:
            advice += ", after the unread files that rotations left (rotated)"
        if not found:
            advice += ". What the old one had behind read_to, if anything, is not to be found"
        if packed:
            advice += ". It may be in what is packed: unpack that here, and end its name in .jsonl"
        more = {"rotated": few(first)} if first else {}
        more |= {"packed": few(packed)} if packed else {}
        say(
            "folder.replaced",
            file=mark.key,
            read_to=mark.offset,
            lines=mark.line,
            **more,
            advice=advice,
        )

    def rotated(self, mark: Cursor, names: Sequence[str]) -> None:
        """What rotations left of a file, and nobody has read so far."""
        self._log.info("folder.rotated", file=mark.key, read_to=mark.offset, now=few(names))

    def unfinished(self, name: str, line: int) -> None:
        """A last line that is no fact yet."""
        if self._first("unfinished", name, str(line)):
            advice = "it is read when it ends with a newline"
            self._log.warning("folder.unfinished_line", file=name, line=line, advice=advice)

    def endless(self, name: str, line: int) -> None:
        """A line so long that it is none; a file with a hole in it looks so, too."""
        if self._first("endless", name, str(line)):
            advice = (
                f"more than {LONGEST:,} bytes without a line break: not read, nor is what stands "
                "behind; mend the file, or move it away"
            )
            self._log.warning("folder.endless_line", file=name, line=line, advice=advice)

    def broken(self, name: str, line: int, reason: str) -> None:
        """A .gz that can't be read to its end."""
        if self._first("broken", name, str(line), reason):
            advice = "what can be read of it was taken; it is looked at again when it changes"
            self._log.warning(
                "folder.broken_gzip", file=name, lines=line, reason=reason, advice=advice
            )

    def _first(self, *finding: str) -> bool:
        """Whether this has not been said."""
        if finding in self._said:
            return False
        if len(self._said) >= MOST_SAID:
            self._said.clear()
        self._said.add(finding)
        return True
