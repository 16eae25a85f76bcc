"""What rotations left of a file whose name means another one by now, or nothing.

The rest of it stands under another name, perhaps compressed. Where several rotations have passed,
there are files of which nothing was ever read: those that are newer than what was read last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.folder.generations import Generation, is_copy, stem
from adapters.folder.reading import Reading
from adapters.folder.shelf import Shelf
from router.ports import Cursor


@dataclass(frozen=True, slots=True)
class Rotated:
    """What is to be read before whatever has the name now."""

    found: bool = False
    """The file itself, or a copy of it, is there; what is unread of it is read."""
    readings: list[Reading] = field(default_factory=list)
    """What nobody read so far, the newest first."""
    packed: list[str] = field(default_factory=list)
    """Names of others, which are compressed in a way that is not read."""


def left_by_rotation(
    shelf: Shelf, mark: Cursor, *, besides: Reading | None = None, in_doubt: bool = True
) -> Rotated:
    """All that may have been written since `mark`, without the file `besides` itself.

    Where the file is not to be found, what is newer than what else we know counts as such;
    `in_doubt`, where we know nothing, all does.
    """
    family = shelf.family(mark.key)
    at_hand = shelf.at_hand(mark.identity, besides=besides)
    rest: list[Reading] = []
    origin = _kin(shelf, mark, at_hand) if at_hand else None
    if (origin is None or not origin.rotated) and mark.offset > 0:
        copy, rest = _copy(shelf, family, mark)
        origin = copy or origin
    if mark.key != stem(mark.key):  # what is newer than that is newer than the other, too
        return Rotated(origin is not None, rest)
    since = origin or next((each for each in family if shelf.knows(each.name)), None)
    if since is None and not in_doubt:
        return Rotated()
    newer = [
        each
        for each in family
        if each.rotated and not shelf.follows(each.name) and (since is None or each.newer(since))
    ]
    adopted = [shelf.adopt(each.name) for each in newer if not each.packed]
    packed = [each.name for each in newer if each.packed]
    return Rotated(origin is not None, adopted + rest, packed)


def _kin(shelf: Shelf, mark: Cursor, reading: Reading) -> Generation:
    """What a file that is read anyway says of the age of others."""
    name = shelf.name_of(reading)
    return Generation.of(name if name and is_copy(mark.key, name) else "", shelf.modified(reading))


def _copy(
    shelf: Shelf, family: Sequence[Generation], mark: Cursor
) -> tuple[Generation | None, list[Reading]]:
    """The file or copy in which the mark was made, by its bytes; and how to read on in it."""
    found: tuple[Generation, Reading] | None = None
    for each in family:
        reading = None if each.packed else shelf.continuation(each.name, mark)
        if reading is None:
            continue
        more = reading.more()
        if found is None or more:
            if found is not None:
                shelf.close(found[1])
            found = each, reading
        else:
            shelf.close(reading)
        if more or each.rotated:
            break
    if found is None:
        return None, []
    generation, reading = found
    if shelf.follows(generation.name) or not (generation.rotated or reading.more()):
        shelf.close(reading)
        return generation, []
    shelf.follow(reading)
    return generation, [reading]
