"""Exchange, queue and dead-letter queue, as the broker sees them; and mistakes in the options."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import structlog
from support.broker import Broker
from support.commandline import call
from support.factqueue import FactQueue, reading, until

from adapters.rabbitmq import source as module
from router.config.loading import load as load_config
from router.errors import FilesError
from router.workbench import starter

pytestmark = pytest.mark.once


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries often, so that a line for each try would be seen."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.2)


def listed(place: FactQueue, *words: str) -> list[list[str]]:
    """What rabbitmqctl lists about this place, without the header."""
    lines = place.broker.control("--no-table-headers", *words).splitlines()
    return sorted(line.split("\t") for line in lines if place.name in line)


async def test_what_is_missing_is_declared(place: FactQueue) -> None:
    async with reading(place.source(delivery_limit=77)):
        pass
    name, rejected = place.name, f"{place.name}.rejected"
    queues = listed(place, "list_queues", "name", "type", "durable", "arguments")
    assert [row[:3] for row in queues] == [
        [name, "quorum", "true"],
        [rejected, "quorum", "true"],
    ]
    arguments = queues[0][3]
    for wanted in (
        '{"x-delivery-limit",77}',
        f'{{"x-dead-letter-exchange","{rejected}"}}',
        '{"x-dead-letter-strategy","at-least-once"}',
        '{"x-overflow","reject-publish"}',
    ):
        assert wanted in arguments
    bound = listed(place, "list_bindings", "source_name", "destination_name", "routing_key")
    assert [name, name, "#"] in bound
    assert [rejected, rejected, "#"] in bound
    assert listed(place, "list_exchanges", "name", "type", "durable") == [
        [name, "topic", "true"],
        [rejected, "topic", "true"],
    ]
    async with reading(place.source(delivery_limit=77)):  # and it is the same the next time
        pass


async def test_what_is_somebody_elses_is_only_checked(place: FactQueue) -> None:
    source = place.source(declare=False)

    def says(words: str) -> bool:
        return f"{words} is missing" in (source.down() or "")

    with structlog.testing.capture_logs() as logs:
        async with source:
            await until(lambda: says(f"exchange {place.name!r}"))
            async with place.channel() as channel:
                exchange = await channel.declare_exchange(place.name, "fanout", durable=False)
                await until(lambda: says(f"queue {place.name!r}"))
                assert "`declare: true`" in (source.down() or "")
                await (await channel.declare_queue(place.name, auto_delete=False)).bind(exchange)
                await until(lambda: source.link().up)
            assert source.down() is None
    assert [line["event"] for line in logs] == [
        "rabbitmq.unavailable",
        "rabbitmq.unavailable",
        "rabbitmq.connected",
    ]


async def test_what_is_different_is_named_until_it_is_gone(place: FactQueue) -> None:
    async with reading(place.source(delivery_limit=50)):
        pass
    other = place.source(delivery_limit=60)
    with structlog.testing.capture_logs() as logs:
        async with other:
            await until(lambda: "there, but different" in (other.down() or ""))
            told = other.down() or ""
            assert f"queue {place.name!r}" in told
            assert "inequivalent arg 'x-delivery-limit'" in told
            assert "`declare: false`" in told
            assert "once nobody publishes and it is empty, run: " in told
            _, _, command = told.partition("run: rabbitmqctl ")
            await asyncio.to_thread(place.broker.control, *shlex.split(command.split(" (")[0]))
            await until(lambda: other.link().up)
    assert [line["event"] for line in logs] == ["rabbitmq.unavailable", "rabbitmq.connected"]
    exchange = place.source(exchange=f"{place.name}.rejected.not")
    async with place.channel() as channel:
        await channel.declare_exchange(f"{place.name}.rejected.not", "direct", durable=True)
    async with exchange:
        await until(
            lambda: f"exchange '{place.name}.rejected.not' is there" in str(exchange.down())
        )
        assert "rabbitmqctl" not in str(exchange.down())  # it can't delete an exchange


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a user without a password": ({"user": "ann"}, "a `user` needs a `password`"),
    "a certificate without a key": (
        {"certificate_file": "cert.pem"},
        "`certificate_file` and `key_file` need each other",
    ),
    "a limit that is soon reached": ({"delivery_limit": 3}, "delivery_limit: must be at least 20"),
    "a prefetch of nothing": ({"prefetch": 0}, "prefetch: must be at least 1"),
    "one queue for good and bad": (
        {"queue": "q", "rejected": "q"},
        "`rejected` must not be the queue",
    ),
    "what is given up comes back": (
        {"queue": "q", "exchange": "q.rejected"},
        "`rejected` must not be the exchange of the facts",
    ),
    "no room for .rejected": ({"queue": "q" * 250}, "`queue` is so long that `rejected` needs"),
    "a name of the broker's": ({"queue": "amq.q"}, "queue: must not begin with 'amq.'"),
    "an exchange of the broker's": ({"exchange": "amq.topic"}, "exchange: must not begin with"),
    "no name": ({"queue": ""}, "queue: must be 1 to 255 bytes"),
    "a long name": ({"rejected": "\u4e16" * 86}, "rejected: must be 1 to 255 bytes"),
    "a name that hides": ({"queue": "q\u202e"}, "queue: must be 1 to 255 bytes"),
    "a URL in the clear": ({"url": "amqp://broker.example/"}, "url: must use TLS"),
    "a URL with a password": ({"url": "amqps://ann:hush@b.example/"}, "url: must not hold a user"),
    "another protocol": ({"url": "https://b.example/"}, "url: must be a URL such as amqps://"),
    "a typo": ({"prefech": 5}, "'prefech' means nothing here; did you mean 'prefetch'?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found_where_they_are(tmp_path: Path, mistake: str) -> None:
    options, words = MISTAKES[mistake]
    starter.write(tmp_path)
    file = tmp_path / "hubherald.yaml"
    lines = [f"    {key}: {json.dumps(value)}\n" for key, value in options.items()]
    if "url" not in options:
        lines.insert(0, "    url: amqp://localhost/\n")
    file.write_text(
        "dcc: {id: 90-b3-d5-1f-30-00-00-02}\nsources:\n  dsp:\n    adapter: rabbitmq\n"
        + "".join(lines)
    )
    with pytest.raises(FilesError) as caught:
        load_config(file, {})
    (problem,) = caught.value.problems
    assert words in problem.message
    assert "hush" not in problem.message
    assert 3 <= problem.location.line <= 4 + len(lines)


def test_a_file_with_a_queue_is_checked_without_a_broker(tmp_path: Path) -> None:
    starter.write(tmp_path)
    file = tmp_path / "hubherald.yaml"
    source = "{adapter: rabbitmq, url: 'amqps://nowhere.example/prod', user: ann, password: hush}"
    file.write_text(f"dcc: {{id: 90-b3-d5-1f-30-00-00-02}}\nsources:\n  dsp: {source}\n")
    file.chmod(0o600)  # it holds a secret
    checked = call("check", folder=tmp_path)
    assert checked.exit_code == 0, checked.output
    assert "hush" not in checked.output


def test_operators_are_told_what_the_source_takes() -> None:
    text = call("adapters").stdout
    assert "source rabbitmq: Facts from a RabbitMQ queue" in text
    assert "  queue (string, default hubherald.facts): the quorum queue" in text
    assert "  password (secret, default -)" in text
