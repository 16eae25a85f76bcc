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

MAX_DETAIL = 500
"""Characters of a detail or receipt that are kept; three dots stand for the rest."""
MAX_WAIT = timedelta(days=366)
"""The longest that a Retry can ask for; nothing rests past the time of what failed anyway."""
MAX_BATCH = 1_000
"""The most Alerts that go together."""
MAX_RENDERED = 1_048_576
"""Bytes that an adapter may render for an Alert."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One Alert on its way to one channel."""

    alert: Alert
    body: bytes
    """What to send: stored before the first send, the same for every retry."""
    batch: str | None = None
    """Alerts with the same name go together, in the form of a batch also when only one is left;
    None: alone, as it is. Stored before the first send: what may have been taken comes again with
    the same companions and in the same form, whatever the adapter's options say by now. Where an
    operator withdraws some, or sends some again, the rest may go without them, under another name:
    who knows a request by it knows an Alert by its id, too."""


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
    ADAPTER = "adapter_broken"
    """The adapter does not keep the contract; the router says so, no adapter need."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side took it: it is never sent again."""

    receipt: str = ""
    """What it said, for evidence: `204`, a file's name. As every text of an Outcome it is kept in
    one line of at most `MAX_DETAIL` characters, without control characters and known secrets."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now; the same may work later. It goes again after 5 s, 30 s, 2, 4, 10, 30 minutes and
    then every hour, until its time is up; meanwhile the lane rests."""

    reason: Reason
    detail: str = ""
    """What happened, for people, and what to do where they can."""
    after: timedelta | None = None
    """The other side asked to be left alone for this long (Retry-After), from 0 to `MAX_WAIT`: what
    is less or more counts as these."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will not take this Alert, however it is asked; after three times it is
    parked."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing will get through this channel until somebody mends it; no Alert is to blame. The lane
    is tried again after 1, 2, 5, 15 and then every 30 minutes; no attempt is used up."""

    reason: ChannelFault
    detail: str = ""


Outcome = Delivered | Retry | Refused | Closed


class Adapter(Protocol[OptionsT]):
    """How Alerts reach one channel of one Service User. One object serves one channel.

    It never retries, logs deliveries or counts: the relay does, once, for all.

    **Life.** The class is imported when a file names it, in a thread, within 30 s. `Config` is
    asked for its options at each start, check and reload. Then `__init__`, `introduce` (where there
    is one), `__aenter__`, any number of `deliver`, `__aexit__`: all of them in the event loop.
    While nothing of a channel or its user changes, its object stays, also across reloads; else
    another is entered beside it, and it is left once its last send is over.

    **Errors.** What is raised before it is entered closes its lane with the reason, and is tried
    again with a new object after 1, 2, 5, 15 and then every 30 minutes, and at each reload. What
    `deliver` raises counts as `Retry(Reason.BUG)` for each Alert, with a traceback in the log;
    answer an Outcome for all that can be foreseen. Secrets of its options, and what may be one in a
    URL of theirs, are taken out of whatever it says.

    **Drills** (`hubherald drill`, `adapter try`) come by `deliver`, one alone: an event of the type
    `hubherald.drill.v1` without a sequence number, of no hub. Never taken for an Alert, it goes the
    way of one, so nothing of it is done otherwise here; where messages can't be marked so, see
    `Probes`.

    **Beside it** it may meet `Renders`, `Probes`, `Introduced`, `Certified`, `Peered` and `Linked`.
    """

    Config: type[OptionsT]
    """The model of its options, the same as in `Adapter[...]`. The keys in `RESERVED` are the
    router's: an option that is called so is refused."""
    batch: int = 1
    """The most Alerts that are put together for one `deliver`, up to `MAX_BATCH`; 1 where the
    channel knows no batches. Read once, when it is entered. What went together before goes together
    again, though an option says less by now."""

    # A body that is a docstring or `...` would be abstract to mypy, as this is a Protocol.
    def __init__(self, config: OptionsT) -> None:
        """In the event loop: quick, and no I/O. The options are whole and valid; secrets of files
        were read when the files of the router were."""
        return

    async def __aenter__(self) -> Self:
        """Once, within 30 s, while others start and send. Alerts wait until it comes back, so it
        had better connect in the first `deliver`, whose failure is an Outcome."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of what is held open, within 5 s, in the task that entered; by default nothing
        is. Tasks that it leaves behind are cancelled as the router ends."""
        return

    @abstractmethod
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """A list (or tuple) with one Outcome for each, in the same order.

        `deliveries` has from 1 to `batch`; with a `batch` name also a single one is sent in the
        form of a batch. Called concurrently: up to the channel's `window` (16, or 1 to 1000) are
        under way at once, never two about one hub, and a lane that fails tries one at a time.

        Cancelled at the channel's `timeout` (30 s, or up to 300) for the whole of it, connecting
        included, and when the router has stopped for 30 s. Let CancelledError through, after what
        is quick to clean up: it counts as `Retry(Reason.TIMEOUT)`. What goes on for 5 s more is
        given up, and its lane closed. The same Alert may come again with the same bytes: the other
        side may have taken it though no answer came.
        """
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
        """Called once for each Alert; the result, of at most `MAX_RENDERED` bytes, is stored before
        the first send. What it raises otherwise is a Retry with `Reason.BUG`.

        It runs within the ledger's transaction, in the ledger's thread, so it must be quick and ask
        nobody.
        RenderError says what becomes of an Alert that has no bytes; it is asked again with
        the next attempt.
        """
        ...


class RenderError(Exception):
    """The bytes can't be made: for this Alert (Refused), or at present for none (Closed)."""

    def __init__(self, outcome: Refused | Closed) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


@runtime_checkable
class Probes(Protocol):
    """An adapter whose messages can't be marked as a test, such as one that `Renders`."""

    async def probe(self) -> Outcome:
        """Go as far as one can without a message, such as a TLS handshake: for drills.

        `Delivered` with what was found in its words where an Alert would be let in; else what an
        Alert would have come to. Under the channel's deadline; must send nothing that counts.
        """
        ...
