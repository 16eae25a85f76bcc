"""Alerts onto an SFTP server: a file for each, or one for a batch, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.extras import loaded, missing
from adapters.sftp.options import SftpOptions
from router.ports import (
    Adapter,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    batch_body,
    batch_id,
)

if TYPE_CHECKING:
    from adapters.sftp.session import SftpSession


class SftpAdapter(Adapter[SftpOptions]):
    """Puts each Alert, or a batch, into a file of its own, named after its id."""

    Config = SftpOptions

    def __init__(self, config: SftpOptions) -> None:
        self.batch: int = config.batch
        self._options = config
        self._session: SftpSession | None = None

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._put(deliveries)] * len(deliveries)

    async def _put(self, deliveries: Sequence[Delivery]) -> Outcome:
        if lacks := missing("asyncssh", "sftp"):
            return Closed(ChannelFault.ENDPOINT, f"sftp {lacks}")
        await loaded("adapters.sftp.answer")
        import asyncssh  # noqa: PLC0415

        from adapters.sftp.answer import failure_of_put  # noqa: PLC0415
        from adapters.sftp.keys import KeysError  # noqa: PLC0415
        from adapters.sftp.session import OtherFileError, SftpSession  # noqa: PLC0415

        if self._session is None:
            self._session = SftpSession(self._options)
        name, content = _file_of(deliveries)
        try:
            await self._session.put(name, content)
        except (asyncssh.Error, OSError, KeysError, OtherFileError) as error:
            return failure_of_put(error, name, self._options)
        return Delivered(name)


def _file_of(deliveries: Sequence[Delivery]) -> tuple[str, bytes]:
    """Its name, of the ids alone, and what is in it; both the same when it goes again."""
    first = deliveries[0]
    if len(deliveries) == 1 and first.batch is None:
        return f"{first.alert.id}.json", first.body
    name = batch_id(each.alert for each in deliveries)
    return f"{name}.json", batch_body(each.body for each in deliveries)
