"""Dashboards and alarms against a real Prometheus that scrapes a router with all its troubles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from ruamel.yaml import YAML
from support.broker import Broker
from support.commandline import call
from support.estate import HUB, ROOT, S1, S2, S3, S4, SUPPLIER, Estate
from support.keypair import KeyPair
from support.listener import Listener
from support.liverouter import WRONG, Live, running
from support.mutual import Mutual
from support.prometheus import Prometheus, scraping, sound
from support.servers import program

from dashboards.build import FOLDER
from dashboards.queries import WHOLE, Query, filled, queries_of

pytestmark = pytest.mark.once

D1, S5 = "90-B3-D5-1F-30-02-00-01", "90-B3-D5-1F-30-01-00-05"
HUBS = {user: f"{HUB[:-1]}{number}" for number, user in enumerate((S1, S2, S3, S4, S5, D1), 1)}
"""By Service User the hub that it is told of."""
NOBODYS = f"{HUB[:-1]}8"
"""A hub without registrations."""
QUEUE = "hubherald.facts.rejected"
"""One that the router makes, and that nobody reads."""
ALARMS = ROOT / "dashboards" / "prometheus" / "hubherald.rules.yaml"
VALUES = {**WHOLE, "__rate_interval": "10s", "__range": "5m"}
NAME = re.compile(r"\b(?:hubherald|rabbitmq|process)_[a-z_]+")


def everything() -> list[Query]:
    """All that the dashboards ask."""
    files = sorted(FOLDER.glob("*.json"))
    return [query for file in files for query in queries_of(json.loads(file.read_text()))]


def alarm_expressions() -> dict[str, str]:
    """By name of the alarm."""
    groups = YAML(typ="safe", pure=True).load(ALARMS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule["alert"]: rule["expr"] for rule in rules if "alert" in rule}


@dataclass(frozen=True)
class Watched:
    """A Prometheus, and the router that it watches."""

    prometheus: Prometheus
    live: Live

    @property
    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.live.url}/metrics", timeout=30) as response:
            return str(response.read().decode())

    def answers(self, query: Query, expr: str) -> bool:
        """Whether Grafana would have something to show, and nothing of it no number."""
        expr = filled(expr, VALUES)
        if query.kind == "variable":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", expr)
            assert found is not None
            return bool(self.prometheus.label_values(found[2], found[1]))
        if query.kind == "instant":
            return sound(self.prometheus.values(expr))
        return sound(self.prometheus.history(expr, 60))


class Facts(threading.Thread):
    """Publishes facts of all kinds, good and bad, until it is stopped."""

    def __init__(self, estate: Estate) -> None:
        super().__init__()
        self.estate = estate
        self.ended = threading.Event()
        self.failed: str | None = None

    def run(self) -> None:
        estate, number = self.estate, 0
        while not self.ended.wait(0.5) and self.failed is None:
            number += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            for hub in (*HUBS.values(), NOBODYS):
                of = {"device_id": hub, "activated_at": now}
                estate.activation(f"V{number % 4}", id=f"{hub}-{number}", **of)
                estate.activation("V9", id=f"{hub}-{number}-failed", outcome="failure", **of)
            estate.activation("V1", id=f"{HUBS[S1]}-1", device_id=HUBS[S1])  # conflicts
            estate.activation("V1", id="again", device_id=HUBS[S1])
            estate.line(b"this is no fact")
            estate.activation("V1", id=f"unknown-{number}", device_id=f"{HUB[:-1]}9")
            estate.hub(HUBS[S1])
            inbox = estate.folder / "inbox" / "facts.jsonl"
            done = call("publish", inbox, "--no-check", folder=estate.folder)
            if done.exit_code != 0:
                self.failed = done.output


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A router that has something of everything: the load goes on while it is asked."""
    folder = tmp_path_factory.mktemp("watched")
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(plugins=["rabbitmq_prometheus"]))
        estate = Estate(folder / "estate")
        _users(estate, broker, stack)
        shutil.copytree(ROOT / "rules", estate.folder / "rules")
        more = {
            "sources": {
                "drop": {"adapter": "folder", "path": "inbox/"},
                "dsp": {"adapter": "rabbitmq", "url": broker.url},
            },
            "dcc": {"id": "90-B3-D5-1F-30-00-00-02", **KeyPair(folder).options},
        }
        live = stack.enter_context(running(estate, **more))
        router = int(live.url.rpartition(":")[2])
        targets = {
            "hubherald": ("/metrics", router),
            "rabbitmq": ("/metrics/per-object", broker.metrics_port),
        }
        prometheus = stack.enter_context(scraping(folder / "prometheus", targets, [ALARMS]))
        facts = Facts(estate)
        facts.start()
        stack.callback(facts.join)
        stack.callback(facts.ended.set)
        live.until(lambda: prometheus.values("up") == [1, 1])
        live.until(lambda: prometheus.values("hubherald_rules") == [9])
        _trouble(live)
        live.until(lambda: facts.failed or sum(prometheus.values("hubherald_lane_parked")) > 0)
        assert facts.failed is None
        yield Watched(prometheus, live)


