"""Roll-outs, and what waits in quarantine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h

from router.ledger.queries.lists import QuarantineRow
from router.ledger.queries.overview import FACTS, Overview
from router.metrics.rollouts import RolloutSeen
from router.service.statuspage.layout import clean, search, table, to_the_second

_VERSIONS = ("Version", "Activated", "Failed", "Alerts", "Delivered", "Outstanding")
_FACTS = ("Received", "Number", "Reason", "Hub", "From", "What is wrong")


def rollouts(found: Sequence[RolloutSeen]) -> h.Node:
    """A section with the busiest versions."""
    return h.section(aria_labelledby="rollouts")[
        h.h2(id="rollouts")["Roll-outs"],
        table("Firmware versions, the busiest", _VERSIONS, map(_version, found))
        if found
        else h.p["No activation yet."],
        h.p["Hubs, and who has been told: ", h.code["hubherald rollout"]] if found else None,
    ]


def _version(row: RolloutSeen) -> Sequence[h.Node]:
    outstanding = f"{row.outstanding:,}"
    return (
        h.code[row.firmware_version],
        f"{row.activated:,}",
        h.span(".bad")[f"{row.failed:,}"] if row.failed else "0",
        f"{row.alerts:,}",
        f"{row.delivered:,}",
        h.span(".wait")[outstanding] if row.outstanding else outstanding,
    )


def waiting_facts(seen: Overview) -> h.Node:
    """A section with the newest facts in quarantine; nothing where there are none."""
    if not seen.waiting_facts:
        return None
    return h.section(aria_labelledby="quarantine")[
        h.h2(id="quarantine")["Quarantine"],
        table("Facts that wait, the newest first", _FACTS, map(_fact, seen.waiting_facts)),
        h.p["All of them: ", h.code["hubherald quarantine list"]]
        if len(seen.waiting_facts) >= FACTS
        else None,
    ]


def _fact(row: QuarantineRow) -> Sequence[h.Node]:
    return (
        to_the_second(row.received_at),
        f"{row.id}",
        row.reason.replace("_", " "),
        search(row.device_id) if row.device_id else "-",
        clean(row.origin),
        clean(row.detail),
    )
