"""What is wrong with a fact, by its fields and in the words of whoever sends it."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from router.domain.identifiers import NO_MOMENT
from router.files.messages import reason


class FieldError(ValueError):
    """What is wrong with one field when others are looked at, too."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def field_of(item: ErrorDetails) -> str:
    """The field that a finding of pydantic is about; empty where it is about the whole."""
    error = item.get("ctx", {}).get("error")
    if isinstance(error, FieldError):
        return error.field
    return ".".join(str(part) for part in item["loc"])


def in_words(error: ValidationError) -> str:
    """Each finding as `key: what is wrong`, without the value (it may be hostile)."""
    found = [
        f"{field_of(item) or 'data'}: {_words(item)}" for item in error.errors(include_url=False)
    ]
    return "; ".join(found)[:500]


def _words(item: ErrorDetails) -> str:
    if item["type"] == "missing":
        return "missing"
    if item["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return "missing" if item["input"] is None else "must be a JSON object"
    if item["type"].startswith("datetime_"):
        return f"{NO_MOMENT}{_why_no_moment(item['input'])}"
    if item["type"] == "timezone_aware":
        return "must have an offset, such as Z or +01:00"
    if item["type"] in {"too_long", "too_short"} and isinstance(item["input"], str):
        # what was looked at before is no text to pydantic any more
        item = {**item, "type": f"string_{item['type']}"}
    return reason(item, None)


def _why_no_moment(text: str) -> str:
    """What is wrong with one that looks like it; nothing where that can't be said."""
    try:
        datetime.fromisoformat(text.upper())
    except ValueError as error:
        said = str(error)
        if "timedelta" in said:
            return "; its offset must be less than 24 hours"
        return "" if said.startswith("Invalid") else f"; {said}"
    return ""
