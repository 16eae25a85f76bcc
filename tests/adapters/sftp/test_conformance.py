"""The SFTP channel keeps the contract: the conformance suite, before a real server."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import orjson
import pytest
from support.sftpserver import FileServer, file_server, known_host

from adapters.sftp.delivery import SftpAdapter
from router.conformance import (
    SECURE,
    Ability,
    AdapterConformance,
    Arrived,
    Connections,
    Gate,
    Harness,
    Peer,
    Situation,
    alert,
    because,
)

NUMBERS = range(1, 700)
"""Of the Alerts that a suite sends one by one."""
pytestmark = pytest.mark.once


class SftpPeer(Peer):
    """A folder on a server, behind a gate."""

    def __init__(self, gate: Gate, server: FileServer) -> None:
        self.gate, self.server = gate, server
        self.situation = Situation.TAKES

    @property
    def options(self) -> Mapping[str, object]:
        keys = self.server.keys
        known, stranger = keys / "known_hosts", keys / "stranger"
        assert self.server.host_key is not None
        known.write_text(known_host(self.gate.port, self.server.host_key))
        if not stranger.exists():
            key = asyncssh.generate_private_key("ssh-ed25519")
            stranger.touch(mode=0o600)
            stranger.write_bytes(key.export_private_key())
        if self.situation is Situation.UNTRUSTED:
            other = asyncssh.generate_private_key("ssh-ed25519")
            known.write_text(known_host(self.gate.port, other))
        forbids, missing = Situation.FORBIDS, Situation.MISSING
        return {
            **self.server.options,
            "port": self.gate.port,
            "key_file": str(stranger if self.situation is forbids else keys / "ours"),
            "path": "/gone" if self.situation is missing else "/",
            "batch": 100,
        }

    async def turn(self, situation: Situation) -> None:
        self.situation = situation
        self.server.full = situation is Situation.BUSY
        for path in self.server.home.glob("*.json"):
            if path.is_dir():
                path.rmdir()
        if situation is Situation.REFUSES:
            for number in NUMBERS:
                (self.server.home / f"{alert(number).id}.json").mkdir(exist_ok=True)
        await self.gate.turn(Situation.TAKES if situation in SECURE else situation)

    async def taken(self) -> Sequence[Arrived]:
        files = [each for each in self.server.home.glob("*.json") if each.is_file()]
        found = []
        for file in sorted(files, key=lambda each: each.stat().st_mtime_ns):
            body = file.read_bytes()
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


class SftpHarness(Harness):
    """An SFTP channel's."""

    adapter = SftpAdapter
    wrong: Mapping[str, object] = {"host": "a b", "path": "a\nb", "batch": 0, "port": 0}
    cannot = {  # noqa: RUF012
        **because("a file server has no word for when to come again", Situation.RESTS),
        **because("a file is taken or refused as a whole", Situation.REFUSES_MARKED),
        **because("its keys are in files, whose names may be known", Ability.SECRETS),
        **because("a file server repeats nothing of what it was told", Situation.ECHOES),
        **because(
            "a server is known by its key; it has no certificate",
            *(each for each in SECURE if each not in {Situation.TLS, Situation.UNTRUSTED}),
        ),
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        async with (
            file_server(folder) as server,
            Gate("127.0.0.1", server.port) as gate,
        ):
            yield SftpPeer(gate, server)


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return SftpHarness(tmp_path)
