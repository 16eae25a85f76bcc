"""Moments as the ledger keeps them, whole microseconds since 1970 UTC; and spans of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """What `30s`, `10m`, `24h` or `7d` mean. ValueError for all else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("must be a number with s, m, h or d behind it, such as 10m or 24h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def lasting(span: timedelta) -> str:
    """A span of time in its two largest units: `2 d 3 h`, `10 min 5 s`, `0 s`."""
    seconds = max(0, int(span.total_seconds()))
    parts = [("d", seconds // 86_400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60)]
    parts.append(("s", seconds % 60))
    first = next((place for place, (_, count) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for unit, count in parts[first : first + 2] if count) or "0 s"


def stamp(moment: datetime) -> int:
    """The number for an aware moment."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@lru_cache(maxsize=1024)  # an import knows all of its hubs from one
def moment(stamped: int) -> datetime:
    """The moment again, UTC."""
    return _EPOCH + timedelta(microseconds=stamped)


def rfc3339(moment: datetime, precision: str = "auto") -> str:
    """As people and programs read it: `2026-01-31T23:59:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
