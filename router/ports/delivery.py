"""Where Alerts go: what an adapter is given, and what it may answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

from router.ports.alerts import Alert
from router.ports.options import OptionsT


@dataclass(frozen=True, slots=True)
class Delivery:
    """One Alert on its way to one channel."""

    alert: Alert
    body: bytes
    """What to send: stored before the first send, the same for every retry."""
    batch: str | None = None
    """Alerts with the same name go together, in the form of a batch also when only one is left;
    None: alone, as it is. Stored before the first send: what may have been taken comes again with
    the same companions and in the same form, whatever the adapter's options say by now."""


class Reason(StrEnum):
    """Why a send did not end well: bounded, as it is a metric label."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    BUSY = "busy"  # 408, 425, 429 and their kind
    SERVER = "server"  # 5xx
    REJECTED = "rejected"  # 400, 413, 415, 422, other 4xx
    STORAGE = "storage"  # a folder or disk that does not take it
    BUG = "bug"  # the adapter raised


class ChannelFault(StrEnum):
    """What is wrong with a channel, so that nothing gets through it: all that closes a lane from
    within. Why else a lane may be closed is a matter of files and operators."""

    CREDENTIALS = "credentials"
    """The other side does not let us in, or we can't show or trust what we have to."""
    ENDPOINT = "endpoint"
    """What answers there does not take Alerts: a wrong address, a missing queue."""


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

    reason: ChannelFault
    detail: str = ""


Outcome = Delivered | Retry | Refused | Closed


class Adapter(Protocol[OptionsT]):
    """How Alerts reach one channel of one Service User.

    It never retries, logs deliveries or counts: the relay does, once, for all.
    """

    Config: type[OptionsT]
    """The model of its options, the same as in `Adapter[...]`."""
    batch: int = 1
    """The most Alerts that are put together for one `deliver`; 1 where the channel knows no
    batches. What went together before goes together again, though an option says less by now."""

    # A body that is a docstring or `...` would be abstract to mypy, as this is a Protocol.
    def __init__(self, config: OptionsT) -> None:
        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of what is held open; by default nothing is."""
        return

    @abstractmethod
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One Outcome for each, in the same order. Cancelled at the channel's deadline."""
        ...


Answering = Callable[[int, Sequence[Outcome]], None]
"""Takes the place of a request and its outcomes, as `deliver` gives them; once for each request."""


@runtime_checkable
class DeliversEach(Protocol):
    """An adapter that takes several requests at once for less than it takes each by itself."""

    async def deliver_each(self, requests: Sequence[Sequence[Delivery]], answer: Answering) -> None:
        """Each of the requests as by `deliver`, under one deadline, called instead of it.

        `answer` is called for each as soon as its outcomes are known, in any order, and not when
        this is over. Cancelled at the channel's deadline: what has no answer then is late, what it
        had before stands.
        """
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
