"""The reading of one growing JSON-lines file, a block at a time, from any line on.

Lines are cut in bounded memory, however long they are: what is kept of a line is enough for the
core to see that it is too large.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from router.ports import Cursor, Message

MAX_LINE = 262_144
"""The longest fact in bytes that the core takes; one byte more is kept, so that it sees why."""
BLOCK = 524_288
"""Bytes that are read at once: some 1,000 facts of usual size."""

_BLANK = b" \t\r"


@dataclass(frozen=True, slots=True)
class Block:
    """What one reading came to."""

    messages: list[Message]
    reached: Cursor
    """Where to read on. Not moved, and no messages: only an unfinished line is left."""


def read_block(folder: Path, cursor: Cursor, end: int) -> Block:
    """The lines of file `cursor.key` from `cursor` on, as far as one block and `end` go."""
    with (folder / cursor.key).open("rb") as file:
        before = _seek(file, cursor.offset)
        data = file.read(min(BLOCK, end - cursor.offset))
        rest = before not in {b"", b"\n"}
        last = data.rfind(b"\n")
        if last >= 0:
            return _cut(data[:last], cursor, rest=rest)
        if cursor.offset + len(data) < end and len(data) == BLOCK:
            return _overlong(file, data, cursor, end, rest=rest)
    return _fragment(data, cursor, rest=rest)


def _seek(file: BufferedReader, offset: int) -> bytes:
    """Go to `offset`; the byte before it tells whether a line begins there."""
    if not offset:
        return b""
    file.seek(offset - 1)
    return file.read(1)


def _cut(data: bytes, cursor: Cursor, *, rest: bool) -> Block:
    """Whole lines; `rest`: the first one goes on where a fragment has been given out."""
    key, offset = cursor.key, cursor.offset
    number = cursor.line - 1 if rest else cursor.line
    messages = []
    for line in data.split(b"\n"):
        offset += len(line) + 1
        number += 1
        body = line[: MAX_LINE + 1].rstrip(b"\r")
        if body.strip(_BLANK):
            messages.append(Message(body, f"{key}:{number}", Cursor(key, offset, number)))
    return Block(messages, Cursor(key, offset, number))


def _overlong(file: BufferedReader, start: bytes, cursor: Cursor, end: int, *, rest: bool) -> Block:
    """One line that is longer than a block: its start, and where the next line begins."""
    position = cursor.offset + len(start)
    while data := file.read(min(BLOCK, end - position)):
        newline = data.find(b"\n")
        if newline >= 0:
            number = cursor.line if rest else cursor.line + 1
            reached = Cursor(cursor.key, position + newline + 1, number)
            message = Message(start[: MAX_LINE + 1], f"{cursor.key}:{number}", reached)
            return Block([message], reached)
        position += len(data)
    return Block([], cursor)


def _fragment(data: bytes, cursor: Cursor, *, rest: bool) -> Block:
    """A last line without its newline: whole only when it is a JSON object that has closed."""
    body = data.strip(_BLANK)
    number = cursor.line if rest else cursor.line + 1
    reached = Cursor(cursor.key, cursor.offset + len(data), number)
    if not body:
        return Block([], reached)
    if len(data) > MAX_LINE or not _is_object(body):
        return Block([], cursor)
    return Block([Message(body, f"{cursor.key}:{number}", reached)], reached)


def _is_object(body: bytes) -> bool:
    if not (body.startswith(b"{") and body.endswith(b"}")):
        return False
    try:
        json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return True
