"""The contracts between the core and the outsides: where facts come from, where Alerts go.

A source gives Messages and is told which of them are committed. A delivery adapter gets
Deliveries and answers one Outcome for each; it never retries, logs deliveries or counts: the
relay does, once, for all. Both are found by their entry point (`hubherald.sources`,
`hubherald.adapters`), so that nothing is imported that no file names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from router.ports.alerts import Alert
from router.ports.parties import Unfit

SOURCES = "hubherald.sources"
ADAPTERS = "hubherald.adapters"
VERIFIERS = "hubherald.verifiers"
"""Of signed formats, by the adapter that signs: a `Verify`."""


# --- options --------------------------------------------------------------------------------


class Options(BaseModel):
    """The root of what an adapter takes in YAML: unknown keys are mistakes.

    A field of type Path that is relative is made relative to `folder` of the validation context:
    the folder of the file that the option stands in. For a field `x` of type Secret the file may
    give `x_file` instead; the reader of the file sees to that, the model never knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def unfit(self) -> Sequence[Unfit]:
        """Which files that the options name are of no use as they are now, and why.

        For `check`, and for whoever starts the router: it runs all the same, and whoever needs the
        file says so for itself. Reads files, sends nothing.
        """
        return ()

    @field_validator("*", mode="after")
    @classmethod
    def _beside_its_file(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Path):
            return value
        if not str(value).isprintable():
            raise ValueError("must be a path without control characters")
        folder = info.context.get("folder") if isinstance(info.context, Mapping) else None
        return folder / value if isinstance(folder, Path) else value


Secret = Annotated[SecretStr, Field(min_length=1)]
"""What nobody may see: `get_secret_value()` gives it, and printing shows stars."""


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _encrypted(plain: str) -> Callable[[str], str]:
    """A check that a URL is of the scheme `plain` with TLS, or on loopback without it."""

    def check(url: str) -> str:
        secure = f"{plain}s"
        if not url.isprintable() or " " in url:
            raise ValueError("must not hold spaces or invisible characters")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"must be a URL such as {secure}://host.example/") from None
        if parts.scheme not in {plain, secure} or not host:
            raise ValueError(f"must be a URL such as {secure}://host.example/")
        if parts.scheme == plain and not is_loopback(host):
            raise ValueError(f"must use TLS ({secure}://...): {host!r} is not this machine")
        return url

    return check


