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

from adapters.folder.contents import length
from adapters.folder.generations import Generation, is_copy, is_rotated, newest_first, stem
from adapters.folder.look import PACKED, FileStatus, FolderLook, look
from adapters.folder.marks import Marks, placed
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
        self.lost: list[Cursor] = []
        """Marks of files that have no name here any more, where a rotation may have left them under
        one that nobody follows; each once, until there are other such names."""
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
        self._families: Mapping[str, list[str]] = {}
        """The names of all that is there, by what a rotation puts something behind."""
        self._sought: dict[str, set[str]] = {}
        """Where that was looked for which had one of them."""

    def look(self) -> tuple[list[Reading], bool]:
        """What is to be read now, in order, and whether it shows that it has changed. OSError."""
        self._found = found = look(self._folder)
        there = {name: status.identity for name, status in found.files.items()} | found.others
        if there != self._there:
            self._there = there
            self._arrange(there)
            self._tell.missing(self._missing())
            self.lost = self._lost()
        self._end_lingering()
        todo, news = [], False
        for reading in [*self._leaving, *self._readings.values()]:
            status = self._status(reading)
            if status is not None and self._is_finished(reading, status):
                reading.seen, reading.settled, reading.skipped = status, True, True
            if status is not None and not (status == reading.seen and reading.settled):
                todo.append(reading)
                news = news or status != reading.seen
                if reading in self._leaving and status != reading.seen:
                    self._leaving[reading] = time.monotonic()
        return self._in_order(todo), news

    def tell_unread(self) -> None:
        """After what was found is read: only then it is known what a rotation has left."""
        unread = self._found.unread - self._readings.keys()
        self.ignored = len(unread)
        self._tell.unread(unread, self._found.odd)

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

    def at_hand(self, identity: str, *, besides: Reading | None) -> Reading | None:
        """A file that is read apart from this one: elsewhere in the folder, or by its handle."""
        known = self._known.get(identity, ())
        return next((each for each in known if each is not besides), None)

    def family(self, key: str) -> list[Generation]:
        """What rotations may have made of a file with this name, or left of it; newest first."""
        names = [name for name in self._families.get(stem(key), ()) if is_rotated(key, name)]
        found = []
        for name in names:
            with suppress(OSError):
                status = FileStatus.of((self._folder / name).lstat())
                found.append(Generation.of(name, status.modified))
        return newest_first(found)

    def follows(self, name: str) -> bool:
        """Whether what has this name is read."""
        return name in self._readings

    def knows(self, name: str) -> bool:
        """Whether what has this name was begun before anything that is new now."""
        reading = self._readings.get(name)
        if reading is None or reading.moved or reading.anew:
            return False
        if reading.skipped and Generation.of(name).number is not None:
            return False
        mark = reading.marks[0] if reading.marks else None
        return mark is not None and (mark.key, mark.identity) == (name, reading.identity)

    def unproven(self, mark: Cursor, *, besides: Reading | None = None) -> list[Reading]:
        """What is to be opened before it says anything of the file of this mark: what has its
        inode, and those of its numbered generations that were skipped: where numbers have moved on,
        one may have the number, the inode and the length that another one had."""
        found = []
        reading = self.at_hand(mark.identity, besides=besides)
        if reading and reading.moved and reading.place is None and not reading.doubted:
            reading.doubted = True
            found.append(reading)
        for each in self.family(mark.key):
            reading = self._readings.get(each.name)
            if reading and reading.skipped and each.number is not None:
                reading.skipped, reading.seen = False, None
                found.append(reading)
        return found

    def name_of(self, reading: Reading) -> str:
        """The name it has in the folder; empty when it has left."""
        return "" if reading in self._leaving else reading.name

    def modified(self, reading: Reading) -> int:
        """When it was written to last, in nanoseconds; 0 when it has gone."""
        status = self._status(reading)
        return status.modified if status else 0

    def continuation(self, name: str, mark: Cursor) -> Reading | None:
        """What has this name, if it begins with all that was read up to the mark. Either follow
        it or close it."""
        reading = self._new(name, self._there[name], (mark,))
        with suppress(OSError):
            file = self.open(reading)
            if file is not None and reading.recognise(file.status(), [mark]) is not None:
                return reading
        self.close(reading)
        return None

    def follow(self, reading: Reading) -> None:
        """It is one of ours from now on."""
        reading.certain = True
        self._readings[reading.name] = reading
        self._index()

    def adopt(self, name: str) -> Reading:
        """Follow what nobody has read so far."""
        reading = self._new(name, self._there[name], ())
        self.follow(reading)
        return reading

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
        families = defaultdict(list)
        for name in there:
            families[stem(name)].append(name)
            if stem(name).endswith(PACKED):
                families[stem(name).removesuffix(PACKED)].append(name)
        self._families = families
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
            and reading.file is None
            and not reading.moved
            and bool(reading.marks)
            and reading.marks[0].offset == self._length(reading.name, status)
            and reading.name not in self._found.files
            and reading not in self._leaving
        )

    def _length(self, name: str, status: FileStatus) -> int:
        """How many bytes it holds, decompressed; -1 when that can't be told at once."""
        try:
            return length(self._folder / name) if name.endswith(PACKED) else status.size
        except OSError:
            return -1

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

    def _lost(self) -> list[Cursor]:
        found, sought = [], {}
        for name in self.marks.names() - self._readings.keys():
            mark = self.marks.get(name)
            others = {each.name for each in self.family(name)} - self._readings.keys()
            if mark is None or mark.offset == 0 or not others:
                continue
            if name == stem(name) or not self.at_hand(mark.identity, besides=None):
                sought[name] = others
                if self._sought.get(name) != others:
                    found.append(mark)
        self._sought = sought
        return found
