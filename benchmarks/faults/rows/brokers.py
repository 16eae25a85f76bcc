"""The broker, and the way to it: stopped, frozen, cut, delayed, without a binding."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Sequence

import aio_pika
from exchanges import empty_queues
from support.proxy import Proxy

from faults.life import PATIENCE_S, Life
from faults.line import Line
from faults.row import Row
from faults.scene import FACTS, IN_FLIGHT, USERS, Scene

FROZEN_S = 18.0
"""Seconds; three heartbeats of the router and a bit."""
BACK_S = 60.0
"""Within which the consumer has to be back."""
HALF = FACTS // 2


def _arrived(scene: Scene, life: Life, count: int, patience: float = PATIENCE_S) -> None:
    """So many Alerts, three of each fact."""
    have = scene.recipients.have
    life.until(f"{count} Alerts have come", lambda: have() >= count, patience=patience)


def stopped(scene: Scene) -> Iterator[Line]:
    """The node stops and starts while it has facts for us; more of them come then."""
    scene.send(0, HALF)
    life = scene.start()
    _arrived(scene, life, 1)
    scene.broker.stop()
    scene.broker.start()
    scene.send(HALF, HALF)
    _arrived(scene, life, 3 * FACTS, BACK_S)
    life.stop()
    yield scene.line("broker stopped and started")


def frozen(scene: Scene) -> Iterator[Line]:
    """SIGSTOP: its connections stay open, and nothing answers."""
    scene.send(0, HALF)
    life = scene.start()
    _arrived(scene, life, 1)
    scene.broker.freeze()
    time.sleep(FROZEN_S)
    scene.broker.thaw()
    scene.send(HALF, HALF)
    _arrived(scene, life, 3 * FACTS, BACK_S)
    lost = len(life.said("rabbitmq.lost"))
    scene.note = f"connection given up {lost} times"
    life.stop()
    yield scene.line("broker frozen past the heartbeat")


def proxied(scene: Scene) -> Iterator[Line]:
    """Both ways through proxies, which reset, delay, cut in half and drop, one after the other."""
    port = int(scene.recipients.url.rpartition(":")[2])
    with Proxy(scene.broker.port) as way_in, Proxy(port) as way_out:
        out = f"http://127.0.0.1:{way_out.port}"
        channels = {user: scene.webhook(user, out, timeout=5) for user in USERS[:6]}
        scene.configure(channels, source=f"amqp://127.0.0.1:{way_in.port}/")
        life = scene.start()
        quarter = FACTS // 4
        for number, fault in enumerate(("cut", "delay", "halve", "drop")):
            scene.send(number * quarter, quarter)
            _arrived(scene, life, 3 * number * quarter + 1)
            for way in (way_in, way_out):
                way.cut() if fault == "cut" else None
                way.delay = 0.05 if fault == "delay" else 0.0
                way.halving = fault == "halve"
                way.dropping = fault == "drop"
            if fault == "drop":
                time.sleep(3.0 if scene.brief else FROZEN_S)
                way_in.dropping = way_out.dropping = False
            _arrived(scene, life, 3 * (number + 1) * quarter)
        life.stop()
        scene.until_idle()  # acknowledgements may be lost with a connection
    name = "a proxy resets, delays, cuts in half, drops"
    yield scene.line(name, duplicates=3 * IN_FLIGHT, in_order=False)


def unroutable(scene: Scene) -> Iterator[Line]:
    """An exchange with no binding: nothing is taken for delivered; then somebody binds a queue."""
    exchange = f"alerts.{secrets.token_hex(4)}"
    theirs = USERS[:2]
    at = {"adapter": "rabbitmq", "url": scene.broker.url, "exchange": exchange}
    asyncio.run(_exchange(scene.broker.url, exchange))
    scene.configure({user: {**at, "routing_key": user} for user in theirs})
    scene.send()
    life = scene.start()
    _arrived(scene, life, 3 * FACTS * 10 // 12)
    tried = f"{_OF_LANES} outcomes o ON o.delivery_id = d.id WHERE d.lane_id IN ({_ON_RABBITMQ})"
    life.until("the broker has returned some", lambda: _count(scene, tried))
    delivered = _count(scene, f"{_DELIVERED} AND lane_id IN ({_ON_RABBITMQ})")
    asyncio.run(_bind(scene.broker.url, exchange, theirs))
    for user in theirs:
        scene.must("lanes", "resume", user)
    life.until("all is delivered", lambda: not _count(scene, _PENDING))
    life.stop()
    paths = {f"{exchange}.{user}": f"/{user}" for user in theirs}
    found = asyncio.run(empty_queues(scene.broker.url, paths, scene.recipients.log))
    scene.note = f"{delivered} while unbound, then {found}"
    line = scene.line("unroutable AMQP delivery; the binding comes later")
    if delivered:
        line.problems.append("Alerts counted as delivered while nobody could have them")
    yield line


_ON_RABBITMQ = "SELECT id FROM lanes WHERE adapter = 'rabbitmq'"
_OF_LANES = "SELECT count(*) FROM deliveries d JOIN"
_DELIVERED = "SELECT count(*) FROM deliveries WHERE state = 'delivered'"
_PENDING = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'"


def _count(scene: Scene, question: str) -> int:
    return int(scene.kind.ask(scene.estate, question)[0][0])


async def _exchange(url: str, name: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(name, "topic", durable=True)


async def _bind(url: str, exchange: str, users: Sequence[str]) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for user in users:
            queue = await channel.declare_queue(f"{exchange}.{user}", durable=True)
            await queue.bind(exchange, user)


ROWS = [
    Row("broker stopped and started", "consumer back within 60 s, all arrives", stopped, True),
    Row("broker frozen past the heartbeat", "consumer back within 60 s, all arrives", frozen, True),
    Row("a proxy resets, delays, cuts in half, drops", "all arrives, D ≤ in flight", proxied, True),
    Row("unroutable AMQP delivery; the binding comes later", "0, then all", unroutable, True),
]
