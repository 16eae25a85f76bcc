"""Facts by HTTP: an answer means that they are in the ledger."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.estate import ROOT, S1, SUPPLIER, Estate
from support.liverouter import running

pytestmark = pytest.mark.once
BATCH = "application/cloudevents-batch+json"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def post(port: int, facts: list[dict[str, object]]) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/facts",
        data=json.dumps(facts).encode(),
        headers={"Content-Type": BATCH},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_was_answered_is_in_the_ledger_and_goes_out(tmp_path: Path) -> None:
    estate, port = Estate(tmp_path), free_port()
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    inbox = tmp_path / "inbox" / "facts.jsonl"
    facts = [json.loads(line) for line in inbox.read_text().splitlines()]
    inbox.unlink()
    sources = {"dsp": {"adapter": "http", "listen": f"127.0.0.1:{port}"}}
    with running(estate, sources=sources, rules=str(ROOT / "rules")) as router:
        broken = {**facts[2], "id": "broken", "data": "nothing"}
        assert post(port, [*facts, broken]) == 204
        assert estate.ask("SELECT count(*) FROM facts") == [(3,)]
        ((reason, origin),) = estate.ask("SELECT reason, origin FROM quarantined")
        assert post(port, facts) == 204  # again
        router.until(lambda: estate.sent(S1))
        assert estate.ask("SELECT count(*) FROM facts") == [(3,)]
    assert reason == "invalid"
    assert origin == "dsp 127.0.0.1#1[4]"
