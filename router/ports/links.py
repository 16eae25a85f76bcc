"""How connections stand, of whoever keeps one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Link:
    """How a connection stands, for the metrics."""

    up: bool
    made: int
    """Connections made since the start; more than 1: it was lost and made again."""
    peer: str = field(default="", compare=False)
    """Who answers there, as it says itself: product and version; empty where it says nothing."""
    standby: str = field(default="", compare=False)
    """Why nothing comes to us though nothing is wrong; empty where we are served."""


@runtime_checkable
class Linked(Protocol):
    """A source or an adapter that keeps one connection."""

    def link(self) -> Link:
        """How it stands now."""
        ...
