"""What the names and times of rotated files say of their order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from adapters.folder.look import GZIPPED, LINES, TICK_NS

_ROTATED = re.compile(r"[-._](?P<stamp>\d[-\dT.:_]*?)(?P<packed>\.[A-Za-z]\w*)?", re.ASCII)
_PACKED = {".bz2", ".xz", ".zst", ".lz4", ".lzma", ".lzo", ".Z", ".zip", ".br", ".7z"}
_LONGEST_NUMBER = 5
"""Digits; more of them are a date or a time."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One file that a rotation may have left."""

    name: str
    modified: int
    """Nanoseconds; a rename and most compressors keep it."""
    number: int | None = None
    """`facts.jsonl.1` is newer than `facts.jsonl.2`."""
    date: str = ""
    """Its digits; a greater one is newer."""
    packed: bool = False
    """Compressed in a way that is not read."""

    @classmethod
    def of(cls, name: str, modified: int = 0) -> Self:
        """What the name says."""
        match = _ROTATED.fullmatch(name, len(stem(name)))
        packed = (match["packed"] or "") if match else ""
        if match is None or not (packed in _PACKED or packed in {"", ".gz"}):
            return cls(name, modified)
        digits = re.sub(r"\D", "", match["stamp"])
        known = packed in _PACKED
        if len(digits) <= _LONGEST_NUMBER:
            return cls(name, modified, number=int(digits), packed=known)
        return cls(name, modified, date=digits, packed=known)

    @property
    def rotated(self) -> bool:
        """Whether its name is one that a rotation gives; other copies are people's own."""
        return self.number is not None or bool(self.date)

    def newer(self, than: Generation) -> bool:
        """Whether it may hold what was written after the other one; in doubt it does."""
        if self.number is not None and than.number is not None:
            if self.number == than.number:
                return False
            return self.number < than.number or self.modified > than.modified + TICK_NS
        if self.date and than.date:
            if self.date == than.date:
                return False
            return self.date > than.date or self.modified > than.modified + TICK_NS
        return self.modified > than.modified


def newest_first(generations: Iterable[Generation]) -> list[Generation]:
    """As far as the names say; what no rotation names comes last."""
    dated = sorted(generations, key=lambda each: (each.date, -len(each.name)), reverse=True)
    return sorted(dated, key=lambda each: (not each.rotated, each.number or 0))


def stem(name: str) -> str:
    """What a rotation puts something behind: `facts.jsonl` of `facts.jsonl.1.gz`."""
    ends = [name.find(ending) + len(ending) for ending in GZIPPED + LINES if ending in name]
    return name[: ends[0]] if ends else name


def is_copy(name: str, other: str) -> bool:
    """Whether a rotation may have given a file, or a copy that can be read, this other name."""
    return is_rotated(name, other) and not Generation.of(other).packed


def is_rotated(name: str, other: str) -> bool:
    """The same of any copy.

    `facts.jsonl` becomes `facts.jsonl.1`, that `facts.jsonl.2` or `facts.jsonl.2.gz`; what has
    a date only gets an ending.
    """
    first = name if Generation.of(name).date else stem(name)
    return other != name and other.startswith((f"{first}.", f"{first}-", f"{first}_"))
