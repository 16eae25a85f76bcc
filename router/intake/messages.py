"""What a source gives, looked at before it counts: what no ledger can hold would end all."""

from __future__ import annotations

from router.ports import Cursor, Message
from router.ports.origins import described_kind

MOST = 2**63 - 1


class NotOfASource(Exception):
    """What was given is no Message and no Cursor; the message says why."""


def checked(given: object) -> Cursor | None:
    """Where it has got to with this. NotOfASource where it is not what it must be."""
    if isinstance(given, Cursor):
        return _cursor(given)
    if not isinstance(given, Message):
        raise NotOfASource(f"gave {described_kind(given)}, not a Message or a Cursor")
    if type(given.body) is not bytes:
        raise NotOfASource(f"gave a Message whose body is {described_kind(given.body)}, not bytes")
    _text("origin", given.origin)
    _number("deliveries", given.deliveries)
    if given.evidence:
        if not isinstance(given.evidence, dict):
            raise NotOfASource("gave a Message whose evidence is no dict")
        for key, value in given.evidence.items():
            _text("evidence", key)
            _text("evidence", value)
    return None if given.cursor is None else _cursor(given.cursor)


def _cursor(cursor: object) -> Cursor:
    if not isinstance(cursor, Cursor):
        raise NotOfASource(f"gave a Message whose cursor is {described_kind(cursor)}")
    for name, text in (
        ("key", cursor.key),
        ("digest", cursor.digest),
        ("identity", cursor.identity),
    ):
        _text(f"cursor.{name}", text)
    _number("cursor.offset", cursor.offset)
    _number("cursor.line", cursor.line)
    return cursor


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise NotOfASource(f"gave a Message whose {name} is {described_kind(value)}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotOfASource(f"gave a Message whose {name} is no Unicode (surrogates)") from None


def _number(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise NotOfASource(f"gave a Message whose {name} is no number from 0 to 2^63-1")
