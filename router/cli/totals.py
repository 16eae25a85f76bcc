"""The ledger in numbers, in words: printed when a run ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from router.cli.printing import line
from router.files.counts import plural
from router.lanes.values import DeliveryState

if TYPE_CHECKING:
    from router.ledger.queries.totals import LedgerTotals
    from router.service.idleness import Leftover

_ADVICE = {
    DeliveryState.PARKED: "`hubherald alerts list --state parked`, then `hubherald alerts retry`",
    DeliveryState.HELD: "`hubherald lanes list` says why their lanes are closed",
}


def tell_totals(totals: LedgerTotals, unread: Sequence[str] = ()) -> None:
    """A line for each kind of thing in the ledger; `unread` are sources that could not be read."""
    beside = f"; not read: {', '.join(unread)}" if unread else ""
    line(f"facts: {_listed(_by(1, totals.facts))}{beside}")
    line(f"decisions: {_listed(_by(0, totals.decisions))}")
    users = sum(1 for count in totals.alerts.values() if count)
    line(f"Alerts: {sum(totals.alerts.values()):,} to {plural(users, 'Service User')}")
    line(f"deliveries: {_listed(totals.deliveries)}")
    for state, advice in _ADVICE.items():
        if count := totals.in_state(state):
            line(f"  {count:,} {state}: {advice}")
    waiting = sum(totals.quarantined.values())
    if waiting:
        line(f"in quarantine: {waiting:,} ({_listed(totals.quarantined)})")
        line("  `hubherald quarantine list` shows them")
    else:
        line("in quarantine: none")


def in_rows(totals: LedgerTotals, left: Leftover) -> Mapping[str, object]:
    """The same for programs, and what a router that was to end when idle still waited for."""
    return {
        "facts": _rows(totals.facts, "type", "effect"),
        "decisions": _rows(totals.decisions, "verdict", "role"),
        "alerts": _rows(totals.told, "service_user_id", "role"),
        "deliveries": dict(totals.deliveries),
        "quarantined": dict(totals.quarantined),
        "unread": dict(left.down),
        "waits_for": list(left.waits_for),
        "late": left.late,
    }


def _rows(counts: Mapping[tuple[str, str], int], *names: str) -> list[dict[str, object]]:
    return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counts.items()]


def _by(place: int, counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Counts by one half of their keys."""
    found: Counter[str] = Counter()
    for key, count in counts.items():
        found[key[place]] += count
    return dict(found)


def _listed(counts: Mapping[str, int]) -> str:
    listed = (f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    return ", ".join(listed) or "none"
