"""A real mail server (aiosmtpd) on loopback, that takes, refuses, or is cut off, as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from warnings import catch_warnings, simplefilter

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class MailServer:
    """What came, and what is said to the next."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    connections: int = 0
    left: int = 0
    """Connections that said goodbye."""
    users: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    """By the recipient, or `MAIL` or `DATA`: what is answered instead of 250."""
    cut: str = ""
    """A command in whose middle the connection is cut."""

    def read(self, number: int = 0) -> EmailMessage:
        found = message_from_bytes(self.messages[number], policy=default)
        assert isinstance(found, EmailMessage)
        return found

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" not in self.refusals:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.refusals.get("MAIL", "250 OK")

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address not in self.refusals:
            envelope.rcpt_tos.append(address)
        return self.refusals.get(address, "250 OK")

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if "DATA" not in self.refusals:
            self.messages.append(envelope.content)
            self.recipients.append(envelope.rcpt_tos)
        return self.refusals.get("DATA", "250 2.0.0 taken")

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        self.left += 1
        return "221 bye"

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, given: Any
    ) -> AuthResult:
        name, password = given.login.decode(), given.password.decode()
        self.users.append(name)
        return AuthResult(success=password == "hunter22x", handled=False)


class _Cut(SMTP):
    """One that goes away in the middle of what it is told."""

    event_handler: MailServer

    async def smtp_DATA(self, arg: str) -> None:
        if self.event_handler.cut == "DATA":
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
            return
        await super().smtp_DATA(arg)

    async def smtp_MAIL(self, arg: str) -> None:
        if self.event_handler.cut == "MAIL":
            self.event_handler.cut = ""
            self.transport.abort()
            return
        await super().smtp_MAIL(arg)


@asynccontextmanager
async def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    login: bool = False,
    largest: int = 2**25,
) -> AsyncIterator[MailServer]:
    server, loop = MailServer(), asyncio.get_running_loop()
    made: list[SMTP] = []

    def connected() -> SMTP:
        server.connections += 1
        with catch_warnings():
            simplefilter("ignore")  # it does not see the TLS that it was given
            smtp = making()
        made.append(smtp)
        return smtp

    def making() -> SMTP:
        return _Cut(
            server,
            data_size_limit=largest,
            hostname="mail.example",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=server.login if login else None,
            auth_required=login,
            auth_require_tls=starttls is not None,
            loop=loop,
        )

    listening = await loop.create_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for each in made:
            if each.transport is not None:
                each.transport.abort()
            if each._handler_coroutine is not None:
                each._handler_coroutine.cancel()
        await asyncio.sleep(0)
        await listening.wait_closed()
