"""Alerts by mail: a message for each, or one for several."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.extras import loaded, missing
from adapters.mail.message import message_of
from adapters.mail.options import MailOptions
from adapters.mail.session import MailSession
from adapters.tls import TlsFilesError
from router.ports import Adapter, ChannelFault, Closed, Delivered, Delivery, Outcome


class MailAdapter(Adapter[MailOptions]):
    """Mails each Alert, or several in one message, with the CloudEvents as attachment."""

    Config = MailOptions

    def __init__(self, config: MailOptions) -> None:
        self.batch: int = config.batch
        self._options = config
        self._session = MailSession(config)

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._sent(deliveries)] * len(deliveries)

    async def _sent(self, deliveries: Sequence[Delivery]) -> Outcome:
        if lacks := missing("aiosmtplib", "mail"):
            return Closed(ChannelFault.ENDPOINT, f"mail {lacks}")
        await loaded("adapters.mail.answer")
        from aiosmtplib import SMTPException  # noqa: PLC0415 - an extra

        from adapters.mail.answer import failure_of_send  # noqa: PLC0415

        recipients = self._options.recipients
        message = message_of(deliveries, self._options.sender, recipients)
        try:
            return Delivered(await self._session.send(message, recipients))
        except (SMTPException, OSError, TlsFilesError) as error:
            return failure_of_send(error, self._session.where)
