"""A peer over TCP: its server, with a gate before it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from router.conformance.certificates import CertificateAuthority
from router.conformance.gate import Gate, serving
from router.conformance.harness import Connections, Peer
from router.conformance.situations import SECURE, Situation


class GatedPeer(Peer):
    """For whoever speaks over TCP: `options` and `taken` are yours, and what a server says.

    `authority`: for TLS, that the gate speaks. `server`: where a real one listens; without one it
    is `serve`, in the event loop of the test. `always`: with TLS; `clients`: CAs of certificates
    that clients are then asked for.
    """

    def __init__(
        self,
        authority: CertificateAuthority | None = None,
        *,
        server: tuple[str, int] | None = None,
        always: bool = False,
        clients: Path | None = None,
    ) -> None:
        self.authority = authority
        self.situation = Situation.TAKES
        """As it was turned last."""
        self._server, self._always, self._clients = server, always, clients
        self._stack = AsyncExitStack()
        self._gate: Gate | None = None

    async def __aenter__(self) -> Self:
        host, port = self._server or (
            "127.0.0.1",
            await self._stack.enter_async_context(serving(self.serve)),
        )
        gate = Gate(host, port, self.authority, always=self._always, clients=self._clients)
        self._gate = await self._stack.enter_async_context(gate)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def gate(self) -> Gate:
        """What stands before the server."""
        assert self._gate is not None, "a peer is entered before it is asked"
        return self._gate

    @property
    def port(self) -> int:
        """Where the adapter finds it, on 127.0.0.1."""
        return self.gate.port

    @property
    def secure(self) -> bool:
        """Whether the options must ask for TLS now."""
        return self._always or self.situation in SECURE

    @property
    def ca_file(self) -> str:
        """Who vouches for it: PEM, for the options."""
        assert self.authority is not None, "a GatedPeer needs an `authority` for TLS"
        return str(self.authority.file)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A server of the test's own: all of one connection, which is closed when this is over. It
        may let pass OSError, EOFError and ValueError, as when the other side has gone."""
        raise NotImplementedError("a GatedPeer needs `serve`, or a `server`")

    async def turn(self, situation: Situation) -> None:
        """The gate does its part; `situation` tells the server."""
        self.situation = situation
        await self.gate.turn(situation)

    async def reached(self) -> None:
        """As the gate sees it."""
        await self.gate.reached()

    def connections(self) -> Connections:
        """Those through the gate."""
        return self.gate.connections()
