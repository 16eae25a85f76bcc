"""What one source has given, and is to be told of once it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.ports import Message


class InHand:
    """Messages, each known as itself: one that another source gave may be equal to it."""

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}

    def taken(self, given: Message) -> Message:
        """What goes on for it: bounded, and an object of its own."""
        message = given.bounded()
        if id(message) in self._messages:
            message = replace(message)
        self._messages[id(message)] = message
        return message

    def settled(self, messages: Sequence[Message]) -> list[Message]:
        """Those of them that were in hand, and are no more."""
        return [each for each in messages if self._messages.pop(id(each), None) is not None]
