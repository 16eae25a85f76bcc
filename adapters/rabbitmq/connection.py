"""A connection to a RabbitMQ node: TLS, credentials, deadlines. Dials once, never again."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote

import aio_pika
from aio_pika import exceptions as amqp
from aio_pika.abc import AbstractConnection
from pydantic import AfterValidator, Field, model_validator
from yarl import URL

from adapters.dialling import reachable
from adapters.rabbitmq.confirms import Confirms
from adapters.rabbitmq.content import Assembly
from adapters.rabbitmq.trouble import BrokerError, TroubleKind, trouble
from adapters.rabbitmq.wire import BoundedTransports
from adapters.tls import CrlFile, TlsFiles, TlsFilesError, read_in_time
from router.ports import AmqpUrl, Aside, Certificate, Options, Secret, Unfit, in_one_line, redactor

DIAL_S = 10.0
"""Seconds in which a connection stands or has failed."""
HANG_UP_S = 2.0
"""Seconds that a broker has to take leave; one that hangs would keep us from stopping."""
HEARTBEAT_S = 5
"""Seconds; a connection on which nothing comes for three of them (and a bit) is lost."""


def _nodes(url: str) -> list[str]:
    """Of a URL of several nodes: that of each."""
    scheme, _, rest = url.partition("://")
    hosts, slash, path = rest.partition("/")
    return [f"{scheme}://{host}{slash}{path}" for host in hosts.split(",")]


def _reachable(url: str) -> str:
    for each in _nodes(url):
        reachable(each)
    return url


class BrokerOptions(Options):
    """How a RabbitMQ node is reached."""

    url: Annotated[
        AmqpUrl,
        AfterValidator(_reachable),
        Field(
            description="amqps://host/vhost, or amqp:// to this machine; an empty path is vhost /;"
            " several nodes of a cluster: amqps://one,two:5671/vhost"
        ),
    ]
    user: Annotated[str, Field(min_length=1, description="who we are there")] = "guest"
    password: Annotated[
        Secret | None,
        Field(
            description="none: that of `guest`, or with `certificate_file` the login is by"
            " certificate, where the broker offers that (EXTERNAL)"
        ),
    ] = None
    ca_file: Annotated[
        Path | None, Field(description="PEM; trusted instead of the system's certificates")
    ] = None
    certificate_file: Annotated[
        Path | None, Field(description="PEM; our certificate, where the broker asks for one")
    ] = None
    key_file: Annotated[Path | None, Field(description="PEM; its key; nobody else may read it")] = (
        None
    )
    crl_file: CrlFile = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("`certificate_file` and `key_file` need each other")
        if self.user != "guest" and self.password is None:
            raise ValueError("a `user` needs a `password` (or `password_file`)")
        return self

    def unfit(self) -> Sequence[Unfit]:
        """What is wrong with the files now."""
        faults, doubts = self.files.faults(), self.files.doubts()
        return [
            *(Unfit(each.option, each.why) for each in faults),
            *(Unfit(each.option, each.why, warning=True) for each in doubts),
        ]

    @property
    def files(self) -> TlsFiles:
        """Those of TLS."""
        return TlsFiles(self.ca_file, self.certificate_file, self.key_file, self.crl_file)

    @property
    def nodes(self) -> tuple[Self, ...]:
        """The same for each node that the URL names, in its order."""
        return tuple(self.model_copy(update={"url": url}) for url in _nodes(self.url))

    @property
    def where(self) -> str:
        """The node, for people: `host:port`; of several with commas."""
        urls = [URL(each.url) for each in self.nodes]
        ports = [url.port or (5671 if url.scheme == "amqps" else 5672) for url in urls]
        return ",".join(f"{url.host}:{port}" for url, port in zip(urls, ports, strict=True))

    @property
    def virtual_host(self) -> str:
        """Its name: the URL's path, or `/`."""
        return unquote(URL(self.nodes[0].url).raw_path.removeprefix("/")) or "/"

    @property
    def by_certificate(self) -> bool:
        """Whether we would rather show who we are than say it."""
        return self.certificate_file is not None and self.password is None


async def dial(
    options: BrokerOptions,
    name: str,
    *,
    contents: Assembly | None = None,
    confirms: Confirms | None = None,
) -> AbstractConnection:
    """A new connection, that the broker knows by `name`. BrokerError when there is none to be had.

    Of several nodes the first that is to be had. It does not mend itself: whoever holds it makes a
    new one, and so knows that it is new. In place of the library `contents` hears
    of messages that come, and `confirms` of confirmations.
    """
    nodes = options.nodes
    failed = []
    for node in nodes:
        transports = BoundedTransports(
            node.where, await _trusted(node), contents=contents, confirms=confirms
        )
        try:
            return await _login(node, transports, name, DIAL_S / len(nodes))
        except BrokerError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    worst = next((each for each in failed if each.kind is not TroubleKind.NETWORK), failed[0])
    raise BrokerError(worst.kind, "; ".join(str(each) for each in failed))


