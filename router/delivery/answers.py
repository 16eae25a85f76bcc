"""What an adapter answers, looked at before it counts: cheap where it is as it must be.

Whatever else it is costs the lane that asked: it stands until its adapter keeps the contract.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from inspect import isawaitable
from types import CoroutineType
from typing import Any

from router.files.redaction import in_one_line
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Outcome,
    Reason,
    Refused,
    Retry,
)
from router.ports.delivery import MAX_DETAIL, MAX_WAIT
from router.ports.origins import described_kind
from router.ports.theirs import enter_theirs

_READ = 4 * MAX_DETAIL
"""Characters of a text that are read at all: each is looked through for secrets."""
_NONE = timedelta()


class NoOutcomes(Exception):
    """What came is no answer; the message says why, and what the contract asks for."""


def asked(deliver: Callable[..., object], *given: object) -> Awaitable[object]:
    """Its answer, to be awaited. NoOutcomes where there is nothing to await."""
    enter_theirs()
    found: Any = deliver(*given)
    if type(found) is CoroutineType or isawaitable(found):
        return found
    raise NoOutcomes(
        f"gave {described_kind(found)} for `deliver`, which must be `async def` with a return"
    )


def checked(answered: object, count: int, redact: Callable[[str], str]) -> list[Outcome]:
    """One Outcome for each, with what people may see of it. NoOutcomes where that is not so."""
    if not isinstance(answered, list | tuple):
        raise NoOutcomes(
            f"answered {described_kind(answered)}, not a list with an Outcome for each Alert"
        )
    if len(answered) != count:
        raise NoOutcomes(f"answered {len(answered)} Outcomes for {count} Alerts")
    found: list[Outcome] = []
    before: object = None
    for each in answered:
        # most answer the same for all that went together
        found.append(found[-1] if each is before and found else _looked_at(each, redact))
        before = each
    return found


def discreet(text: object, redact: Callable[[str], str]) -> str:
    """A detail or receipt as it is kept: of one line, of bounded length, without secrets."""
    if not isinstance(text, str):
        return "" if text is None else f"(no text, but {described_kind(text)})"
    if len(text) > _READ:
        text = f"{text[:_READ]}..."  # as a redactor knows a cut
    said = redact(text)
    short = len(said) <= MAX_DETAIL and said.isprintable()
    return said if short else in_one_line(said, MAX_DETAIL)


def _looked_at(each: object, redact: Callable[[str], str]) -> Outcome:
    match each:
        case Delivered(receipt):
            said = discreet(receipt, redact)
            return each if said is receipt else Delivered(said)
        case Retry(reason, detail, after):
            _need(reason, Reason, "Retry")
            return Retry(reason, discreet(detail, redact), _wait(after))
        case Refused(reason, detail):
            _need(reason, Reason, "Refused")
            return replace(each, detail=discreet(detail, redact))
        case Closed(fault, detail):
            _need(fault, ChannelFault, "Closed")
            return replace(each, detail=discreet(detail, redact))
    raise NoOutcomes(f"answered {described_kind(each)} for an Alert, not an Outcome")


def _need(reason: object, right: type[Reason] | type[ChannelFault], outcome: str) -> None:
    if not isinstance(reason, right):
        words = " or ".join(f"{right.__name__}.{each.name}" for each in list(right)[:2])
        raise NoOutcomes(
            f"answered {outcome} with {described_kind(reason)} as reason, not {words}, ..."
        )


def _wait(after: object) -> timedelta | None:
    """Nobody waits for less than nothing, or for ever."""
    if after is None:
        return None
    if not isinstance(after, timedelta):
        raise NoOutcomes(f"answered Retry with {described_kind(after)} as `after`, not a timedelta")
    return min(max(after, _NONE), MAX_WAIT)
