"""The mail channel keeps the contract: the conformance suite, before a real mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from support.mailserver import MailServer, mail_server

from adapters.mail.delivery import MailAdapter
from router.conformance import (
    SECURE,
    AdapterConformance,
    Arrived,
    CertificateAuthority,
    Connections,
    Gate,
    Harness,
    Peer,
    Situation,
    because,
)

PASSWORD = "hunter22x"
SAID = {
    Situation.BUSY: ("DATA", "451 4.3.0 not now"),
    Situation.REFUSES: ("DATA", "554 5.7.1 not this"),
    Situation.MISSING: ("noc@acme.example", "550 5.1.1 no such user"),
    Situation.ECHOES: ("DATA", f"554 5.7.1 not from hubherald with {PASSWORD}"),
}
pytestmark = pytest.mark.once


class MailPeer(Peer):
    """A mailbox, behind a gate."""

    def __init__(self, gate: Gate, authority: CertificateAuthority, server: MailServer) -> None:
        self.gate, self.authority, self.server = gate, authority, server
        self.situation = Situation.TAKES

    @property
    def options(self) -> Mapping[str, object]:
        secure = self.situation in SECURE
        forbids = self.situation is Situation.FORBIDS
        found: dict[str, object] = {
            "host": "localhost",
            "port": self.gate.port,
            "tls": "implicit" if secure else "none",
            "user": "hubherald",
            "password": "no-such-word" if forbids else PASSWORD,
            "sender": "hubherald@dcc.example",
            "recipients": ["noc@acme.example"],
            "batch": 100,
        }
        return {**found, "ca_file": str(self.authority.file)} if secure else found

    @property
    def secrets(self) -> Sequence[str]:
        return [str(self.options["password"])]

    async def turn(self, situation: Situation) -> None:
        self.situation = situation
        self.server.refusals = dict([SAID[situation]]) if situation in SAID else {}
        await self.gate.turn(situation)

    async def taken(self) -> Sequence[Arrived]:
        found = []
        for number in range(len(self.server.messages)):
            (attached,) = self.server.read(number).iter_attachments()
            body = attached.get_content()
            events = orjson.loads(body)
            if isinstance(events, list):
                found += [Arrived(each["id"], orjson.dumps(each)) for each in events]
            else:
                found.append(Arrived(events["id"], body))
        return found

    async def reached(self) -> None:
        await self.gate.reached()

    def connections(self) -> Connections:
        return self.gate.connections()


class MailHarness(Harness):
    """A mail channel's."""

    adapter = MailAdapter
    wrong: Mapping[str, object] = {"host": "a b", "sender": "nobody", "batch": 0, "recipients": []}
    cannot = {  # noqa: RUF012
        **because("a mail server has no word for when to come again", Situation.RESTS),
        **because("an answer is for the whole of a message", Situation.REFUSES_MARKED),
    }

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        async with (
            mail_server(login=True) as server,
            Gate("127.0.0.1", server.port, self.authority) as gate,
        ):
            yield MailPeer(gate, self.authority, server)


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return MailHarness(tmp_path)
