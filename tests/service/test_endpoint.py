"""The operations endpoint over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.operations import Router

from router.errors import EngineError, FilesError, LedgerError, RouterError, UsageError
from router.files.codes import Code
from router.files.problems import Location, Problem
from router.service.endpoint import PAGES


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
async def address(router: Router) -> AsyncIterator[str]:
    async with router.operations() as operations:
        yield f"http://127.0.0.1:{operations.port}"


async def get(url: str) -> tuple[int, str, str]:
    """Status, content type and text."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_metrics_are_what_prometheus_reads(router: Router, address: str) -> None:
    router.metrics.alerts.labels("90-B3-D5-1F-30-01-00-01").inc(3)
    status, kind, text = await get(f"{address}/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    sample = families["hubherald_alerts"].samples[0]
    assert sample.name == "hubherald_alerts_total"
    assert (sample.value, sample.labels) == (3.0, {"recipient": "90-B3-D5-1F-30-01-00-01"})
    assert router.scrapes == 1


async def until(done: Callable[[], object]) -> None:
    """The limit is there to fail, not to measure."""
    for _ in range(6_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def test_who_asks_while_metrics_are_made_gets_the_same(router: Router, address: str) -> None:
    may_go_on = asyncio.Event()
    router.holds_up = may_go_on
    asking = [asyncio.create_task(get(f"{address}/metrics")) for _ in range(30)]
    await until(lambda: router.scrapes)
    assert (await get(f"{address}/-/healthy"))[0] == 200
    may_go_on.set()
    answers = await asyncio.gather(*asking)
    assert {answer[0] for answer in answers} == {200}
    assert router.scrapes < 5
    before = router.scrapes
    assert (await get(f"{address}/metrics"))[0] == 200  # and anew for the next
    assert router.scrapes == before + 1


async def test_few_pages_are_made_at_a_time(router: Router, address: str) -> None:
    router.holds_up = asyncio.Event()
    asking = [asyncio.create_task(get(f"{address}/?q=a")) for _ in range(20)]
    await until(lambda: router.pages)
    await asyncio.sleep(0.1)
    assert router.pages == PAGES
    router.holds_up.set()
    assert {answer[0] for answer in await asyncio.gather(*asking)} == {200}


async def test_it_is_healthy_before_it_is_ready(router: Router, address: str) -> None:
    assert (await get(f"{address}/-/healthy"))[::2] == (200, "alive\n")
    assert (await get(f"{address}/-/ready"))[::2] == (503, "not ready: starting\n")
    router.reason = None
    assert (await get(f"{address}/-/ready"))[::2] == (200, "ready\n")


@pytest.mark.parametrize("path", ["/q", "/style.css", "/-/reload/", "/metrics/", "/../etc/passwd"])
async def test_there_is_nothing_else(address: str, path: str) -> None:
    assert (await get(address + path))[0] == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_it_only_gives(address: str, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(address + path) as response:
        assert response.status == 405


async def test_the_page_comes_with_its_policy_and_is_kept_by_nobody(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        for method in ("GET", "HEAD"):
            async with session.request(method, f"{address}/", params={"q": "a&b=é"}) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == "text/html; charset=utf-8"
                assert response.headers["Content-Security-Policy"] == "default-src 'none'"
                assert response.headers["Cache-Control"] == "no-store"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert await response.text() == ("<p>a&b=é" if method == "GET" else "")
        async with session.get(f"{address}/") as response:
            assert response.status == 404


async def post(url: str) -> tuple[int, str]:
    """Status and text."""
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        return response.status, await response.text()


async def test_it_reloads_on_post_alone(router: Router, address: str) -> None:
    assert await post(f"{address}/-/reload") == (200, "live: 8 rules\n")
    assert router.asked == ["http"]
    assert (await get(f"{address}/-/reload"))[0] == 405
    assert router.asked == ["http"]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_no_page_in_a_browser_reloads_it(
    router: Router, address: str, headers: dict[str, str]
) -> None:
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{address}/-/reload") as response,
    ):
        assert response.status == 403
        assert "`hubherald reload`" in await response.text()
    assert router.asked == []


WRONG = Problem(Location(Path("a.yaml"), 3, 5, "  - x"), "is wrong", Code.VALUE)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (FilesError([WRONG, WRONG]), 422),
        (EngineError("durable_rules hangs"), 422),
        (UsageError("no adapter"), 422),
        (LedgerError("the ledger is locked"), 503),
    ],
)
async def test_a_refused_reload_says_all_that_is_wrong(
    router: Router, address: str, refusal: RouterError, status: int
) -> None:
    router.refusal = refusal
    assert await post(f"{address}/-/reload") == (status, f"{refusal}\n")


async def test_a_taken_port_is_named(router: Router) -> None:
    async with router.operations() as first:
        taken = router.operations(first.port)
        with pytest.raises(UsageError, match=f"127.0.0.1:{first.port}: .*give a free port"):
            await taken.__aenter__()
        assert (await get(f"http://127.0.0.1:{first.port}/-/healthy"))[0] == 200


async def test_it_is_gone_when_it_is_left(router: Router) -> None:
    async with router.operations() as operations:
        port = operations.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # a scraper that idles
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await reader.read()
    writer.close()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", port)
