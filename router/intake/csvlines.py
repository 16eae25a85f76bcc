"""The lines of a CSV file, numbered as an editor numbers them, in bounded memory.

A file ends its lines by LF (CRLF), or by CR alone where its first line does: old Macs and their
Excel write that. Where lines end by LF, a CR is a character of a value like any other.
"""

from __future__ import annotations

import re
import stat
from collections import deque
from io import TextIOWrapper
from pathlib import Path
from typing import Self

from router.files.plainfile import ENDLESS

LONGEST = 65_536
"""Characters of a line that are kept: one that has so many is not whole."""
_HEAD = 8_192
_END = re.compile(rb"\r*\n|\r")
_SAVE = "save it as `CSV UTF-8 (Comma delimited)`"
_KINDS = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff|\0\0\0[^\0]|[^\0]\0\0\0", f"is UTF-32, not UTF-8; {_SAVE}"),
    (rb"\xff\xfe|\xfe\xff|\0[^\0]|[^\0]\0", f"is UTF-16, as Excel's `Unicode Text`; {_SAVE}"),
    (rb"PK\x03\x04|\xd0\xcf\x11\xe0", f"is a workbook, not CSV; {_SAVE}"),
    (rb"\x1f\x8b", "is compressed by gzip; unpack it"),
    (rb"\0\0", "begins with zero bytes, which are no text; copy it again, whole"),
)


class CsvLines:
    """Gives one line after the other, without its end, and shows those to come."""

    def __init__(self, file: Path) -> None:
        """OSError when it can't be read."""
        self._raw = file.open("rb")
        head = self._raw.peek(_HEAD)
        end = _END.search(head)
        newline = None if end is not None and end[0] == b"\r" else "\n"
        self._text = TextIOWrapper(self._raw, "utf-8-sig", "surrogateescape", newline=newline)
        self._seen: deque[str] = deque()
        self.misfit = _other_kind(head)
        """What the file is, and what to do, where it is no CSV in UTF-8."""
        self.number = 0
        """Of the line that was given last."""
        self.endless = 0
        """Of the line that did not end within ENDLESS bytes, the last that is read; 0: none."""
        self._read_lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._text.close()

    @property
    def passed(self) -> int:
        """Bytes of the file that have been read."""
        return self._raw.tell()

    def take(self) -> str | None:
        """The next line, or the first LONGEST characters of a longer one; None at the end."""
        line = self._seen.popleft() if self._seen else self._read()
        self.number += line is not None
        return line

    def ahead(self, count: int) -> str | None:
        """The line that is taken when `count` others have been; None behind the end."""
        while len(self._seen) <= count:
            line = self._read()
            if line is None:
                return None
            self._seen.append(line)
        return self._seen[count]

    def _read(self) -> str | None:
        if self.endless:
            return None
        line = self._text.readline(LONGEST)
        self._read_lines += 1
        if line.startswith("\ufeff"):  # files were joined
            line = line.lstrip("\ufeff")
        if line.endswith("\n"):
            return line[:-1].rstrip("\r")
        if len(line) < LONGEST:  # the last: DOS ends a file by Ctrl-Z
            return line.removesuffix("\x1a").rstrip("\r") or None
        begin = self.passed
        while (rest := self._text.readline(LONGEST)) and not rest.endswith("\n"):
            if self.passed - begin >= ENDLESS:
                self.endless = self._read_lines
                break
        return line


def is_plain(file: Path) -> bool:
    """Whether it is a plain file, that can be read from any place on. OSError."""
    return stat.S_ISREG(file.stat().st_mode)


def _other_kind(head: bytes) -> str | None:
    return next((words for begin, words in _KINDS if re.match(begin, head, re.DOTALL)), None)
