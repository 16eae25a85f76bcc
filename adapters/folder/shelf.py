"""All files of the folder: which of them are read, under whatever name a rotation has put them.

A file is known by its identity and by what was read of it, never by its name alone. One that was
begun is read to its end, wherever in the folder it is by now, and by its handle when it has left.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from adapters.folder.look import FileStatus, FolderLook, look
from adapters.folder.marks import Marks, is_copy, placed
from adapters.folder.openfile import OpenFile
from adapters.folder.reading import Reading
from adapters.folder.telling import FolderLog
from router.ports import Cursor

MOST_OPEN = 64
"""Files that are held open: those that were read last."""
LINGER_S = 60.0
"""How long a file that has left the folder is held when it changes no more; it takes up room."""


class Shelf:
    """The readings of one folder."""

    def __init__(
        self, folder: Path, marks: Marks, tell: FolderLog, pause: Callable[[], None]
    ) -> None:
        self.marks = marks
        self.ignored = 0
        """What is in the folder and not read."""
        self._folder = folder
        self._tell = tell
        self._pause = pause
        self._found = FolderLook()
        self._there: Mapping[str, str] = {}
        """What was found: the identity of each plain file, by its name."""
        self._readings: dict[str, Reading] = {}
        self._leaving: dict[Reading, float] = {}
        """Those that left the folder while they were open, and since when nothing came of them."""
        self._held: dict[Reading, None] = {}
        """Those that are open, the one that was used last at the end."""
        self._rejected: set[str] = set()
        """Files with other endings that are not what their identity made us think."""
        self._known: Mapping[str, list[Reading]] = {}
        """The readings by their identity."""

    def look(self) -> tuple[list[Reading], bool]:
        """What is to be read now, in order, and whether it shows that it has changed. OSError."""
        self._found = found = look(self._folder)
        there = {name: status.identity for name, status in found.files.items()} | found.others
        if there != self._there:
            self._there = there
            self._arrange(there)
            self._tell.missing(self._missing())
        self._end_lingering()
        unread = found.unread - self._readings.keys()
        self.ignored = len(unread)
        self._tell.unread(unread, found.odd)
        todo, news = [], False
        for reading in [*self._leaving, *self._readings.values()]:
            status = self._status(reading)
            if status is not None and self._is_finished(reading, status):
                reading.seen, reading.settled = status, True
            if status is not None and not (status == reading.seen and reading.settled):
                todo.append(reading)
                news = news or status != reading.seen
                if reading in self._leaving and status != reading.seen:
                    self._leaving[reading] = time.monotonic()
        return self._in_order(todo), news

    def present(self) -> Iterable[Reading]:
        """Those that are in the folder."""
        return self._readings.values()

    def open(self, reading: Reading) -> OpenFile | None:
        """Its file; None when its name has come to mean another one. OSError."""
        file = reading.open()
        if file is not None:
            self._held.pop(reading, None)
            self._held[reading] = None
        while len(self._held) > MOST_OPEN:
            self.close(next(iter(self._held)))
        return file

    def marks_of(self, reading: Reading) -> list[Cursor]:
        """The marks that may have been made in this file."""
        known = (*reading.marks, self.marks.get(reading.name))
        return [each for each in dict.fromkeys(known) if each is not None]

    def at_hand(self, identity: str, *, besides: Reading) -> bool:
        """Whether a file is read apart from this one: elsewhere in the folder, or by its handle."""
        return any(each is not besides for each in self._known.get(identity, ()))

    def copy_of(self, mark: Cursor) -> Reading | None:
        """A copy of a file that is no more, with more in it than was read of the file: a rotation
        by `copytruncate` leaves one. It is one of ours from now on."""
        for name in sorted(self._found.others):
            if name not in self._readings and is_copy(mark.key, name):
                reading = self._new(name, self._found.others[name], (mark,))
                with suppress(OSError):
                    if self._continues(reading, mark):
                        self._readings[name] = reading
                        return reading
                self.close(reading)
        return None

    def _continues(self, reading: Reading, mark: Cursor) -> bool:
        file = self.open(reading)
        status = file.status() if file else None
        return (
            status is not None
            and status.size > mark.offset
            and reading.recognise(status, [mark]) is not None
        )

    def superseded(self, reading: Reading) -> bool:
        """Whether its name belongs to another file, of which something was read already."""
        owner = self._readings.get(reading.name)
        mark = self.marks.get(reading.name)
        return (
            owner is not None
            and owner is not reading
            and mark is not None
            and mark.identity == owner.identity
        )

    def reject(self, reading: Reading) -> None:
        """It is not what it seemed to be, and its ending is not read."""
        self._rejected.add(reading.identity)
        self._readings.pop(reading.name, None)
        self.close(reading)

    def held(self) -> list[Reading]:
        """Those that are open."""
        return list(self._held)

    def close(self, reading: Reading) -> None:
        """Let go of its file; what has left the folder is done with."""
        reading.close()
        self._held.pop(reading, None)
        self._leaving.pop(reading, None)

    def _arrange(self, there: Mapping[str, str]) -> None:
        """Give each file that is there its reading, whatever its name was before."""
        before = self._readings
        known = {name: reading.identity for name, reading in before.items()}
        self._readings = {}
        for name, was in placed(known, there).items():
            reading = self._readings[name] = before[was]
            if name != was:
                reading.rename(name)
                self._tell.renamed(was, name, self.marks.get(was))
        for name in there.keys() - self._readings.keys():
            marks = self.marks.of(name, there[name], there)
            if name in self._found.files or self._is_followed(name, there[name], marks):
                self._readings[name] = self._new(name, there[name], marks)
        gone = set(before.values()) - set(self._readings.values())
        self._let_go(gone, set(there.values()))
        self._rejected.intersection_update(there.values())
        self._index()

    def _is_followed(self, name: str, identity: str, marks: Sequence[Cursor]) -> bool:
        """Whether a file with another ending seems to be one that was begun under another name."""
        known = any(mark.offset > 0 or is_copy(mark.key, name) for mark in marks)
        return known and identity not in self._rejected

    def _index(self) -> None:
        known = defaultdict(list)
        for reading in [*self._readings.values(), *self._leaving]:
            known[reading.identity].append(reading)
        self._known = known

    def _new(self, name: str, identity: str, marks: tuple[Cursor, ...]) -> Reading:
        """One of `marks` is of this file, as it seems."""
        was = marks[0].key if marks else name
        reading = Reading(self._folder, name, identity, self._pause)
        reading.certain = name in self._found.files or is_copy(was, name)
        reading.marks, reading.was, reading.moved = marks, was, was != name
        return reading

    def _let_go(self, gone: Iterable[Reading], there: Collection[str]) -> None:
        """What has left the folder is read to its end, as far as it is open."""
        now = time.monotonic()
        self._leaving |= {reading: now for reading in gone if reading.file is not None}
        for reading in [each for each in self._leaving if each.identity in there]:
            self.close(reading)  # it has come back

    def _end_lingering(self) -> None:
        longest = time.monotonic() - LINGER_S
        for reading in [each for each, since in self._leaving.items() if since < longest]:
            self.close(reading)

    def _status(self, reading: Reading) -> FileStatus | None:
        """As of this look; None when it has gone meanwhile."""
        try:
            if reading in self._leaving:
                return reading.file.status() if reading.file else None
            if reading.name in self._found.files:
                return self._found.files[reading.name]
            return FileStatus.of((self._folder / reading.name).lstat())
        except OSError:
            return None

    def _is_finished(self, reading: Reading, status: FileStatus) -> bool:
        """Whether it is what a rotation left, and nothing came since: there may be years of it."""
        return (
            reading.seen is None
            and not reading.moved
            and bool(reading.marks)
            and reading.marks[0].offset == status.size
            and reading.name not in self._found.files
            and reading not in self._leaving
        )

    def _in_order(self, todo: Iterable[Reading]) -> list[Reading]:
        """By name, but what had a name before in front of what has it now, in rows however long:
        the ledger knows one file under a name, and the old one must have got another by then."""
        todo = sorted(todo, key=lambda each: (each.was, each.name))
        before = {each.was: each for each in todo if each.was != each.name}
        before |= {each.name: each for each in todo if each in self._leaving}
        ordered: dict[Reading, None] = {}
        for reading in todo:
            row = [reading]
            while (first := before.get(row[-1].name)) and first not in row and first not in ordered:
                row.append(first)
            ordered |= dict.fromkeys(reversed(row))
        return list(ordered)

    def _missing(self) -> set[str]:
        """The names that mean nothing now, of files that are nowhere in the folder."""
        present = {reading.identity for reading in self._readings.values()}
        names = self.marks.names() - self._readings.keys()
        marks = {name: self.marks.get(name) for name in names}
        return {name for name, mark in marks.items() if mark and mark.identity not in present}
