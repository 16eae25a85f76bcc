"""Threads that nobody waits for: they work like others, but for the end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.ports import Aside


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """Whoever opens it to read waits until this test ends."""
    os.mkfifo(tmp_path / "pipe")
    yield tmp_path / "pipe"
    os.close(os.open(tmp_path / "pipe", os.O_RDWR))


async def test_what_is_called_gives_its_result_or_raises() -> None:
    aside = Aside("test")
    assert await aside.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await aside.call(divmod, 7, 0)
    assert await aside.call(lambda: threading.current_thread().name) == "test"


async def test_one_thread_does_one_thing_after_the_other() -> None:
    aside, done = Aside("test"), list[int]()
    await asyncio.gather(*(aside.call(done.append, number) for number in range(100)))
    assert done == list(range(100))


async def test_many_threads_go_side_by_side() -> None:
    aside, together = Aside("test", 5), threading.Barrier(5)
    places = await asyncio.gather(*(aside.call(together.wait) for _ in range(5)))
    assert sorted(places) == list(range(5))


async def test_what_waits_behind_a_thread_that_hangs_can_be_given_up(pipe: Path) -> None:
    aside = Aside("test")
    hanging = asyncio.create_task(aside.call(pipe.read_bytes))
    behind = asyncio.create_task(aside.call(divmod, 7, 2))
    await asyncio.sleep(0)
    for task in (hanging, behind):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_nothing_is_taken_after_the_end_and_what_waits_may_be_dropped(pipe: Path) -> None:
    aside = Aside("test")
    aside.submit(pipe.read_bytes)
    behind = aside.submit(divmod, 7, 2)
    aside.shutdown(cancel_futures=True)
    assert behind.cancelled()
    with pytest.raises(RuntimeError):
        aside.submit(divmod, 7, 2)


async def test_what_was_handed_in_before_the_end_is_done() -> None:
    aside = Aside("test")
    futures = [aside.submit(divmod, number, 2) for number in range(10)]
    aside.shutdown()
    assert [future.result(60) for future in futures] == [divmod(number, 2) for number in range(10)]


def test_a_process_ends_though_a_thread_hangs(pipe: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from router.ports import Aside\n"
        "aside = Aside('test'); aside.submit(Path(sys.argv[1]).read_bytes)\n"
        "aside.shutdown()"
    )
    subprocess.run([sys.executable, "-c", program, pipe], check=True, timeout=60)
