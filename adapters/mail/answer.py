"""What it means that a mail server does not take a message. Pure.

Sources: RFC 5321 (4.2.3), 3463 (enhanced codes), 4954 (login), 1870 (size).
"""

from __future__ import annotations

import re

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from adapters.http.answer import causes_of, outcome_of_failure
from adapters.tls import TlsFilesError, distrust
from router.ports import ChannelFault, Closed, Outcome, Reason, Refused, Retry, in_one_line

_TRUST = "have the certificate put right, or set `ca_file`"
_SHOWN = 200
"""Characters of what a server says."""
_LOGIN = {530, 534, 535, 538}
_TOO_LARGE = re.compile(r"(?i)\b5\.3\.4\b|size|too (much|large|big|long)")


def failure_of_send(error: Exception, where: str) -> Outcome:
    """What becomes of the Alerts of a message that was not taken."""
    if isinstance(error, TlsFilesError):
        return Closed(ChannelFault.CREDENTIALS, f"{error}; nothing was sent")
    if any(distrust(cause) for cause in causes_of(error)):
        return outcome_of_failure(error, where, _TRUST)
    if isinstance(error, SMTPResponseException):
        return _answered(error, where)
    if isinstance(error, SMTPServerDisconnected):
        said = "the connection ended before it said that it has the message"
        return Retry(Reason.NETWORK, f"{where}: {said}")
    if isinstance(error, SMTPException) and not isinstance(error, OSError | TimeoutError):
        advice = "correct `tls`, `user` or `host`"
        said = in_one_line(error.message, _SHOWN)
        return Closed(ChannelFault.ENDPOINT, f"{where}: {said}; nothing was sent; {advice}")
    return outcome_of_failure(error, where, _TRUST)


def _answered(error: SMTPResponseException, where: str) -> Outcome:
    code, said = error.code, f"{where} answered {error.code} {in_one_line(error.message, _SHOWN)}"
    if code // 100 == 4:
        return Retry(_passing(code), f"{_whom(error)}{said}")
    if code in _LOGIN or isinstance(error, SMTPAuthenticationError):
        return Closed(ChannelFault.CREDENTIALS, f"{said}; correct `user` and `password`")
    if code == 552:
        return _no_room(error, said)
    wrong = next((advice for kind, advice in _WRONG.items() if isinstance(error, kind)), None)
    if wrong is not None:
        return Closed(ChannelFault.ENDPOINT, f"{_whom(error)}{said}; {wrong}")
    return Refused(Reason.REJECTED, said)


_WRONG: dict[type[SMTPResponseException], str] = {
    SMTPRecipientRefused: "correct `recipients`",
    SMTPSenderRefused: "have it let `sender` send, or correct it",
    SMTPConnectResponseError: "nobody takes mail there; correct `host`",
    SMTPHeloError: "it does not talk to us; ask who keeps it",
}


def _no_room(error: SMTPResponseException, said: str) -> Outcome:
    """552 means that the mailbox is full, or that the message is too large."""
    if _TOO_LARGE.search(error.message):
        return Refused(Reason.REJECTED, f"{said}; give a smaller `batch`")
    return Retry(Reason.STORAGE, f"{_whom(error)}{said}; the mailbox has no room")


def _passing(code: int) -> Reason:
    return {421: Reason.BUSY, 450: Reason.BUSY, 452: Reason.STORAGE}.get(code, Reason.SERVER)


def _whom(error: SMTPResponseException) -> str:
    return f"{error.recipient}: " if isinstance(error, SMTPRecipientRefused) else ""
