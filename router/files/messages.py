"""What pydantic finds wrong, in the words of somebody who edits a file.

Pydantic speaks of valid integers and extra inputs, and its findings do not know the keys that
would have been right. The model does, so both are looked up here. Nothing here knows a position.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from router.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LONGEST = 60
"""How much of a wrong value is repeated."""


def is_consequence(item: ErrorDetails) -> bool:
    """Whether a list is only called too short because some of its members are wrong."""
    return item["type"] == "too_short" and len(item["input"]) >= _context(item)["min_length"]


def reason(item: ErrorDetails, written: str | None) -> str:
    """What is wrong with one value; `written` is its source text, None where it may not show."""
    say = _SAY.get(item["type"], _anything_else)
    return say(item, written)


def _but(value: object, written: str | None) -> str:
    """`, not ...`: what stands there instead."""
    if value is None:
        return "; nothing stands there"
    if isinstance(value, Mapping):
        return ", not a mapping"
    if isinstance(value, list | tuple):
        return ", not a list"
    if written is None:
        return ""
    shown = written if len(written) <= LONGEST else f"{written[:LONGEST]}..."
    quoted = not isinstance(value, str) or shown[:1] in {'"', "'"}
    return f", not {shown}" if quoted else f", not {shown!r}"


def mistyped(wanted: type, value: object, written: str | None) -> str:
    """What is wrong with a value where a number, or true or false, must stand."""
    what = {int: "a whole number", float: "a number", bool: "true or false"}[wanted]
    return f"must be {what}{_but(value, written)}"


def not_text(value: object, written: str | None) -> str:
    """What is wrong with a value where text must stand."""
    if isinstance(value, bool | int | float):
        quoted = "" if written is None else f": {json.dumps(written[:LONGEST], ensure_ascii=False)}"
        return f"must be text; quote it{quoted}"
    return "must be text" + _but(value, written)


def _text(item: ErrorDetails, written: str | None) -> str:
    return not_text(item["input"], written)


def _must_be(what: str) -> _Say:
    def say(item: ErrorDetails, written: str | None) -> str:
        limits = {name: f"{value:g}" for name, value in _context(item).items() if _number(value)}
        return f"must be {what.format(**limits)}{_but(item['input'], written)}"

    return say


def _one_of(item: ErrorDetails, written: str | None) -> str:
    names = re.findall(r"'([^']*)'", str(_context(item).get("expected", "")))
    if len(names) == 1:
        return f"must be {names[0]}{_but(item['input'], written)}"
    value = item["input"]
    meant = did_you_mean(value, names) if isinstance(value, str) and written is not None else ""
    hint = meant if "did you mean" in meant else ""
    return f"must be one of {', '.join(names)}{_but(item['input'], written)}{hint}"


def _too_short(item: ErrorDetails, _written: str | None) -> str:
    least = _context(item).get("min_length", 1)
    return f"must have at least {least}{_counted(item, least)}"


def _too_long(item: ErrorDetails, _written: str | None) -> str:
    most = _context(item).get("max_length")
    return f"must have at most {most}{_counted(item, most)}"


def _counted(item: ErrorDetails, number: object) -> str:
    what = "character" if item["type"].startswith("string") else "item"
    return f" {what}" if number == 1 else f" {what}s"


def _pattern(item: ErrorDetails, written: str | None) -> str:
    return f"must look like {_context(item).get('pattern')}{_but(item['input'], written)}"


def _anything_else(item: ErrorDetails, _written: str | None) -> str:
    said = item["msg"].removeprefix("Value error, ")
    return said.replace("Input should be", "must be").replace("Value should", "must")


def _context(item: ErrorDetails) -> dict[str, Any]:
    return item.get("ctx", {})


def _number(value: object) -> bool:
    return isinstance(value, int | float)


_Say = Callable[["ErrorDetails", str | None], str]
_WHOLE = _must_be("a whole number")
_NUMBER = _must_be("a number")
_BOOL = _must_be("true or false")
_MAPPING = _must_be("a mapping, such as {{key: value}}")
_LIST = _must_be("a list, such as [one, two]")
_SAY: dict[str, _Say] = {
    "string_type": _text,
    "path_type": _text,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _BOOL,
    "bool_parsing": _BOOL,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "greater_than": _must_be("more than {gt}"),
    "greater_than_equal": _must_be("at least {ge}"),
    "less_than": _must_be("less than {lt}"),
    "less_than_equal": _must_be("at most {le}"),
    "literal_error": _one_of,
    "enum": _one_of,
    "string_too_short": _too_short,
    "too_short": _too_short,
    "string_too_long": _too_long,
    "too_long": _too_long,
    "string_pattern_mismatch": _pattern,
}
