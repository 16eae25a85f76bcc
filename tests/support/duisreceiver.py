"""A Service User's side of DUIS: Node.js with the DCC's own parser, behind mutual TLS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.mutual import Mutual
from support.servers import NPM, TOOLS, npm_package, program


class Receiver:
    """Where it listens, and what it took."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"https://127.0.0.1:{port}/receive"
        self.answers: list[int] = []
        """The status of each answer; known when it has ended."""
        self._folder = folder

    @property
    def messages(self) -> list[Path]:
        """The bodies of all requests, in the order in which they came."""
        return sorted(self._folder.glob("*.xml"), key=lambda file: int(file.stem))


@contextmanager
def listening(mutual: Mutual, *statuses: int) -> Iterator[Receiver]:
    """Answers with `statuses` first, then 204, or 400 to what it can't make sense of."""
    npm_package("@smartdcc/duis-parser")
    folder = mutual.folder / "received"
    folder.mkdir()
    server = mutual.theirs.issue_cert("127.0.0.1")
    key, certificate, ca = (mutual.folder / name for name in ("key.pem", "cert.pem", "ca.pem"))
    key.write_bytes(server.private_key_pem.bytes())
    certificate.write_bytes(server.cert_chain_pems[0].bytes())
    ca.write_bytes(mutual.ours.cert_pem.bytes())
    command = [program("node"), TOOLS / "receiver.js", folder, key, certificate, ca]
    environment = {**os.environ, "NODE_PATH": str(NPM[TOOLS] / "node_modules")}
    with subprocess.Popen(
        [*command, *map(str, statuses)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            receiver = Receiver(int(process.stdout.readline()), folder)
            yield receiver
            process.stdin.close()
            receiver.answers += [int(line) for line in process.stdout]
            assert process.wait(30) == 0
        finally:
            process.kill()
