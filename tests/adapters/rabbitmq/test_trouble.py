"""What the library raises, in words that say what to do."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aio_pika import exceptions as amqp
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource
from pamqp.commands import Basic

from adapters.rabbitmq.trouble import BrokerError, TroubleKind, trouble

pytestmark = pytest.mark.once


def invalid() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1006)")
    error.verify_message = "self-signed certificate"
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


CASES: dict[str, tuple[BaseException, TroubleKind, str]] = {
    "wrong password": (
        amqp.ProbableAuthenticationError("ACCESS_REFUSED - Login was refused using PLAIN"),
        TroubleKind.CREDENTIALS,
        "does not know user 'ann' with this password; correct `user` and `password_file`",
    ),
    "wrong virtual host": (
        amqp.InvalidFrameError("Expected one of ['Connection.OpenOk'], got <Connection.Close>"),
        TroubleKind.ENDPOINT,
        "rabbitmqctl add_vhost prod; rabbitmqctl set_permissions -p prod ann '.*' '.*' '.*'",
    ),
    "no permission": (
        ChannelAccessRefused("ACCESS_REFUSED - access to queue 'q' refused"),
        TroubleKind.CREDENTIALS,
        "ACCESS_REFUSED - access to queue 'q' refused; give it the permission: rabbitmqctl "
        "set_permissions -p prod ann",
    ),
    "missing": (
        amqp.ChannelNotFoundEntity("NOT_FOUND - no queue"),
        TroubleKind.ENDPOINT,
        "NOT_FOUND",
    ),
    "different": (
        amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - inequivalent arg"),
        TroubleKind.ENDPOINT,
        "inequivalent arg",
    ),
    "locked": (
        ChannelLockedResource("RESOURCE_LOCKED - exclusive"),
        TroubleKind.ENDPOINT,
        "another connection owns it",
    ),
    "nack": (amqp.DeliveryError(None, Basic.Nack(1)), TroubleKind.BUSY, "is full"),
    "untrusted": (
        caused(amqp.AMQPConnectionError(1, "failed"), invalid()),
        TroubleKind.ENDPOINT,
        "its certificate is not valid: self-signed certificate; have it put right, or set `ca_file",
    ),
    "no TLS there": (
        amqp.AMQPConnectionError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)"),
        TroubleKind.ENDPOINT,
        "it speaks no TLS on this port",
    ),
    "wants ours": (
        amqp.AMQPConnectionError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert"),
        TroubleKind.CREDENTIALS,
        "set `certificate_file` and `key_file`",
    ),
    "refused": (
        caused(amqp.AMQPConnectionError(111, "x"), ConnectionRefusedError()),
        TroubleKind.NETWORK,
        "connection refused; is RabbitMQ running",
    ),
    "reset": (ConnectionResetError(104, "x"), TroubleKind.NETWORK, "connection reset"),
    "cancelled by the library": (
        asyncio.CancelledError(),
        TroubleKind.NETWORK,
        "connection was lost",
    ),
    "closed channel": (
        amqp.ChannelInvalidStateError('<Channel: "3" at 0x7f0000000000> closed'),
        TroubleKind.NETWORK,
        "the connection was lost",
    ),
    "late": (TimeoutError(), TroubleKind.NETWORK, "no answer in time"),
    "anything else": (
        RuntimeError("a\nb\x1b[31m" + "x" * 1_000),
        TroubleKind.NETWORK,
        "a b\\x1b[31mxxx",
    ),
    "nothing said": (ValueError(), TroubleKind.NETWORK, "ValueError"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_trouble_says_what_to_do(case: str) -> None:
    error, kind, words = CASES[case]
    found = trouble(error, "host:5672", "prod", "ann")
    assert found.kind is kind
    assert str(found).startswith("host:5672: ")
    assert words in str(found)
    assert str(found).isprintable()
    assert "0x7f" not in str(found)
    assert len(str(found)) < 500


def test_what_is_in_words_stays_as_it_is() -> None:
    error = BrokerError(TroubleKind.BUSY, "as it is")
    assert trouble(error, "host:5672", "/", "ann") is error


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert str(trouble(one, "h", "/", "a")) == "h: one"


@pytest.mark.parametrize(
    "error",
    [
        amqp.InvalidFrameError("Expected one of ['Connection.OpenOk'], got <Connection.Close>"),
        ChannelAccessRefused("ACCESS_REFUSED - access refused"),
    ],
)
def test_a_command_is_safe_to_paste(error: Exception) -> None:
    said = str(trouble(error, "broker:5672", "site one;", "ann & bob"))
    assert "set_permissions -p 'site one;' 'ann & bob' " in said
