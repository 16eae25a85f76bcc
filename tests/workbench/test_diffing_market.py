"""A whole market decided again: what `diff` tells is by how much two routers differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.commandline import row, rows
from support.madeup import market, route

pytestmark = pytest.mark.once

Sent = Counter[tuple[str, str, str, str]]
"""How many by Service User, Alert code, hub and version."""


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("alerts.yaml", "alert-gas-supplier"),
        ("alerts.yaml", "alert-import-supplier"),
        ("suppressions.yaml", "smets1-has-its-own-alert"),
        ("suppressions.yaml", "hub-replaced"),
    ],
)
def test_a_rule_more_or_less_differs_by_what_two_routers_did(
    tmp_path: Path, file: str, rule: str
) -> None:
    full, less = (market(tmp_path / name, seed=5) for name in ("full", "less"))
    place = less / "rules" / file
    before, _, after = place.read_text().partition(f"  - name: {rule}\n")
    place.write_text(before + "".join(after.partition("  - name:")[1:]))
    for folder in (full, less):
        route(folder)
    lost, gained = told(full) - told(less), told(less) - told(full)
    assert lost or gained
    assert moved(full, less / "rules") == (gained, lost)
    assert moved(less, full / "rules") == (lost, gained)


def told(folder: Path) -> Sent:
    """The Alerts of a ledger."""
    return which(rows("alerts", "list", "--limit", "100000", folder=folder))


def moved(folder: Path, rules: Path) -> tuple[Sent, Sent]:
    """The Alerts that `diff` says would be gained, and those lost."""
    found = row("diff", rules, "--each", "100000", folder=folder)["changes"]
    gained, lost = (which(row for row in found if row["change"] == it) for it in ("gains", "loses"))
    return gained, lost


def which(found: Iterable[dict[str, Any]]) -> Sent:
    """What tells Alerts of two ledgers apart."""
    return Counter(
        (row["service_user_id"], row["alert_code"], row["device_id"], row["firmware_version"])
        for row in found
    )
