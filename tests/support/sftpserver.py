"""A real SFTP server (asyncssh) on loopback, over a folder, that can be full, slow or cut off."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh


@dataclass
class FileServer:
    """Where it listens, what is there, and how it behaves from now on."""

    home: Path
    keys: Path
    port: int = 0
    connections: int = 0
    full: bool = False
    """Whatever is written goes to /dev/full."""
    cut_at: int | None = None
    """So many bytes of a file are taken, then the connection is cut."""
    renames: bool = True
    """It knows the rename that replaces (posix-rename@openssh.com)."""
    current: list[Any] = field(default_factory=list)
    host_key: asyncssh.SSHKey | None = None

    @property
    def visible(self) -> list[str]:
        """What somebody sees who looks for files: no names that begin with a dot."""
        return sorted(file.name for file in self.home.iterdir() if file.name[0] != ".")

    @property
    def options(self) -> dict[str, Any]:
        """Those of a channel that is let in."""
        known, key = self.keys / "known_hosts", self.keys / "ours"
        named = {"host": "127.0.0.1", "port": self.port, "user": "hubherald", "path": "/"}
        return {**named, "known_hosts_file": str(known), "key_file": str(key)}

    def cut(self) -> None:
        for each in self.current:
            each.abort()

    def trust(self, host_key: asyncssh.SSHKey) -> None:
        """Have this as the server's only known key."""
        (self.keys / "known_hosts").write_text(known_host(self.port, host_key))


def known_host(port: int, host_key: asyncssh.SSHKey) -> str:
    """A line of known hosts."""
    return f"[127.0.0.1]:{port} {host_key.export_public_key().decode()}"


class _Files(asyncssh.SFTPServer):
    """Files below a folder."""

    def __init__(self, channel: Any, server: FileServer) -> None:
        super().__init__(channel, chroot=str(server.home).encode())
        self._server = server

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if self._server.full and pflags & asyncssh.FXF_WRITE:
            Path(self.map_path(path).decode()).touch()
            return open("/dev/full", "r+b", buffering=0)  # noqa: PTH123
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        limit = self._server.cut_at
        if limit is not None and offset + len(data) > limit:
            written = super().write(file_obj, offset, data[: max(0, limit - offset)])
            self._server.cut()
            return int(written)  # type: ignore[arg-type]
        return super().write(file_obj, offset, data)  # type: ignore[return-value]

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        if not self._server.renames:
            raise asyncssh.SFTPOpUnsupported("no such thing")
        super().posix_rename(oldpath, newpath)


class _Door(asyncssh.SSHServer):
    def __init__(self, server: FileServer) -> None:
        self._server = server

    def connection_made(self, conn: Any) -> None:
        self._server.connections += 1
        self._server.current.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True


@asynccontextmanager
async def file_server(folder: Path, *, sftp: bool = True) -> AsyncIterator[FileServer]:
    server = FileServer(folder / "home", folder / "keys")
    server.home.mkdir()
    server.keys.mkdir()
    ours, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    (server.keys / "ours").touch(mode=0o600)
    (server.keys / "ours").write_bytes(ours.export_private_key())
    (server.keys / "authorized").write_bytes(ours.export_public_key())
    acceptor = await asyncssh.create_server(
        lambda: _Door(server),
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(server.keys / "authorized"),
        sftp_factory=(lambda channel: _Files(channel, server)) if sftp else None,
    )
    server.port, server.host_key = acceptor.get_port(), host
    server.trust(host)
    assert stat.S_IMODE((server.keys / "ours").stat().st_mode) == 0o600
    try:
        yield server
    finally:
        server.cut()
        acceptor.close()
        await acceptor.wait_closed()
        await asyncio.sleep(0)
