"""One row of the fault matrix: what breaks, what is promised, and who plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from faults.line import Line
from faults.scene import Scene

Play = Callable[[Scene], Iterable[Line]]


@dataclass(frozen=True)
class Row:
    """Plays in a scene of its own; gives a line, or one for each fault that it has at once."""

    name: str
    promised: str
    play: Play
    brief: bool = False
    """It is in the cut that `make test` runs."""
    on: Callable[[str, bool], bool] = lambda _name, _shared: True
    """Whether it is about this kind of ledger: asked with its name and whether it is shared."""
