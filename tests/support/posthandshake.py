"""A receiver that asks for our certificate only when it has read a request (TLS 1.3).

So do Apache with SSLVerifyClient inside <Location>, and IIS with its default binding.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class AskingReceiver:
    """Where it listens, and who came: the subject of each certificate, None without one."""

    url: str
    saw: list[str | None] = field(default_factory=list)


@contextmanager
def asking_late(context: ssl.SSLContext) -> Iterator[AskingReceiver]:
    """Answers 200 to whom it knows, 403 to others; `context` says whom to believe."""
    context.post_handshake_auth = True
    context.verify_mode = ssl.CERT_OPTIONAL
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiver = AskingReceiver(f"https://127.0.0.1:{listener.getsockname()[1]}/receive")

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                plain.settimeout(10)
                with (
                    suppress(OSError, EOFError),
                    plain,
                    context.wrap_socket(plain, server_side=True) as secure,
                ):
                    _take(secure, receiver)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _take(secure: ssl.SSLSocket, receiver: AskingReceiver) -> None:
    """One request, and behind it the question who sent it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _some(secure)
    head, _, body = request.partition(b"\r\n\r\n")
    told = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < told:
        body += _some(secure)
    try:
        secure.verify_client_post_handshake()
        secure.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")  # the question goes out before it
    except ssl.SSLError:
        _answer(secure, receiver, None)  # it has no way to be asked
        return
    secure.settimeout(0.5)
    with suppress(TimeoutError):
        secure.recv(1)  # its certificate comes with what is read next
    secure.settimeout(10)
    shown = secure.getpeercert()
    names = [value for _, value in shown.get("subjectAltName", ())] if shown else []
    _answer(secure, receiver, str(names[0]) if names else None)


def _some(secure: ssl.SSLSocket) -> bytes:
    came = secure.recv(65_536)
    if not came:
        raise EOFError
    return came


def _answer(secure: ssl.SSLSocket, receiver: AskingReceiver, who: str | None) -> None:
    receiver.saw.append(who)
    status = b"200 OK" if who else b"403 Forbidden"
    secure.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
