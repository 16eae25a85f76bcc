"""Receivers that repeat what they were asked for: no secret comes back into logs or ledger."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.commandline import call, start
from support.estate import S1, Estate

PATH = "/hooks/T0/B0S3CRET?token=S3CRET99"


class Echo(BaseHTTPRequestHandler):
    """Answers with all that it was sent."""

    status = 404

    def do_POST(self) -> None:
        """Whatever it is."""
        said = f"{'x' * 160} Cannot POST {self.path}: {self.path.lower()} {self.headers}".encode()
        self.send_response(self.status)
        self.send_header("Location", f"https://elsewhere.example{self.path}")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_args: object) -> None:
        """Nothing: the test looks at what the router says."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_what_a_receiver_repeats_is_taken_out(
    tmp_path: Path, port: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Echo, "status", status)
    estate = Estate(tmp_path)
    webhook = {"adapter": "webhook", "url": f"http://127.0.0.1:{port}{PATH}"}
    estate.user(S1, ["gas_supplier"], channels=[webhook])
    estate.hub()
    estate.registration("mprn", S1)
    estate.activation()
    with start("run", folder=tmp_path) as process:
        assert process.stderr is not None
        log = ""
        while ("router.started" if status == 200 else "lane.") not in log:
            log += process.stderr.readline()
        while not estate.ask("SELECT 1 FROM attempts"):
            pass
        process.terminate()
        log += process.communicate()[1]
    assert f"answered {status}" in log or status == 200
    shown = log + call("lanes", "list", folder=tmp_path).output
    shown += call("alerts", "list", "-o", "json", folder=tmp_path).output
    ledger = "".join(
        str(row) for table in ("attempts", "lanes", "documents") for row in _rows(estate, table)
    )
    assert "S3CRET" not in (shown + ledger).upper()
    assert f"http://127.0.0.1:{port}/" in ledger


def _rows(estate: Estate, table: str) -> list[tuple[object, ...]]:
    return estate.ask(f"SELECT * FROM {table}")
