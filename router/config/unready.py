"""Options that can't be made as long as a file with a secret is of no use."""

from __future__ import annotations

from router.ports import Options


class UnreadyOptions(Options):
    """In place of those of a channel or a source: it waits, and nobody else does."""

    why: str
    """What is wrong with the file, and what to do, for people; without its name."""


class BrokenOptions(UnreadyOptions):
    """In place of those of an adapter that can't be used at all: its code is broken, no file."""
