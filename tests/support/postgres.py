"""A private PostgreSQL cluster for tests and benchmarks: own port, own data, loopback only."""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from support.servers import CACHE, program

CLUSTERS = CACHE.parent / "postgresql"
START_S = 60.0
SUPERUSER = "hubherald"
LOCKED, PASSWORD = "locked", "correct-horse"
"""A user that needs a password."""
_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_CONFIG = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "jit": "off",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


class Postgres:
    """One cluster; ends with the process that made it, whatever ends that.

    It trusts everybody on this machine, but for the user LOCKED.
    """

    def __init__(self, *, durable: bool = False, config: Mapping[str, str] | None = None) -> None:
        """`durable`: what is committed is on disk, as with any cluster that is not a test's."""
        self.port = free_port()
        self.folder = CLUSTERS / secrets.token_hex(4)
        self._config = {**_CONFIG, **({} if durable else _QUICK), **(config or {})}
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """Of one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        made = self._initdb(
            "-D", self.data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "-A", "trust"
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stderr.decode(errors='replace')}")
        trusted = (self.folder / "data" / "pg_hba.conf").read_text()
        rule = f"host all {LOCKED} 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rule + trusted)
        self.start()
        self.ask(f"CREATE ROLE {LOCKED} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    @property
    def data(self) -> str:
        """Its folder of data."""
        return str(self.folder / "data")

    def start(self, **more: str) -> None:
        """Start it with what it had, and wait until it takes connections."""
        settings = [f"-c{name}={value}" for name, value in {**self._config, **more}.items()]
        words = ["-D", self.data, "-p", str(self.port), "-k", str(self.folder), *settings]
        log = (self.folder / "log").open("ab")
        with log:
            self._server = subprocess.Popen(
                [str(program("postgres")), *words],
                **as_somebody(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs yet
            )
        give_up = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > give_up:
                    said = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start:\n{said[-4000:]}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it as an operator would, sessions and all."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGQUIT)

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What it says, outside of any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait(START_S)
            self._server = None

    def _initdb(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command: Sequence[str] = [str(program("postgres").resolve().with_name("initdb")), *words]
        return subprocess.run(command, **as_somebody(self.folder), capture_output=True, check=False)


def as_somebody(folder: Path) -> dict[str, Any]:
    """For `Popen`: here, with Debian's libraries, and as anybody but root, whom servers refuse."""
    libraries = CACHE / "usr/lib/x86_64-linux-gnu"
    own: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "LD_LIBRARY_PATH": str(libraries)}}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        own |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
    return own


def end_with_parent() -> None:
    """The kernel has it ended when the tests end without a word."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
