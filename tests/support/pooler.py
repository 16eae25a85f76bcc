"""A private PgBouncer before a private PostgreSQL: two sessions for all, one transaction long."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from types import TracebackType
from typing import Self

from support.postgres import CLUSTERS, SUPERUSER, Postgres, as_somebody, end_with_parent, free_port
from support.servers import program

START_S = 20.0
_CONFIG = """
[databases]
* = host=127.0.0.1 port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
max_client_conn = 50
server_round_robin = 1
"""


class Pooler:
    """One PgBouncer; ends with the process that made it, whatever ends that."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.port = free_port()
        self.folder = CLUSTERS / secrets.token_hex(4)
        self._running: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """Of one of the server's databases, through this."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        given = {"port": self.server.port, "own": self.port, "folder": self.folder}
        (self.folder / "pgbouncer.ini").write_text(_CONFIG.format(**given))
        (self.folder / "users").write_text(f'"{SUPERUSER}" ""\n')
        with (self.folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [str(program("pgbouncer")), str(self.folder / "pgbouncer.ini")],
                **as_somebody(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs yet
            )
        give_up = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                if self._running.poll() is not None or time.monotonic() > give_up:
                    said = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PgBouncer did not start:\n{said}") from None
                time.sleep(0.05)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait(START_S)
        shutil.rmtree(self.folder)
