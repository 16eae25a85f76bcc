"""A receiver that answers with all that it was asked, with TLS or without."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers with all that it was asked, and with what `Authorization` it would have liked."""

    def do_POST(self) -> None:
        """The status is the first part of the path."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = f"Cannot POST {self.path} {self.headers}".encode() + body
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Location", f"https://elsewhere.example{self.path}")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_args: object) -> None:
        """The test looks at what the router says."""


@contextmanager
def echoing(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """HOST:PORT of a server that repeats."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
