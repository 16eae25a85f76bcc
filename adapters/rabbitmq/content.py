"""Messages as they come in: no more of a body is kept than is read as a fact.

The broker lets through what its `max_message_size` says, up to 512 MB, and the library would keep
all of it, twice. What is left out counts for the digest, as messages may begin alike. The library
would also start a task for each.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiormq.exceptions import InvalidFrameError
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from pamqp.header import ContentHeader

from router.ports import MAX_BODY, beginning_of

DELIVER = struct.pack(">HH", 60, 60)
"""What the frame begins with in which a broker gives out a message."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that the broker has given out."""

    tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes
    """All of it, or the beginning of one that is too large for a fact."""
    whole: Mapping[str, str] = field(default_factory=dict)
    """What it was as a whole, where `body` is its beginning."""


class Assembly:
    """Puts the frames of one consumer's messages together."""

    def __init__(self, give: Callable[[Incoming], None]) -> None:
        """`give` is called with each message, in order."""
        self._give = give
        self._begun: tuple[int, bool, str, str] | None = None
        self._properties: Basic.Properties | None = None
        self._channel = 0
        self._size = 0
        self._left = 0
        """Bytes of the body that are still to come."""
        self._kept = bytearray()
        self._digest = hashlib.sha256()

    def deliver(self, channel: int, method: bytes) -> None:
        """A message begins. InvalidFrameError when it does not."""
        given = Basic.Deliver()
        try:
            given.unmarshal(method[len(DELIVER) :])
        except (PAMQPException, ValueError, IndexError, struct.error) as error:
            raise InvalidFrameError(f"{method[:60]!r} begins no message") from error
        self._channel, self._properties = channel, None
        self._begun = (
            given.delivery_tag or 0,
            bool(given.redelivered),
            given.exchange or "",
            given.routing_key or "",
        )

    def header(self, channel: int, payload: bytes) -> bool:
        """What it is like; whether it is of ours."""
        if self._begun is None or self._properties is not None or channel != self._channel:
            return False
        content = ContentHeader()
        try:
            content.unmarshal(payload)
        except (ValueError, struct.error) as error:
            raise InvalidFrameError(str(error)) from error
        self._properties = content.properties
        self._size = self._left = content.body_size
        self._kept = bytearray()
        self._digest = hashlib.sha256()
        if not self._size:
            self._finish()
        return True

    def body(self, channel: int, part: bytes) -> bool:
        """A piece of it; whether it is of ours."""
        if self._properties is None or channel != self._channel:
            return False
        if self._size > MAX_BODY:
            self._digest.update(part)
            part, size = part[: MAX_BODY + 1 - len(self._kept)], len(part)
        else:
            size = len(part)
        self._kept += part
        self._left -= size
        if self._left <= 0:
            self._finish()
        return True

    def _finish(self) -> None:
        assert self._begun is not None
        assert self._properties is not None
        large = self._size > MAX_BODY
        whole = beginning_of(self._size, self._digest.hexdigest()) if large else {}
        came = Incoming(*self._begun, self._properties, bytes(self._kept), whole)
        self._begun = self._properties = None
        self._kept = bytearray()
        self._give(came)
