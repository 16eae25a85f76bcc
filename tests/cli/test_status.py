"""`hubherald status`: what is well says so, and what needs a person ends with 1."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.commandline import call, start
from support.estate import S1, Estate
from support.liverouter import WRONG, Live, configure, one_supplier, running, write

from router.ledger.queries.lanes import LaneState
from router.ledger.queries.overview import Overview
from router.service.attention import of_lanes

pytestmark = pytest.mark.once

NAME = f"User {S1[-2:]}"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return one_supplier(tmp_path)


@pytest.fixture
def live(estate: Estate) -> Iterator[Live]:
    with running(estate) as found:
        yield found


def status(estate: Estate) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and by part what is said of it."""
    done = call("status", "-o", "json", folder=estate.folder)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(done.stdout):
        found.setdefault(each["part"], []).append(each)
    return done.exit_code, found


def test_all_is_well(estate: Estate, live: Live) -> None:
    estate.activation()
    live.until(live.decided)
    live.until(lambda: estate.sent(S1))
    code, found = status(estate)
    assert (code, {each["state"] for rows in found.values() for each in rows}) == (0, {"ok"})
    parts = {"router", "ledger", "intake", "quarantine", "lanes", "Alerts", "rules"}
    assert found.keys() == parts | {"certificates"}
    assert found["router"][0]["detail"] == "ready: facts are taken"
    assert found["rules"][0]["detail"].endswith(" is live")
    assert found["lanes"][0]["detail"] == "1 open, 0 closed"


def test_what_needs_a_person(estate: Estate, live: Live) -> None:
    """A paused lane that holds Alerts, by the user's name; a broken fact; edits not taken over."""
    assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
    live.until(lambda: live.log("lane.closed"))
    (told,) = live.log("lane.closed")
    assert (told["recipient"], told["recipient_name"]) == (S1, NAME)
    estate.activation()
    estate.line(b"this is no fact")
    live.until(lambda: status(estate)[1]["quarantine"][0]["state"] == "act")
    write(estate, "second")
    code, found = status(estate)
    assert code == 1
    (lane,) = found["lane"]
    assert lane["state"] == "act"
    assert lane["detail"].startswith(f"{NAME} {S1} folder closed, operator since ")
    assert "holds 1 Alert" in lane["detail"]
    assert found["quarantine"][0]["detail"].startswith("1 fact: 1 malformed; ")
    assert "is not what is live" in found["rules"][0]["detail"]


def test_a_lane_that_fails_is_told_and_needs_a_person_in_the_end() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    lane = LaneState(
        *(S1, "webhook", "webhook", "open", None, None, None, None, 2, at, "a-1", 1),
        *(at + timedelta(minutes=5), 0, None, "retry: server: answered 503", at),
    )
    seen = Overview([lane], {}, {}, [], None, [])
    for failures, state, alarm in ((1, "waits", None), (4, "act", "HubheraldRecipientFailing")):
        now = replace(seen, lanes=[replace(lane, failures=failures)])
        total, told = of_lanes(now, {S1: NAME}, at)
        assert (total.detail, told.state, told.alarm) == (
            "1 open, 0 closed; 1 failing",
            state,
            alarm,
        )
        assert told.detail == (
            f"{NAME} {S1} webhook failed {failures} time{'s' * (failures > 1)} in a row, next try "
            f"2026-06-01T00:05:00Z, holds 2 Alerts: retry: server: answered 503"
        )


def test_a_pause_that_ends_needs_nobody(estate: Estate, live: Live) -> None:
    assert call("lanes", "pause", S1, "--for", "2h", folder=estate.folder).exit_code == 0
    live.until(lambda: live.log("lane.closed"))
    estate.activation()
    live.until(lambda: "holds 1 Alert" in status(estate)[1]["lane"][0]["detail"])
    code, found = status(estate)
    assert (code, found["lane"][0]["state"]) == (0, "waits")


class Other(BaseHTTPRequestHandler):
    """Another program on the router's port."""

    body = b""
    code = 200

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b"<!doctype html>\n<title>It works!</title>\n<p class='a' {b}>\n"),
        (200, b"\xff\xfe no text"),
        (200, b"# TYPE other_total counter\nother_total 1\n"),
        (200, b""),
        (404, b"not found"),
    ],
)
def test_what_answers_may_be_no_router(estate: Estate, code: int, body: bytes) -> None:
    kind = type("Other", (Other,), {"code": code, "body": body})
    with ThreadingHTTPServer(("127.0.0.1", configure(estate)), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            ended, found = status(estate)
        finally:
            server.shutdown()
            thread.join()
    assert (ended, found["router"][0]["state"]) == (1, "act")
    assert "is no router; is operations.listen right?" in found["router"][0]["detail"]


def test_a_mistake_in_a_file_is_told_with_its_line(estate: Estate, live: Live) -> None:
    (estate.folder / "rules" / "bad.yaml").write_text(WRONG)
    code, found = status(estate)
    assert code == 1
    assert found["files"][0]["detail"].partition(": ")[0].endswith("rules/bad.yaml:4:9")
    assert found["router"][0]["state"] == "ok"


def test_without_a_router_or_a_ledger(estate: Estate) -> None:
    configure(estate)
    code, found = status(estate)
    assert (code, found["router"][0]["state"], found["ledger"][0]["state"]) == (1, "act", "act")
    assert "no router answers at http://127.0.0.1:" in found["router"][0]["detail"]
    assert "there is no ledger" in found["ledger"][0]["detail"]


def test_watching_goes_on_until_ctrl_c(estate: Estate, live: Live) -> None:
    with start("status", "--watch", folder=estate.folder) as watching:
        assert watching.stdout is not None
        while not watching.stdout.readline().endswith(" is live\n"):
            pass
        watching.send_signal(signal.SIGINT)
        watching.communicate()
    assert watching.returncode == 0
