"""One Service User: what it is, its lanes, its newest Alerts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import htpy as h

from router.domain.users import ServiceUser
from router.domain.words import UserStatus
from router.lanes.values import DeliveryState
from router.ledger.queries.lanes import LaneState
from router.ledger.queries.lists import AlertRow
from router.service.statuspage.layout import banner, facts, search, table, to_the_second
from router.service.statuspage.overview import lane_table
from router.service.statuspage.state import RouterState

NEWEST = 50
"""Alerts that are shown."""
_KINDS: Mapping[str | None, str] = {
    DeliveryState.DELIVERED: "good",
    DeliveryState.PARKED: "bad",
    DeliveryState.HELD: "wait",
}


def recipient(
    service_user_id: str,
    state: RouterState,
    lanes: Sequence[LaneState],
    *,
    parked: Mapping[tuple[str, str], int],
    newest: Sequence[AlertRow],
) -> h.Node:
    """Everything about one; also about one that has left service_users.yaml."""
    user = state.config.users.by_id.get(service_user_id)
    return [
        h.h1[user.name if user else "Service User", " ", h.span(".id")[service_user_id]],
        _about(user) if user else banner("wait", "No longer in service_users.yaml"),
        lane_table("Lanes", lanes, state, parked) if lanes else banner("wait", "No channel"),
        table(
            f"Newest Alerts{f', the last {NEWEST}' if len(newest) >= NEWEST else ''}",
            ("Decided", "Number", "Hub", "Firmware", "Channel", "State", "Attempts"),
            map(_alert, newest),
        )
        if newest
        else h.p["Nothing has been decided for this Service User yet."],
    ]


def _about(user: ServiceUser) -> h.Node:
    suspended = user.status is UserStatus.SUSPENDED
    return facts(
        [
            ("Status", h.span(".bad")["suspended: Alerts are held"] if suspended else "active"),
            ("Roles", ", ".join(sorted(role.replace("_", " ") for role in user.roles))),
            ("Subscriptions", ", ".join(user.subscriptions) or "none"),
        ]
    )


def _alert(row: AlertRow) -> Sequence[h.Node]:
    return (
        to_the_second(row.decided_at),
        f"{row.sequence:,}",
        search(row.device_id),
        row.firmware_version,
        row.channel or "none",
        h.span(class_=_KINDS.get(row.state))[row.state] if row.state else "-",
        str(row.attempts),
    )
