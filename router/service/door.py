"""The door of the operations port: how many may stand in it, for how long, and how much they say.

An HTTP library waits for the end of a request's head for as long as it takes. A thousand heads
that never end are a thousand descriptors, which the intake has not; so what is not a whole head
stays out here, and is sent away when others come. Each connection is for one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

MOST = 64
"""Connections at once: Prometheus, a few probes and a few browsers."""
HEAD_S = 5.0
"""Seconds in which the head of a request must have come."""
WHOLE_S = 90.0
"""Seconds for the whole connection; a reload answers within 60."""
LARGEST_HEAD = 16_384
"""Bytes."""
UNREAD_S = 5.0
"""Seconds in which whoever is answered must have read something of it."""
LOOK_S = 0.5
"""Seconds from one look whether it has to the next."""
BACKLOG = 16
"""Connections that wait to be accepted; each of these is a descriptor for a moment."""
_END = b"\r\n\r\n"
_LINE = b"\r\n"
"""What may stand before a request and is no part of it (RFC 9112, 2.2); it gets no answer."""
_HTTP_2 = b"PRI *"
"""The beginning of HTTP/2 without TLS, behind whose head the library would wait for more."""


class Doorkeeper:
    """Makes a Door for each connection, and knows who stands in one."""

    def __init__(
        self,
        serve: Callable[[], asyncio.Protocol],
        *,
        head_s: float = HEAD_S,
        unread_s: float = UNREAD_S,
    ) -> None:
        """`serve` gives the protocol that answers; `head_s`: seconds for the head of a request;
        `unread_s`: those in which something of the answer must be read."""
        self._serve = serve
        self.head_s = head_s
        self.unread_s = unread_s
        self.doors: dict[Door, None] = {}
        """In the order in which they came."""

    def __call__(self) -> Door:
        """For one more connection."""
        return Door(self, self._serve)

    def admit(self, door: Door) -> bool:
        """Whether there is room; whoever has waited longest without a request, or else does not
        read the answer, makes some."""
        if len(self.doors) >= MOST:
            idle = next((each for each in self.doors if not each.passed), None)
            idle = idle or next((each for each in self.doors if each.unread_for), None)
            if idle is None:
                return False
            idle.leave()
        self.doors[door] = None
        return True


class Door(asyncio.Protocol):
    """Lets through the head of one request, and nothing before it is whole."""

    def __init__(self, keeper: Doorkeeper, serve: Callable[[], asyncio.Protocol]) -> None:
        self.passed = False
        """Whether the request is being answered."""
        self.unread_for = 0.0
        """Seconds for which nothing of the answer was read that is there to be read."""
        self._unread = 0
        self._keeper = keeper
        self._serve = serve
        self._inner: asyncio.Protocol | None = None
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are none of asyncio's classes
        self._transport = cast(asyncio.Transport, transport)
        if not self._keeper.admit(self):
            self._refuse("503 Service Unavailable")
            return
        self._wait(self._keeper.head_s)

    def data_received(self, data: bytes) -> None:
        if self.passed or self._transport is None or self._transport.is_closing():
            return  # a body, or another request: nothing here takes one
        self._head += data
        if self._head[:1] in _LINE:
            self._head = self._head.lstrip(_LINE)
        end = self._head.find(_END, max(0, len(self._head) - len(data) - len(_END)))
        if end > LARGEST_HEAD or (end < 0 and len(self._head) > LARGEST_HEAD):
            self._refuse("431 Request Header Fields Too Large")
        elif self._head.startswith(_HTTP_2):
            self._refuse("505 HTTP Version Not Supported")
        elif end >= 0:
            self.passed = True
            self._wait(WHOLE_S)
            self._look_later()
            self._inner = self._serve()
            self._inner.connection_made(self._transport)
            self._inner.data_received(bytes(self._head[: end + len(_END)]))
            self._head.clear()

    def eof_received(self) -> bool:
        # it may read on when it has said all, which TLS does not let it
        secured = self._transport is not None and self._transport.get_extra_info("sslcontext")
        return self._inner is not None and not secured

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def leave(self) -> None:
        """Hang up, whatever is under way."""
        self._gone()
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.leave)

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_S, self._look_whether_it_reads)

    def _look_whether_it_reads(self) -> None:
        assert self._transport is not None
        unread = self._transport.get_write_buffer_size()
        stays = unread and unread >= self._unread
        self.unread_for = self.unread_for + LOOK_S if stays else 0.0
        self._unread = unread
        if self.unread_for > self._keeper.unread_s:
            self.leave()
        else:
            self._look_later()

    def _gone(self) -> None:
        self._keeper.doors.pop(self, None)
        for timer in (self._deadline, self._look):
            if timer is not None:
                timer.cancel()

    def _refuse(self, status: str) -> None:
        assert self._transport is not None
        answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._transport.write(answer.encode())
        self._gone()
        self._transport.close()
