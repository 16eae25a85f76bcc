"""One channel's connections to the server that it POSTs to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Self

from adapters.dialling import dial
from adapters.http.answer import Answer, EndedError, NoStatusError, SilenceError, UnderwayError
from adapters.http.parser import MOST_BODY, AnswerParser, plain
from adapters.http.proxy import Proxy
from adapters.http.target import Target
from adapters.http.wire import Wire
from adapters.tls import TlsFiles, TlsFilesError, Trust
from router.ports import Certificate

REST_S = 2.0
"""Seconds that the rest of an answer has after its status, which alone decides."""
KEEP_ALIVE_S = 4.0
"""Less than the 5 s after which common servers close: else sends would run into the closing."""
PATIENCE_S = 1.0
"""Seconds in which a server that does not want us has hung up after a handshake."""


Tell = Callable[[int, Answer | Exception], None]
"""Takes the place of a request, and its answer or why there is none."""


class HungUpError(Exception):
    """The server ended the connection although nothing had been sent."""


NO_ANSWER = (NoStatusError, EndedError, UnderwayError, OSError)
"""What `post` raises when no answer came; ssl.SSLError is an OSError too."""


class HttpSession:
    """Follows no redirect, asks no proxy but that of its channel, keeps no cookie; what is in
    flight is up to the relay."""

    def __init__(
        self,
        url: str,
        files: TlsFiles,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        proxy: Proxy | None = None,
        most_body: int = MOST_BODY,
    ) -> None:
        """`headers` go with every request; of an answer `most_body` bytes are read."""
        self._target = Target.of(url, headers)
        self._trust = Trust(files)
        self._proxy = proxy
        self._parser = partial(AnswerParser, most_body=most_body)
        self._idle: dict[Wire, asyncio.TimerHandle] = {}
        self._first: asyncio.Task[None] | None = None
        self.peer: Certificate | None = None
        """The certificate that the server has shown last."""

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return self._target.where

    async def __aenter__(self) -> Self:
        # the deadline of the first send has begun when it needs it; nobody waits for it here, as
        # the files may be on a mount that is away, and all adapters begin one after the other
        self._first = asyncio.create_task(self._prepare())
        return self

    async def _prepare(self) -> None:
        with suppress(TlsFilesError):  # which the first send tells
            await self._trust.context()

    async def __aexit__(self, *exc: object) -> None:
        if self._first is not None:
            self._first.cancel()
        for wire in list(self._idle):
            self._forget(wire)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer; NO_ANSWER when none came, TlsFilesError when nothing could be sent.

        Without a deadline of its own: the caller's holds until there is a status. Who cancels it
        later has the answer nonetheless, at once.
        """
        tls = await self._context()
        request = self._target.request(body, headers)
        if wire := self._reuse(tls):
            wire.write(request)
            return await self._go_on(wire, request, tls)
        return await self._ask_anew(request, tls)

    async def post_each(self, posts: Sequence[tuple[bytes, Mapping[str, str]]], tell: Tell) -> None:
        """The same for several that go together: `tell` is given the place of each, and its answer
        or its NO_ANSWER. Raises TlsFilesError alone, before anything was sent.

        What goes over a connection that waits, and is answered at once, needs no task of its own.
        """
        tls = await self._context()
        asked: dict[int, tuple[Wire, bytes]] = {}
        heard = _Ripe()
        async with asyncio.TaskGroup() as group:

            def beside(place: int, answer: Coroutine[None, None, Answer]) -> None:
                group.create_task(_told(place, answer, tell))

            for place, (body, headers) in enumerate(posts):
                request = self._target.request(body, headers)
                if wire := self._reuse(tls):
                    asked[place] = wire, request
                    wire.heed(partial(heard.put, place))
                    wire.write(request)
                else:
                    beside(place, self._ask_anew(request, tls))
            try:
                while asked:
                    for place in await heard.more():
                        wire, request = asked.pop(place)
                        if answer := self._at_once(wire):
                            tell(place, answer)
                        else:
                            beside(place, self._go_on(wire, request, tls))
            except BaseException:
                for place, (wire, _) in asked.items():
                    parser = AnswerParser(reused=True)
                    if await _has_status(wire, parser):
                        tell(place, self._shown(parser.answer))
                    wire.cut()
                raise

    async def _context(self) -> ssl.SSLContext | None:
        context = await self._trust.context()
        return context if self._target.tls else None

    async def _connect(self, tls: ssl.SSLContext | None) -> Wire:
        host, port = self._target.host, self._target.port
        if self._proxy is not None and tls is not None:
            wire = await self._proxy.tunnel(host, port, tls)
        else:
            _, wire = await dial(lambda: Wire(tls), host, port, tls)
        self.peer = wire.peer
        return wire

    async def _ask_anew(self, request: bytes, tls: ssl.SSLContext | None) -> Answer:
        """On a connection of its own."""
        wire = await self._connect(tls)
        wire.write(request)
        return await self._hear(wire, self._parser())

    async def _go_on(self, wire: Wire, request: bytes, tls: ssl.SSLContext | None) -> Answer:
        """Of a request that went over a connection that had waited.

        Servers end such connections, and may do so just when a request is on its way. That one was
        not read: it goes again at once, on a connection of its own.
        """
        with suppress(SilenceError):
            return await self._hear(wire, self._parser(reused=True))
        return await self._ask_anew(request, tls)

    def _at_once(self, wire: Wire) -> Answer | None:
        """The answer, if it has come as nearly all do; else whoever goes on reads it."""
        answer = plain(wire.ahead)
        if answer is None or wire.over:
            return None
        wire.came()
        if wire.idle:
            self._keep(wire)
        else:
            wire.cut()
        return self._shown(answer)

    async def _hear(self, wire: Wire, parser: AnswerParser) -> Answer:
        try:
            await _read_status(wire, parser)
            await _read_rest(wire, parser)
            if parser.reusable and wire.idle:
                self._keep(wire)
        except asyncio.CancelledError:
            if not await _has_status(wire, parser):
                raise
        finally:
            if wire not in self._idle:
                wire.cut()
        return self._shown(parser.answer)

    def _shown(self, answer: Answer) -> Answer:
        body = self._without_query(answer.body)
        return answer if body == answer.body else replace(answer, body=body)

    async def shake_hands(self) -> None:
        """Connect with TLS, send nothing and hang up.

        Raises what `post` does, and HungUpError when the server hangs up within PATIENCE_S: with
        TLS 1.3 it looks at our certificate only after our side of the handshake.
        """
        wire = await self._connect(await self._trust.context())
        try:
            async with asyncio.timeout(PATIENCE_S):
                if await wire.more():
                    return
        except TimeoutError:
            return  # it waits for what we have to say
        except ConnectionResetError:
            raise HungUpError from None
        finally:
            wire.cut()
        raise HungUpError

    def _reuse(self, tls: ssl.SSLContext | None) -> Wire | None:
        """The latest connection that waits, if it was made as one would be made now."""
        while self._idle:
            wire, ends = self._idle.popitem()
            ends.cancel()
            if wire.quiet and wire.tls is tls:
                return wire
            wire.cut()
        return None

    def _keep(self, wire: Wire) -> None:
        """For the next request, if it comes soon."""
        ends = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._forget, wire)
        self._idle[wire] = ends

    def _forget(self, wire: Wire) -> None:
        self._idle.pop(wire).cancel()
        wire.cut()

    def _without_query(self, body: bytes) -> bytes:
        """Some servers show the whole address in their error pages; its query may be a secret."""
        query = self._target.path.partition("?")[2].encode()
        return body.replace(query, b"***") if query else body


