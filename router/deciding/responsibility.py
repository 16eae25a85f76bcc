"""Whether a Service User may still be told about a hub: asked again before held Alerts go out.

A former supplier must not be sent data about a home that left it, also when the Alert was
decided while the home was still theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.clock import Clock
from router.domain.inventory import Inventory, in_effect, responsible
from router.domain.users import ServiceUser


class Responsibility:
    """Finds those (hub, user) pairs in which the user is no longer responsible for the hub."""

    def __init__(self, users: Mapping[str, ServiceUser], clock: Clock) -> None:
        self.users = users
        self.clock = clock

    def __call__(self, known: Inventory, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """The pairs whose Alert must be withdrawn, given what is known of their hubs."""
        now = self.clock()
        able: set[tuple[str, str]] = set()
        for device in {device for device, _ in pairs} & known.hubs.keys():
            for party in responsible(in_effect(known.home(device), now)):
                user = self.users.get(party.id)
                if user is not None and party.role in user.roles:
                    able.add((device, party.id))
        return set(pairs) - able
