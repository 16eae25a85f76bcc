"""A delivery adapter that meets every test of the conformance suite, and its other side.

It says hello with a password, then a line for each Alert; the pager answers each line with one. It
is the whole one among broken ones: what `tests/conformance` breaks is one thing of it each time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import Field

from router.conformance import (
    REST,
    Arrived,
    CertificateAuthority,
    GatedPeer,
    Harness,
    Peer,
    Situation,
    marked,
)
from router.ports import (
    Adapter,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Link,
    Options,
    Outcome,
    Reason,
    Refused,
    Retry,
    Secret,
)

SAYS = {
    Situation.BUSY: "busy",
    Situation.RESTS: f"rest {REST.total_seconds():.0f}",
    Situation.REFUSES: "no thanks",
    Situation.MISSING: "missing",
}
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class PagerOptions(Options):
    """What a pager takes in service_users.yaml."""

    host: Annotated[str, Field(description="where it is")]
    port: Annotated[int, Field(ge=1, le=65_535, description="where it listens")]
    password: Annotated[Secret, Field(description="what it knows us by")]
    ca_file: Annotated[Path | None, Field(description="PEM; TLS, with who vouches for it")] = None


class PagerAdapter(Adapter[PagerOptions]):
    """Sends each Alert as a line, over connections that are kept."""

    Config = PagerOptions
    batch: int = 20

    def __init__(self, config: PagerOptions) -> None:
        self.config = config
        self.idle: list[Line] = []
        self.made = 0

    async def __aexit__(self, *exc: object) -> None:
        for line in self.idle:
            self.close(line)

    def link(self) -> Link:
        """Up while a connection waits."""
        return Link(bool(self.idle), self.made)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        try:
            line = await self.line()
            try:
                outcomes = await self.ask(line, deliveries)
            except BaseException:
                self.close(line)
                raise
            self.idle.append(line)
        except ssl.SSLCertVerificationError as error:
            outcome: Outcome = Closed(ChannelFault.ENDPOINT, f"certificate: {error.verify_message}")
        except PermissionError:
            outcome = Closed(ChannelFault.CREDENTIALS, "the pager does not know the password")
        except OSError as error:
            outcome = Retry(Reason.NETWORK, error.strerror or "the connection was lost")
        except (EOFError, ValueError, asyncio.LimitOverrunError):
            outcome = Retry(Reason.NETWORK, "the connection ended before the answer")
        else:
            return outcomes
        return [outcome] * len(deliveries)

    async def line(self) -> Line:
        """One that waits, or a new one."""
        while self.idle:
            reader, writer = line = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return line
            self.close(line)
        return await self.dial()

    async def dial(self) -> Line:
        """A new one, over which we said who we are."""
        tls = self.tls()
        name = self.config.host if tls else None
        line = await asyncio.open_connection(
            self.config.host, self.config.port, ssl=tls, server_hostname=name
        )
        try:
            hello = orjson.dumps({"hello": self.config.password.get_secret_value()})
            (answer,) = await self.say(line, [hello])
        except BaseException:
            self.close(line)
            raise
        if answer != "welcome":
            self.close(line)
            raise PermissionError if answer == "forbidden" else ValueError
        self.made += 1
        return line

    def tls(self) -> ssl.SSLContext | None:
        """What it trusts."""
        return ssl.create_default_context(cafile=self.config.ca_file) if self.secure else None

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.config.ca_file is not None

    def close(self, line: Line) -> None:
        """Let go of one."""
        line[1].close()

    async def say(self, line: Line, lines: Sequence[bytes]) -> list[str]:
        """An answer to each line."""
        reader, writer = line
        writer.write(b"".join(each + b"\n" for each in lines))
        await writer.drain()
        answers = [await reader.readuntil(b"\n") for _ in lines]
        return [each.decode().removesuffix("\n") for each in answers]

    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """An Outcome for each."""
        answers = await self.say(line, [self.bytes_of(each) for each in deliveries])
        return [self.meaning(each) for each in answers]

    def bytes_of(self, delivery: Delivery) -> bytes:
        """What goes out."""
        return delivery.body

    def meaning(self, answer: str) -> Outcome:
        """What the pager says."""
        match answer.split(" ", 1):
            case ["ok"]:
                return Delivered("paged")
            case ["busy"]:
                return Retry(Reason.BUSY, "the pager is busy")
            case ["rest", seconds]:
                after = timedelta(seconds=int(seconds))
                return Retry(Reason.BUSY, "the pager wants a rest", after)
            case ["no", why]:
                return Refused(Reason.REJECTED, why)
            case ["missing"]:
                return Closed(ChannelFault.ENDPOINT, "nobody carries this pager; ask who should")
        raise ValueError(answer)


class PagerPeer(GatedPeer):
    """A pager behind a gate."""

    def __init__(self, authority: CertificateAuthority) -> None:
        super().__init__(authority)
        self.came: list[Arrived] = []
        self.secret = "hunter2-of-the-pager"

    @property
    def options(self) -> Mapping[str, object]:
        found = {"host": "127.0.0.1", "port": self.port, "password": self.secret}
        return {**found, "ca_file": self.ca_file} if self.secure else found

    @property
    def secrets(self) -> Sequence[str]:
        return [self.secret]

    async def taken(self) -> Sequence[Arrived]:
        return self.came

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = await reader.readuntil(b"\n")
        if self.situation is Situation.FORBIDS:
            writer.write(b"forbidden\n")
            return
        writer.write(b"welcome\n")
        while line := await reader.readuntil(b"\n"):
            writer.write(self.answer(line.removesuffix(b"\n"), told).encode() + b"\n")

    def answer(self, body: bytes, told: bytes) -> str:
        """To one line."""
        number = str(orjson.loads(body)["id"])
        if self.situation is Situation.ECHOES:
            return f"no you said {told.decode().strip()}"
        if self.situation in SAYS:
            return SAYS[self.situation]
        if self.situation is Situation.REFUSES_MARKED and number == str(marked().id):
            return "no thanks"
        self.came.append(Arrived(number, body))
        return "ok"


class PagerHarness(Harness):
    """A pager that can do all that a suite asks for."""

    adapter = PagerAdapter
    wrong: Mapping[str, object] = {"port": 65_536}

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)

    def peer(self) -> AbstractAsyncContextManager[Peer]:
        return PagerPeer(self.authority)
