"""Facts from a RabbitMQ queue: acknowledged after they are committed, back when we are not there.

A keeper task holds one session at a time and begins the next when it ends, for whatever reason:
a broker that is away, refuses us or is set up otherwise is said once and tried again, so that
nothing needs a restart once it is mended.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import count
from typing import Annotated, Self

import structlog
from pydantic import Field
from structlog.typing import FilteringBoundLogger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_exponential, wait_random

from adapters.rabbitmq.publisher import RabbitPublisher
from adapters.rabbitmq.session import ConsumerSession, Taken
from adapters.rabbitmq.topology import QueueOptions
from adapters.rabbitmq.trouble import BrokerError, TroubleKind
from router.ports import Cursor, Link, Message, Source

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
"""Between two tries to connect, and up to FIRST_PAUSE_S more, that routers do not come all at once;
the consumer has to be back within 60 s of the broker."""
AGAIN_S = 60.0
"""Seconds in which a trouble that takes turns with another is not said again."""


class RabbitSourceOptions(QueueOptions):
    """What a queue of facts takes in hubherald.yaml."""

    prefetch: Annotated[
        int,
        Field(ge=1, le=10_000, description="the most facts in hand that are not yet committed"),
    ] = 500


class RabbitSource(Source[RabbitSourceOptions]):
    """Facts from a RabbitMQ queue, acknowledged once they are decided and stored."""

    Config = RabbitSourceOptions
    _numbers = count(1)
    """Of all sessions of the process: tags begin at 1 in each, also where a source is made anew."""

    def __init__(self, name: str, config: RabbitSourceOptions) -> None:
        self._options = config
        self._arrived: asyncio.Queue[Taken] = asyncio.Queue()
        self._tasks = asyncio.TaskGroup()
        self._keeper: asyncio.Task[None] | None = None
        self._session: ConsumerSession | None = None
        self._begun = 0
        self._made = 0
        self._stopping = False
        self._vain = 0
        """Sessions in a row that ended for what somebody has to mend, and gave us nothing since."""
        self._standing_by = False
        """Since the last message another consumer was found to be the active one."""
        self._noticed = ""
        self._told = ""
        """The trouble that was said last."""
        self._said: dict[str, float] = {}
        """When each was said, since the last connection."""
        self._trouble: str | None = f"{config.where}: not connected yet"
        self._log: FilteringBoundLogger = structlog.get_logger().bind(
            source=name, broker=config.where, queue=config.queue
        )

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._keeper = self._tasks.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        """Each message as it comes; ends only by being closed. The broker knows how far we are."""
        try:
            while True:
                yield await self._arrived.get()
        finally:
            await self._stop()

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """All at once. What came through an earlier session comes again, and is known then."""
        session = self._session
        if session is None:
            return
        ours = [
            each for each in messages if isinstance(each, Taken) and each.session == session.number
        ]
        if ours:
            try:
                await session.acknowledge(ours)
            except BrokerError as error:  # the session is at its end, and the keeper finds out
                self._log.warning("rabbitmq.not_acknowledged", facts=len(ours), detail=str(error))

    def exhausted(self) -> bool:
        """True when the broker had nothing for us at the last look, and we have given out all."""
        session = self._session
        if session is None or not self._arrived.empty():
            return False
        return session.empty or bool(session.standby)

    def down(self) -> str | None:
        """Why no facts can come; None while they can."""
        session = self._session
        return None if session is not None and session.empty else self._trouble

    def link(self) -> Link:
        """How the connection stands."""
        session = self._session
        if session is None:
            return Link(up=False, made=self._made)
        return Link(up=True, made=self._made, peer=session.peer, standby=session.standby)

    def publisher(self) -> RabbitPublisher:
        """For `hubherald publish`: into the exchange that the queue is bound to."""
        return RabbitPublisher(self._options)

    async def _keep(self) -> None:
        while not self._stopping:
            session = await self._connect()
            self._session = session
            self._made += 1
            if not self._vain or session.given:
                self._welcome(session)
            try:
                await session.watch()
                continue
            except BrokerError as error:
                self._farewell(error)
            finally:
                self._session = None
                self._forget()
                await session.end()
                self._forget()  # what came while the broker took leave
            await asyncio.sleep(min(FIRST_PAUSE_S * 2**self._vain, LONGEST_PAUSE_S))

    def _welcome(self, session: ConsumerSession) -> None:
        """It is at work."""
        self._vain, self._trouble, self._told = 0, None, ""
        self._said.clear()
        prefetch = self._options.prefetch
        self._log.info("rabbitmq.connected", version=session.peer, prefetch=prefetch)
        if session.notice and session.notice != self._noticed:
            self._noticed = session.notice
            self._log.warning("rabbitmq.queue", detail=session.notice)

    def _farewell(self, error: BrokerError) -> None:
        """It has ended. What somebody has to mend will end the next as well, until it is mended."""
        news = self._is_news(_without_numbers(str(error)))
        if news or not self._vain:
            self._log.error("rabbitmq.lost", detail=str(error), advice="dialling again")
        self._vain = min(self._vain + 1, 10) if error.kind is TroubleKind.ENDPOINT else 0
        self._trouble = self._told = str(error)

    def _stand_by(self) -> None:
        """Another consumer is served: as it should be, where several routers share such a queue."""
        session = self._session
        if session is None:
            return
        if self._vain:
            self._welcome(session)
        if not self._standing_by:
            self._standing_by = True
            self._log.info("rabbitmq.standby", detail=session.standby)

    def _take(self, taken: Taken) -> None:
        if self._vain and self._session is not None:
            self._welcome(self._session)
        if self._standing_by:
            self._standing_by = False
            self._log.info("rabbitmq.took_over")
        self._arrived.put_nowait(taken)

    async def _connect(self) -> ConsumerSession:
        """A session that has begun; tries for as long as it takes."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(BrokerError),
            wait=wait_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S)
            + wait_random(0, FIRST_PAUSE_S),
            before_sleep=self._say,
        )
        return await retrying(self._begin)

    async def _begin(self) -> ConsumerSession:
        self._begun = next(self._numbers)
        options, number = self._options, self._begun
        session = ConsumerSession(options, options.prefetch, number, self._take, self._stand_by)
        try:
            await session.begin()
        except BaseException:
            self._forget()
            await session.end()
            raise
        return session

    def _say(self, state: RetryCallState) -> None:
        """One line for each trouble, not one for each try.

        A broker that wants our certificate may answer with that or with a reset, as it happens.
        """
        assert state.outcome is not None
        self._trouble = detail = str(state.outcome.exception())
        if detail == self._told or not self._is_news(detail):
            return
        self._told = detail
        self._log.error("rabbitmq.unavailable", detail=detail, advice="trying again")

    def _is_news(self, detail: str) -> bool:
        """Whether it was not said lately; from now on it was."""
        now = time.monotonic()
        if now - self._said.get(detail, -math.inf) < AGAIN_S:
            return False
        self._said[detail] = now
        return True

    def _forget(self) -> None:
        """What the intake has not taken comes again, with the next session."""
        while not self._arrived.empty():
            self._arrived.get_nowait()

    async def _stop(self) -> None:
        """Take nothing more; the session stays for what is still to be acknowledged."""
        assert self._keeper is not None
        self._stopping = True
        if self._session is None:
            self._keeper.cancel()
        else:
            try:
                await self._session.stop()
            except BrokerError as error:
                self._log.info("rabbitmq.stopped_late", detail=str(error))


def _without_numbers(detail: str) -> str:
    """What is the same trouble while it grows."""
    return re.sub(r"\d+", "#", detail)
