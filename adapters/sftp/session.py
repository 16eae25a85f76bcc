"""One channel's connection to its SFTP server, and files that are there whole or not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncssh
from asyncssh import SFTPClient, SFTPError, SFTPNoSuchFile, SFTPOpUnsupported, SSHClientConnection

from adapters.dialling import reach
from adapters.sftp.keys import Keys, KeysError, read_keys
from adapters.sftp.options import SftpOptions
from router.ports import Aside, silent

READ_S = 5.0
"""Seconds that files of keys have to be read."""
KEEP_S = 60.0
"""Seconds that a connection is kept without a file to write."""
ALIVE_S = 15.0
"""Seconds from one question whether the other side is still there to the next."""
LOST = (OSError, asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
"""What a connection that ended raises."""


class OtherFileError(Exception):
    """Something else stands under the name of a file of ours."""


class _Owner(asyncssh.SSHClient):
    """Knows whether a connection has taken its socket over, and will close it."""

    owns = False

    def connection_made(self, conn: SSHClientConnection) -> None:
        self.owns = True


class SftpSession:
    """Writes several files at a time over one connection. It raises LOST, SFTPError, KeysError."""

    def __init__(self, options: SftpOptions) -> None:
        self._options = options
        self._thread = Aside(f"keys of {options.where}")
        self._connecting = asyncio.Lock()
        self._connection: SSHClientConnection | None = None
        self._client: SFTPClient | None = None
        self._ends: asyncio.TimerHandle | None = None
        self._writing = 0

    async def put(self, name: str, content: bytes) -> None:
        """Have `content` under `name`. Once more where a connection that was kept has ended."""
        reused = self._client
        client = await self._connected()
        self._writing += 1
        try:
            try:
                await self._write(client, name, content)
            except LOST:
                if client is not reused:
                    raise
                self._forget(client)
                client = await self._connected()
                await self._write(client, name, content)
        except LOST:
            self._forget(client)
            raise
        finally:
            self._writing -= 1
            self._rest()

    async def close(self) -> None:
        """End the connection."""
        connection = self._connection
        if self._ends is not None:
            self._ends.cancel()
        self._thread.shutdown()
        if connection is not None:
            connection.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await connection.wait_closed()

    async def _write(self, client: SFTPClient, name: str, content: bytes) -> None:
        """Under another name first: nobody ever sees a part of it."""
        folder = self._options.path
        path, unfinished = f"{folder}/{name}", f"{folder}/.{name}.part"
        if await self._is_there(client, path, content):
            return
        try:
            async with client.open(unfinished, "wb") as file:
                await file.write(content)
                with suppress(SFTPOpUnsupported):
                    await file.fsync()
        except SFTPError:
            with suppress(SFTPError):  # for instance a disk that is full
                await client.remove(unfinished)
            raise
        try:
            await client.posix_rename(unfinished, path)
        except SFTPOpUnsupported:
            await client.rename(unfinished, path)

    async def _is_there(self, client: SFTPClient, path: str, content: bytes) -> bool:
        """From an attempt whose end nobody heard of. OtherFileError where it is something else."""
        try:
            found = await client.stat(path)
        except SFTPNoSuchFile:
            return False
        if found.size == len(content) and found.type == asyncssh.FILEXFER_TYPE_REGULAR:
            async with client.open(path, "rb") as file:
                standing: object = await file.read()
            if standing == content:
                return True
        raise OtherFileError

    async def _connected(self) -> SFTPClient:
        async with self._connecting:
            if self._client is None:
                self._connection, self._client = await self._connect()
            if self._ends is not None:
                self._ends.cancel()
            return self._client

    async def _connect(self) -> tuple[SSHClientConnection, SFTPClient]:
        options, keys = self._options, await self._keys()
        reached = await reach(options.host, options.port)
        owner = _Owner()
        try:
            connection = await asyncssh.connect(
                options.host,
                options.port,
                sock=reached,
                client_factory=lambda: owner,
                username=options.user,
                client_keys=[keys.ours],
                known_hosts=keys.theirs,
                preferred_auth="publickey",
                agent_path=None,
                config=None,
                keepalive_interval=ALIVE_S,
            )
        except BaseException:
            if not owner.owns:  # cancelled before it was the connection's
                reached.close()
            raise
        try:
            return connection, await connection.start_sftp_client()
        except BaseException:
            connection.abort()
            raise

    async def _keys(self) -> Keys:
        options = self._options
        try:
            return await self._thread.within(
                READ_S,
                read_keys,
                options.key_file,
                options.known_hosts_file,
                options.host,
                options.port,
            )
        except TimeoutError:
            raise KeysError("key_file", silent(options.key_file, READ_S)) from None

    def _forget(self, client: SFTPClient) -> None:
        if client is self._client and self._connection is not None:
            self._connection.abort()
            self._connection = self._client = None

    def _rest(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
        if self._client is not None and not self._writing:
            self._ends = asyncio.get_running_loop().call_later(KEEP_S, self._part)

    def _part(self) -> None:
        if self._connection is not None and not self._writing:
            self._connection.close()
            self._connection = self._client = None
