"""Which files are those that we knew, when names have moved. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from adapters.folder.look import GZIPPED, LINES
from router.ports import Cursor


class Marks:
    """How far every file was read that there has been: what the ledger has, by name."""

    def __init__(self, cursors: Iterable[Cursor]) -> None:
        self._by_name: dict[str, Cursor] = {}
        self._names: dict[str, set[str]] = defaultdict(set)
        for cursor in cursors:
            self.set(cursor)

    def names(self) -> AbstractSet[str]:
        """Under which anything was read."""
        return self._by_name.keys()

    def get(self, name: str) -> Cursor | None:
        """How far that was read which had this name last."""
        return self._by_name.get(name)

    def set(self, cursor: Cursor) -> None:
        """What has this name was read so far."""
        before = self._by_name.get(cursor.key)
        self._by_name[cursor.key] = cursor
        if before is None or before.identity != cursor.identity:
            if before is not None:
                self._names[before.identity].discard(cursor.key)
            self._names[cursor.identity].add(cursor.key)

    def of(self, name: str, identity: str, present: Mapping[str, str]) -> tuple[Cursor, ...]:
        """How far the files were read that this one may be by its identity, the likeliest first.

        Not a mark whose own name is `present` and still means that file: then this is a second
        name of it.
        """
        marks = [
            self._by_name[each]
            for each in self._names.get(identity, ())
            if each == name or present.get(each) != identity
        ]
        marks.sort(key=lambda each: (each.key == name, is_copy(each.key, name), each.offset))
        return tuple(reversed(marks))

    def disown(self, marks: Iterable[Cursor]) -> None:
        """These files are no more: another one has got their inode."""
        for mark in marks:
            if self._by_name.get(mark.key) == mark:
                self.set(replace(mark, identity=""))


def placed(known: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """By the name under which a known file is found: the one under which it was known.

    Both are identities by name. A file that has kept its name stays, whatever others it has got.
    """
    kept = {name for name, identity in known.items() if found.get(name) == identity}
    staying = {known[name] for name in kept}
    moved = {identity: name for name, identity in known.items() if identity not in staying}
    places = {name: name for name in kept}
    for name, identity in sorted(found.items()):
        if name not in kept and identity in moved:
            places[name] = moved.pop(identity)
    return places


def is_copy(name: str, other: str) -> bool:
    """Whether a rotation may have given a file, or a copy of it, this other name.

    `facts.jsonl` becomes `facts.jsonl.1`, that `facts.jsonl.2`.
    """
    ends = [name.find(ending) + len(ending) for ending in GZIPPED + LINES if ending in name]
    first = name[: ends[0]] if ends else name
    return other != name and other.startswith((f"{first}.", f"{first}-"))
