"""What text may come in: identifiers, versions, words, moments, each with its allow-list.

Whatever may reach an Alert passes here once, at intake or in a file that operators edit, so
nothing behind this door needs to distrust it.

Source, for Device ID and firmware version: the DCC User Interface Specification. Meter point
numbers have a module of their own, meterpoints.py.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from router.domain.eui import eui64

_VERSION = r"^[0-9A-Za-z._-]{1,8}$"
_WORD = r"^[0-9A-Za-z._:-]{1,40}$"


def text_only(value: Any) -> Any:
    """The value if it is text at all: numbers and booleans are not turned into text."""
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be text in quotes")
    return value


def printable(text: str) -> str:
    """The text if every character of it can be seen."""
    if not text.isprintable():
        raise ValueError("holds control or invisible characters")
    return text


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999 in UTC") from None


def _rfc3339(value: Any) -> Any:
    # pydantic would take numbers as Unix times, and dates without a time
    if not isinstance(value, str) or not _MOMENT.match(value):
        raise ValueError(NO_MOMENT)
    return _in_leap_second(value) or value


NO_MOMENT = "must be an RFC 3339 time with offset, such as 2026-01-31T23:59:00+00:00"
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}")
_LEAP = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)60(?:\.\d+)?(.*)", re.DOTALL)


def _in_leap_second(text: str) -> str | None:
    """The last moment before it, which is of the same day; None where second 60 is not meant."""
    found = _LEAP.fullmatch(text)
    if found is None:
        return None
    before = f"{found[1]}59.999999{found[2]}"
    try:
        moment = datetime.fromisoformat(before.upper())
    except ValueError:
        return None
    if moment.tzinfo is None:
        return before
    if _utc(moment).strftime("%H%M") != "2359":
        raise ValueError("has a second 60, which there is only before midnight in UTC")
    return before


def _local_date(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("must be a date, such as 2026-01-31")
    return value


def shown_as(pattern: str) -> WithJsonSchema:
    """What the JSON Schema says of a text that validators check."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


DeviceId = Annotated[
    str,
    BeforeValidator(text_only),
    AfterValidator(eui64),
    shown_as(r"^[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){7}$"),
]
"""EUI-64, compared without case, kept in upper case."""
UserId = DeviceId
FirmwareVersion = Annotated[
    str,
    BeforeValidator(text_only),
    StringConstraints(pattern=_VERSION),
    shown_as(_VERSION),
]
"""1 to 8 of `0-9 A-Z a-z . _ -`; text, never a number."""
ShortText = Annotated[
    str,
    BeforeValidator(text_only),
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(printable),
]
Word = Annotated[
    str,
    BeforeValidator(text_only),
    StringConstraints(pattern=_WORD),
    shown_as(_WORD),
]
"""A free word such as `pilot`."""
MOST_GROUPS = 100


def _few(value: Any) -> Any:
    """Counted before the first of them is looked at: a message of 256 kB has 60,000."""
    if isinstance(value, list | tuple) and len(value) > MOST_GROUPS:
        counts = {"max_length": MOST_GROUPS, "actual_length": len(value)}
        raise PydanticKnownError("too_long", {"field_type": "List", **counts})
    return value


Groups = Annotated[tuple[Word, ...], Field(max_length=MOST_GROUPS), BeforeValidator(_few)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_utc)]
"""RFC 3339 with offset, kept in UTC."""
LocalDate = Annotated[date, BeforeValidator(_local_date)]
"""A day in Europe/London."""
