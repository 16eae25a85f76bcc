"""The log keeps the contract: the conformance suite, on what is logged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
import structlog

from adapters.log import LogAdapter
from router.conformance import (
    NETWORK,
    SECURE,
    Ability,
    AdapterConformance,
    Arrived,
    Harness,
    Peer,
    Situation,
    because,
)


class LogPeer(Peer):
    """What structlog was given."""

    def __init__(self, lines: list[structlog.typing.EventDict]) -> None:
        self.lines = lines

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    async def turn(self, situation: Situation) -> None:
        assert situation is Situation.TAKES

    async def taken(self) -> Sequence[Arrived]:
        return [Arrived(line["id"]) for line in self.lines if line["event"] == "alert"]


class LogHarness(Harness):
    """The log's."""

    adapter = LogAdapter
    cannot = (
        because(
            "the log takes everything, and nobody answers there",
            *(set(Situation) - {Situation.TAKES, *NETWORK, *SECURE}),
            *NETWORK,
            *SECURE,
            Ability.CONNECTIONS,
        )
        | because("it has no options", Ability.SECRETS)
        | because("a line tells what an Alert is about, not its bytes", Ability.BODIES)
    )

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        with structlog.testing.capture_logs() as lines:
            yield LogPeer(lines)


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self) -> Harness:
        return LogHarness()
