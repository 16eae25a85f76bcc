"""CloudEvents in every form over a real RabbitMQ: decided, or told with the headers that came."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import DeliveryMode
from support.broker import Broker
from support.commandline import call, row, rows
from support.estate import ACTIVATED, HUB, S1, SUPPLIER, Estate

JSON = "application/json"
EVENTS = "application/cloudevents+json"


@pytest.fixture
def queue(broker: Broker) -> dict[str, Any]:
    """A queue that no other test uses."""
    name = f"facts-{secrets.token_hex(4)}"
    return {"adapter": "rabbitmq", "url": broker.url, "queue": name, "exchange": name}


@pytest.fixture
def estate(tmp_path: Path, queue: dict[str, Any]) -> Estate:
    """A home with a supplier; activations come from the queue."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    file = estate.folder / "hubherald.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sources": {"dsp": queue}}))
    return estate


def data(version: str, **more: Any) -> dict[str, Any]:
    usual = {"device_id": HUB, "activated_at": ACTIVATED, "outcome": "success"}
    return {**usual, "firmware_version": version, **more}


def attributes(version: str) -> dict[str, str]:
    kind = "hubherald.firmware.activated.v1"
    return {"specversion": "1.0", "id": f"f-{version}", "source": "dsp", "type": kind}


def event(version: str, **more: Any) -> dict[str, Any]:
    return {**attributes(version), "data": data(version), **more}


def message(body: object, content_type: str, **more: Any) -> aio_pika.Message:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    persistent = DeliveryMode.PERSISTENT
    return aio_pika.Message(raw, content_type=content_type, delivery_mode=persistent, **more)


def coded(version: str) -> str:
    return base64.b64encode(json.dumps(data(version)).encode()).decode()


def in_headers(version: str, prefix: str = "cloudEvents:") -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in attributes(version).items()}


def publish(queue: dict[str, Any], messages: Sequence[aio_pika.Message]) -> None:
    async def send() -> None:
        async with await aio_pika.connect(queue["url"]) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(queue["exchange"], ensure=False)
            for each in messages:
                await exchange.publish(each, "fact")

    asyncio.run(send())


def test_every_form_is_decided_and_what_can_not_be_read_shows_its_headers(
    estate: Estate, queue: dict[str, Any]
) -> None:
    estate.run()  # makes the queue
    batch = [event("1"), event("2"), event("3", specversion="0.3")]
    publish(
        queue,
        [
            message(batch, "application/cloudevents-batch+json", headers={"tenant": "north"}),
            message({**attributes("4"), "data_base64": coded("4")}, EVENTS),
            message({**attributes("5"), "data": json.dumps(data("5"))}, EVENTS),
            message(
                gzip.compress(json.dumps(event("6")).encode()), EVENTS, content_encoding="gzip"
            ),
            message(data("7"), JSON, headers=in_headers("7")),
            message(
                gzip.compress(json.dumps(data("8")).encode()),
                JSON,
                content_encoding="gzip",
                headers=in_headers("8", "ce-"),
            ),
            message(data("9"), JSON, headers=in_headers("1", "cloudEvents_")),
            message(b"\xff\x00", "application/protobuf", content_encoding="br"),
            message(b"<a/>", "application/xml", headers={**in_headers("10"), "x-\x1b[31m": "a\nb"}),
        ],
    )
    estate.run()
    versions = [each["data"]["firmware_version"] for each in estate.sent(S1)]
    assert versions == ["1", "2", "4", "5", "6", "7", "8"]
    waiting = rows("quarantine", "list", "--reverse", folder=estate.folder)
    assert [row["reason"] for row in waiting] == [
        *["invalid", "conflicting_id", "malformed", "invalid"]
    ]
    assert waiting[0]["detail"] == "specversion: must be 1.0"
    assert waiting[0]["origin"].endswith("[3]")
    assert waiting[2]["detail"] == (
        "UTF-16, not UTF-8: whoever writes it has to change that; it came with content_type"
        " 'application/protobuf' and content_encoding 'br'"
    )
    assert waiting[3]["detail"].startswith("data_base64: holds no JSON object (not JSON: ")
    assert "datacontenttype is 'application/xml'" in waiting[3]["detail"]
    shown = call("quarantine", "show", waiting[3]["id"], folder=estate.folder).stdout
    assert "\ncame with header cloudEvents:id: f-10\n" in shown
    assert "\ncame with content_type: application/xml\n" in shown
    assert r"came with header x-\x1b[31m: a\nb" in shown
    first = row("quarantine", "show", waiting[0]["id"], folder=estate.folder)
    assert first["came_with"]["header tenant"] == "north"
    assert json.loads(first["body"]) == batch[2]


def test_a_batch_that_comes_again_is_known(estate: Estate, queue: dict[str, Any]) -> None:
    estate.run()
    batch = [event("1"), event("2")]
    publish(queue, [message(batch, "application/cloudevents-batch+json")] * 2)
    publish(queue, [message(event("2"), EVENTS), message(data("1"), JSON, headers=in_headers("1"))])
    estate.run()
    assert [each["data"]["firmware_version"] for each in estate.sent(S1)] == ["1", "2"]
    assert rows("quarantine", "list", folder=estate.folder) == []
