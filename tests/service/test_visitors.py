"""Who may ask at the operations port, over real HTTP."""

from __future__ import annotations

import base64
import getpass
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr
from support.commandline import call
from support.estate import S1, SUPPLIER, Estate
from support.operations import Router

from router.service.visitors import is_ours, knows

TOKEN = "a token of some length"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        (None, True),
        ("127.0.0.1:9464", True),
        ("10.1.2.3", True),
        ("[::1]:9464", True),
        ("localhost:9464", True),
        ("LOCALHOST.", True),
        ("Alerts.Example.com:443", True),
        ("evil.example", False),
        ("evil.example:9464", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("alerts.example.com.evil.example", False),
        ("[evil.example]", False),
        ("", False),
    ],
)
def test_addresses_and_known_names_are_ours(host: str | None, ours: bool) -> None:
    assert is_ours(host, {"alerts.example.com"}) is ours


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/none"])
async def test_a_name_that_was_bound_to_us_reads_nothing(path: str) -> None:
    async with Router().operations() as operations, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{operations.port}{path}"
        async with session.get(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 421
            assert "operations.hosts" in await response.text()


async def test_nobody_reloads_by_such_a_name() -> None:
    router = Router()
    async with router.operations() as operations, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{operations.port}/-/reload"
        async with session.post(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 421
    assert router.asked == []


async def test_a_name_behind_a_proxy_is_known() -> None:
    async with (
        Router().operations(hosts=("alerts.example.com",)) as operations,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://127.0.0.1:{operations.port}/-/healthy"
        async with session.get(url, headers={"Host": "alerts.example.com"}) as response:
            assert response.status == 200


async def test_a_token_is_asked_of_all_but_probes() -> None:
    async with (
        Router().operations(token=TOKEN) as operations,
        aiohttp.ClientSession() as session,
    ):
        base = f"http://127.0.0.1:{operations.port}"
        for method, path in (("GET", "/"), ("GET", "/metrics"), ("POST", "/-/reload")):
            async with session.request(method, base + path) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"].startswith("Basic ")
        for path, said in (("/-/healthy", "alive\n"), ("/-/ready", "not ready\n")):
            async with session.get(base + path) as response:
                assert await response.text() == said
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with session.get(f"{base}/metrics", headers=bearer) as response:
            assert response.status == 200
        async with session.get(f"{base}/?q=a", headers=basic("anybody", TOKEN)) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer x", "Basic x", "Basic eDp5", "Bearer \udcff", TOKEN]
)
def test_what_is_no_token(given: str | None) -> None:
    assert not knows(SecretStr(TOKEN), given)


async def test_who_reloads_is_known_as_well_as_can_be() -> None:
    router = Router()
    async with router.operations() as operations, aiohttp.ClientSession() as session:
        headers = {"X-Forwarded-For": "192.0.2.7\u00a0", "User-Agent": "shell"}
        headers |= basic("ada\x1b[31m", "x")
        url = f"http://127.0.0.1:{operations.port}/-/reload"
        async with session.post(url, headers=headers) as response:
            assert response.status == 200
    assert router.by.startswith("127.0.0.1 port ")
    assert f"user {getpass.getuser()} " in router.by
    assert r"calls itself ada\x1b[31m, forwarded for 192.0.2.7, with shell" in router.by


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("{listen: 0.0.0.0:0}", True),
        ("{listen: '[::]:0'}", True),
        ("{listen: 'alerts.example.com:0'}", True),
        (f"{{listen: 0.0.0.0:0, token: {TOKEN}}}", True),  # it would go in the clear
        ("{listen: 127.0.0.1:0}", False),
        ("{listen: '[::1]:0'}", False),
        ("{listen: localhost:0}", False),
    ],
)
def test_an_open_port_without_a_token_and_tls_is_refused(
    tmp_path: Path, options: str, found: bool
) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, [*SUPPLIER, "electricity_distributor", "gas_transporter"])
    config = tmp_path / "hubherald.yaml"
    text = config.read_text().replace('{\n  "listen": "127.0.0.1:0"\n }', options)
    config.write_text(text)
    shown = call("check", folder=tmp_path).output
    assert ("conflict listen: " in shown) is found, shown
    assert TOKEN not in shown


@pytest.mark.parametrize("name", ["a.example:80", "https://a.example/", "", "a b", "*"])
def test_a_host_is_a_name_alone(tmp_path: Path, name: str) -> None:
    Estate(tmp_path)
    config = tmp_path / "hubherald.yaml"
    config.write_text(config.read_text().replace('"listen"', f'"hosts": ["{name}"], "listen"'))
    assert "hosts: must be the name of a host" in call("check", folder=tmp_path).output
