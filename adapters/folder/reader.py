"""What is read next, step by step; all of it in the source's own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.folder.lines import Block
from adapters.folder.look import ENDINGS, FileStatus
from adapters.folder.marks import Marks
from adapters.folder.openfile import ShiftedError
from adapters.folder.reading import Reading
from adapters.folder.rotated import left_by_rotation
from adapters.folder.shelf import Shelf
from adapters.folder.telling import FolderLog
from router.ports import Cursor, Message


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to; it may be nothing."""

    messages: list[Message] = field(default_factory=list)
    moved: Cursor | None = None
    """To be remembered before the messages, though none of them says so."""


class FolderReader:
    """Reads the files of one folder, in the order of their names."""

    def __init__(
        self, folder: Path, cursors: Iterable[Cursor], tell: FolderLog, pause: Callable[[], None]
    ) -> None:
        """`pause` is called before each piece that is read; it may raise, to end a long one."""
        self.replaced = 0
        """How often another file was found under a known name."""
        self.writing = False
        """A file seems to be half written anew, and was left for the next look."""
        self._tell = tell
        self._marks = Marks(cursors)
        self._shelf = Shelf(folder, self._marks, tell, pause)
        self._todo: deque[Reading] = deque()
        self._late: list[tuple[Cursor, Reading | None]] = []
        """What rotations may have left something of, to be sought when all else is read; and
        the file that is not it."""

    @property
    def ignored(self) -> int:
        """What is in the folder and not read."""
        return self._shelf.ignored

    def look(self) -> bool:
        """See what there is; whether anything shows that it is new or has changed. OSError."""
        self.writing = False
        todo, news = self._shelf.look()
        self._todo = deque(todo)
        return news

    def step(self) -> Step | None:
        """The next piece of what the last look found; None when there is no more of it."""
        while self._todo or self._seek():
            reading = self._todo[0]
            try:
                step = self._read(reading)
            except ShiftedError:  # somebody writes it; the next look sees how it stands then
                step = None
            except OSError as error:
                self._tell.unreadable(reading.name, error)
                self._shelf.close(reading)  # a handle may have gone stale: the next look opens it
                step = None
            if step is None:
                self._todo.popleft()
            elif step.messages or step.moved:
                return step
        if not self.writing:
            self._shelf.tell_unread()
        return None

    def tell_unfinished(self) -> None:
        """After a look that found nothing new: what is not whole seems to stay so."""
        for reading in self._shelf.present():
            mark = self._marks.get(reading.name)
            line = mark.line if mark else 0
            if reading.cut:
                self._tell.broken(reading.name, line, "it ends too early")
            elif reading.unfinished:
                self._tell.unfinished(reading.name, line + 1)

    def close(self) -> None:
        """Hold nothing open any more."""
        for reading in self._shelf.held():
            self._shelf.close(reading)

    def _read(self, reading: Reading) -> Step | None:
        file = self._shelf.open(reading)
        if file is None:
            return None
        now = file.status()
        if not reading.trusted(now):
            return self._recognise(reading, now)
        assert reading.place is not None
        if reading.moved:
            return self._placed(reading)
        block = reading.block(now)
        if block is None:
            return Step()
        if block.reached.cursor == reading.place.cursor:
            reading.done(now, unfinished=block.unfinished)
            if block.endless:
                self._tell.endless(reading.name, reading.place.cursor.line + 1)
            if reading.trouble:
                self._tell.broken(reading.name, reading.place.cursor.line, reading.trouble)
            return None
        return Step(self._given(reading, block))

    def _given(self, reading: Reading, block: Block) -> list[Message]:
        reading.place, reading.marks = block.reached, (block.reached.cursor,)
        if self._shelf.superseded(reading):  # the ledger remembers one file under a name
            return [replace(message, cursor=None) for message in block.messages]
        self._marks.set(block.reached.cursor)
        return block.messages

    def _recognise(self, reading: Reading, now: FileStatus) -> Step | None:
        """Find out which file it is; how far it was read, or that it is another one."""
        if reading.recognise(now, self._shelf.marks_of(reading)) is not None:
            return self._placed(reading)
        self._marks.disown(each for each in reading.marks if each.key != reading.name)
        if not (reading.certain or reading.name.endswith(ENDINGS)):
            self._shelf.reject(reading)
            return None
        return self._another(reading, now)

    def _another(self, reading: Reading, now: FileStatus) -> Step | None:
        """It is none of which anything was read."""
        mark = self._marks.get(reading.name)
        if mark is None or self._shelf.superseded(reading):
            reading.begin(now, rewritten=False)
            return self._at(reading)
        in_place = mark.identity == reading.identity
        if in_place and now.size >= mark.offset and reading.waits(now):
            self.writing = True
            return None
        if not reading.told and self._replaced(reading, mark):
            return Step()
        reading.begin(now, rewritten=in_place)
        return self._at(reading)

    def _replaced(self, reading: Reading, mark: Cursor) -> bool:
        """Another file has the name; whether rotations left something to be read before it."""
        if unproven := self._shelf.unproven(mark, besides=reading):
            self._todo.extendleft(unproven)
            return True
        reading.told = True
        left = left_by_rotation(self._shelf, mark, besides=reading)
        if mark.offset > 0 or left.readings:
            self.replaced += 1
            first = [each.name for each in left.readings]
            self._tell.replaced(mark, found=left.found, first=first, packed=left.packed)
        self._todo.extendleft(left.readings)
        return bool(left.readings)

    def _seek(self) -> bool:
        """Whether there is something of files that have no name any more, when all else is read."""
        # As the marks are by now: what has got the inode of one may have been found out.
        self._late += [(self._marks.get(mark.key) or mark, None) for mark in self._shelf.lost]
        self._shelf.lost.clear()
        while self._late:
            mark, besides = self._late[-1]
            unproven = self._shelf.unproven(mark, besides=besides)
            self._todo.extendleft(unproven)
            if unproven or self._follow(*self._late.pop()):
                return True
        return False

    def _displaces(self, reading: Reading) -> bool:
        """Whether something is to be read before it that was written before it had its name."""
        mark = self._marks.get(reading.name)
        if mark is None or reading.told:
            return False
        if mark.offset == 0:  # of which any file seems to be the rest
            reading.told = True
            self._late.append((mark, reading))
            return False
        lost = not self._shelf.at_hand(mark.identity, besides=reading)
        return reading.moved and lost and self._follow(mark, reading)

    def _follow(self, mark: Cursor, besides: Reading | None) -> bool:
        """Whether rotations left something of a file that has lost its name."""
        left = left_by_rotation(self._shelf, mark, besides=besides, in_doubt=False)
        if left.readings:
            self._tell.rotated(mark, [each.name for each in left.readings])
        self._todo.extendleft(left.readings)
        return bool(left.readings)

    def _placed(self, reading: Reading) -> Step:
        """It was begun before, perhaps under another name; what had its name comes first."""
        return Step() if self._displaces(reading) else self._at(reading)

    def _at(self, reading: Reading) -> Step:
        """Its place is known; the ledger is told where that is not what it has."""
        assert reading.place is not None
        cursor, known = reading.place.cursor, self._marks.get(reading.name)
        reading.moved = reading.told = False
        reading.was, reading.marks = reading.name, (cursor,)
        if self._shelf.superseded(reading):
            return Step()
        self._marks.set(cursor)
        return Step(moved=cursor if cursor != known and (known or cursor.offset) else None)
