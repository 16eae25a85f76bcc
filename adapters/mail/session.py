"""One channel's connection to its mail server: kept for a while, one message at a time.

Mail servers take few connections from one client, and each has to be greeted, encrypted and logged
in; who has many Alerts puts them into one message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from adapters.dialling import reach
from adapters.mail.options import PORTS, Encryption, MailOptions
from adapters.tls import Trust

if TYPE_CHECKING:
    from aiosmtplib import SMTP

KEEP_S = 20.0
"""Seconds that an idle connection is kept; servers end it after minutes."""
QUIT_S = 2.0
"""Seconds that a server has to say goodbye."""


class MailSession:
    """Sends one message after the other. It raises the library's, OSError and TlsFilesError."""

    def __init__(self, options: MailOptions) -> None:
        self._options = options
        self._port = options.port or PORTS[options.tls]
        self._trust = Trust(options.files)
        self._one_at_a_time = asyncio.Lock()
        self._idle: SMTP | None = None
        self._ends: asyncio.TimerHandle | None = None
        self._goodbyes: set[asyncio.Task[None]] = set()

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return f"{self._options.host}:{self._port}"

    async def send(self, message: bytes, recipients: Sequence[str]) -> str:
        """To all of them, or to none; what the server says of it."""
        from aiosmtplib import SMTPServerDisconnected  # noqa: PLC0415 - an extra

        async with self._one_at_a_time:
            smtp = self._reused() or await self._connect()
            try:
                await self._begin(smtp, message)
            except SMTPServerDisconnected:  # as we wrote: nothing was taken
                smtp = await self._connect()
                await self._begin(smtp, message)
            return await self._finish(smtp, message, recipients)

    async def close(self) -> None:
        """Say goodbye, within QUIT_S."""
        if smtp := self._reused():
            self._part(smtp)
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    async def _connect(self) -> SMTP:
        from aiosmtplib import SMTP  # noqa: PLC0415 - an extra

        options = self._options
        tls = await self._trust.context() if options.tls is not Encryption.NONE else None
        reached = await reach(options.host, self._port)
        smtp = SMTP(
            hostname=options.host,
            sock=reached,
            use_tls=options.tls is Encryption.IMPLICIT,
            start_tls=options.tls is Encryption.STARTTLS,
            tls_context=tls,
            local_hostname=options.sender.rpartition("@")[2],
        )
        try:
            await smtp.connect()
            if options.user is not None and options.password is not None:
                await smtp.login(options.user, options.password.get_secret_value())
        except BaseException:
            if smtp.transport is None:  # cancelled before it was the connection's
                reached.close()
            smtp.close()
            raise
        return smtp

    async def _begin(self, smtp: SMTP, message: bytes) -> None:
        size = [f"SIZE={len(message)}"] if smtp.supports_extension("size") else []
        try:
            await smtp.mail(self._options.sender, options=size)
        except BaseException:
            smtp.close()
            raise

    async def _finish(self, smtp: SMTP, message: bytes, recipients: Sequence[str]) -> str:
        try:
            for each in recipients:  # who is refused keeps it from all: who has it gets no other
                await smtp.rcpt(each)
            said = await smtp.data(message)
        except BaseException:
            smtp.close()
            raise
        self._idle = smtp
        self._ends = asyncio.get_running_loop().call_later(KEEP_S, self._forget)
        return f"{said.code} {said.message}"

    def _reused(self) -> SMTP | None:
        smtp, self._idle = self._idle, None
        if self._ends is not None:
            self._ends.cancel()
        return smtp if smtp is not None and smtp.is_connected else None

    def _forget(self) -> None:
        if smtp := self._reused():
            self._part(smtp)

    def _part(self, smtp: SMTP) -> None:
        task = asyncio.create_task(_goodbye(smtp))
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)


async def _goodbye(smtp: SMTP) -> None:
    from aiosmtplib import SMTPException  # noqa: PLC0415 - an extra

    try:
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=QUIT_S)
    finally:
        smtp.close()
