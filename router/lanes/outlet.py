"""Where Alerts go as soon as they are recorded: what the intake knows of lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from router.lanes.values import Recorded, Wish


class Outlet(Protocol):
    """Lanes, to whoever records Alerts for them."""

    def offer(self) -> Mapping[int, Wish]:
        """What lanes would send at once, by lane; `take` follows, whatever becomes of it."""
        ...

    def take(self, offers: Mapping[int, Wish], recorded: Recorded) -> None:
        """This was recorded on these offers: what was claimed is sent now."""
        ...