async def _login(
    options: BrokerOptions, transports: BoundedTransports, name: str, patience: float
) -> AbstractConnection:
    """By certificate where both sides can, or by password."""
    url = URL(options.url).with_query(heartbeat=HEARTBEAT_S, name=name)
    if options.by_certificate:
        with in_words(options):
            try:
                return await _connect(url.update_query(auth="external"), transports, patience)
            except amqp.ProbableAuthenticationError:
                raise BrokerError(TroubleKind.CREDENTIALS, _unknown(options)) from None
            except amqp.AuthenticationError:
                pass  # it does not offer that
    password = options.password.get_secret_value() if options.password is not None else "guest"
    with in_words(options):
        return await _connect(
            url.with_user(options.user).with_password(password), transports, patience
        )


def _unknown(options: BrokerOptions) -> str:
    return (
        f"{options.where}: knows no user of the name that our certificate bears"
        " (certificate_file); have that user made (which part of the certificate is the"
        " name, `ssl_cert_login_from` says there), or give `user` and `password_file`"
    )


async def _connect(url: URL, transports: BoundedTransports, patience: float) -> AbstractConnection:
    _hush()
    try:
        async with asyncio.timeout(patience):
            connection = aio_pika.Connection(url)
            connection.kwargs["transport_factory"] = transports
            try:
                await connection.connect()
            except BaseException:
                await _close(connection)
                raise
            return connection
    except TimeoutError:
        raise BrokerError(
            TroubleKind.NETWORK, f"{transports.where} did not answer within {patience:.3g} s"
        ) from None


@contextmanager
def in_words(options: BrokerOptions) -> Iterator[None]:
    """Whatever the library raises becomes a BrokerError; our own cancellation stays one."""
    try:
        yield
    except asyncio.CancelledError as error:
        if _wanted():
            raise
        raise told(error, options) from error
    except Exception as error:  # the library's are of many kinds, and each says the same: no
        raise told(error, options) from error


def told(error: BaseException, options: BrokerOptions) -> BrokerError:
    """What is wrong, without our password: a broker's own words may repeat it."""
    found = trouble(error, options.where, options.virtual_host, options.user)
    return BrokerError(found.kind, redactor(options)(str(found)))


def _wanted() -> bool:
    """Whether a CancelledError is somebody's who ends us: the library, too, raises it at its
    callers when a connection is lost."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def hang_up(connection: AbstractConnection | None) -> None:
    """Close it, whatever state it is in."""
    if connection is None:
        return
    # in a task of its own: behind TLS, a broker that hangs keeps the library waiting through
    # several cancellations, each at another place
    closing = asyncio.create_task(_close(connection))
    # it is of no use any more, and says so in many ways
    closing.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        for patience in (HANG_UP_S, *[0.05] * 10):
            await asyncio.wait({closing}, timeout=patience)
            closing.cancel()
    finally:
        closing.cancel()


async def _close(connection: AbstractConnection) -> None:
    """Twice: when the first is disturbed, the second only notes that it is closed. One that is not
    says so on standard error when it is collected, from whichever thread does that."""
    try:
        await connection.close()
    finally:
        await connection.close()


def alive(connection: AbstractConnection | None) -> bool:
    """Whether it stands, as far as we have heard."""
    return (
        connection is not None
        and connection.transport is not None
        and not connection.transport.connection.is_closed
    )


def peer(connection: AbstractConnection) -> Certificate | None:
    """What the broker has shown of itself; None without TLS."""
    transports = connection.kwargs["transport_factory"]
    assert isinstance(transports, BoundedTransports)
    return transports.peer


def introduced(connection: AbstractConnection, options: BrokerOptions) -> tuple[str, str]:
    """What the broker says it is: product and version; empty where it does not."""
    assert connection.transport is not None
    said = connection.transport.connection.server_properties or {}
    redact = redactor(options)
    return redact(_text(said.get("product"))), redact(_text(said.get("version")))


def _text(said: object) -> str:
    return in_one_line(said)[:60] if isinstance(said, str) else ""


async def blocked(connection: AbstractConnection | None) -> bool:
    """Whether the broker takes nothing from publishers: it is short of disk or memory.

    It says so only to connections that have tried to publish since.
    """
    if connection is None or connection.transport is None or not alive(connection):
        return False
    try:
        async with asyncio.timeout(0.05):
            await connection.transport.ready()
    except TimeoutError:
        return True
    return False


async def _trusted(options: BrokerOptions) -> ssl.SSLContext | None:
    """The files are read anew for each connection: a renewed certificate needs no restart."""
    if URL(options.url).scheme != "amqps":  # people may write it in capitals
        return None
    files = options.files
    try:
        return await read_in_time(_beside(files), files, files.context)
    except TlsFilesError as error:
        # the name of the option, not the file's: that may be a key itself, by mistake
        raise BrokerError(TroubleKind.CREDENTIALS, redactor(options)(str(error))) from None


@lru_cache(maxsize=1024)
def _beside(files: TlsFiles) -> Aside:
    """One thread for all that read the same files: they may be on a mount that is away."""
    return Aside("certificates")


def _hush() -> None:
    """The library logs, in its own words, what we tell in ours."""
    for name in ("aio_pika", "aiormq"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
