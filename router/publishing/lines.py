"""The lines of a file of facts, from any place on, in bounded memory."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from router.domain.facts import Fact, parse_all
from router.files.plainfile import ENDLESS
from router.ports import Outgoing

LONGEST = 16 * 1024 * 1024
"""Bytes of a line that are kept: what a RabbitMQ of today takes as one message, at most."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two lines."""

    lines: int = 0
    """Lines before it, blank ones too."""
    bytes: int = 0
    """Bytes before it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands in the file."""

    number: int
    """Counted from 1."""
    size: int
    """Bytes with its end; more than `raw` has when the line is longer than was asked for."""
    raw: bytes
    """With its end (LF, CRLF, or none at the end of the file)."""
    endless: bool = False
    """It did not end within ENDLESS bytes; no more of the file is read."""

    @property
    def body(self) -> bytes:
        """Without its end; the bytes that are published."""
        return self.raw.removesuffix(b"\n").removesuffix(b"\r")

    @property
    def blank(self) -> bool:
        """Nothing stands in it that could be a fact."""
        return not self.raw.removeprefix(BOM_UTF8).strip()


def read_lines(file: BinaryIO, start: Mark, end: int, longest: int = LONGEST) -> Iterator[Line]:
    """From `start` up to byte `end`; of a line that is too long the first `longest` bytes.

    One that is endless is the last.
    """
    file.seek(start.bytes)
    number, offset = start.lines, start.bytes
    while raw := file.readline(min(longest, end - offset)):
        number += 1
        size = len(raw)
        last = raw
        while not last.endswith(b"\n") and offset + size < end:
            if size >= ENDLESS:
                yield Line(number, size, raw, endless=True)
                return
            last = file.readline(min(LONGEST, end - offset - size))
            if not last:
                break  # the file has shrunk meanwhile
            size += len(last)
        offset += size
        yield Line(number, size, raw)


def outgoing(body: bytes) -> Outgoing:
    """The fact with what a broker wants to know about it, as far as that can be read.

    Of a batch that is the type, where its events have the same.
    """
    read = parse_all(body)
    kinds = {each.data.type if isinstance(each, Fact) else each.type or "" for each in read}
    known = (read[0].id or "") if len(read) == 1 else ""
    return Outgoing(body, known, kinds.pop() if len(kinds) == 1 else "")
