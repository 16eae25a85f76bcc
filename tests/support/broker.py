"""A private RabbitMQ node for tests and benchmarks: own port, own data, loopback only."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import trustme

from support.servers import CACHE, program

NODES = CACHE.parent / "rabbitmq"
START_S = 60.0
_CONFIG = """
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
disk_free_limit.absolute = 1MB
log.console = true
log.file = false
"""
_METRICS = """
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {metrics_port}
"""


class Broker:
    """One RabbitMQ node; stops with the process that made it, whatever ends that."""

    def __init__(self, *, plugins: Sequence[str] = (), config: str | None = None) -> None:
        """`config` names its ports in braces: it stands instead of the usual one."""
        found = _free_ports(5)
        self.port, self.tls_port, self._dist_port, self._epmd_port, self.metrics_port = found
        self._plugins = plugins
        metrics = _METRICS if "rabbitmq_prometheus" in plugins else ""
        self._config = _CONFIG + metrics if config is None else config
        self.folder = NODES / secrets.token_hex(4)
        self.ca = trustme.CA()
        """Who signs the certificate of the TLS listener, and those of its clients."""
        self._log: IO[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens without TLS, for `guest`; the virtual host is `/`."""
        return f"amqp://127.0.0.1:{self.port}/"

    @property
    def tls_url(self) -> str:
        """Where it listens with TLS; it asks for a client's certificate."""
        return f"amqps://localhost:{self.tls_port}/"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self.ca.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        server = self.ca.issue_cert("localhost", "127.0.0.1")
        server.cert_chain_pems[0].write_to_path(str(self.folder / "server.pem"))
        server.private_key_pem.write_to_path(str(self.folder / "server.key"))
        ports = {"tls_port": self.tls_port, "metrics_port": self.metrics_port}
        config = self._config.format(port=self.port, folder=self.folder, **ports)
        (self.folder / "rabbitmq.conf").write_text(config)
        (self.folder / "enabled_plugins").write_text(f"[{','.join(self._plugins)}].")
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        epmd = next((CACHE / "usr/lib/erlang").glob("erts-*/bin/epmd"), None) or program("epmd")
        self._log = (self.folder / "log").open("ab")
        self._epmd = self._launch(
            [str(epmd), "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        )
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(signal.SIGKILL)
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the node with what it had, and wait until it takes connections."""
        seen = (self.folder / "log").stat().st_size
        self._node = self._launch([str(program("rabbitmq-server"))])
        give_up = time.monotonic() + START_S
        while b"Server startup complete" not in (self.folder / "log").read_bytes()[seen:]:
            if self._node.poll() is not None or time.monotonic() > give_up:
                said = (self.folder / "log").read_text(errors="replace")[seen:]
                raise RuntimeError(f"RabbitMQ did not start:\n{said[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a power cut would; not before it has noted on disk which queues there are."""
        self.control("eval", "mnesia:sync_log().")
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """The process stays, its connections stay open, nothing answers."""
        assert self._node is not None
        self._node.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self._node.pid}/task")
        while any(_state(thread) not in "tT" for thread in threads.iterdir()):
            time.sleep(0.001)  # the signal is sent before it is heeded

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._node is not None
        self._node.send_signal(signal.SIGCONT)

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` says to this; it must work."""
        return self.tool("rabbitmqctl", "--quiet", *words)

    def tool(self, name: str, *words: str) -> str:
        """What one of its own programs says; it must work."""
        done = subprocess.run(
            [str(program(name)), *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _end(self, number: signal.Signals) -> None:
        if self._node is not None:
            self._node.send_signal(signal.SIGCONT)
            self._node.send_signal(number)
            self._node.wait()
            self._node = None

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the tests
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - no other thread runs yet
        )

    def _environment(self) -> dict[str, str]:
        home = CACHE / "usr/lib/rabbitmq/lib"
        found = {
            "PATH": f"{CACHE}/usr/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RUNNING_UNDER_SYSTEMD": "true",  # no shell around the node, that signals meet it
        }
        if home.exists():
            found["RABBITMQ_HOME"] = str(next(home.glob("rabbitmq_server-*")))
        return found


def _state(thread: Path) -> str:
    """Of a thread, as /proc has it: T when it is stopped."""
    return (thread / "stat").read_text().rpartition(") ")[2][0]


def _end_with_parent() -> None:
    """The kernel ends the node when the tests end without a word."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_ports(number: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports
