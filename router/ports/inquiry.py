"""How long files may keep somebody who reads many of them and can await none.

One file on a mount that is away must cost its own channel, and neither the others nor the start. So
whoever has waited once in full waits less from then on, and not at all for what lies beside a file
that is still silent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from router.ports.aside import Aside

FIRST_S, AGAIN_S = 5.0, 0.5
"""Seconds for the first that does not answer, and for each further one."""
T = TypeVar("T")


class Inquiry:
    """Asks files in a thread, each after the other."""

    def __init__(self) -> None:
        self._thread = Aside("files")
        self._apart = Aside("options")  # what is run there may ask
        self._left = FIRST_S
        self._silent: dict[Hashable, Future[Any]] = {}

    def ask(self, beside: Hashable, function: Callable[[], T], /) -> T:
        """What the function gives, which looks at a file; what it raises is passed on.

        TimeoutError when it does not answer; nor is it asked while what was asked `beside` it (in
        the same folder) is still silent.
        """
        known = self._silent.get(beside)
        if known is not None and not known.done():
            raise TimeoutError
        asked = self._thread.submit(function)
        try:
            return asked.result(self._left)
        except TimeoutError:
            if not asked.done():  # else it is the function's own
                self._thread, self._left = Aside("files"), AGAIN_S
                self._silent[beside] = asked
            raise

    def run(self, function: Callable[[], T], seconds: float) -> T:
        """What the function gives, which may do anything. TimeoutError when that takes longer."""
        asked = self._apart.submit(function)
        try:
            return asked.result(seconds)
        except TimeoutError:
            if not asked.done():
                self._apart = Aside("options")
            raise
