"""A bare TLS server in a thread: it shakes hands, counts what comes, and can take one request.

Python's asyncio servers hang up without saying why when a handshake fails; this one lets OpenSSL
send its alert, as servers out there do. It can change its TLS while it runs, as somebody who mends
a certificate does.
"""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from types import TracebackType
from typing import Self


class TlsListener:
    """On 127.0.0.1; answers 204 to every connection that came through its handshake."""

    def __init__(self, tls: ssl.SSLContext, *, hangs_up: bool = False) -> None:
        self.tls = tls
        self.hangs_up = hangs_up
        """After the handshake, without a word."""
        self.loses = False
        """It takes what comes, and its answers are lost."""
        self.bodies: list[bytes] = []
        """Of the requests that came whole."""
        self.got = bytearray()
        """Every byte that came through TLS."""
        self.connections = 0
        self.refused: list[str] = []
        """Why handshakes failed, as OpenSSL has it."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}/receive"

    @property
    def where(self) -> str:
        return self.url.split("/")[2]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            plain.settimeout(10)
            try:
                with plain, self.tls.wrap_socket(plain, server_side=True) as secure:
                    if not self.hangs_up:
                        self._take(secure)
            except OSError as error:
                self.refused.append(str(getattr(error, "reason", None) or error))

    def _take(self, secure: ssl.SSLSocket) -> None:
        """One request whose length is told, one answer."""
        request = bytearray()
        length = 0
        while len(request) < length or not length:
            came = secure.recv(65_536)
            if not came:
                return
            self.got += came
            request += came
            head, end, _ = bytes(request).partition(b"\r\n\r\n")
            if end:
                told = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                length = len(head) + len(end) + int(told)
        self.bodies.append(bytes(request).partition(b"\r\n\r\n")[2])
        if self.loses:
            return
        secure.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def only_tls_1_1(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, as a server of ten years ago has it."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