class _Ripe:
    """Which of several have something to be read; who waits is woken once for all."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._news = asyncio.Event()

    def put(self, place: int) -> None:
        self._places.append(place)
        self._news.set()

    async def more(self) -> Sequence[int]:
        await self._news.wait()
        self._news.clear()
        places, self._places = self._places, []
        return places


async def _told(place: int, answer: Coroutine[None, None, Answer], tell: Tell) -> None:
    try:
        said: Answer | Exception = await answer
    except NO_ANSWER as error:
        said = error
    tell(place, said)


async def _read_status(wire: Wire, parser: AnswerParser) -> None:
    """EndedError when the connection ends before there is one."""
    kind: type[EndedError] = SilenceError
    while parser.status is None:
        try:
            came = await wire.more()
        except OSError as error:
            raise kind from error
        if came:
            kind = EndedError
            parser.feed(came)
        else:
            parser.end()
            if parser.status is None:
                raise kind


async def _has_status(wire: Wire, parser: AnswerParser) -> bool:
    """Whether one has come by the time that the caller's patience ended."""
    if parser.status is None:
        await asyncio.sleep(0)  # a busy loop looks at clocks before it looks at sockets
        with suppress(NoStatusError):
            parser.feed(wire.came())
    return parser.status is not None


async def _read_rest(wire: Wire, parser: AnswerParser) -> None:
    """What comes in good time; nothing that goes wrong here undoes the status."""
    if parser.done:
        return
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(REST_S):
            while not parser.done:
                if came := await wire.more():
                    parser.feed(came)
                else:
                    parser.end()
