"""The operations port over TLS: who agrees is served, who does not holds nobody up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
import uvloop
from support.commandline import call, row
from support.estate import S1, SUPPLIER, Estate
from support.liverouter import one_supplier, running
from support.mutual import Mutual
from support.operations import Router

from router.errors import UsageError
from router.service.door import MOST

TOKEN = "a token of some length"
WHOLE = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def files(tmp_path: Path) -> Mutual:
    files = Mutual(tmp_path)
    files.show(files.ours.issue_cert("localhost", "127.0.0.1"))
    return files


def options(files: Mutual) -> dict[str, str]:
    return {"certificate_file": str(files.certificate_file), "key_file": str(files.key_file)}


def trusting(files: Mutual) -> ssl.SSLContext:
    context = ssl.create_default_context()
    files.ours.configure_trust(context)
    return context


@asynccontextmanager
async def asking(files: Mutual) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trusting(files))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def _served(files: Mutual) -> None:
    async with Router().operations(**options(files)) as operations, asking(files) as session:
        url = f"https://127.0.0.1:{operations.port}"
        for _ in range(3):  # each connection is for one request
            async with session.get(f"{url}/-/healthy") as response:
                assert (response.status, await response.text()) == (200, "alive\n")
        async with session.get(f"{url}/metrics") as response:
            said = await response.text()
    assert 'hubherald_certificate_expiry_timestamp_seconds{channel="",recipient="",use="op' in said


async def test_it_is_served(files: Mutual) -> None:
    await _served(files)


def test_the_same_on_the_loop_of_the_router(files: Mutual) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_served(files))


async def _crowded(files: Mutual) -> None:
    async with Router().operations(**options(files)) as operations, asking(files) as session:
        silent = [
            await asyncio.open_connection("127.0.0.1", operations.port) for _ in range(MOST + 20)
        ]
        silent[0][1].write(WHOLE)  # no TLS
        async with session.get(f"https://127.0.0.1:{operations.port}/-/healthy") as response:
            assert response.status == 200
        assert await silent[1][0].read() == b""
        for _, writer in silent:
            writer.close()


async def test_who_never_agrees_makes_room(files: Mutual) -> None:
    await _crowded(files)


def test_who_never_agrees_makes_room_on_the_loop_of_the_router(files: Mutual) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_crowded(files))


async def test_a_request_that_comes_with_the_handshake_is_read_whole(files: Mutual) -> None:
    async with Router().operations(**options(files)) as operations:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", operations.port, ssl=trusting(files), server_hostname="localhost"
        )
        for byte in WHOLE:
            writer.write(bytes([byte]))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(files: Mutual) -> None:
    async with Router().operations(**options(files)) as operations:
        url = f"https://127.0.0.1:{operations.port}/-/healthy"
        files.key_file.write_text("broken")
        async with asking(files) as session, session.get(url) as response:
            assert response.status == 200
        files.ours = trustme.CA()
        files.show(files.ours.issue_cert("localhost", "127.0.0.1"))
        async with asking(files) as session, session.get(url) as response:
            assert response.status == 200


async def test_a_pair_that_does_not_fit_opens_no_port(files: Mutual) -> None:
    files.key_file.write_bytes(files.ours.issue_cert("other").private_key_pem.bytes())
    with pytest.raises(UsageError, match=r"operations.key_file: .* is not the key of"):
        async with Router().operations(**options(files)):
            pass


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({}, 0, "ok: "),
        ({"key_file": None}, 1, "conflict key_file: missing; a certificate and its key go"),
        ({"listen": "0.0.0.0:0"}, 1, "it takes token_file, too"),
        ({"listen": "0.0.0.0:0", "token": TOKEN}, 0, "ok: "),
        ({"certificate_file": "none.pem"}, 1, "certificate_file: "),
        ({"key_file": "hubherald.yaml"}, 1, "key-file key_file: "),
    ],
)
def test_check_says_what_is_wrong(
    files: Mutual, tmp_path: Path, given: dict[str, str | None], code: int, said: str
) -> None:
    estate = Estate(tmp_path / "estate")
    estate.user(S1, [*SUPPLIER, "electricity_distributor", "gas_transporter"])
    estate.users[0]["subscriptions"] = ["firmware"]
    estate.write_users()
    config = estate.folder / "hubherald.yaml"
    wanted = {"listen": "127.0.0.1:0", **options(files), **given}
    text = ", ".join(f'"{name}": "{value}"' for name, value in wanted.items() if value)
    config.chmod(0o600)
    config.write_text(
        config.read_text().replace('{\n  "listen": "127.0.0.1:0"\n }', "{" + text + "}")
    )
    shown = call("check", folder=estate.folder)
    assert (shown.exit_code, said in shown.output) == (code, True), shown.output


def test_reload_and_status_trust_this_certificate_and_know_the_token(
    files: Mutual, tmp_path: Path
) -> None:
    """Whatever name it is on, and whoever signed it."""
    files.show(files.ours.issue_cert("alerts.example.com"))
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    estate = one_supplier(tmp_path / "estate")
    with running(estate, beside={"token_file": str(token), **options(files)}):
        assert row("reload", folder=estate.folder)["reloaded"]
        (router,) = [
            each
            for each in call("status", "--wide", folder=estate.folder).stdout.splitlines()
            if " router " in each
        ]
        assert router.startswith("ok")
