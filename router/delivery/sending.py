"""Requests to the other side: under the channel's deadline, and whatever the adapter does.

Adapters are other people's code. What they raise is their bug and never stops a lane's
neighbours: the Alerts are tried again, and the traceback is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from traceback import format_exception
from typing import TypeGuard

import structlog

from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Claimed, Wish
from router.ports import (
    Adapter,
    Alert,
    Closed,
    Delivered,
    DeliversEach,
    Options,
    Outcome,
    Reason,
    Refused,
    RenderError,
    Retry,
)

_log = structlog.get_logger(__name__)


Answered = Callable[[Sequence[Claimed], Sequence[Outcome]], None]
"""What became of one request."""


async def send(
    lane: Lane,
    channel: Channel,
    adapter: Adapter[Options] | None,
    requests: Sequence[Sequence[Claimed]],
    answered: Answered,
) -> None:
    """One Outcome for each Alert; raises only when the router itself is being stopped, or what
    `answered` raises.

    Channel and adapter are those of the lane when the send began. Several requests go to an
    adapter that takes several at once; under one deadline, as they begin together.
    """
    assert adapter is not None
    redact = lane.redact  # that of the adapter; a reload may come meanwhile
    block = _Together(requests, redact, answered)
    if not block.left:
        return
    outcome: Outcome
    try:
        async with asyncio.timeout(channel.timeout):
            await block.deliver(adapter)
        return
    except TimeoutError:
        outcome = Retry(Reason.TIMEOUT, f"no answer within {channel.timeout:g} s")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # some client libraries cancel their callers when a connection is lost
        outcome = Retry(Reason.NETWORK, "the connection was lost")
    except Exception as error:  # an adapter's bug must not stop others
        if block.ours is not None:
            raise block.ours from None
        _bug(lane, error)
        outcome = Retry(Reason.BUG, redact(f"{type(error).__name__}: {error}")[:300])
    block.answer_rest(outcome)


class _Together:
    """Requests that go together, until each is answered."""

    def __init__(
        self,
        requests: Sequence[Sequence[Claimed]],
        redact: Callable[[str], str],
        answered: Answered,
    ) -> None:
        self._redact = redact
        self._answered = answered
        self.left: dict[int, Sequence[Claimed]] = {}
        """By their places among those that were given to the adapter."""
        self.ours: Exception | None = None
        """What was raised by whoever is told the answers: no bug of an adapter."""
        for claimed in requests:
            if any(each.unrendered is not None for each in claimed):
                neighbour = Retry(Reason.BUG, "an Alert of the same batch has no bytes")
                answered(claimed, [each.unrendered or neighbour for each in claimed])
            else:
                self.left[len(self.left)] = claimed

    async def deliver(self, adapter: Adapter[Options]) -> None:
        """Have the adapter send them. ValueError when it does not answer each once."""
        given = [[each.delivery for each in claimed] for claimed in self.left.values()]
        if delivers_each(adapter):
            await adapter.deliver_each(given, self._answer)
        else:
            (deliveries,) = given
            self._answer(0, await adapter.deliver(deliveries))
        if self.ours is not None:  # and the adapter kept it to itself
            raise self.ours
        if self.left:
            raise ValueError(f"no outcomes for {len(self.left)} of {len(given)} requests")

    def answer_rest(self, outcome: Outcome) -> None:
        """What has no answer yet has this one."""
        left, self.left = self.left, {}
        for claimed in left.values():
            self._answered(claimed, [outcome] * len(claimed))

    def _answer(self, place: int, outcomes: Sequence[Outcome]) -> None:
        claimed = self.left.get(place)
        if claimed is None:
            raise ValueError(f"outcomes for request {place}, which waits for none")
        if len(outcomes) != len(claimed):
            raise ValueError(f"{len(outcomes)} outcomes for {len(claimed)} Alerts")
        found = [_discreet(each, self._redact) for each in outcomes]
        del self.left[place]
        try:
            self._answered(claimed, found)
        except Exception as error:
            self.ours = error
            raise


def delivers_each(adapter: Adapter[Options]) -> TypeGuard[DeliversEach]:
    """Whether it takes several requests at once."""
    return _delivers_each(type(adapter))


@cache
def _delivers_each(kind: type[object]) -> bool:
    """A look at a protocol is dear."""
    return issubclass(kind, DeliversEach)


def renders_safely(lane: Lane, wish: Wish) -> Wish:
    """The same wish, with a `render` that gives an Outcome where the adapter's raises."""
    if wish.render is None:
        return wish
    render: Callable[[Alert], bytes | Outcome] = wish.render

    def safe(alert: Alert) -> bytes | Outcome:
        try:
            return render(alert)
        except RenderError as error:
            return _discreet(error.outcome, lane.redact)
        except Exception as error:  # in the ledger's transaction, which is everybody's
            _bug(lane, error)
            return Retry(Reason.BUG, "the adapter could not make the bytes")

    return replace(wish, render=safe)


def _bug(lane: Lane, error: Exception) -> None:
    log_bug(error, lane.redact, **names(lane), adapter=lane.channel.adapter)


def log_bug(error: Exception, redact: Callable[[str], str], **where: str) -> None:
    """The traceback of an adapter's bug; a library may have put an address into its error."""
    _log.error("adapter.bug", **where, exception=redact("".join(format_exception(error))))


def _discreet(outcome: Outcome, redact: Callable[[str], str]) -> Outcome:
    """The same without what the other side repeated of our secrets."""
    match outcome:
        case Delivered(receipt):
            shown = redact(receipt)
            return outcome if shown == receipt else replace(outcome, receipt=shown)
        case Retry() | Refused() | Closed():
            return replace(outcome, detail=redact(outcome.detail))


def names(lane: Lane) -> dict[str, str]:
    """What logs call a lane."""
    return {"recipient": lane.service_user_id, "channel": lane.channel.name}


def words(outcome: Outcome) -> str:
    """An Outcome in one line, for operators."""
    match outcome:
        case Delivered(receipt):
            return f"delivered {receipt}".strip()
        case Retry(reason, detail, _):
            return f"retry: {reason.value}: {detail}"
        case Refused(reason, detail):
            return f"refused: {reason.value}: {detail}"
        case Closed(closed, detail):
            return f"closed: {closed.value}: {detail}"
