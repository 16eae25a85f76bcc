"""The lines of one growing file, a block at a time, from any line on. Pure.

Lines are cut in bounded memory, however long they are: what is kept of a line is enough for the
core to see that it is too large.
"""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from adapters.folder.ends import BLANK, EDGE, blank_before, end_of_last, first_end, split
from router.ports import MAX_BODY, Cursor, Message, beginning_of

BLOCK = 524_288
"""Bytes that are read at once: some 1,000 facts of usual size."""
LONGEST = 256 * 1024 * 1024
"""Bytes after which a line is none, nor a hole one to skip: others in the folder wait so long."""


class Contents(Protocol):
    """The bytes of one file by their place, as far as they are there."""

    def read(self, position: int, size: int) -> bytes:
        """Less than `size` only where they end."""
        ...


class RunningDigest(Protocol):
    """Of hashlib; always copied before it goes on."""

    def update(self, data: bytes, /) -> None:
        """Take in what follows."""
        ...

    def hexdigest(self) -> str:
        """Of all that was taken in."""
        ...

    def copy(self) -> Self:
        """One that goes on by itself."""
        ...


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """Where to read on in a file, and what came before."""

    cursor: Cursor
    passed: RunningDigest
    """Of all bytes before."""
    inside: bool = False
    """A fragment has been given out, and its line may go on."""

    def under(self, name: str, identity: str) -> ReadPoint:
        """The same, of a file with this name."""
        digest = self.passed.hexdigest()
        return replace(
            self, cursor=replace(self.cursor, key=name, identity=identity, digest=digest)
        )


@dataclass(frozen=True, slots=True)
class Block:
    """What one reading came to."""

    messages: list[Message]
    reached: ReadPoint
    """Where to read on. Not moved: there is nothing more to give out."""
    unfinished: bool = False
    """An unfinished line is left."""
    endless: bool = False
    """The next line is longer than LONGEST; nothing behind its begin is read."""


def beginning(contents: Contents, *, rewritten: bool) -> ReadPoint:
    """The place of the first line.

    A file that was emptied under a writer that writes on at its old place begins with a hole,
    which reads as zeros: there is no fact in it.
    """
    passed, offset = hashlib.sha256(), 0
    while rewritten and offset < LONGEST and (data := contents.read(offset, BLOCK)):
        zeros = len(data) - len(data.lstrip(b"\0"))
        passed.update(data[:zeros])
        offset += zeros
        if zeros < len(data):
            break
    return ReadPoint(Cursor("", offset), passed)


def recognise(contents: Contents, marks: Iterable[Cursor]) -> ReadPoint | None:
    """The first of the marks whose digest says that this is the file it was made in.

    A mark without a digest, as older ledgers have them, is believed.
    """
    found: dict[Cursor, ReadPoint] = {}
    passed, position, last = hashlib.sha256(), 0, b"\n"
    marks = list(marks)
    for mark in sorted(marks, key=lambda each: each.offset):
        while position < mark.offset:
            data = contents.read(position, min(BLOCK, mark.offset - position))
            if not data:
                return _first(marks, found)
            passed.update(data)
            position += len(data)
            last = data[-1:]
        if mark.digest in {"", passed.hexdigest()}:
            found[mark] = ReadPoint(mark, passed.copy(), inside=last not in {b"\n", b"\r"})
    return _first(marks, found)


def _first(marks: Sequence[Cursor], found: dict[Cursor, ReadPoint]) -> ReadPoint | None:
    return next((found[mark] for mark in marks if mark in found), None)


def read_block(contents: Contents, place: ReadPoint) -> Block:
    """The lines from `place` on, as far as one block goes."""
    data = contents.read(place.cursor.offset, BLOCK)
    if end := end_of_last(data):
        return _cut(data[:end], place)
    if len(data) == BLOCK:
        return _overlong(contents, data, place)
    return _fragment(data, place)


def _cut(data: bytes, place: ReadPoint) -> Block:
    """Whole lines; the first one may go on where a fragment has been given out."""
    key, offset, identity = place.cursor.key, place.cursor.offset, place.cursor.identity
    number = _before(place)
    passed = place.passed.copy()
    messages = []
    position = taken = 0
    for line, size in split(data):
        position += size
        number += 1
        body = line.strip(b"\r")
        if body.removeprefix(BOM_UTF8).strip(BLANK):
            number += blank_before(line)
            passed.update(data[taken:position])
            taken = position
            cursor = Cursor(key, offset + position, number, passed.hexdigest(), identity)
            messages.append(_message(body, cursor))
    passed.update(data[taken:])
    reached = Cursor(key, offset + position, number, passed.hexdigest(), identity)
    return Block(messages, ReadPoint(reached, passed))


def _overlong(contents: Contents, start: bytes, place: ReadPoint) -> Block:
    """One line that is longer than a block: its start, and where the next line begins."""
    passed, line = place.passed.copy(), hashlib.sha256()
    begin = position = place.cursor.offset
    seen = start
    while (found := first_end(seen)) is None:
        passed.update(seen[:-EDGE])
        line.update(seen[:-EDGE])
        position += len(seen[:-EDGE])
        if position - begin >= LONGEST:
            return Block([], place, endless=True)
        seen = seen[-EDGE:]
        more = contents.read(position + len(seen), BLOCK)
        if not more:
            return Block([], place, unfinished=True)
        seen += more
    stop, end = found
    passed.update(seen[:end])
    line.update(seen[:stop])
    reached = _at(place, position + end, passed, blank_before(start))
    whole = beginning_of(position + stop - begin, line.hexdigest())
    message = replace(_message(start[: MAX_BODY + 1], reached), evidence=whole)
    return Block([message], ReadPoint(reached, passed))


def _fragment(data: bytes, place: ReadPoint) -> Block:
    """A last line without its end: whole only when it is an object, or a batch, that has closed."""
    body = data.removeprefix(BOM_UTF8).strip(BLANK)
    passed = place.passed.copy()
    passed.update(data)
    reached = _at(place, place.cursor.offset + len(data), passed, blank_before(data) if body else 0)
    if not body:
        return Block([], ReadPoint(reached, passed, inside=True) if data else place)
    if len(data) > MAX_BODY or not _is_closed(body):
        return Block([], place, unfinished=True)
    return Block([_message(body, reached)], ReadPoint(reached, passed, inside=True))


def _before(place: ReadPoint) -> int:
    """The number of the line before the one that comes."""
    return place.cursor.line - 1 if place.inside else place.cursor.line


def _at(place: ReadPoint, offset: int, passed: RunningDigest, blank: int) -> Cursor:
    """Behind one line and so many blank ones."""
    cursor, number = place.cursor, _before(place) + blank + 1
    return Cursor(cursor.key, offset, number, passed.hexdigest(), cursor.identity)


def _message(body: bytes, cursor: Cursor) -> Message:
    return Message(body, f"{cursor.key}:{cursor.line}", cursor).bounded()


def _is_closed(body: bytes) -> bool:
    if (body[:1], body[-1:]) not in {(b"{", b"}"), (b"[", b"]")}:
        return False
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) or any(isinstance(each, dict) for each in found)
