"""What must come of a fact, known from how it was made.

This is the other side of the proof: it shares no line with the code that decides. It is told who
is responsible for a home by whoever built the home, and has its own short reading of the shipped
rules.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from router.simulation.events import Event
from router.simulation.homes import Household
from router.simulation.market import Market

_SUPPLIERS = frozenset({"import_supplier", "export_supplier", "gas_supplier"})
ALERT_CODE = "N64"


@dataclass(slots=True)
class Tally:
    """What the router's books must show in the end."""

    lines: int = 0
    """Lines in the inbox."""
    repeated: int = 0
    """Lines that bring nothing new: redeliveries, also of what can't be used."""
    facts: Counter[str] = field(default_factory=Counter)
    """Facts recorded, by type."""
    stale: int = 0
    """Hub and registration facts among them that change nothing."""
    decisions: Counter[str] = field(default_factory=Counter)
    """Decisions, by outcome."""
    alerts: int = 0
    held: int = 0
    """Alerts among them for suspended users."""
    quarantine: Counter[str] = field(default_factory=Counter)
    """What is in quarantine in the end, by reason."""
    waited: int = 0
    """Facts that were in quarantine as `unknown_hub` until their hub arrived."""
    stories: Counter[str] = field(default_factory=Counter)
    """What the facts tell, by kind."""

    def flat(self) -> dict[str, int | dict[str, int]]:
        """As plain values, for JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in values.items()
        }


class Oracle:
    """Notes what must follow; `write` is given one line of JSON for each activation decided."""

    def __init__(self, market: Market, write: Callable[[str], None]) -> None:
        self._users = market.users
        self._write = write
        self.tally = Tally()

    def decided(self, event: Event, home: Household) -> None:
        """The activation is decided while `home` is as it is given here, or waits in quarantine."""
        if not home.registrations:
            self.tally.quarantine["no_registration"] += 1
            return
        roles: dict[str, list[str]] = {}
        for company, role in sorted(home.parties):
            outcome = self._outcome(company, role, event, home)
            self.tally.decisions[outcome] += 1
            if outcome == "alerted":
                roles.setdefault(company, []).append(role)
        if not home.parties:
            self.tally.decisions["no_recipient"] += 1
        self._note(event, roles)

    def same_activation(self, event: Event, home: Household) -> None:
        """The activation came before, under another event id."""
        outcomes = {self._outcome(company, role, event, home) for company, role in home.parties}
        if outcomes <= {"no_eligible_user"}:  # nobody could be told about the first
            self.decided(event, home)
            return
        self.tally.decisions["same_activation"] += 1
        self._note(event, {})

    def _outcome(self, company: str, role: str, event: Event, home: Household) -> str:
        user = self._users.get(company)
        if user is None or role not in user.roles:
            return "no_eligible_user"
        if home.hub.silent or not event.success:
            return "suppressed"
        return "alerted" if role in _SUPPLIERS or user.subscribed else "no_rule"

    def _note(self, event: Event, roles: dict[str, list[str]]) -> None:
        self.tally.facts[event.type] += 1
        self.tally.alerts += len(roles)
        self.tally.held += sum(self._users[company].suspended for company in roles)
        due = {
            "source": event.source,
            "id": event.id,
            "device_id": event.device_id,
            "firmware_version": event.firmware_version,
            "alerts": [
                {"service_user_id": company, "roles": sorted(held), "alert_code": ALERT_CODE}
                for company, held in sorted(roles.items())
            ],
        }
        self._write(json.dumps(due, separators=(",", ":")))
