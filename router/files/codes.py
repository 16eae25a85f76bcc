"""The kinds of mistakes in files, each with a word that programs can look for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Code(StrEnum):
    """What kind of mistake it is; stands between the place and the message."""

    FILE = "file"
    """A file or folder that is missing, can't be read, is misnamed or not UTF-8."""
    YAML = "yaml"
    """Not YAML, or a part of it that is not taken here: tags, directives, several documents."""
    ALIAS = "alias"
    """An anchor or alias of YAML."""
    DUPLICATE_KEY = "duplicate-key"
    """A key that stands twice in one mapping."""
    DUPLICATE_NAME = "duplicate-name"
    """A second rule, test, user or channel of one name."""
    UNKNOWN_KEY = "unknown-key"
    """A key that nothing reads: mostly a typo."""
    MISSING_KEY = "missing-key"
    """A key that must be there and is not."""
    UNKNOWN_FIELD = "unknown-field"
    """A condition asks for what is not in the catalogue of fields."""
    UNKNOWN_RULE = "unknown-rule"
    """A test expects something of a rule that is not there."""
    UNKNOWN_ADAPTER = "unknown-adapter"
    """A source or channel names an adapter that is not installed, or can't be loaded."""
    WRONG_TYPE = "wrong-type"
    """A list where text is needed, or the like."""
    UNQUOTED = "unquoted"
    """Text without the quotes it needs: YAML reads it as a number or as true or false."""
    EMPTY = "empty"
    """Nothing stands where something must: a condition, a list, a file."""
    CONDITION = "condition"
    """A line of `when` that can't be read."""
    OPERATOR = "operator"
    """A comparison that there is not, or that the field does not take."""
    VALUE = "value"
    """A value that can't be right there."""
    IMPOSSIBLE = "impossible"
    """A condition asks for a value that the field never has."""
    CONFLICT = "conflict"
    """Two things of which each is right, and both together are not."""
    TOO_LARGE = "too-large"
    """More alternatives, nesting or text than the router takes."""
    NEVER_MATCHES = "never-matches"
    """A rule whose conditions contradict each other."""
    SHADOWED = "shadowed"
    """An alerting rule that never counts, because rules that suppress match wherever it does."""
    NOBODY = "nobody"
    """A role, subscription or id that no Service User has."""
    VARIABLE = "variable"
    """A variable of the environment that is not set, or is not written as one."""
    ENGINE = "engine"
    """Rules that the rules engine, or its build on this machine, can't be trusted with."""
    KEY_FILE = "key-file"
    """A key, certificate or secret that can't be read, is open to others or of no use."""


def not_text_code(value: object) -> Code:
    """The code of a value that is not text, where text must stand."""
    if value is None:
        return Code.EMPTY
    return Code.UNQUOTED if isinstance(value, bool | int | float) else Code.WRONG_TYPE


def code_of(item: ErrorDetails) -> Code:
    """The code of what pydantic found."""
    kind, value = item["type"], item["input"]
    if value is None or kind in {"string_type", "path_type"}:
        return not_text_code(value)
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return Code.WRONG_TYPE
    if kind.endswith("too_short"):
        return Code.EMPTY if item.get("ctx", {}).get("min_length", 1) == 1 else Code.VALUE
    return Code.TOO_LARGE if kind.endswith("too_long") else Code.VALUE