def _anonymous(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not hold a user or password: URLs are logged; use other options")
    return url


_URI = WithJsonSchema({"type": "string", "format": "uri"})
HttpUrl = Annotated[str, AfterValidator(_encrypted("http")), AfterValidator(_anonymous), _URI]
"""https:// anywhere, http:// to loopback addresses; may be shown."""
AmqpUrl = Annotated[str, AfterValidator(_encrypted("amqp")), AfterValidator(_anonymous), _URI]
"""amqps:// anywhere, amqp:// to loopback addresses; its path is the virtual host."""


# --- facts in -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source that the ledger remembers has been read."""

    key: str
    """What was being read, such as a file's name."""
    offset: int
    """Where to read on, in the source's own unit (bytes for a file)."""
    line: int = 0
    """The same for people: how many lines have been read."""


@dataclass(frozen=True, slots=True)
class Message:
    """One body as it came in."""

    body: bytes
    origin: str
    """Where it came from, for people: `facts.jsonl:12`, `hubherald.facts#4711`."""
    cursor: Cursor | None = None
    """Stored in the same transaction as the fact; None where the source remembers by itself."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What else is worth keeping: message id, headers."""
    deliveries: int = 0
    """How often it had been given out before without being acknowledged; from 1 on it is suspected
    of having killed who took it. Always 0 where the source does not count."""


class Source(Protocol):
    """Where facts come from."""

    Config: ClassVar[type[Options]]

    def __init__(self, name: str, config: Options) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        """Every Message from `cursors` (by key) on, for ever; the intake ends it by closing."""
        ...

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """These, in the order they were given, are committed and may be forgotten."""
        ...

    def exhausted(self) -> bool:
        """True when all that had arrived at the last look has been given out."""
        ...

    def down(self) -> str | None:
        """Why no facts can come at present and what to do, for people; None while they can."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A fact on its way to where a source takes it from."""

    body: bytes
    id: str
    """The fact's own id; empty where it is not known."""
    type: str
    """The fact's type; empty where it is not known."""


class Publisher(Protocol):
    """Puts facts where a source takes them from."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    async def publish(self, facts: Sequence[Outgoing]) -> None:
        """When it returns, every one is confirmed. PublishError, in words, when that fails."""
        ...


@runtime_checkable
class Publishes(Protocol):
    """A source whose facts can also be put there by us, for `hubherald publish`."""

    def publisher(self) -> Publisher:
        """With the options of the source; the source itself need not be entered."""
        ...


# --- connections ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """How a connection stands, for the metrics."""

    up: bool
    made: int
    """Connections made since the start; more than 1: it was lost and made again."""


@runtime_checkable
class Linked(Protocol):
    """A source or an adapter that keeps one connection."""

    def link(self) -> Link:
        """How it stands now."""
        ...


# --- Alerts out -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One Alert on its way to one channel."""

    alert: Alert
    body: bytes
    """What to send: stored before the first send, the same for every retry."""


class Reason(StrEnum):
    """Why a send did not end well: bounded, as it is a metric label."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    BUSY = "busy"  # 408, 425, 429
    SERVER = "server"  # 5xx
    REJECTED = "rejected"  # 400, 413, 415, 422, other 4xx
    STORAGE = "storage"  # a folder or disk that does not take it
    BUG = "bug"  # the adapter raised


class ClosedReason(StrEnum):
    """Why a lane is closed."""

    SUSPENDED = "suspended"
    USER_REMOVED = "user_removed"
    CREDENTIALS = "credentials"
    ENDPOINT = "endpoint"
    OPERATOR = "operator"
    ADAPTER_MISSING = "adapter_missing"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side took it."""

    receipt: str = ""
    """What it said, for evidence: `204`, a file's name."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now; the same may work later."""

    reason: Reason
    detail: str = ""
    after: timedelta | None = None
    """The other side asked to be left alone for this long (Retry-After)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will not take this Alert, however it is asked."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing will get through this channel until somebody mends it; no Alert is to blame."""

    reason: ClosedReason
    """CREDENTIALS or ENDPOINT."""
    detail: str = ""


Outcome = Delivered | Retry | Refused | Closed


class Adapter(Protocol):
    """How Alerts reach one channel of one Service User."""

    Config: ClassVar[type[Options]]
    batch: int
    """The most Alerts that `deliver` takes at once; 1 where the channel knows no batches."""

    def __init__(self, config: Options) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One Outcome for each, in the same order. Cancelled at the channel's deadline."""
        ...


@runtime_checkable
class Renders(Protocol):
    """An adapter whose bytes are not the Alert's JSON, or can't be made twice (signatures)."""

    def render(self, alert: Alert) -> bytes:
        """Called once for each Alert; the result is stored before the first send.

        It runs within the ledger's transaction, so it must be quick and ask nobody.
        RenderError says what becomes of an Alert that has no bytes; it is asked again with
        the next attempt.
        """
        ...


class RenderError(Exception):
    """The bytes can't be made: for this Alert (Refused), or at present for none (Closed)."""

    def __init__(self, outcome: Refused | Closed) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


Verify = Callable[[bytes, bytes], str]
"""Of a message and a PEM certificate: what is signed and by whom. SignatureError when it is not."""


def installed(group: str) -> dict[str, EntryPoint]:
    """The sources or adapters that are installed, by kind."""
    return {point.name: point for point in entry_points(group=group)}
