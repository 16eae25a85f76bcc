"""`hubherald publish` that is ended in the middle: it says how far it is and goes on there."""

from __future__ import annotations

import secrets
import signal
from collections import Counter
from pathlib import Path

import pytest
from support.broker import Broker
from support.desk import Desk, publishing, text
from support.proxy import Proxy

from adapters.rabbitmq import publisher

pytestmark = pytest.mark.once

CHUNK = 300
"""The most facts that may be sent twice."""


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    """A new one."""
    return Desk(tmp_path, broker.url, f"facts.{secrets.token_hex(4)}")


def all_there(desk: Desk, count: int) -> Counter[str]:
    """Every fact is in the queue, at most one chunk of them twice."""
    found = Counter(desk.ids())
    assert set(found) == {f"a-{number}" for number in range(1, count + 1)}
    assert max(found.values()) <= 2
    assert found.total() - count <= CHUNK
    return found


def test_killed_it_goes_on_behind_what_was_confirmed(desk: Desk) -> None:
    desk.file.write_text(text(1, 3_000))
    with publishing(desk, "--rate", "3000", lines=900) as process:
        process.kill()
    before = desk.remembered["lines"]
    assert 900 <= before < 3_000
    result = desk.publish()
    assert f"published: {3_000 - before:,} facts" in result.stdout
    all_there(desk, 3_000)


def test_interrupted_it_says_how_far_it_is(desk: Desk) -> None:
    desk.file.write_text(text(1, 2_000))
    with publishing(desk, "--rate", "2000", lines=200) as process:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    lines = desk.remembered["lines"]
    assert f"interrupted; confirmed are {lines:,} lines of facts.jsonl, the same command" in told
    assert "Traceback" not in told
    assert desk.publish().exit_code == 0
    all_there(desk, 2_000)


def test_two_at_once_are_one_too_many(desk: Desk) -> None:
    desk.file.write_text(text(1, 1_000))
    with publishing(desk, "--rate", "300", lines=10) as process:
        result = desk.publish()
        assert result.exit_code == 1
        assert "is being published by another process" in result.stderr
        process.kill()


def test_a_broker_that_stops_is_told_and_it_goes_on(broker: Broker, desk: Desk) -> None:
    desk.file.write_text(text(1, 3_000))
    with publishing(desk, "--rate", "2000", lines=500) as process:
        broker.stop()
        _, told = process.communicate()
    try:
        assert process.returncode == 1
        assert f"error: 127.0.0.1:{broker.port}: " in told
        assert f"confirmed are {desk.remembered['lines']:,} lines of facts.jsonl, the" in told
        result = desk.publish()
        assert result.exit_code == 1
        assert "connection refused; is RabbitMQ running" in result.stderr
        assert (
            f"confirmed are {desk.remembered['lines']:,} lines of {desk.file}, the" in result.stderr
        )
    finally:
        broker.start()
    assert desk.publish().exit_code == 0
    all_there(desk, 3_000)


def test_a_full_disk_of_the_broker_is_told_and_it_goes_on(
    broker: Broker, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "BLOCKED_S", 0.5)
    desk.file.write_text(text(1, 10))
    assert desk.publish().exit_code == 0
    with desk.file.open("a") as file:
        file.write(text(11, 1_000))
    broker.control("set_disk_free_limit", "9000GB")
    try:
        result = desk.publish()
        assert result.exit_code == 1
        assert "takes nothing at present, it is short of disk or memory" in result.stderr
        assert f"confirmed are 10 lines of {desk.file}, the same command goes on" in result.stderr
    finally:
        broker.control("set_disk_free_limit", "1MB")
    assert "published: 990 facts" in desk.publish().stdout
    all_there(desk, 1_000)


def test_a_cut_connection_is_told_and_it_goes_on(broker: Broker, desk: Desk) -> None:
    desk.file.write_text(text(1, 3_000))
    direct = desk.url
    with Proxy(broker.port) as proxy:
        desk.url = f"amqp://127.0.0.1:{proxy.port}/"
        desk.configure({"dsp": desk.source()})
        with publishing(desk, "--rate", "2000", lines=500) as process:
            proxy.cut()
            _, told = process.communicate()
        assert process.returncode == 1
        assert f"confirmed are {desk.remembered['lines']:,} lines of facts.jsonl, the" in told
        assert "Traceback" not in told
        assert desk.publish().exit_code == 0
    desk.url = direct
    all_there(desk, 3_000)


def test_begun_anew_and_ended_it_goes_on_without_again(desk: Desk) -> None:
    desk.file.write_text(text(1, 600))
    assert desk.publish().exit_code == 0
    good = desk.url
    desk.url = "amqp://127.0.0.1:1/"
    desk.configure({"dsp": desk.source()})
    result = desk.publish("--again")
    assert "no line of" in result.stderr
    assert "the same command without --again begins at the first" in result.stderr
    desk.url = good
    desk.configure({"dsp": desk.source()})
    assert "published: 600 facts" in desk.publish().stdout
