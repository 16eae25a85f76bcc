"""What answers for an adapter that can't be made, as a file with a secret of it is of no use."""

from __future__ import annotations

from collections.abc import Sequence

from router.ports import Adapter, ChannelFault, Closed, Delivery, Options, Outcome


class StandIn(Adapter[Options]):
    """Sends nothing, and says why: the lane closes, as with any other key at fault."""

    Config = Options

    def __init__(self, why: str) -> None:
        self._detail = f"{why}; mend it and run: hubherald reload; nothing was sent"

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Closed(ChannelFault.CREDENTIALS, self._detail)] * len(deliveries)
