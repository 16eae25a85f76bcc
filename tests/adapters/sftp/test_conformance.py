"""The SFTP channel keeps the contract: the conformance suite, before a real SSH server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
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
    GatedPeer,
    Harness,
    Peer,
    Situation,
    alert,
    because,
)

NUMBERS = range(1, 700)
"""Of the Alerts that a suite sends one by one."""


class SftpPeer(GatedPeer):
    """An SSH server behind a gate; it is known by its host key."""

    def __init__(self, files: FileServer) -> None:
        super().__init__(server=("127.0.0.1", files.port))
        self.files = files
        self.stranger = asyncssh.generate_private_key("ssh-ed25519")
        other = files.keys / "other"
        other.touch(mode=0o600)
        other.write_bytes(self.stranger.export_private_key())

    @property
    def options(self) -> Mapping[str, object]:
        key = "other" if self.situation is Situation.FORBIDS else "ours"
        folder = "/missing" if self.situation is Situation.MISSING else "/"
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "hubherald",
            "key_file": str(self.files.keys / key),
            "known_hosts_file": str(self.files.keys / "known"),
            "path": folder,
            "batch": 20,
        }

    async def turn(self, situation: Situation) -> None:
        untrusted = situation is Situation.UNTRUSTED
        await super().turn(Situation.TAKES if untrusted else situation)
        self.files.full = situation is Situation.BUSY
        self.show(self.stranger if untrusted else self.files.host_key)
        for other in self.files.home.glob("*.json"):
            if other.is_dir():
                other.rmdir()
        if situation is Situation.REFUSES:
            for number in NUMBERS:
                (self.files.home / f"{alert(number).id}.json").mkdir()

    def show(self, key: asyncssh.SSHKey | None) -> None:
        """Have the adapter know this key as the server's."""
        assert key is not None
        (self.files.keys / "known").write_text(known_host(self.port, key))

    async def taken(self) -> Sequence[Arrived]:
        found: list[tuple[str, Arrived]] = []
        for file in self.files.home.glob("[!.]*.json"):
            if file.is_file():
                body = file.read_bytes()
                events = orjson.loads(body)
                each = events if isinstance(events, list) else [events]
                alone = len(each) == 1 and not isinstance(events, list)
                found += [
                    (one["time"], Arrived(one["id"], body if alone else orjson.dumps(one)))
                    for one in each
                ]
        return [arrived for _, arrived in sorted(found, key=lambda pair: pair[0])]


class SftpHarness(Harness):
    """An SFTP channel's."""

    adapter = SftpAdapter
    wrong: Mapping[str, object] = {"port": 0, "batch": 0, "host": "a/b"}
    cannot = (
        because(
            "SSH knows a host by its key, not by certificates",
            *(each for each in SECURE if each is not Situation.UNTRUSTED),
        )
        | because("an SFTP server never says when to come again", Situation.RESTS)
        | because("a file is taken as a whole", Situation.REFUSES_MARKED)
        | because("its options name files of keys, no secrets", Ability.SECRETS, Situation.ECHOES)
    )

    def __init__(self, folder: Path) -> None:
        self.folder, self.numbers = folder, count()

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        async with file_server(folder) as files, SftpPeer(files) as made:
            made.show(files.host_key)
            yield made


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return SftpHarness(tmp_path)
