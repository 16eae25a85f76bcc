"""What `/-/ready` and the metrics say of sources and connections."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from support.commandline import start
from support.estate import S1, SUPPLIER, Estate
from support.samples import NOW, user

from router.domain.users import Channel
from router.lanes.lane import Lane
from router.metrics.metrics import Metrics
from router.ports import (
    Certificate,
    Cursor,
    Delivered,
    Delivery,
    FileCounts,
    Link,
    Message,
    Options,
    Outcome,
)
from router.service.readiness import Readiness


class Unlinked:
    """A source without a connection, down when a test says why."""

    Config: ClassVar[type[Options]] = Options
    reason: str | None = None

    def __init__(self, name: str, config: Options) -> None:
        self.name = name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        """Nothing."""
        for message in ():
            yield message

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Nothing was given."""

    def exhausted(self) -> bool:
        """Always."""
        return True

    def down(self) -> str | None:
        """What the test says."""
        return self.reason


class Connected(Unlinked):
    """One with a connection."""

    standing = Link(up=True, made=1)

    def link(self) -> Link:
        """What the test says."""
        return self.standing


class Filed(Unlinked):
    """One that takes files."""

    found = FileCounts(ignored=2, replaced=1)

    def files(self) -> FileCounts:
        """What the test says."""
        return self.found


