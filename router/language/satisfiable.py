"""Whether several comparisons of one field leave it any value: what contradictions are told by.

A "no" is certain. A "yes" is certain too where a field has few values or a line names them;
elsewhere it only means that none of the reasons below speaks against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from router.domain.versions import VersionPlace, version_place
from router.language.alternatives import Leaf
from router.language.fields import FIELDS, Field, FieldKind, Value

_FIRST: VersionPlace = ((False, 0, ""),)
"""No version comes before the number 0."""
_BEYOND = (True, 1, "")
"""Comes after every part of a version."""


def by_field(leaves: Iterable[Leaf]) -> dict[str, tuple[Leaf, ...]]:
    """Leaves in groups that are about one field each."""
    found: dict[str, tuple[Leaf, ...]] = {}
    for leaf in leaves:
        found[leaf.field] = (*found.get(leaf.field, ()), leaf)
    return found


def possible(fields: Mapping[str, Sequence[Leaf]]) -> bool:
    """Whether each field has a value, or its absence, that meets all of its leaves."""
    return all(remains(leaves) for leaves in fields.values())


def remains(leaves: Sequence[Leaf]) -> bool:
    """Whether some value, or its absence, may meet all of these leaves of one field."""
    field = FIELDS[leaves[0].field]
    needed = field.always or any(leaf.wanted for leaf in leaves)
    if not needed:
        return True  # absent, it meets whatever must not hold
    if any(leaf.operator == "exists" and not leaf.wanted for leaf in leaves):
        return False
    values = _listed(field, leaves)
    if values is not None:
        return any(all(leaf.met(value) for leaf in leaves) for value in values)
    if field.kind is FieldKind.WORDS:
        return not _literals(leaves, "has", wanted=True) & _literals(leaves, "has", wanted=False)
    return _prefix_remains(leaves) and (
        field.kind is not FieldKind.VERSION or _place_remains(leaves)
    )


def _listed(field: Field, leaves: Sequence[Leaf]) -> Iterable[Value] | None:
    """All values that can be right, where they are few; None where they are many."""
    if field.kind is FieldKind.BOOLEAN:
        return (True, False)
    if field.kind is FieldKind.ENUM:
        return field.values
    for leaf in leaves:
        if leaf.wanted and leaf.operator in {"==", "in"} and leaf.literal is not None:
            return leaf.literal if isinstance(leaf.literal, tuple) else (leaf.literal,)
    return None


def _literals(leaves: Sequence[Leaf], operator: str, *, wanted: bool) -> set[str]:
    return {
        str(leaf.literal) for leaf in leaves if leaf.operator == operator and leaf.wanted is wanted
    }


def _prefix_remains(leaves: Sequence[Leaf]) -> bool:
    wanted = _literals(leaves, "startswith", wanted=True)
    longest = max(wanted, key=len, default="")
    refused = _literals(leaves, "startswith", wanted=False)
    return all(map(longest.startswith, wanted)) and not any(map(longest.startswith, refused))


def _place_remains(leaves: Sequence[Leaf]) -> bool:
    """Whether there is room in the order of versions between the latest start and the first end."""
    # of two bounds at one place the strict one is tighter, and sorts last below and first above
    below: list[tuple[VersionPlace, bool]] = [(_FIRST, False)]
    above: list[tuple[VersionPlace, bool]] = [((_BEYOND,), False)]
    for leaf in leaves:
        if leaf.operator == "startswith" and leaf.wanted:
            begun = _whole_parts(str(leaf.literal))
            below.append((begun, True))
            above.append(((*begun, _BEYOND), False))
        elif leaf.operator[0] in "<>":
            place = version_place(str(leaf.literal))
            inclusive = ("=" in leaf.operator) is leaf.wanted
            if (leaf.operator[0] == "<") is leaf.wanted:
                above.append((place, inclusive))
            else:
                below.append((place, not inclusive))
    (low, open_below), (high, closed_above) = max(below), min(above)
    return low < high or (low == high and closed_above and not open_below)


def _whole_parts(prefix: str) -> VersionPlace:
    """What the places of all versions with this prefix begin with; the last part may go on."""
    return version_place(prefix + "x")[:-1]
