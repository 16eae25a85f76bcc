"""The mail channel keeps the contract: the conformance suite, before a real mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import orjson
import pytest
from support.mailserver import MailServer, mail_server

from adapters.mail.delivery import MailAdapter
from router.conformance import (
    AdapterConformance,
    Arrived,
    CertificateAuthority,
    GatedPeer,
    Harness,
    Peer,
    Situation,
    because,
)

PASSWORD = "hunter22x"
SAYS = {
    Situation.BUSY: {"DATA": "451 4.3.0 come again"},
    Situation.REFUSES: {"DATA": "554 5.7.1 not this one"},
    Situation.MISSING: {"alerts@acme.example": "550 5.1.1 nobody of that name"},
    Situation.ECHOES: {"DATA": f"554 5.7.1 not from {PASSWORD}"},
}


class MailPeer(GatedPeer):
    """A mail server behind a gate."""

    def __init__(self, authority: CertificateAuthority, mails: MailServer) -> None:
        super().__init__(authority, server=("127.0.0.1", mails.port))
        self.mails = mails

    @property
    def options(self) -> Mapping[str, object]:
        forbids = self.situation is Situation.FORBIDS
        found: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": "implicit" if self.secure else "none",
            "user": "hubherald",
            "password": "no-such-word" if forbids else PASSWORD,
            "sender": "hubherald@dcc.example",
            "recipients": ["alerts@acme.example"],
            "batch": 20,
        }
        return {**found, "ca_file": self.ca_file} if self.secure else found

    @property
    def secrets(self) -> Sequence[str]:
        return [str(self.options["password"])]

    async def turn(self, situation: Situation) -> None:
        self.mails.refusals = SAYS.get(situation, {})
        await super().turn(situation)

    async def taken(self) -> Sequence[Arrived]:
        found: list[Arrived] = []
        for message in self.mails.messages:
            read = message_from_bytes(message, policy=default)
            assert isinstance(read, EmailMessage)
            (attached,) = read.iter_attachments()
            body = attached.get_content()
            events = orjson.loads(body)
            if isinstance(events, list):
                found += [Arrived(each["id"], orjson.dumps(each)) for each in events]
            else:
                found.append(Arrived(events["id"], body))
        return found


class MailHarness(Harness):
    """A mail channel's."""

    adapter = MailAdapter
    wrong: Mapping[str, object] = {"port": 0, "sender": "nobody", "recipients": []}
    cannot = because("a mail server never says when to come again", Situation.RESTS) | because(
        "a message is taken as a whole", Situation.REFUSES_MARKED
    )

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        async with mail_server(login=True) as mails, MailPeer(self.authority, mails) as made:
            yield made


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return MailHarness(tmp_path)
