"""A real HTTP proxy (tinyproxy) of our own on loopback, with or without a password."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.servers import program


@dataclass
class Forwarding:
    """Where it listens, and what it wrote of what it did."""

    url: str
    log: Path

    @property
    def tunnels(self) -> int:
        return self.log.read_text().count("Established connection")


@asynccontextmanager
async def forwarding(
    folder: Path,
    *,
    login: str = "",
    ports: tuple[int, ...] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Forwarding]:
    """`login`: `user password`; `ports`: the only ones that it makes tunnels to; `tls`: in front of
    it, as it has none of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log, config = folder / "tinyproxy.log", folder / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 30", "MaxClients 20", "LogLevel Info"]
    lines += [f'LogFile "{log}"', *([f"BasicAuth {login}"] if login else [])]
    lines += [f"ConnectPort {each}" for each in ports]
    config.write_text("\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        program("tinyproxy"), "-d", "-c", config, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _listening(port)
        if tls is None:
            yield Forwarding(f"http://127.0.0.1:{port}", log)
        else:
            async with _in_front_of(port, tls) as front:
                yield Forwarding(f"https://127.0.0.1:{front}", log)
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _in_front_of(port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    open_ends: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_connection("127.0.0.1", port)
        open_ends.extend((writer, outside))
        with suppress(OSError):
            await asyncio.gather(_pipe(reader, outside), _pipe(inside, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in open_ends:
            each.transport.abort()
        await asyncio.sleep(0)


async def _pipe(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
    while data := await one.read(65_536):
        other.write(data)
    other.close()
