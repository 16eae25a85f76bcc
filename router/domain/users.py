"""Service Users: the organisations that can be told, and the channels that reach them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.domain.words import Role, UserStatus
from router.ports import Options, Recipient


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach one Service User; every channel gets every Alert."""

    name: str
    """Unique within the user; the adapter's kind unless the file says otherwise."""
    adapter: str
    """The adapter's kind, such as `webhook`."""
    options: Options | None
    """The adapter's own options; None where the adapter is not installed."""
    window: int = 16
    """The most sends under way at once, and the span of the sequence that they may take; 1 gives
    strict order."""
    rate: float | None = None
    """The most Alerts per second; None is without limit."""
    timeout: float = 30.0
    """Seconds for one whole send, whatever the other side does."""
    hold_hours: float = 48.0
    """Hours from the decision after which an undelivered Alert is parked."""


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """An organisation that uses the DCC, known by its User ID."""

    id: str
    """EUI-64, upper case."""
    name: str
    roles: frozenset[Role]
    status: UserStatus = UserStatus.ACTIVE
    subscriptions: tuple[str, ...] = ()
    """Free words that rules can ask for."""
    duis_version: str | None = None
    channels: tuple[Channel, ...] = ()

    @property
    def recipient(self) -> Recipient:
        """What its adapters may know of it."""
        return Recipient(self.id, self.duis_version)


@dataclass(frozen=True, slots=True)
class ServiceUsers:
    """All of service_users.yaml."""

    by_id: Mapping[str, ServiceUser]
    digest: str
    """SHA-256 of `text`; names the users under which a decision was made."""
    text: str
    """The file with its secrets covered, kept as evidence."""

    @property
    def channels(self) -> list[tuple[str, str]]:
        """Every channel, as its user's id and its name."""
        return [
            (user.id, channel.name) for user in self.by_id.values() for channel in user.channels
        ]
