"""From an Alert to the signed bytes of one channel, and what becomes of those that have none.

Bytes are made once for each Alert and stored before the first send, within the ledger's
transaction: nothing here waits, and nothing that goes wrong is more than one Alert's or one
channel's trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import structlog

from adapters.duis.document import DocumentError, build
from adapters.duis.signature import (
    CERTIFICATE,
    KEY,
    DocumentSigner,
    SigningError,
    doubts,
    faults,
    load,
    stamp,
)
from router.ports import (
    Alert,
    Aside,
    Certificate,
    ChannelFault,
    Closed,
    Originator,
    Reason,
    Recipient,
    Refused,
    RenderError,
    Unfit,
    silent,
)

READ_S = 1.0
"""Seconds that key and certificate have to be read."""
RENEWAL = timedelta(days=30)
"""How long before its end a certificate asks to be renewed."""
_log = structlog.get_logger(__name__)


class Renderer:
    """Documents of one DCC for one recipient."""

    def __init__(
        self,
        originator: Originator,
        recipient: Recipient,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._originator = originator
        self._recipient = recipient
        self._now = now
        self._signer: DocumentSigner | None = None
        self._stamp: object = None
        self._thread = Aside("signing key")
        self._reading: Future[DocumentSigner] | None = None

    def render(self, alert: Alert) -> bytes:
        """The signed document. RenderError: Refused for this Alert, Closed for all at present."""
        try:
            signer = self._ready()
        except SigningError as error:
            outcome = Closed(ChannelFault.CREDENTIALS, f"dcc.{error}")
            raise RenderError(outcome) from None
        try:
            document = build(alert, self._recipient)
        except DocumentError as error:
            raise RenderError(Refused(Reason.REJECTED, str(error))) from None
        return signer.sign(document)

    def certificates(self) -> Sequence[Certificate]:
        """The signing certificate, when it could be loaded."""
        try:
            return [Certificate("signing", self._loaded().expires_at)]
        except SigningError:
            return []

    def _ready(self) -> DocumentSigner:
        signer = self._loaded()
        if fault := signer.fault(self._now()):
            self._signer = None  # the files are looked at again, whatever was kept of them
            raise fault
        return signer

    def _loaded(self) -> DocumentSigner:
        """What the files hold; what they held before, while the disk does not answer.

        Asked within the ledger's transaction, where nobody may wait for a mount that is away.
        """
        known = self._reading
        if known is None or known.done():
            self._reading = self._thread.submit(self._read)
        assert self._reading is not None
        try:
            return self._reading.result(READ_S if self._reading is not known else 0)
        except TimeoutError:
            if self._signer is not None:
                return self._signer
            why = silent(self._originator.signing_key_file, READ_S)
            raise SigningError(KEY, why) from None

    def _read(self) -> DocumentSigner:
        """What the files hold; while they are being exchanged, what they held before."""
        found, signer = stamp(self._originator), self._signer
        if signer is not None and found == self._stamp:
            return signer
        try:
            signer = load(self._originator)
        except SigningError as error:
            if signer is None:
                raise
            _log.warning(
                "signing.kept", detail=f"dcc.{error}", until=f"{signer.expires_at:%Y-%m-%d}"
            )
        self._signer, self._stamp = signer, found
        return signer


def unfit_originator(originator: Originator, now: datetime | None = None) -> Sequence[Unfit]:
    """What is wrong with the DCC's key and certificate, or will be soon."""
    now = now or datetime.now(UTC)
    if found := faults(originator):
        return [Unfit(each.option, each.why) for each in found]
    signer = load(originator)
    if fault := signer.fault(now):
        return [Unfit(fault.option, fault.why)]
    warnings = [Unfit(each.option, each.why, warning=True) for each in doubts(originator)]
    if signer.expires_at < now + RENEWAL:
        day = f"{signer.expires_at:%Y-%m-%d}"
        why = f"the certificate expires on {day}; put a new one, and its key, in place before"
        warnings.append(Unfit(CERTIFICATE, why, warning=True))
    return warnings


def unfit_recipient(recipient: Recipient) -> Sequence[Unfit]:
    """Without a version nobody knows what the user's software can read."""
    if recipient.duis_version is None:
        return [Unfit("duis_version", 'is missing; a duis channel needs it, such as "5.4"')]
    return []
