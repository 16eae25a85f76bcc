"""Who asks many files and waits for none of them for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.ports import Aside, inquiry
from router.ports.inquiry import Inquiry


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """Whoever opens it to read waits until this test ends."""
    os.mkfifo(tmp_path / "pipe")
    yield tmp_path / "pipe"
    os.close(os.open(tmp_path / "pipe", os.O_RDWR))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "FIRST_S", 0.2)


def test_an_answer_or_what_it_raises_is_passed_on() -> None:
    asking = Inquiry()
    assert asking.ask("here", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        asking.ask("here", lambda: 1 // 0)
    for _ in range(2):  # of its own, and no silence
        with pytest.raises(TimeoutError, match="of its own"):
            asking.ask("here", _own)


def _own() -> None:
    raise TimeoutError("of its own")


def test_what_is_silent_holds_up_nothing_elsewhere_and_nothing_waits_beside_it(pipe: Path) -> None:
    asking, asked = Inquiry(), []
    with pytest.raises(TimeoutError):
        asking.ask("away", pipe.read_bytes)
    with pytest.raises(TimeoutError):
        asking.ask("away", lambda: asked.append("beside"))
    assert asking.ask("here", lambda: 7) == 7
    assert asked == []
    os.close(os.open(pipe, os.O_RDWR))  # it is back
    while True:
        try:
            assert asking.ask("away", lambda: 8) == 8
            break
        except TimeoutError:
            continue


async def test_a_thread_says_for_how_long_it_has_been_at_it(pipe: Path) -> None:
    aside = Aside("test")
    assert aside.busy_s == 0
    with pytest.raises(TimeoutError):
        await aside.within(0.05, pipe.read_bytes)
    assert 0 < aside.busy_s < 30
    for _ in range(100):  # nobody wants these any more
        with pytest.raises(TimeoutError):
            await aside.within(0, divmod, 7, 2)
    os.close(os.open(pipe, os.O_RDWR))
    assert await aside.within(30, divmod, 7, 2) == (3, 1)
    assert aside.busy_s == 0
