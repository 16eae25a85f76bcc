"""Each test of the suite finds what it is there for: who is broken in one thing fails it alone."""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import brokenanswers, brokenlinks, brokenstays
from support.brokenstays import LEFT, DeniesBatches
from support.pager import PagerHarness

from router.conformance import AdapterConformance
from router.conformance.declared import Declared

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of connections left open on purpose
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TESTS = sorted(name for name in dir(AdapterConformance) if name.startswith("test_"))
BROKEN = {**brokenstays.BROKEN, **brokenanswers.BROKEN, **brokenlinks.BROKEN}


@pytest.fixture(autouse=True, scope="module")
def little_to_collect() -> Iterator[None]:
    """What all tests have imported is not looked through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def failed(harness: PagerHarness, folder: Path) -> dict[str, str]:
    """The tests of the suite that this fails, and why."""
    harness.deadline, harness.patience = 0.05, 1.0
    found = {}
    for name in TESTS:
        test = getattr(AdapterConformance(), name)
        more = {"tmp_path": folder} if "tmp_path" in inspect.signature(test).parameters else {}
        try:
            test(harness, **more)
        except Declared:
            pass
        except Exception as error:
            found[name.removeprefix("test_")] = str(error)
    while LEFT:
        os.close(LEFT.pop())
    return found


def test_every_test_has_one_that_fails_it() -> None:
    assert len(TESTS) >= 60
    assert {f"test_{name}" for name in BROKEN} | {"test_what_the_harness_cannot_is_so"} == {*TESTS}


@pytest.mark.parametrize("name", BROKEN)
def test_it_fails_its_test_alone(name: str, tmp_path: Path) -> None:
    found = failed(brokenstays.harness(BROKEN[name], tmp_path), tmp_path)
    assert [*found] == [name], found


def test_what_is_declared_wrongly_is_found(tmp_path: Path) -> None:
    assert [*failed(DeniesBatches(tmp_path), tmp_path)] == ["what_the_harness_cannot_is_so"]


def test_the_whole_one_fails_none(tmp_path: Path) -> None:
    assert failed(PagerHarness(tmp_path), tmp_path) == {}
