"""At full load: a queue that is full from the start, as fast as it goes, nothing lost."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench_ground import QUEUE, Ground, check_log, check_yardstick, program, receiving
from bench_watch import FullLoad, Queued, Receipts, RefusedError, Sink, full_load, watch
from exchanges import EXCHANGE, Watched, empty_queues
from lives import hubherald, router, stop
from market import expected
from proof import due, prove
from yardsticks import alertmanager
from yardsticks.raw_amqp import TARGETS

PYTHON = Path(sys.executable)
PATHS = list(alertmanager.PATHS)


# --- Hubherald ------------------------------------------------------------------------------


def to_queues(ground: Ground, facts: int, batch: int) -> FullLoad:
    """Hubherald, each Alert to the queue of its user."""
    paths = ground.alert_queues()
    ground.purge(*paths)
    channel = {"adapter": "rabbitmq", "url": ground.broker.url, "exchange": EXCHANGE}
    channels = ground.same_channel(**channel, routing_key="{user}", **_batch(batch))
    estate = ground.estate(channels)
    with Watched(ground.broker.url, list(paths)) as watched:
        sink = Queued(watched, paths, estate / "received.tsv")
        return _hubherald(ground, estate, sink, facts)


def to_receiver(ground: Ground, facts: int, batch: int) -> FullLoad:
    """Hubherald, each Alert by webhook."""
    log = ground.folder_of_run() / "received.tsv"
    with receiving(log) as url:
        channels = ground.same_channel(adapter="webhook", url=url + "/{user}", **_batch(batch))
        return _hubherald(ground, ground.estate(channels), Receipts(log), facts)


def to_log(ground: Ground, facts: int) -> FullLoad:
    """Hubherald's core alone: Alerts go to its own log."""
    estate = ground.estate(ground.same_channel(adapter="log"))
    return _hubherald(ground, estate, Receipts(estate / "router.log"), facts)


def _batch(batch: int) -> dict[str, int]:
    return {"batch": batch} if batch > 1 else {}


def _hubherald(ground: Ground, estate: Path, sink: Sink, facts: int) -> FullLoad:
    hubherald(estate, "publish", ground.facts(estate, facts), "--no-check")
    try:
        with router(estate) as process:
            samples, peak = watch(process, sink, 3 * facts)
            code = stop(process)
    finally:
        ground.purge(QUEUE)
    if code != 0:
        raise RefusedError(f"the router ended with {code}")
    wanted = expected(range(facts), ground.users)
    if isinstance(sink, Queued):
        asyncio.run(empty_queues(ground.broker.url, sink.paths, sink.log))
        sink.read()
    if sink.log.name == "router.log":
        check_log(sink.log, due(wanted))
    else:
        check_alerts(wanted, sink.log)
    return full_load(samples, sink, peak)


def check_alerts(wanted: Mapping[str, Any], log: Path) -> None:
    """Refuse a log that has not exactly these Alerts, each once."""
    proof = prove(dict(wanted), log)
    if proof.problems:
        raise RefusedError(f"{len(proof.problems)} problems, such as: {proof.problems[0]}")
    if proof.duplicates:
        raise RefusedError(f"{proof.duplicates} duplicates, and nothing had failed")


# --- yardsticks -----------------------------------------------------------------------------


def raw_amqp(ground: Ground, facts: int) -> FullLoad:
    """Raw aio-pika."""
    return _to_targets(ground, facts, PYTHON, "raw_amqp")


def faststream(ground: Ground, facts: int, python: Path) -> FullLoad:
    """FastStream, publishing."""
    return _to_targets(ground, facts, python, "on_faststream")


def _to_targets(ground: Ground, facts: int, python: Path, name: str) -> FullLoad:
    ground.preload_yardstick(facts)
    with Watched(ground.broker.url, TARGETS) as watched:
        log = ground.folder_of_run() / "received.tsv"
        sink = Queued(watched, {each: each for each in TARGETS}, log)
        with program(python, name, "--amqp", ground.broker.url) as process:
            samples, peak = watch(process, sink, 3 * facts)
    asyncio.run(empty_queues(ground.broker.url, sink.paths, sink.log))
    sink.read()
    check_yardstick(sink.log, facts, list(TARGETS))
    return full_load(samples, sink, peak)


def raw_http(ground: Ground, facts: int) -> FullLoad:
    """Raw aiohttp: three POSTs for each message."""
    ground.preload_yardstick(facts)
    sink = Receipts(ground.folder_of_run() / "received.tsv", b"\n")
    with (
        receiving(sink.log) as url,
        program(PYTHON, "raw_http", "--amqp", ground.broker.url, "--to", url) as process,
    ):
        samples, peak = watch(process, sink, 3 * facts)
    check_yardstick(sink.log, facts, PATHS)
    return full_load(samples, sink, peak)


def alerting(ground: Ground, facts: int, found: Path) -> FullLoad:
    """Alertmanager, with as many alerts, POSTed to its API."""
    folder = ground.folder_of_run()
    sink = Receipts(folder / "received.tsv", b"\n")
    with (
        receiving(sink.log) as url,
        alertmanager.running(found, folder / "alertmanager", url) as (process, port),
    ):
        feeding = threading.Thread(target=alertmanager.feed, args=(port, facts))
        feeding.start()
        samples, peak = watch(process, sink, 3 * facts)
        feeding.join()
    check_yardstick(sink.log, facts, PATHS)
    return full_load(samples, sink, peak)
