"""What the suite asks of an author: the other side of the adapter, and how it can misbehave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from router.conformance.alerts import DCC
from router.conformance.situations import Ability, Situation
from router.ports import Adapter, Originator


@dataclass(frozen=True, slots=True)
class Arrived:
    """An Alert as the other side has it."""

    id: str
    """Its id. What went in a batch is taken apart."""
    body: bytes = b""
    """As it came, where the other side gets the bytes of a delivery (`Ability.BODIES`)."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Of one peer."""

    made: int
    """Since it began."""
    open: int
    """Now."""


class Peer(ABC):
    """The other side: a server, a folder. It begins as one that takes what comes."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, object]:
        """The channel's, as service_users.yaml would have them: text, numbers, lists. Read after
        each `turn`, when an adapter is made: a wrong password, or a URL with TLS, stands here.
        Of secrets as many should be given as go together."""

    @property
    def secrets(self) -> Sequence[str]:
        """What of the options nobody may see; asked where the harness has `Ability.SECRETS`."""
        return ()

    @abstractmethod
    async def turn(self, situation: Situation) -> None:
        """From now on it is so. Called with nothing that the harness can't."""

    @abstractmethod
    async def taken(self) -> Sequence[Arrived]:
        """All that it took since it began, in the order in which it came."""

    async def reached(self) -> None:
        """Come back when something has come from the adapter since the last `turn`; asked in
        situations of `NETWORK`."""
        raise NotImplementedError("a Peer needs `reached`, where the harness can do MUTE or SILENT")

    def connections(self) -> Connections:
        """Asked where the harness has `Ability.CONNECTIONS`."""
        raise NotImplementedError("a Peer needs `connections`, or see Ability.CONNECTIONS")


class Harness(ABC):
    """One adapter, and its peers. Each test has a harness of its own, and asks it for one peer."""

    adapter: ClassVar[type[Adapter[Any]]]
    """The class that the entry point names."""
    wrong: Mapping[str, object] = {}
    """By option: a value that it can't have. One or more, if the adapter has any options."""
    cannot: Mapping[Situation | Ability, str] = {}
    """What there is not, with the reason: see `because`. Tests about it are no part of the run, and
    the run's summary says so."""
    deadline: float = 0.5
    """Seconds that a send has in tests of peers that never answer."""
    patience: float = 5.0
    """Seconds that whatever must end at once has to do so, on a loaded machine, too."""

    originator: Originator = Originator(DCC)
    """Whose Alerts they are, for an adapter that is `Introduced`; the recipient reads DUIS 5.4."""

    @abstractmethod
    def peer(self) -> AbstractAsyncContextManager[Peer]:
        """A new one; it runs in the event loop of the test, or in threads or processes of its own,
        and is gone when it is left."""
