"""The folder keeps the contract: the conformance suite, on a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from adapters.folder import FolderAdapter
from router.conformance import (
    NETWORK,
    SECURE,
    Ability,
    AdapterConformance,
    Arrived,
    Harness,
    Peer,
    Situation,
    alert,
    because,
    marked,
)

NUMBERS = range(1, 700)
"""Of the Alerts that a suite sends one by one."""


class FolderPeer(Peer):
    """A folder that something else stands in the way of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def options(self) -> Mapping[str, object]:
        return {"path": str(self.folder), "access": "owner"}

    async def turn(self, situation: Situation) -> None:
        if self.folder.is_file():
            self.folder.unlink()
        for path in self.folder.glob("*.json"):
            if path.is_dir():
                path.rmdir()
        if situation in {Situation.BUSY, Situation.AWAY}:
            if self.folder.is_dir():
                self.folder.rename(self.folder.with_name("before"))
            self.folder.write_bytes(b"a file where a folder should be")
        elif situation is Situation.REFUSES:
            self.block(*map(alert, NUMBERS))
        elif situation is Situation.REFUSES_MARKED:
            self.block(marked())

    def block(self, *alerts: object) -> None:
        """Something else has their names."""
        for each in alerts:
            (self.folder / f"{each.id}.json").mkdir(parents=True)  # type: ignore[attr-defined]

    async def taken(self) -> Sequence[Arrived]:
        files = [each for each in self.folder.glob("*.json") if each.is_file()]
        bodies = [each.read_bytes() for each in sorted(files, key=lambda file: file.stat().st_ino)]
        in_order = sorted(bodies, key=lambda body: orjson.loads(body)["time"])
        return [Arrived(orjson.loads(body)["id"], body) for body in in_order]


class FolderHarness(Harness):
    """A folder's."""

    adapter = FolderAdapter
    wrong: Mapping[str, object] = {"access": "everybody", "path": "a\nb"}
    cannot = (
        because(
            "a folder is on this machine, and nobody answers there",
            *(each for each in NETWORK if each is not Situation.AWAY),
            *SECURE,
            Situation.RESTS,
            Situation.FORBIDS,
            Ability.CONNECTIONS,
        )
        | because("it has no secrets", Ability.SECRETS, Situation.ECHOES)
        | because("a folder that is missing is made", Situation.MISSING)
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        yield FolderPeer(self.folder / "alerts")


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return FolderHarness(tmp_path)
