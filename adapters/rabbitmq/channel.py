"""A channel that our messages go over, and what waits for its confirmations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiormq.abc import ChannelFrame
from aiormq.channel import Channel

from adapters.rabbitmq.confirms import Confirms, Posting
from router.ports import Outcome


class ConfirmedChannel:
    """Hands blocks of frames to the library's connection, past its `basic_publish`."""

    def __init__(
        self,
        channel: Channel,
        confirms: Confirms,
        lost: Callable[[Posting, BaseException], Outcome],
    ) -> None:
        """`lost` says what it means for a message that the channel ends."""
        self.channel = channel
        self.confirms = confirms
        self._lost = lost
        self._blocks: list[bytes] = []
        self._writing = False
        confirms.begin(self._write)
        # the library ends it, with the reason, when the channel or the connection ends
        channel.create_future().add_done_callback(self._end)

    def _write(self, block: bytes) -> None:
        self._blocks.append(block)
        if not self._writing:
            if self.channel.write_queue.full():
                self._writing = True
                self.channel.create_task(self._wait_and_write())
            else:
                self.channel.write_queue.put_nowait(self._gathered())

    async def _wait_and_write(self) -> None:
        while self._blocks:
            await self.channel.write_queue.put(self._gathered())
        self._writing = False

    def _gathered(self) -> ChannelFrame:
        blocks, self._blocks = self._blocks, []
        return ChannelFrame(b"".join(blocks), should_close=False)

    def _end(self, ended: asyncio.Future[None]) -> None:
        error = ended.exception() or ConnectionResetError()
        self.confirms.end(lambda posting: self._lost(posting, error))
