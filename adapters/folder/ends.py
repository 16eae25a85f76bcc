"""Where the lines of a file end: by LF (CRLF), or by CR alone where no JSON could go on. Pure.

Old Macs and their spreadsheets end lines by CR. In JSON a CR is white space: behind what closes an
object or a list only `,`, `}` or `]` may follow, and before what opens one only `,`, `:` or `[` may
stand. So a CR between other things ends a line, and a broken line takes no neighbour with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

BLANK = b" \t\r"
EDGE = 4_096
"""Bytes at the end of what was looked at in which an end may begin that goes on behind them."""
_END = re.compile(
    rb"""
    \n
    | [}\]] [ \t]*+ \r (?= [ \t\r]*+ [^,}\]\ \t\r\n] )
    | [^,:\[\ \t\r\n] [ \t]*+ \r (?= [ \t\r]*+ (?:\xef\xbb\xbf)? [{\[] )
    """,
    re.VERBOSE,
)


def first_end(data: bytes) -> tuple[int, int] | None:
    """Where the first line ends, without its end and with it; None where it goes on."""
    if _ends_by_lf(data):
        place = data.find(b"\n")
        return (place, place + 1) if place >= 0 else None
    found = _END.search(data)
    return (_content(found), found.end()) if found else None


def end_of_last(data: bytes) -> int:
    """Where the last whole line ends, with its end; 0 when there is none."""
    last = data.rfind(b"\n") + 1
    if data.find(b"\r", last) >= 0:
        for found in _END.finditer(data, last):
            last = found.end()
    return last


def split(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line of `data`, which ends where one does: without its end, and its bytes with it."""
    if _ends_by_lf(data):
        for line in data[:-1].split(b"\n"):
            yield line, len(line) + 1
        return
    place = 0
    for found in _END.finditer(data):
        yield data[place : _content(found)], found.end() - place
        place = found.end()
    if place < len(data):  # what the CR at its end stands before is not here
        yield data[place:], len(data) - place


def blank_before(line: bytes) -> int:
    """How many blank lines that end by CR stand before what stands in it."""
    if line[:1] not in BLANK:
        return 0
    return line[: len(line) - len(line.lstrip(BLANK))].count(b"\r")


def _ends_by_lf(data: bytes) -> bool:
    return data.count(b"\r") == data.count(b"\r\n")


def _content(found: re.Match[bytes]) -> int:
    return found.start() + (found[0] != b"\n")
