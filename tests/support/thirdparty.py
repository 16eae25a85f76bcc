"""An adapter and a source as others write them: `router.ports` and nothing else of the router.

Both leave out what they have no need of, and so live on the defaults of the two contracts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from router.ports import (
    Adapter,
    ChannelFault,
    Closed,
    Cursor,
    Delivered,
    Delivery,
    Message,
    Options,
    Outcome,
    Outgoing,
    Publisher,
    Source,
)


class DrawerOptions(Options):
    """What a drawer takes in service_users.yaml."""

    locked: bool = False


class DrawerAdapter(Adapter[DrawerOptions]):
    """Takes every Alert; it needs no options and holds nothing open."""

    Config = DrawerOptions

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Delivered(f"in the drawer: {each.alert.sequence}") for each in deliveries]


class LockedAdapter(Adapter[DrawerOptions]):
    """Looks into its options: the type checker knows of which kind they are."""

    Config = DrawerOptions

    def __init__(self, config: DrawerOptions) -> None:
        self._locked = config.locked

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if self._locked:
            return [Closed(ChannelFault.CREDENTIALS, "the drawer is locked")] * len(deliveries)
        return [Delivered()] * len(deliveries)


class ShelfSource(Source[Options]):
    """A source that has nothing to say."""

    Config = Options

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        for line in range(len(cursors)):
            yield Message(b"", f"shelf:{line}")

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        return None

    def exhausted(self) -> bool:
        return True

    def down(self) -> str | None:
        return None

    def publisher(self) -> ShelfPublisher:
        return ShelfPublisher()


class ShelfPublisher(Publisher):
    """Puts facts there, one by one."""

    def __init__(self) -> None:
        self.put: list[bytes] = []

    async def publish(self, facts: Sequence[Outgoing]) -> None:
        self.put += [fact.body for fact in facts]


# what a type checker must let pass: each can be made as it stands, and is what it says
ADAPTERS: Sequence[Adapter[DrawerOptions]] = (
    DrawerAdapter(DrawerOptions()),
    LockedAdapter(DrawerOptions(locked=True)),
)
SOURCE: Source[Options] = ShelfSource("shelf", Options())
PUBLISHER: Publisher = ShelfPublisher()
