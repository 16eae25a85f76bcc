"""What the hash chain is made of: the text of a link, and marks by which its records are found.

A link's hash is the SHA-256 of a text that anybody can write again and give to `sha256sum`: a
first line that names the link and the hash before it, then, for each table with records, its name
and a line for each record, its SHA-256 in hexadecimal digits. A record is hashed as the JSON list
of its columns. So what one record says can be proved without showing its neighbours.

Marks are the first bytes of each record's SHA-256. They prove nothing; but where the hash is not
that of the records any more, they say which record it is.

Links older than migration 0013 have no marks, and are hashed over the records themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.compact import compact
from router.ledger.tables import RECORDS, attempts

Digests = Mapping[str, Sequence[bytes]]
"""By table, the SHA-256 of each of its records in a link, in order."""
GENESIS = "0" * 64
MARK = 4
"""Bytes of a record's mark."""
_COUNT = 4
_SIZE = hashlib.sha256().digest_size
_NAMES = tuple(table.name for table in RECORDS)
_NUMBER = {name: number for number, name in enumerate(_NAMES)}
_FIRST_FORM = {attempts.name: attempts.columns.keys().index("link") + 1}
"""By table: how many of its columns there were before migration 0013, where that is not all."""


def head(writer: str, number: int, at: int, previous: str) -> bytes:
    """The first line of a link's text."""
    return compact([writer, number, at, previous])


def digests(records: Sequence[Sequence[Any]]) -> list[bytes]:
    """The SHA-256 of each record, its columns in the order of its table."""
    sha256 = hashlib.sha256
    return [sha256(compact(record)).digest() for record in records]


def text(first: bytes, of: Digests) -> bytes:
    """The text whose SHA-256 is the link's hash; tables in the order of RECORDS."""
    parts: list[bytes] = [first]
    for name, found in of.items():
        parts += (name.encode(), b"".join(found).hex("\n", _SIZE).encode())
    return b"\n".join((*parts, b""))


def link_hash(first: bytes, of: Digests) -> str:
    """The hash of a link."""
    return hashlib.sha256(text(first, of)).hexdigest()


def marks(of: Digests) -> bytes:
    """What tells the records of a link apart: by table its number, how many, and their marks."""
    parts: list[bytes] = []
    for name, found in of.items():
        parts += (bytes((_NUMBER[name],)), len(found).to_bytes(_COUNT))
        parts += [each[:MARK] for each in found]
    return b"".join(parts)


def read_marks(stored: bytes) -> dict[str, list[bytes]]:
    """The marks by table. ValueError for what `marks` has not made."""
    found: dict[str, list[bytes]] = {}
    place = 0
    while place < len(stored):
        begin = place + 1 + _COUNT
        count = int.from_bytes(stored[place + 1 : begin])
        place, number = begin + MARK * count, stored[place]
        if place > len(stored) or number >= len(_NAMES):
            raise ValueError("no marks of records")
        found[_NAMES[number]] = [stored[at : at + MARK] for at in range(begin, place, MARK)]
    return found


def first_form_hash(first: bytes, records: Mapping[str, Iterable[Sequence[Any]]]) -> str:
    """The hash of a link older than migration 0013; tables in the order of RECORDS."""
    whole = hashlib.sha256(first)
    for name, rows in records.items():
        columns = _FIRST_FORM.get(name)
        whole.update(name.encode())
        whole.update(compact([row[:columns] for row in rows]))
    return whole.hexdigest()
