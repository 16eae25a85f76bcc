"""The OpenAPI document: what it says is what is served, as schemathesis finds it."""

import asyncio
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from support.posting import posting

from adapters.posted import source

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a source in a loop of its own, that commits whatever comes."""
    ready, done = threading.Event(), asyncio.Event()
    at: list[str] = []

    async def serve() -> None:
        async with posting() as found:
            at.append(found.url)
            ready.set()
            await done.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield at[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


OFTEN = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", GenerationMode)
def test_schemathesis_finds_what_the_document_says(url: str, mode: GenerationMode) -> None:
    """What it allows is taken, what it does not is refused, each answer is one of those named."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    (operation,) = [found.ok() for found in document.get_all_operations()]  # all but its own
    statuses = set()

    @OFTEN
    @given(case=operation.as_strategy(mode))
    def ask(case: schemathesis.Case) -> None:
        statuses.add(case.call_and_validate(timeout=30).status_code)

    ask()
    if mode is GenerationMode.POSITIVE:
        assert statuses == {204}
    else:
        assert 400 in statuses
        assert 204 not in statuses


def test_the_document_that_is_served_is_the_one_that_is_kept(url: str) -> None:
    kept = Path(source.__file__).with_name("openapi.json").read_bytes()
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=30) as answer:
        assert answer.read() == kept
