"""How one file of the folder stands: which it is, how far it was read, if it still is the same.

A file is itself while its identity is the same and what was read of it still stands there. The
whole of that is read again where anything but growth is seen; of a file that grew, the edges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from adapters.folder.contents import GzipContents, PlainContents, contents
from adapters.folder.lines import Block, ReadPoint, beginning, read_block, recognise
from adapters.folder.look import FileStatus
from adapters.folder.marks import is_copy
from adapters.folder.openfile import OpenFile, ShiftedError
from router.ports import Cursor

WAITS = 3
"""Looks for which a file that is being written anew may go on changing before it is read."""


class Reading:
    """One file. Opened when it is first read, and closed by whoever keeps count of what is open."""

    def __init__(self, folder: Path, name: str, identity: str, pause: Callable[[], None]) -> None:
        self.name = name
        self.identity = identity
        self.was = name
        """The name under which the ledger has it; the same but for a while after a change."""
        self.moved = False
        """The ledger has not heard of its new name."""
        self.told = False
        """That it has taken the place of another file."""
        self.certain = True
        """It is one of ours, whatever stands in it now: no name or reused inode misleads us."""
        self.marks: tuple[Cursor, ...] = ()
        """How far it was read when it was last known, under whatever name. More than one where
        an inode has been given out again: which of them is of this file, its bytes say."""
        self.place: ReadPoint | None = None
        """How far it was read; None until it is known which file it is."""
        self.seen: FileStatus | None = None
        """As it was when it was last read to its end; None: to be read again."""
        self.settled = False
        """A change after that shows in its status."""
        self.unfinished = False
        """The last line has no newline yet and is not a whole fact."""
        self.cut = False
        """It is compressed and ends too early: it may still be being written."""
        self.trouble = ""
        """Why the rest of it can't be decompressed."""
        self.file: OpenFile | None = None
        self._contents: PlainContents | GzipContents
        self._folder = folder
        self._pause = pause
        self._checked: FileStatus | None = None
        """As it was when what was read was last seen to stand there."""
        self._proven = False
        self._waited: list[FileStatus] = []

    def open(self) -> OpenFile | None:
        """Open it if it is not; None when its name has come to mean another file. OSError."""
        if self.file is None:
            file = OpenFile(self._folder / self.name, self._pause)
            if file.status().identity != self.identity:
                file.close()
                return None
            self.file = file
        return self.file

    def close(self) -> None:
        """Let go of the file; how far it was read must be known elsewhere by now."""
        if self.file is not None:
            self.file.close()
        self.file = self.place = None

    def rename(self, name: str) -> None:
        """It is found under this name now."""
        self.certain &= self.file is not None or is_copy(self.name, name)
        if not self.moved:
            self.was = self.name
        self.name, self.moved, self.seen = name, True, None
        if self.place is not None:
            self.place = self.place.under(name, self.identity)

    def trusted(self, now: FileStatus) -> bool:
        """Whether what was read still stands there, as far as that can be told at once."""
        assert self.file is not None
        before = self._checked
        if self.place is None or before is None or (self.trouble and now != before):
            return False
        if now == before and self.settled:
            return True
        same = replace(now, changed=before.changed) if self.moved else now
        if not (self._proven or same == before or now.size > before.size):
            return False
        self._proven = False  # else one that changes all the time would be proven all the time
        if not self.file.untouched():
            return False
        self._checked = now
        return True

    def recognise(self, now: FileStatus, marks: Sequence[Cursor]) -> ReadPoint | None:
        """Where to read on, if one of the marks was made in this file."""
        self._fresh(now)
        found = recognise(self._contents, marks)
        self.place = found.under(self.name, self.identity) if found else None
        if found:
            self._waited.clear()
        return self.place

    def begin(self, now: FileStatus, *, rewritten: bool) -> ReadPoint:
        """Read it from its first line on."""
        self._fresh(now)
        self.place = beginning(self._contents, rewritten=rewritten).under(self.name, self.identity)
        return self.place

    def waits(self, now: FileStatus) -> bool:
        """Whether to look again later, as it seems to be half written anew."""
        if now.settled(time.time_ns()) or now in self._waited or len(self._waited) >= WAITS:
            self._waited.clear()
            return False
        self._waited.append(now)
        return True

    def block(self, now: FileStatus) -> Block | None:
        """The next lines up to its size as of `now`; None when that must be asked again."""
        assert self.file is not None
        assert self.place is not None
        if self.place.cursor.offset == 0:  # there may not have been enough to tell what it is
            self._contents = contents(self.file, self.name, now.size)
        self._contents.end = now.size
        self.file.careful = self.file.careful or not now.settled(time.time_ns())
        found = read_block(self._contents, self.place)
        if not self.file.careful:
            self.file.careful = self.file.status() != now
            return None if self.file.careful else found
        if not self.file.untouched():
            raise ShiftedError
        self.file.careful = False
        return found

    def done(self, now: FileStatus, *, unfinished: bool) -> None:
        """There was nothing more to read when it stood so."""
        self.seen = self._checked = now
        self.settled = now.settled(time.time_ns())
        self.unfinished = unfinished
        self.cut, self.trouble = self._contents.cut, self._contents.trouble

    def _fresh(self, now: FileStatus) -> None:
        """Read from the start, not knowing yet where it leads."""
        assert self.file is not None
        self.file.forget()
        self.file.careful = False
        self._contents = contents(self.file, self.name, now.size)
        self._checked, self._proven = now, True
        self.settled = self.cut = False
        self.trouble = ""
