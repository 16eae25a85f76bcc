"""What goes wrong with a broker, in the words of those who have to mend it. Pure.

The names of the errors are RabbitMQ's (AMQP 0-9-1 reply codes); the advice is ours.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import ssl
from enum import Enum, auto

from aio_pika import exceptions as amqp
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource, PublishError
from pamqp.exceptions import AMQPInternalError, UnmarshalingException

from adapters.tls import distrust
from router.ports import in_one_line


class TroubleKind(Enum):
    """Who can do something about it."""

    NETWORK = auto()
    """Perhaps nobody has to: the broker can't be reached or has gone away."""
    BUSY = auto()
    """The broker refuses for the moment: it, or a queue, is full."""
    CREDENTIALS = auto()
    """It does not let us in, or not do this."""
    ENDPOINT = auto()
    """Something that should be there is not, or is different."""


class BrokerError(Exception):
    """What is wrong and what to do, in one line without secrets."""

    def __init__(self, kind: TroubleKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def trouble(error: BaseException, where: str, virtual_host: str, user: str) -> BrokerError:
    """The words for what the library raised, from dialling or later."""
    if isinstance(error, BrokerError):
        return error
    kind, text = _of_the_broker(error, virtual_host, user) or _of_the_line(error)
    return BrokerError(kind, f"{where}: {text}")


def _of_the_broker(
    error: BaseException, virtual_host: str, user: str
) -> tuple[TroubleKind, str] | None:
    """What the broker has answered."""
    words = said(error)
    found: tuple[TroubleKind, str] | None = None
    match error:
        case amqp.AuthenticationError():
            text = (
                f"lets nobody in by password, only by {words}; for EXTERNAL give `certificate_file`"
                " and `key_file`, and no `password`"
            )
            found = TroubleKind.CREDENTIALS, text
        case amqp.ProbableAuthenticationError():
            text = (
                f"does not know user {user!r} with this password; correct `user` and "
                "`password_file` (guest is let in from the broker's own machine only)"
            )
            found = TroubleKind.CREDENTIALS, text
        case amqp.InvalidFrameError() if "Connection.Close" in words:
            # the library throws the broker's reason away; there are only these
            text = (
                f"does not let user {user!r} into virtual host {virtual_host!r}: it does not "
                "exist, or the user has no permissions there; correct the path of `url`, or run: "
                f"rabbitmqctl add_vhost {shlex.quote(virtual_host)}; "
                f"rabbitmqctl set_permissions {_whom(virtual_host, user)} '.*' '.*' '.*'"
            )
            found = TroubleKind.ENDPOINT, text
        case ChannelAccessRefused() if "exclusive use" in words:
            text = f"{words}: another consumer has it to itself; once that one ends, facts come"
            found = TroubleKind.ENDPOINT, text
        case ChannelAccessRefused():
            how = f"rabbitmqctl set_permissions {_whom(virtual_host, user)} CONFIGURE WRITE READ"
            found = TroubleKind.CREDENTIALS, f"{words}; give it the permission: {how}"
        case amqp.ChannelNotFoundEntity() | amqp.ChannelPreconditionFailed():
            found = TroubleKind.ENDPOINT, words
        case ChannelLockedResource():
            found = TroubleKind.ENDPOINT, f"{words}; another connection owns it"
        case PublishError():
            found = TroubleKind.ENDPOINT, f"has no queue for it ({words})"
        case amqp.DeliveryError():
            found = TroubleKind.BUSY, "refused it (nack): a queue behind the exchange is full"
    return found


def _whom(virtual_host: str, user: str) -> str:
    """As a shell takes it: names may hold spaces."""
    return shlex.join(["-p", virtual_host, user])


_LOST = (asyncio.CancelledError, amqp.ChannelInvalidStateError, StopAsyncIteration)
"""What the library raises on a connection that is no more, in words that tell nobody anything."""
_STRANGE = (
    AMQPInternalError,
    amqp.IncompatibleProtocolError,
    amqp.InvalidFrameError,
    RecursionError,
    UnmarshalingException,
)
"""And where it does not understand what came."""


def _of_the_line(error: BaseException) -> tuple[TroubleKind, str]:
    """What has kept us from talking to it."""
    words = said(error)
    causes = _causes(error)
    kind = TroubleKind.NETWORK
    invalid = next(
        (each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None
    )
    if invalid is not None:
        kind = TroubleKind.ENDPOINT
        words = f"its certificate is not valid: {distrust(invalid)}"
        words += "; have it put right, or set `ca_file`"
    elif "WRONG_VERSION_NUMBER" in words:
        kind = TroubleKind.ENDPOINT
        words = "it speaks no TLS on this port; correct the port or the scheme of `url`"
    elif "CERTIFICATE_REQUIRED" in words or "HANDSHAKE_FAILURE" in words:
        kind = TroubleKind.CREDENTIALS
        words = "it asks for our certificate; set `certificate_file` and `key_file`"
    elif any(isinstance(each, ConnectionRefusedError) for each in causes):
        words = "connection refused; is RabbitMQ running, and is the port right?"
    elif any(isinstance(each, ConnectionResetError) for each in causes) or "reset" in words:
        words = "connection reset; it went away, or it wants TLS (amqps://) or our certificate"
    elif isinstance(error, _STRANGE):
        words = re.sub(r"<([\w.]+) object at 0x[0-9a-f]+>", r"\1", words)
        words = f"it answers as no RabbitMQ node does ({words}); what listens there?"
    elif isinstance(error, _LOST):
        words = "the connection was lost"
    elif isinstance(error, TimeoutError):
        words = "no answer in time"
    return kind, words


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def said(error: BaseException) -> str:
    """The broker's or the system's own words, on one line and of bounded length."""
    words = [each for each in error.args if isinstance(each, str)]
    text = words[0] if words else str(error) or type(error).__name__
    return in_one_line(re.sub(r"\s*\(_ssl\.c:\d+\)", "", text))
