"""The properties of a message as it comes in: decoded as far as they can be, and as is of use.

They are their sender's, and we need none of them to decide. Pure.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from pamqp.commands import Basic

LARGE = 24_576
"""Bytes of properties that are decoded whole: 100 kB of headers would hold the loop for 0.2 s."""
HEADERS = 200
"""The most of them that are decoded where the properties are larger."""

_LONG = struct.Struct(">I")
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _MORE_FLAGS = 1 << 15, 1 << 14, 1 << 13, 1
_WIDTHS = dict(zip(b"tbBUusIiLlfdDTV", (1, 1, 1, 2, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
"""Bytes of a value by its type; where it stands in none of these, its length comes first."""
_TOLD = b"\x10headers left outS"


def thinned(properties: bytes) -> bytes:
    """The same where they are not large; else with the first headers, and a word about the rest."""
    if len(properties) <= LARGE:
        return properties
    with suppress(IndexError, struct.error):
        return _thinned(properties)
    return b"\0\0"


def _thinned(properties: bytes) -> bytes:
    flags = int.from_bytes(properties[:2])
    if flags & _MORE_FLAGS or not flags & _HEADERS:
        return b"\0\0"
    place = 2
    for each in (_CONTENT_TYPE, _CONTENT_ENCODING):
        place += 1 + properties[place] if flags & each else 0
    (size,) = _LONG.unpack_from(properties, place)
    start = kept = place + _LONG.size
    for _ in range(HEADERS):
        following = _behind(properties, kept)
        if following > min(start + size, LARGE):
            break
        kept = following
    words = b"%d bytes" % (start + size - kept)
    table = properties[start:kept] + _TOLD + _LONG.pack(len(words)) + words
    return properties[:place] + _LONG.pack(len(table)) + table + properties[start + size :]


def _behind(table: bytes, place: int) -> int:
    """Where the header that begins at `place` ends."""
    place += 1 + table[place]
    width = _WIDTHS.get(table[place])
    if width is None:
        width = _LONG.size + _LONG.unpack_from(table, place + 1)[0]
    return place + 1 + width


_decode = Basic.Properties.unmarshal


def _decode_what_can_be(self: Basic.Properties, flags: int, data: bytes) -> None:
    """The properties in front of the first that is broken.

    The library gives up the connection over a timestamp in microseconds or a message id that is no
    UTF-8. The message would come again, first of all, and end the next: the broker gives it up
    after a thousand times, and nothing else would pass for hours. We need no property to decide.
    """
    with suppress(Exception):
        _decode(self, flags, data)


Basic.Properties.unmarshal = _decode_what_can_be  # type: ignore[assignment, method-assign]
