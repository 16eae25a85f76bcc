"""Who sends and who receives: what an adapter may need to know beside its channel's options.

Most channels carry the Alert's JSON, which names both. A format of its own can need more: a
signed document needs the sender's key, a versioned one the version that the receiver reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from router.ports.options import Unfit


@dataclass(frozen=True, slots=True)
class Originator:
    """The DCC, as `dcc:` of hubherald.yaml has it."""

    id: str
    """EUI-64, upper case."""
    signing_key_file: Path | None = None
    signing_certificate_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """The Service User of the channel, as service_users.yaml has it."""

    id: str
    """EUI-64, upper case."""
    duis_version: str | None = None
    """The version of DUIS that the user reads, such as `5.4`; compared by its parts."""


@runtime_checkable
class Introduced(Protocol):
    """An adapter that must know the parties before it is entered."""

    @classmethod
    def unfit_originator(cls, originator: Originator) -> Sequence[Unfit]:
        """What is missing or wrong in `dcc:`, once for all channels; reads files, sends nothing."""
        ...

    @classmethod
    def unfit_recipient(cls, recipient: Recipient) -> Sequence[Unfit]:
        """What is missing or wrong with a user that has such a channel."""
        ...

    def introduce(self, originator: Originator, recipient: Recipient) -> None:
        """Called once, before the adapter is entered; does no I/O and never fails."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that we show to others, for whoever must renew it in time."""

    use: str
    """What it is for: `signing`, `client`. Bounded, as it is a metric label."""
    expires_at: datetime


@runtime_checkable
class Certified(Protocol):
    """An adapter that works with certificates of ours."""

    def certificates(self) -> Sequence[Certificate]:
        """Those that are loaded now."""
        ...


@runtime_checkable
class Peered(Protocol):
    """An adapter whose other side shows a certificate."""

    def peer(self) -> Certificate | None:
        """That which it showed last, its use `peer`; None without TLS, or before. Quick, no I/O."""
        ...
