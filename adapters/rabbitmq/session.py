"""One connection to the broker that facts come through: from its first consumer to its end.

It is never mended. Delivery tags mean something on their own channel only, and a consumer that
was restored behind our back may be silent; so whatever goes wrong ends the session, and the
source begins a new one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import Channel as BareChannel
from aiormq.exceptions import AMQPChannelError, ChannelInvalidStateError

from adapters.binary import structured
from adapters.rabbitmq.connection import dial, hang_up, in_words, introduced
from adapters.rabbitmq.content import Assembly, Incoming
from adapters.rabbitmq.inspection import (
    Inspected,
    inspect,
    is_a_stream,
    refuse,
    soon_given_up,
    why_silent,
)
from adapters.rabbitmq.topology import QueueOptions, prepare
from adapters.rabbitmq.trouble import BrokerError, TroubleKind
from router.ports import Message

ANSWER_S = 10.0
"""Seconds that the broker has for anything we ask."""
ACKNOWLEDGE_S = 5.0
"""Seconds that an acknowledgement may take: less than the router waits for a source that it tells,
or it would take the source for one that never comes back."""
LEAVE_S = 2.0
"""Seconds in which we have told it that we take nothing more; it is a courtesy."""
LOOK_S = 0.5
"""Seconds between two looks at the queue."""
SILENT_S = 10.0
"""Seconds without a message, although some wait and we would take them, until we dial anew."""
IN_HAND_BYTES = 32 * 1024 * 1024
"""The most bytes in hand. The broker bounds only messages, and can't be made to wait for long: a
connection that is not read is ended."""
_COUNTS = ("x-delivery-count", "x-acquired-count")
"""From RabbitMQ 4.3 on the first counts failures only, and the second what was given out."""
_OFFSET = "x-stream-offset"
_HEADERS = 20
_HEADER = 500
"""The most headers that are kept as evidence, and characters of each."""


@dataclass(frozen=True, slots=True)
class Taken(Message):
    """A message in hand, and what the broker calls it."""

    tag: int = 0
    session: int = 0


class ConsumerSession:
    """A consumer on a channel of its own connection."""

    def __init__(
        self,
        options: QueueOptions,
        prefetch: int,
        number: int,
        give: Callable[[Taken], None],
        stand_by: Callable[[], None] = lambda: None,
    ) -> None:
        """`give` is called with each message, in order; `number` is that of the session;
        `stand_by` is called when it shows that another consumer is the active one."""
        self.number = number
        self._options = options
        self._prefetch = prefetch
        self._give = give
        self._stand_by = stand_by
        self._connection: AbstractConnection | None = None
        self._looking: AbstractChannel | None = None
        self._channel: AbstractChannel | None = None
        self._bare: BareChannel | None = None
        self._consumer = ""
        self.peer = ""
        """Who answers: product and version."""
        self._inspected = Inspected()
        self.notice: str | None = None
        """What should be different about the queue, though it can be worked with."""
        self._stopped = False
        self._broken: BrokerError | None = None
        """What went wrong beside the watch; it ends the session."""
        self.given = 0
        """Messages, since its beginning."""
        self._as_of_a_stream = True
        """All that came bears what streams give; senders can write it, so it proves nothing."""
        self._in_hand: dict[int, int] = {}
        """Bytes of each, by its tag: of one too large whoever takes it keeps less."""
        self._bytes = 0
        """Of all that."""
        self._full = False
        """There was no room for one: it and all behind it were let go, and come again."""
        self._early: list[Taken] | None = []
        """What came before the broker's word that we consume: nobody can acknowledge it yet."""
        self._over = asyncio.Event()
        """Nothing is in hand any more, and we are full."""
        self._last = time.monotonic()
        self.empty = False
        """At the last look nothing waited, and nothing has come since."""
        self.standby = ""
        """Why nothing comes to us and nothing is wrong; empty while we are served."""

    async def begin(self) -> None:
        """Dial, make or check the queue, and consume. BrokerError when any of it fails."""
        options = self._options
        self._connection = await dial(
            options, f"hubherald {options.queue}", contents=Assembly(self._take)
        )
        with in_words(options):
            async with asyncio.timeout(ANSWER_S):
                # each on its own channel: the broker closes the one on which it said no
                await prepare(await self._connection.channel(), options)
                product, version = introduced(self._connection, options)
                self.peer = f"{product} {version}".strip()
                if not options.declare:
                    self.notice = await self._inspect(self._connection, version)
                self._looking = await self._connection.channel()
                self._channel = await self._connection.channel()
                bare = await self._channel.get_underlay_channel()
                assert isinstance(bare, BareChannel)
                self._bare = bare
                await self._consume(bare)
        early, self._early = self._early or [], None
        for taken in early:
            self._give(taken)

    async def _inspect(self, connection: AbstractConnection, version: str) -> str | None:
        name, options = self._options.queue, self._options
        self._inspected = found = await inspect(connection, name)
        refuse(found, options.where, name)
        return soon_given_up(found, version=version, queue=name, virtual_host=options.virtual_host)

    async def _consume(self, bare: BareChannel) -> None:
        """Messages come past the library (see `content.py`): what it makes of one can't be made of
        every one, and one that it fails at would stay in hand unseen.

        Never with less than the whole prefetch, not even while suspects come back: the broker puts
        what returns behind all that returned before and waits, so a message that was in hand alone
        would come after those that were sent after it.
        """
        await bare.basic_qos(prefetch_count=self._prefetch)
        answer = await bare.basic_consume(self._options.queue, _unused)
        self._consumer = answer.consumer_tag or ""

    def _take(self, message: Incoming) -> None:
        if self._stopped or self._full:
            return  # it goes back when we hang up
        self._as_of_a_stream &= _OFFSET in (message.properties.headers or {})
        taken = _taken(message, self._options.queue, self.number)
        if self._bytes and self._bytes + taken.size > IN_HAND_BYTES:
            self._full = True
            return
        self.given += 1
        self.standby = ""
        self._in_hand[taken.tag] = taken.size
        self._bytes += taken.size
        self._last = time.monotonic()
        self.empty = False
        if self._early is None:
            self._give(taken)
        else:
            self._early.append(taken)

    async def watch(self) -> None:
        """Look after the consumer for as long as it lives; BrokerError says why it died.

        Returns when it has done what there was room for: what it let go comes with the next.
        """
        async with self._in_words():
            while not self._over.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._over.wait()
                await self._look()

    async def _look(self) -> None:
        """Ask what waits; the answer also shows that the connection lives.

        Not how many consume: some of RabbitMQ 4 tell the messages in hand as that number.
        """
        assert self._looking is not None
        given, in_hand = self.given, len(self._in_hand)
        async with asyncio.timeout(ANSWER_S):
            queue = await self._looking.declare_queue(self._options.queue, passive=True)
        waiting = queue.declaration_result.message_count or 0
        where, name = self._options.where, self._options.queue
        assert self._bare is not None
        if self._broken is not None:
            raise self._broken
        if self._bare.is_closed:
            await self._bare.closing  # raises what the broker said
            raise BrokerError(TroubleKind.NETWORK, f"{where}: our channel is closed")
        if self._stopped:
            return
        if self._consumer not in self._bare.consumers:
            raise BrokerError(
                TroubleKind.NETWORK, f"{where}: the broker has ended our consumer of queue {name!r}"
            )
        room = len(self._in_hand) < self._prefetch
        if not waiting or not room or self._full:
            self._last = time.monotonic()
        if time.monotonic() - self._last > SILENT_S and self._waits_its_turn():
            return
        if time.monotonic() - self._last > SILENT_S:
            if self._as_of_a_stream and self.given:
                raise BrokerError(TroubleKind.ENDPOINT, f"{where}: {is_a_stream(name)}")
            raise BrokerError(
                TroubleKind.ENDPOINT,
                f"{where}: {waiting} messages wait in queue {name!r}, and none has come to us for "
                f"{SILENT_S:g} s: {why_silent(self._inspected, name)}",
            )
        self.empty = not waiting and not in_hand and given == self.given and not self._full

    def _waits_its_turn(self) -> bool:
        """Whether another consumer is the active one; not once we were, who then stay so."""
        if not self._inspected.single_active or self.given:
            return False
        if not self.standby:
            self.standby = why_silent(self._inspected, self._options.queue)
            self._stand_by()
        return True

    async def acknowledge(self, taken: Sequence[Taken]) -> None:
        """These, which are all in hand up to the last of them."""
        assert self._bare is not None
        try:
            async with self._in_words():
                async with asyncio.timeout(ACKNOWLEDGE_S):
                    await self._bare.basic_ack(taken[-1].tag, multiple=True)
        except BrokerError as error:
            self._broken = error  # it may hold these for ours, and give us nothing more
            raise
        self._bytes -= sum(self._in_hand.pop(each.tag, 0) for each in taken)
        if self._full and not self._in_hand:
            self._over.set()

    @asynccontextmanager
    async def _in_words(self) -> AsyncIterator[None]:
        """In those of the broker, when it has closed our channel: the library tells them to whom
        it finds waiting, and to all who come later only that the channel is closed."""
        with in_words(self._options):
            try:
                yield
            except ChannelInvalidStateError:
                assert self._bare is not None
                closing = self._bare.closing
                await asyncio.wait({closing}, timeout=LEAVE_S)
                reason = closing.exception() if closing.done() and not closing.cancelled() else None
                if isinstance(reason, AMQPChannelError) and any(reason.args):
                    raise reason from None
                raise

    async def stop(self) -> None:
        """Take nothing more; what is in hand can still be acknowledged."""
        self._stopped = True
        with in_words(self._options):
            async with asyncio.timeout(LEAVE_S):
                if self._bare is not None and self._consumer:
                    await self._bare.basic_cancel(self._consumer, nowait=True)

    async def end(self) -> None:
        """Hang up: what is not acknowledged goes back to the queue."""
        self._stopped = True
        await hang_up(self._connection)


