"""What the engine sees of a candidate: a row of small whole numbers. Pure.

durable_rules compares text by rules of its own, knows no lists and tells names apart by a 32-bit
hash. So each comparison becomes one on a number that is always there, has a short generated name
and is computed here:

    == and exists          one number a field: 0 absent, 1 something else, then one for each text
                           (or true, false) that some rule compares the field with
    < <= > >=              one number a field and direction: the place among the versions that
                           rules compare it with; absent lies where no comparison holds
    in, startswith, has    one number a comparison: 1 where it holds, else 0

`!=` and negations are the opposite comparison of the same number, which is exact. Hostile text
never reaches the C library, and candidates that are alike to the rules become the same row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.domain.versions import VersionPlace, version_place
from router.language.alternatives import Leaf
from router.language.fields import Value

NumberRow = tuple[int, ...]
"""The numbers of one candidate, in the order of the properties."""
Column = Callable[[Value | None], int]
"""The number of one property, from the value of its field."""

_ORDER = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_OPPOSITE = {"$lt": "$gte", "$lte": "$gt", "$gt": "$lte", "$gte": "$lt", "$eq": "$neq"}


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of a property with a number, as the engine does it."""

    place: int
    """Which property."""
    sign: str
    """`$eq`, `$neq`, `$lt`, `$lte`, `$gt` or `$gte`."""
    number: int


def place_of(leaf: Leaf) -> object:
    """What tells the property of a leaf from others: leaves with the same one share it."""
    if leaf.operator in {"==", "exists"}:
        return leaf.field, "=="
    if leaf.operator in _ORDER:
        return leaf.field, leaf.operator[0]
    return leaf.field, leaf.operator, leaf.literal


class Properties:
    """The properties that some leaves need, each once."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self._leaves = list(leaves)
        self._columns: list[tuple[str, Column]] = []
        self._places: dict[object, int] = {}
        self._codes: dict[str, dict[Value, int]] = {}
        self._versions: dict[str, list[VersionPlace]] = {}
        for leaf in self._leaves:
            if leaf.operator == "==" and leaf.literal is not None:
                codes = self._codes.setdefault(leaf.field, {})
                codes.setdefault(leaf.literal, len(codes) + 2)
        for field, literals in _compared(self._leaves).items():
            self._versions[field] = sorted({version_place(text) for text in literals})
        self._checks = {leaf: self._check(leaf) for leaf in self._leaves}

    def __len__(self) -> int:
        return len(self._columns)

    def check(self, leaf: Leaf) -> Check:
        """How the engine decides a leaf."""
        return self._checks[leaf]

    def row(self, values: Mapping[str, Value]) -> NumberRow:
        """The numbers of one candidate."""
        return tuple([column(values.get(field)) for field, column in self._columns])

    def _check(self, leaf: Leaf) -> Check:
        if leaf.operator in _ORDER:
            check = self._order(leaf)
        elif leaf.operator == "==":
            assert leaf.literal is not None
            code = self._codes[leaf.field][leaf.literal]
            check = Check(self._equality(leaf), "$eq", code)
        elif leaf.operator == "exists":
            absent = Check(self._equality(leaf), "$eq", 0)
            return absent if not leaf.wanted else Check(absent.place, "$neq", 0)
        else:
            check = Check(self._membership(leaf), "$eq", 1)
        return check if leaf.wanted else Check(check.place, _OPPOSITE[check.sign], check.number)

    def _place(self, leaf: Leaf, column: Column) -> int:
        place = self._places.setdefault(place_of(leaf), len(self._columns))
        if place == len(self._columns):
            self._columns.append((leaf.field, column))
        return place

    def _equality(self, leaf: Leaf) -> int:
        codes = self._codes.get(leaf.field, {})

        def column(value: Value | None) -> int:
            return 0 if value is None else codes.get(value, 1)

        return self._place(leaf, column)

    def _order(self, leaf: Leaf) -> Check:
        versions = self._versions[leaf.field]
        below = leaf.operator[0] == "<"
        # of n versions one has an even place from 2 to 2n, what lies between an odd 1 to 2n+1
        absent = 2 * len(versions) + 2 if below else 0

        def column(value: Value | None) -> int:
            return _between(versions, value) if isinstance(value, str) else absent

        assert isinstance(leaf.literal, str)
        return Check(
            self._place(leaf, column), _ORDER[leaf.operator], _between(versions, leaf.literal)
        )

    def _membership(self, leaf: Leaf) -> int:
        literal = leaf.literal
        if leaf.operator == "in":
            column = _among(frozenset(literal) if isinstance(literal, tuple) else frozenset())
        elif leaf.operator == "has":
            column = _holding(str(literal))
        else:
            column = _starting(str(literal))
        return self._place(leaf, column)


def _among(texts: frozenset[str]) -> Column:
    return lambda value: int(value in texts)


def _holding(word: str) -> Column:
    return lambda value: int(isinstance(value, tuple) and word in value)


def _starting(text: str) -> Column:
    return lambda value: int(isinstance(value, str) and value[: len(text)] == text)


def _compared(leaves: Sequence[Leaf]) -> dict[str, set[str]]:
    """The versions that each field is compared with for their order."""
    found: dict[str, set[str]] = {}
    for leaf in leaves:
        if leaf.operator in _ORDER and isinstance(leaf.literal, str):
            found.setdefault(leaf.field, set()).add(leaf.literal)
    return found


def _between(versions: Sequence[VersionPlace], version: str) -> int:
    place = version_place(version)
    return 1 + bisect_left(versions, place) + bisect_right(versions, place)
