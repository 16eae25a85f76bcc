"""A real HTTP receiver in a thread, for tests: takes, refuses, or takes and says nothing."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024  # many lanes call at once; five would keep them waiting for seconds


class Listener:
    """Listens on loopback; remembers what it took."""

    def __init__(
        self, *, broken: bool = False, drop_first: bool = False, status: int = 503
    ) -> None:
        self.broken = broken
        self.status = status
        """What it answers while it is broken."""
        self.drop_first = drop_first
        self.most: int | None = None
        """It breaks when it has taken so many."""
        self.refused = 0
        self.bodies: list[bytes] = []
        self.ids: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if listener.most is not None and len(listener.bodies) >= listener.most:
                    listener.broken = True
                if listener.broken:
                    listener.refused += 1
                    self.send_error(listener.status)
                    return
                listener.bodies.append(body)
                listener.ids.append(self.headers["webhook-id"])
                if listener.drop_first and len(listener.bodies) == 1:
                    self.close_connection = True  # taken, but the answer is lost
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Tests have nothing to say."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"

    def sequences(self) -> list[int]:
        """The sequence numbers, in the order in which they came."""
        return [json.loads(body)["data"]["sequence"] for body in self.bodies]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
