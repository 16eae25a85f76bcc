"""Moments as the ledger keeps them: whole microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stamp(moment: datetime) -> int:
    """The number for an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(stamped: int) -> datetime:
    """The moment again, UTC."""
    return _EPOCH + stamped * _MICROSECOND


def rfc3339(moment: datetime, precision: str = "auto") -> str:
    """As people and programs read it: `2026-01-31T23:59:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
