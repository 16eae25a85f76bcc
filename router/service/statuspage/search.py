"""What is meant by the words in the search field. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from router.domain import eui
from router.domain.users import ServiceUser


@dataclass(frozen=True, slots=True)
class HubAsked:
    """The Device ID of a hub: any EUI-64 that is nobody's User ID."""

    device_id: str


@dataclass(frozen=True, slots=True)
class UserAsked:
    """The User ID of a Service User of today, or of one that still has a lane."""

    service_user_id: str


@dataclass(frozen=True, slots=True)
class Several:
    """The Service Users whose name has these words in it; none where nothing is meant."""

    found: Sequence[ServiceUser]


Meant = HubAsked | UserAsked | Several


def understand(
    words: str, users: Mapping[str, ServiceUser], with_lanes: Collection[str] = ()
) -> Meant:
    """`words` in either case: an EUI-64, however spelled, or a part of a user's name."""
    words = words.strip()
    try:
        found = eui.spelled(words)
    except ValueError:
        return _named(words, users)
    return UserAsked(found) if found in users or found in with_lanes else HubAsked(found)


def _named(words: str, users: Mapping[str, ServiceUser]) -> Meant:
    name = words.casefold()
    found = [user for user in users.values() if name in user.name.casefold()] if name else []
    if len(found) == 1:
        return UserAsked(found[0].id)
    return Several(sorted(found, key=lambda user: user.name.casefold()))
