"""Runs `hubherald` with one of its functions wrapped: to be killed there, or to fail there.

    python -m faults.launcher "after the ack" 1 hit.txt run

The second word says at which passing of the point. Before the process kills itself it writes what
it was at into the file: no row takes it for granted that its point was reached.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from faults.points import HALF_A_FILE, MARK, NO_VERDICT, POINTS, POISON, Point


def die(hit: Path, said: str) -> NoReturn:
    """As a power cut would have it, but for the note."""
    descriptor = os.open(hit, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, f"{said}\n".encode())
    os.fsync(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed, and still there")


def wrap(point: Point, strike: Callable[[], None]) -> None:
    """Have `strike` called at the point."""
    owner: Any = import_module(point.module)
    *classes, name = point.function.split(".")
    for each in classes:
        owner = getattr(owner, each)
    original = getattr(owner, name)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def awaited(*args: Any, **more: Any) -> Any:
            counts = point.when(*args, **more)
            if counts and not point.after:
                strike()
            result = await original(*args, **more)
            if counts and point.after:
                strike()
            return result

        setattr(owner, name, awaited)
        return

    @functools.wraps(original)
    def called(*args: Any, **more: Any) -> Any:
        counts = point.when(*args, **more)
        if counts and not point.after:
            strike()
        result = original(*args, **more)
        if counts and point.after:
            strike()
        return result

    setattr(owner, name, called)


def halve(hit: Path, passing: int) -> None:
    """A folder's file gets half of its bytes."""
    folder: Any = import_module("adapters.folder.delivery")
    make, times = folder.make_file, count(1)

    def made(*args: Any, **more: Any) -> Any:
        file = make(*args, **more)
        if next(times) == passing:

            def write(body: bytes) -> NoReturn:
                os.write(file.fileno(), body[: len(body) // 2])
                die(hit, HALF_A_FILE)

            file.write = write
        return file

    folder.make_file = made


def poison(hit: Path) -> None:
    """Whoever reads the marked fact dies of it."""
    reading: Any = import_module("router.intake.reading")
    parse = reading.parse_all

    def deadly(body: bytes, **more: Any) -> Any:
        if MARK.encode() in body:
            die(hit, POISON)
        return parse(body, **more)

    reading.parse_all = deadly


def no_verdict(hit: Path) -> None:
    """The library says of the marked fact that none of the rules fires."""
    engine: Any = import_module("router.deciding.engine")
    evaluate = engine._Ruleset.evaluate

    def lies(self: Any, candidates: Any) -> Any:
        found = evaluate(self, candidates)
        for place, values in enumerate(candidates):
            if MARK in map(str, values.values()):
                with hit.open("a") as file:
                    file.write(f"{NO_VERDICT}\n")
                found[place] = set()
        return found

    engine._Ruleset.evaluate = lies


def main() -> None:
    """The words are the point, its passing, the file for the note, and those for `hubherald`."""
    name, passing, file, *words = sys.argv[1:]
    hit, times = Path(file), count(1)

    def strike() -> None:
        if next(times) == int(passing):
            die(hit, name)

    if name == HALF_A_FILE:
        halve(hit, int(passing))
    elif name == POISON:
        poison(hit)
    elif name == NO_VERDICT:
        no_verdict(hit)
    else:
        wrap(POINTS[name], strike)
    sys.argv = ["hubherald", *words]
    import_module("router.cli").main()


if __name__ == "__main__":
    main()
