"""How facts come wrapped: compressed, in batches, or with their data as text.

CloudEvents leaves all of that to the sender, so it is taken off here. What can't be taken off is
told in words, and all that is packed in one message unpacks to no more than MAX_BODY.

Sources: CloudEvents 1.0, JSON event format (3.1.1 `data_base64`, 4 batches); RFC 1950 and 1952.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from typing import Any

from router.domain.strictjson import MalformedJson, behind_cr, decode, require_utf8
from router.ports import MAX_BODY

MOST_EVENTS = 1_000
"""The most events of one batch."""
MOST_PARTS = 100
"""The most gzip members of one body; those that compress in parallel write some."""
GZIP = b"\x1f\x8b"
"""How a body begins that gzip has compressed."""
_COMPRESSED = (GZIP, b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_ZSTD = b"\x28\xb5\x2f\xfd"
_EITHER = 32 + zlib.MAX_WBITS
"""To zlib: whichever of gzip and zlib it is."""
_SPACE = " \t\r\n"


class WrappedWrong(Exception):
    """It can't be unwrapped, and why, in words that show nothing hostile."""


class WrappedLarge(WrappedWrong):
    """It is more than is taken."""


class Room:
    """What may still be unpacked of one message: its body, and the data of each of its events.

    A batch of events that are small and each unpack to much would else be as much work as it likes.
    """

    def __init__(self) -> None:
        self.used = 0
        """Bytes that were unpacked."""

    @property
    def left(self) -> int:
        """Bytes that may be unpacked yet."""
        return MAX_BODY - self.used

    def take(self, size: int) -> None:
        """So many are unpacked. WrappedLarge where that is more than was left."""
        before, self.used = self.used, min(self.used + size, MAX_BODY)
        if before + size > MAX_BODY:
            others = ", with what its message held packed before it" if before else ""
            raise WrappedLarge(f"more than {MAX_BODY:,} bytes when it is decompressed{others}")


def is_packed(body: bytes) -> bool:
    """Whether it may hold more than its bytes: it is compressed, or has data that may be.

    Escapes may spell the key of such data.
    """
    return body.startswith(_COMPRESSED) or b"data_base64" in body or b"\\u" in body


def unpacked(body: bytes, room: Room) -> bytes:
    """The body, decompressed where it is compressed by gzip or zlib. WrappedWrong."""
    if body.startswith(_ZSTD):
        raise WrappedWrong("compressed by zstd; send it as it is, or compressed by gzip")
    if not body.startswith(_COMPRESSED):
        return body
    plain = bytearray()
    for _ in range(MOST_PARTS):
        inflater = zlib.decompressobj(_EITHER)
        try:
            part = inflater.decompress(body, room.left + 1)
        except zlib.error:
            raise WrappedWrong("compressed, and broken: it can't be decompressed") from None
        room.take(len(part))
        if not inflater.eof:
            raise WrappedWrong("compressed, and cut: its end is missing")
        plain += part
        body = inflater.unused_data.lstrip(b"\0")
        if not body.startswith(GZIP):
            break
    if body:
        raise WrappedWrong("compressed, and more stands behind its end")
    return bytes(plain)


def events(body: bytes) -> Sequence[bytes] | None:
    """Each event of a batch, byte for byte; None when it is no batch. WrappedWrong."""
    if not body.removeprefix(BOM_UTF8).lstrip(_SPACE.encode()).startswith(b"["):
        return None
    try:
        require_utf8(body)
        text = body.decode().lstrip("\ufeff")
        found = _members(text)
    except MalformedJson as error:
        raise WrappedWrong(str(error)) from None
    except UnicodeDecodeError as error:
        raise WrappedWrong(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise WrappedWrong(
            f"a batch that is not JSON: {error.msg} at character {error.pos}{behind_cr(error)}"
        ) from None
    except (RecursionError, ValueError):
        raise WrappedWrong(
            "a batch that is not JSON: nested too deeply, or with huge numbers"
        ) from None
    if not found:
        raise WrappedWrong("an empty batch: there is no event in it")
    if not any(each.startswith(b"{") for each in found):
        raise WrappedWrong("not a JSON object, and no batch of them")
    return found


def _members(text: str) -> list[bytes]:
    """Where each member of the array begins and ends; ValueError where it is none."""
    found: list[bytes] = []
    place = _behind_space(text, _behind_space(text, 0) + 1)
    while text[place : place + 1] != "]" or found:
        _, end = _DECODER.raw_decode(text, place)
        found.append(text[place:end].encode())
        if len(found) > MOST_EVENTS:
            raise WrappedLarge(f"a batch of more than {MOST_EVENTS:,} events; send smaller ones")
        place = _behind_space(text, end)
        if text[place : place + 1] == "]":
            break
        if text[place : place + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, place)
        place = _behind_space(text, place + 1)
    end = _behind_space(text, place + 1)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return found


_DECODER = json.JSONDecoder()


def _behind_space(text: str, place: int) -> int:
    while text[place : place + 1] and text[place] in _SPACE:
        place += 1
    return place


def data_of(event: Mapping[str, Any], room: Room) -> Any:
    """The data of an event: as it stands, as JSON in text, or in `data_base64`. WrappedWrong."""
    plain, coded = event.get("data"), event.get("data_base64")
    if coded is not None:
        if plain is not None:
            raise WrappedWrong("data_base64: stands beside data; an event has one of them")
        return _json(_from_base64(coded, room), "data_base64", event)
    return _json(plain.encode(), "data", event) if isinstance(plain, str) else plain


def _from_base64(coded: Any, room: Room) -> bytes:
    if not isinstance(coded, str):
        raise WrappedWrong("data_base64: must be text in quotes")
    try:
        return unpacked(base64.b64decode("".join(coded.split()), validate=True), room)
    except (binascii.Error, ValueError):
        raise WrappedWrong("data_base64: is not Base64") from None
    except WrappedWrong as error:
        raise type(error)(f"data_base64: {error}") from None


def _json(body: bytes, where: str, event: Mapping[str, Any]) -> Any:
    try:
        return decode(body)
    except MalformedJson as error:
        kind, hint = event.get("datacontenttype"), ""
        if isinstance(kind, str) and kind.isprintable() and "json" not in kind.lower():
            hint = f"; datacontenttype is {kind[:60]!r}, and only JSON is read"
        raise WrappedWrong(f"{where}: holds no JSON object ({error}){hint}") from None
