"""Warnings of a long file: the first ones in full, the rest as a number.

A file of a million rows may have the same doubt about each, and what is of more weight must not
drown in it.
"""

from __future__ import annotations

from collections.abc import Callable

from router.files.counts import plural

TOLD = 20
"""Warnings that are told in full."""


class Cautions:
    """Hears every warning, and says the first of them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.heard = 0

    def hear(self, warning: object) -> None:
        """One more."""
        self.heard += 1
        if self.heard <= TOLD:
            self.say(str(warning))

    def end(self) -> None:
        """Say how many were not told."""
        if self.heard > TOLD:
            self.say(f"warning: {plural(self.heard - TOLD, 'more line')} like these, not told")