def _users(estate: Estate, broker: Broker, stack: ExitStack) -> None:
    good, busy, strict, closed = (
        stack.enter_context(Listener(broken=status > 0, status=status))
        for status in (0, 503, 422, 401)
    )
    mutual = Mutual(estate.folder / "mutual")
    channels = {
        S1: {"adapter": "webhook", "url": good.url},
        S2: {"adapter": "webhook", "url": busy.url},
        S3: {"adapter": "webhook", "url": strict.url},
        S4: {"adapter": "webhook", "url": closed.url},
        S5: {"adapter": "rabbitmq", "url": broker.url, "exchange": "", "routing_key": QUEUE},
        D1: {"adapter": "duis", **mutual.options("https://127.0.0.1:9/")},
    }
    for user, channel in channels.items():
        version = {"duis_version": "5.4"} if user == D1 else {}
        estate.user(user, SUPPLIER, channels=[channel], **version)
        estate.hub(HUBS[user])
        estate.registration("import_mpan", user, device_id=HUBS[user])
    estate.hub(NOBODYS)


def _trouble(live: Live) -> None:
    """A good reload, and a bad one."""
    assert live.post()[0] == 200
    bad = live.estate.folder / "rules" / "bad.yaml"
    bad.write_text(WRONG)
    assert live.post()[0] == 422
    bad.unlink()


@pytest.mark.parametrize("dashboard", sorted({query.dashboard for query in everything()}))
def test_every_panel_and_variable_has_data(watched: Watched, dashboard: str) -> None:
    queries = [query for query in everything() if query.dashboard == dashboard]
    assert len(queries) > 10
    empty = [
        (query.place, query.expr) for query in queries if not watched.answers(query, query.expr)
    ]
    assert empty == []


def test_every_query_ends_empty_when_one_of_its_metrics_has_another_name(watched: Watched) -> None:
    hidden = [
        (query.place, name)
        for query in everything()
        for name in set(NAME.findall(query.expr))
        if watched.answers(query, re.sub(rf"\b{name}\b", f"{name}_renamed", query.expr))
    ]
    assert hidden == []


def test_every_metric_is_shown_or_alarms_and_no_other(watched: Watched) -> None:
    asked = {name for query in everything() for name in NAME.findall(query.expr)}
    asked |= {name for expr in alarm_expressions().values() for name in NAME.findall(expr)}
    there = set(watched.prometheus.label_values("__name__", '{job=~".+"}'))
    assert asked - there == set()
    own = {_family(name) for name in there if name.startswith("hubherald_")}
    assert own == {_family(name) for name in asked if name.startswith("hubherald_")}


def _family(name: str) -> str:
    return re.sub(r"_(bucket|count|sum|created|total)$", "", name)


def test_prometheus_takes_the_alarms(watched: Watched) -> None:
    assert set(watched.prometheus.alarms()) == set(alarm_expressions()) > set()
    for name, expr in alarm_expressions().items():
        watched.prometheus.values(expr)  # raises where it is not understood
        assert name


def test_promtool_has_nothing_to_say_of_what_a_router_serves(watched: Watched) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=watched.metrics,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
