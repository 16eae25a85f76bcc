"""A test in an event loop of its own, which is left as clean as it was found."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakSet

import uvloop

from router.conformance.declared import Need, look
from router.conformance.harness import Harness
from router.conformance.watch import LoopWatch
from router.ports.theirs import is_theirs, task_of

S = TypeVar("S")
Test = Callable[[S, Harness], Coroutine[Any, Any, None]]


class Traces:
    """What somebody else's code leaves in the event loop of a test."""

    def __init__(self) -> None:
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.unheard: list[str] = []
        """Errors that nobody waited for."""

    def factory(
        self, loop: asyncio.AbstractEventLoop, work: Any, /, **more: Any
    ) -> asyncio.Task[Any]:
        """The router's own, that remembers those that adapters begin."""
        task = task_of(loop, work, **more)
        if is_theirs():
            self._tasks.add(task)
        return task

    def tasks(self) -> list[str]:
        """Those of adapters that still run."""
        return sorted(str(task.get_coro()) for task in self._tasks if not task.done())

    def hear(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """An error of the loop."""
        said = context.get("message", "")
        self.unheard.append(f"{said}: {context.get('exception')!r}")


def scenario(*needs: Need) -> Callable[[Test[S]], Callable[[S, Harness], None]]:
    """Makes a test for pytest of a coroutine; `needs` are what the harness must be able to."""

    def decorate(test: Test[S]) -> Callable[[S, Harness], None]:
        @wraps(test)
        def run(self: S, harness: Harness) -> None:
            look(harness, needs)
            in_loop(test(self, harness), harness.patience)

        return run

    return decorate


def traces() -> Traces:
    """Those of the test that runs."""
    found: Traces = getattr(asyncio.get_running_loop().get_task_factory(), "__self__")  # noqa: B009
    return found


async def until(done: Callable[[], object], seconds: float) -> bool:
    """Whether it came true in time."""
    limit = asyncio.get_running_loop().time() + seconds
    while not done():
        if asyncio.get_running_loop().time() > limit:
            return False
        await asyncio.sleep(0.005)
    return True


def in_loop(work: Coroutine[Any, Any, None], patience: float) -> None:
    """Run it as the router runs adapters: on uvloop, in the main thread."""
    found = Traces()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        loop.set_task_factory(found.factory)
        loop.set_exception_handler(found.hear)
        with LoopWatch(loop, patience):
            runner.run(_settled(work))


async def _settled(work: Coroutine[Any, Any, None]) -> None:
    """What is closed in the end has some turns of the loop to be so."""
    try:
        await work
    finally:
        for _ in range(5):
            await asyncio.sleep(0)


def forget() -> None:
    """Have Python collect what is left in circles, so that what it held open is closed."""
    gc.collect()