class Sender:
    """An adapter with a connection."""

    Config: ClassVar[type[Options]] = Options
    batch = 1
    standing = Link(up=False, made=0)
    shown: Sequence[Certificate] = ()

    def __init__(self, config: Options) -> None:
        """It takes no options."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """All of it."""
        return [Delivered() for _ in deliveries]

    def link(self) -> Link:
        """What the test says."""
        return self.standing

    def certificates(self) -> Sequence[Certificate]:
        """What the test says."""
        return self.shown


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def sources() -> dict[str, Unlinked]:
    return {"drop": Unlinked("drop", Options()), "dsp": Connected("dsp", Options())}


@pytest.fixture
def sender() -> Sender:
    return Sender(Options())


@pytest.fixture
def readiness(metrics: Metrics, sources: dict[str, Unlinked], sender: Sender) -> Readiness:
    channel = Channel("main", "rabbitmq", Options())
    nobody = Channel("other", "missing", None)
    lanes = {1: Lane(1, user(1), channel, sender), 2: Lane(2, user(1), nobody, None)}
    return Readiness(
        metrics, sources=sources, lanes=lanes, lost=lambda: None, refusing=lambda: None
    )


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"hubherald_{name}", labels)


def test_it_is_ready_while_facts_can_come_from_every_source(
    readiness: Readiness, sources: dict[str, Unlinked]
) -> None:
    assert readiness.not_ready() == "starting or stopping"
    readiness.started = True
    assert readiness.not_ready() is None
    sources["dsp"].reason = "broker.example:5671 refused"
    assert readiness.not_ready() == "source dsp: broker.example:5671 refused"
    sources["drop"].reason = "folder inbox can't be read"
    assert readiness.not_ready() == (
        "source drop: folder inbox can't be read\nsource dsp: broker.example:5671 refused"
    )


async def test_without_its_ledger_it_is_not_ready(
    metrics: Metrics, sources: dict[str, Unlinked]
) -> None:
    lost: list[str] = []
    readiness = Readiness(
        metrics,
        sources=sources,
        lanes={},
        lost=lambda: lost[0] if lost else None,
        refusing=lambda: None,
    )
    for readiness.started in (True, False):
        lost[:] = ["/data/hubherald.db: gone"]
        assert readiness.not_ready() == "ledger /data/hubherald.db: gone"
        await readiness.show()
        assert value(metrics, "intake_up", source="drop") == 0


async def test_a_source_is_up_from_the_start_to_the_stop_unless_it_is_down(
    readiness: Readiness, sources: dict[str, Unlinked], metrics: Metrics
) -> None:
    seen = []
    for started, reason in ((False, None), (True, None), (True, "refused"), (False, None)):
        readiness.started, sources["dsp"].reason = started, reason
        await readiness.show()
        seen.append([value(metrics, "intake_up", source=name) for name in ("drop", "dsp")])
    assert seen == [[0, 0], [1, 1], [1, 0], [0, 0]]


async def test_connections_are_shown_where_there_are_any(
    readiness: Readiness, sources: dict[str, Unlinked], sender: Sender, metrics: Metrics
) -> None:
    await readiness.show()
    assert value(metrics, "intake_connected", source="dsp") == 1
    assert value(metrics, "intake_connected", source="drop") is None
    source = sources["dsp"]
    assert isinstance(source, Connected)
    source.standing, sender.standing = Link(up=False, made=3), Link(up=True, made=2)
    await readiness.show()
    assert value(metrics, "intake_connected", source="dsp") == 0
    assert value(metrics, "intake_connections", source="dsp") == 3
    lane = {"recipient": user(1), "channel": "main"}
    assert value(metrics, "lane_connected", **lane) == 1
    assert value(metrics, "lane_connections", **lane) == 2
    assert value(metrics, "lane_connected", recipient=user(1), channel="other") is None


async def test_files_that_are_not_read_are_shown_where_a_source_takes_files(
    readiness: Readiness, sources: dict[str, Unlinked], metrics: Metrics
) -> None:
    sources["drop"] = source = Filed("drop", Options())
    await readiness.show()
    assert value(metrics, "intake_ignored_files", source="drop") == 2
    assert value(metrics, "intake_replaced_files", source="drop") == 1
    assert value(metrics, "intake_ignored_files", source="dsp") is None
    source.found = FileCounts()
    await readiness.show()
    assert value(metrics, "intake_ignored_files", source="drop") == 0


async def test_certificates_are_shown_while_they_can_be_read(
    readiness: Readiness, sender: Sender, metrics: Metrics
) -> None:
    labels = {"recipient": user(1), "channel": "main", "use": "signing"}
    seen = []
    for shown in ((), (Certificate("signing", NOW),), ()):
        sender.shown = shown
        await readiness.show()
        seen.append(value(metrics, "certificate_expiry_timestamp_seconds", **labels))
    assert seen == [None, NOW.timestamp(), None]


class Hanging(Sender):
    """One whose certificate is on a mount that is away."""

    pipe: Path

    def certificates(self) -> Sequence[Certificate]:
        """When somebody writes."""
        self.pipe.read_bytes()
        return self.shown


async def test_certificates_that_do_not_answer_keep_back_no_others(
    sender: Sender, metrics: Metrics, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    hanging = Hanging(Options())
    hanging.pipe = pipe
    sender.shown = hanging.shown = (Certificate("signing", NOW),)
    channel = Channel("main", "duis", Options())
    lanes = {1: Lane(1, user(1), channel, hanging), 2: Lane(2, user(2), channel, sender)}
    readiness = Readiness(
        metrics, sources={}, lanes=lanes, lost=lambda: None, refusing=lambda: None
    )

    def seen(number: int) -> float | None:
        labels = {"recipient": user(number), "channel": "main", "use": "signing"}
        return value(metrics, "certificate_expiry_timestamp_seconds", **labels)

    for _ in range(10):  # more than it has threads
        await readiness.show()
        assert (seen(1), seen(2)) == (None, NOW.timestamp())
    pipe.write_bytes(b"back")
    while seen(1) is None:
        await readiness.show()
        os.close(os.open(pipe, os.O_RDWR))  # whoever asks again gets an answer
    assert seen(2) == NOW.timestamp()
    os.close(os.open(pipe, os.O_RDWR))


def get(url: str) -> tuple[int, str]:
    try:
        with urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_a_router_says_which_source_is_down_and_is_ready_again(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    inbox = tmp_path / "inbox"
    with start("run", folder=tmp_path) as router:
        assert router.stderr is not None
        said = (json.loads(line) for line in router.stderr)
        started = next(line for line in said if line["event"] == "router.started")
        address = f"http://{started['listen']}"
        while get(f"{address}/-/ready") != (200, "ready\n"):
            assert router.poll() is None
        assert 'hubherald_intake_up{source="drop"} 1.0' in get(f"{address}/metrics")[1]
        inbox.rename(tmp_path / "elsewhere")
        while (answer := get(f"{address}/-/ready"))[0] == 200:
            assert router.poll() is None
        assert answer[1].startswith("not ready: source drop: folder ")
        assert get(f"{address}/-/healthy") == (200, "alive\n")
        assert 'hubherald_intake_up{source="drop"} 0.0' in get(f"{address}/metrics")[1]
        (tmp_path / "elsewhere").rename(inbox)
        while get(f"{address}/-/ready")[0] != 200:
            assert router.poll() is None
        router.terminate()
        router.communicate()
        assert router.returncode == 0
