"""The body of a message as it comes in: no more of it is kept than is read as a fact.

The broker lets through what its `max_message_size` says, up to 512 MB, and the library would keep
all of it, twice. What is left out counts for the digest, as messages may begin alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from router.ports import MAX_BODY, beginning_of


@dataclass(frozen=True)
class CutMessage(DeliveredMessage):
    """One that is too large for a fact: `body` is its beginning."""

    size: int
    digest: str

    @property
    def evidence(self) -> dict[str, str]:
        """What it was as a whole."""
        return beginning_of(self.size, self.digest)


def keep_beginnings(channel: Channel) -> None:
    """From now on no more is kept of what comes on this channel. The library has no way to say it
    but this."""

    async def read(frame: Any, header: ContentHeader) -> DeliveredMessage:
        return await _read(channel, frame, header)

    channel._read_content = read  # type: ignore[method-assign]


async def _read(channel: Channel, frame: Any, header: ContentHeader) -> DeliveredMessage:
    kept, size, digest = bytearray(), 0, hashlib.sha256()
    large = header.body_size > MAX_BODY
    while size < header.body_size:
        part = await channel._get_frame()
        if not isinstance(part, ContentBody):
            raise ValueError(f"{part!r} where the body of a message goes on")
        if large:
            digest.update(part.value)
        size += len(part.value)
        kept += part.value[: MAX_BODY + 1 - len(kept)]
    given = {"delivery": frame, "header": header, "body": bytes(kept), "channel": channel}
    return (
        CutMessage(**given, size=size, digest=digest.hexdigest())
        if large
        else DeliveredMessage(**given)
    )
