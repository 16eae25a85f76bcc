"""A TCP proxy on loopback that drops, delays and cuts, for tests and benchmarks."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time at all: closing is a reset, as from a firewall that forgot us."""


class Proxy:
    """Passes bytes on to a port of this machine until it is told to cut."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.delay = 0.0
        """Seconds that every block is kept before it is passed on."""
        self.dropping = False
        """What comes is passed on no more, in either direction; connections stay open."""
        self.halving = False
        """Of the next block only the first half is passed on, then all connections are reset."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._deaf = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._accepting.join()
        self.cut()

    def cut(self) -> int:
        """Reset every connection; how many there were. New ones are taken."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for each in pair:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        return len(pairs)

    def deafen(self) -> None:
        """Cut all when PostgreSQL answers the next COMMIT, which nobody hears."""
        self._deaf = True

    def _heard(self, block: bytes) -> bool:
        if self._deaf and b"C\0\0\0\x0bCOMMIT" in block:
            self._deaf = False
            self.cut()
            return False
        return True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while (block := one.recv(65_536)) and self._heard(block):
                if self.delay:
                    time.sleep(self.delay)
                if self.halving:
                    self.halving = False
                    other.sendall(block[: len(block) // 2])
                    self.cut()
                    return
                if not self.dropping:
                    other.sendall(block)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)
