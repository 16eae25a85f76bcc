"""The newest actions of operators and of the router itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import htpy as h

from router.ledger.queries.actions import ActionRow
from router.ledger.queries.overview import ACTIONS
from router.service.statuspage.layout import clean, table, to_the_second, who

_HEADS = ("When", "Who", "What", "On", "How many", "Why")


def latest(found: Sequence[ActionRow], names: Mapping[str, str]) -> h.Node:
    """A section with them; `names` are those of Service Users, by id."""
    return h.section(aria_labelledby="actions")[
        h.h2(id="actions")["Actions"],
        table(
            f"The last {ACTIONS}, the newest first", _HEADS, (_action(row, names) for row in found)
        )
        if found
        else h.p["Nobody has changed anything yet."],
        h.p["All of them: ", h.code["hubherald actions list"]] if len(found) >= ACTIONS else None,
    ]


def _action(row: ActionRow, names: Mapping[str, str]) -> Sequence[h.Node]:
    user, _, more = (row.about or "").partition(" ")
    return (
        to_the_second(row.at),
        clean(row.operator),
        row.action,
        [who(user, names), f" {clean(more)}"]
        if user in names
        else clean(row.about) or clean(row.detail),
        "-" if row.count is None else f"{row.count:,}",
        clean(row.reason) or "-",
    )
