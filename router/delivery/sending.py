"""One request to the other side: under the channel's deadline, and whatever the adapter does.

Adapters are other people's code. What they raise is their bug and never stops a lane's
neighbours: the Alerts are tried again, and the traceback is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from traceback import format_exception

import structlog

from router.delivery.answers import NoOutcomes, asked, checked, discreet
from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Claimed, Wish
from router.ports import (
    Adapter,
    Alert,
    ChannelFault,
    Closed,
    Delivered,
    Options,
    Outcome,
    Reason,
    Refused,
    RenderError,
    Retry,
)
from router.ports.delivery import MAX_RENDERED
from router.ports.origins import Origin
from router.ports.origins import words as told

_log = structlog.get_logger(__name__)


async def send(
    lane: Lane, channel: Channel, adapter: Adapter[Options] | None, claimed: Sequence[Claimed]
) -> Sequence[Outcome]:
    """One Outcome for each; raises only when the router itself is being stopped.

    Channel and adapter are those of the lane when the send began.
    """
    assert adapter is not None
    redact = lane.redact  # that of the adapter; a reload may come meanwhile
    if any(each.unrendered is not None for each in claimed):
        neighbour = Retry(Reason.BUG, "an Alert of the same batch has no bytes")
        return [each.unrendered or neighbour for each in claimed]
    try:
        async with asyncio.timeout(channel.timeout):
            outcomes = await asked(adapter, [each.delivery for each in claimed])
        return checked(outcomes, len(claimed), redact)
    except TimeoutError:
        return [Retry(Reason.TIMEOUT, f"no answer within {channel.timeout:g} s") for _ in claimed]
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # some client libraries cancel their callers when a connection is lost
        return [Retry(Reason.NETWORK, "the connection was lost") for _ in claimed]
    except NoOutcomes as error:
        return [broken(lane, str(error))] * len(claimed)
    except GeneratorExit:
        raise
    except BaseException as error:  # an adapter's bug must not stop others, nor end the router
        _bug(lane, error)
        detail = discreet(f"{lane.origin or 'the adapter'} raised {told(error)}", redact)
        return [Retry(Reason.BUG, detail) for _ in claimed]


def broken(lane: Lane, what: str) -> Closed:
    """What is answered for an adapter that does not keep the contract: its lane stands."""
    origin = lane.origin or Origin(lane.channel.adapter)
    detail = discreet(origin.blamed(what), lane.redact)
    _log.error("adapter.bug", **names(lane), adapter=origin.kind, detail=detail)
    return Closed(ChannelFault.ADAPTER, detail)


def renders_safely(lane: Lane, wish: Wish) -> Wish:
    """The same wish, with a `render` that gives an Outcome where the adapter's raises."""
    if wish.render is None:
        return wish
    render: Callable[[Alert], bytes | Outcome] = wish.render

    def safe(alert: Alert) -> bytes | Outcome:
        try:
            rendered = render(alert)
        except RenderError as error:
            try:
                return checked([error.outcome], 1, lane.redact)[0]
            except NoOutcomes as wrong:
                return broken(lane, f"{wrong}, with a RenderError")
        except BaseException as error:  # in the ledger's transaction, which is everybody's
            _bug(lane, error)
            return Retry(Reason.BUG, "the adapter could not make the bytes")
        if type(rendered) is bytes and len(rendered) <= MAX_RENDERED:
            return rendered
        return broken(lane, f"gave no bytes for `render`, or more than {MAX_RENDERED:,}")

    return replace(wish, render=safe)


def _bug(lane: Lane, error: BaseException) -> None:
    log_bug(error, lane.redact, **names(lane), adapter=lane.channel.adapter)


def log_bug(error: BaseException, redact: Callable[[str], str], **where: str) -> None:
    """The traceback of an adapter's bug; a library may have put an address into its error."""
    _log.error("adapter.bug", **where, exception=redact("".join(format_exception(error))))


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
