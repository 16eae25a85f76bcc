"""Where Alerts go as soon as they are recorded: what the intake knows of lanes."""

from __future__ import annotations

from typing import Protocol

from router.lanes.values import Offer, Recorded


class Outlet(Protocol):
    """Lanes, to whoever records Alerts for them."""

    async def looked(self) -> None:
        """Once it is known of lanes what waits on them, where that is being asked now.

        The ledger does one after the other anyway; an offer behind it claims more.
        """
        ...

    def offer(self) -> Offer:
        """What lanes would send at once, and what is to be written; `take` follows."""
        ...

    def take(self, offer: Offer, recorded: Recorded | None) -> None:
        """This was recorded on the offer: what was claimed is sent now. None: nothing was."""
        ...
