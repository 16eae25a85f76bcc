"""Where facts come from, and how they are put there."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

from router.ports.options import OptionsT

MAX_BODY = 262_144
"""The largest body in bytes that is read as a fact; real ones have about 500. Of a larger one, one
byte more is enough."""
_SIZE, _DIGEST = "whole bytes", "whole sha256"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source that the ledger remembers has been read."""

    key: str
    """What was being read, such as a file's name."""
    offset: int
    """Where to read on, in the source's own unit (bytes for a file)."""
    line: int = 0
    """The same for people: how many lines have been read."""
    digest: str = ""
    """SHA-256 of all that comes before `offset`; empty where the source needs none."""
    identity: str = ""
    """What `key` meant, such as a file's `device:inode`; empty where the key says it all."""


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

    size: int = field(init=False, repr=False, compare=False)
    """What it takes in memory, in bytes, but for a little."""

    def __post_init__(self) -> None:
        """Its size is asked for at each step of its way."""
        told = sum(map(len, self.evidence)) + sum(map(len, self.evidence.values()))
        object.__setattr__(self, "size", len(self.body) + told)

    @property
    def digest(self) -> str:
        """SHA-256 of the body, and of the whole of it where only its beginning is here."""
        return self.evidence.get(_DIGEST) or hashlib.sha256(self.body).hexdigest()

    def bounded(self) -> Self:
        """The same, with no more of its body than tells that it is too large."""
        if len(self.body) <= MAX_BODY + 1:
            return self
        whole = beginning_of(len(self.body), self.digest)
        evidence = {**whole, **self.evidence}
        return replace(self, body=self.body[: MAX_BODY + 1], evidence=evidence)


def beginning_of(size: int, digest: str) -> dict[str, str]:
    """The evidence of a message whose source keeps only the beginning of a large body: the bytes
    and the SHA-256 of all of it, by which it is told from others that begin alike."""
    return {_SIZE: f"{size:,}", _DIGEST: digest}


class Source(Protocol[OptionsT]):
    """Where facts come from: it gives Messages and is told which of them are committed.

    **Life.** `__init__`, `__aenter__`, one `messages`, any number of the others, `__aexit__`, all
    in the event loop. It is made at the start alone: a change of its options needs a restart of the
    router.

    **Errors.** A source that raises, gives what is no Message or Cursor, ends, or whose TaskGroup
    fails, is down with the reason on `/-/ready`. It is left, and another is made 5 s later, then
    after 1, 2, 5, 15 and 30 minutes, with the cursors that it had given. What was given and is not
    acknowledged may come again: facts are known by their id. UsageError from `__aenter__` within
    2 s, in words for the operator, keeps the router from starting.

    **Beside it** it may meet `Linked`, `CountsFiles` and `Publishes`.
    """

    Config: type[OptionsT]
    """The model of its options, the same as in `Source[...]`; none may be called `adapter`."""

    # A body that is a docstring or `...` would be abstract to mypy, as this is a Protocol.
    def __init__(self, name: str, config: OptionsT) -> None:
        return

    async def __aenter__(self) -> Self:
        """Within 30 s; the start waits for 2 of them."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of what is held open, within 5 s; by default nothing is."""
        return

    @abstractmethod
    def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message | Cursor, None]:
        """Every Message from `cursors` (by key) on, for ever; the intake ends it by closing, and by
        cancelling what it waits for: that must end within a second.

        At most 1,500 Messages, or 32 MiB, are taken before the first of them is committed; the
        next is asked for when there is room.

        A Cursor by itself is stored once the Messages before it are committed: for what has moved
        without a Message, such as a file that got another name.
        """
        ...

    @abstractmethod
    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """These, in the order they were given, are committed and may be forgotten. Within 10 s, as
        nothing else is decided meanwhile: a source that takes longer is made anew. It is told of
        none that another, made before it, gave."""
        ...

    @abstractmethod
    def exhausted(self) -> bool:
        """True when all that had arrived at the last look has been given out. Asked 20 times a
        second by `run --until-idle`: it remembers, and looks nowhere."""
        ...

    @abstractmethod
    def down(self) -> str | None:
        """Why no facts can come at present and what to do, for people; None while they can. Asked
        by each scrape and look at the status page: it remembers, and looks nowhere."""
        ...


@dataclass(frozen=True, slots=True)
class FileCounts:
    """What is not as it should be where a source takes files from, for the metrics."""

    ignored: int = 0
    """Files and folders that are there now and are not read."""
    replaced: int = 0
    """How often another file was found under a known name, since the start."""


@runtime_checkable
class CountsFiles(Protocol):
    """A source that takes files which others put somewhere."""

    def files(self) -> FileCounts:
        """As of its last look."""
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of what is held open; by default nothing is."""
        return

    @abstractmethod
    async def publish(self, facts: Sequence[Outgoing]) -> None:
        """When it returns, every one is confirmed. PublishError, in words, when that fails."""
        ...


@runtime_checkable
class Publishes(Protocol):
    """A source whose facts can also be put there by us, for `hubherald publish`."""

    def publisher(self) -> Publisher:
        """With the options of the source; the source itself need not be entered."""
        ...


@runtime_checkable
class Aimed(Protocol):
    """A publisher that can say where it puts facts."""

    @property
    def target(self) -> str:
        """For people; another place has another text."""
        ...