async def _unused(_: object) -> None:
    raise AssertionError("the library sees no message")


def _taken(message: Incoming, queue: str, session: int) -> Taken:
    properties = message.properties
    headers = properties.headers or {}
    # A sender may write the headers; only what the broker gives again was given out before. A
    # classic queue does not say how often.
    counts = [headers.get(name) for name in _COUNTS]
    again = max([1, *(each for each in counts if isinstance(each, int))])
    return Taken(
        body=structured(message.body, properties.content_type, headers),
        origin=f"{queue}#{properties.message_id or message.tag}",
        evidence={**message.whole, **_evidence(message, headers)},
        deliveries=again if message.redelivered else 0,
        tag=message.tag,
        session=session,
    )


def _evidence(message: Incoming, headers: Mapping[str, Any]) -> dict[str, str]:
    """Who sent it and how it came: as text, and never without bounds."""
    properties = message.properties
    found = {
        "message_id": properties.message_id,
        "routing_key": message.routing_key,
        "exchange": message.exchange,
        "content_type": properties.content_type,
        "content_encoding": properties.content_encoding,
        "type": properties.message_type,
        "app_id": properties.app_id,
        "user_id": properties.user_id,
        "timestamp": properties.timestamp.isoformat() if properties.timestamp else None,
    }
    kept = {name: value[:_HEADER] for name, value in found.items() if value}
    for name in sorted(headers)[:_HEADERS]:
        value = headers[name]
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        kept[f"header {name}"[:_HEADER]] = text[:_HEADER]
    return kept
