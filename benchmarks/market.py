"""A small estate for benchmarks: each home has three users, and each user as many homes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lives import hubherald

from router.intake.inventory_import import HUB_COLUMNS, REGISTRATION_COLUMNS

RULES = Path(__file__).parents[1] / "rules"
POINTS = ("import_mpan", "export_mpan", "mprn")
HUBS = 5_000


def users(count: int) -> list[str]:
    """Their ids."""
    return [f"90-B3-D5-1F-30-01-00-{number:02X}" for number in range(1, count + 1)]


def found(folder: Path, channels: Mapping[str, dict[str, Any]], source: dict[str, Any]) -> None:
    """Write the estate's files into an empty folder, and load its inventory.

    `channels` has the one channel of each user, `source` says where the facts come from.
    """
    ids = list(channels)
    shutil.copytree(RULES, folder / "rules", ignore=shutil.ignore_patterns("*.test.yaml", "*.md"))
    (folder / "inbox").mkdir()
    roles = ["import_supplier", "export_supplier", "gas_supplier"]
    listed = [
        {"id": user, "name": user, "roles": roles, "channels": [channel]}
        for user, channel in channels.items()
    ]
    (folder / "service_users.yaml").write_text(json.dumps({"service_users": listed}))
    config = {
        "sources": {"facts": source},
        "rules": "rules/",
        "service_users": "service_users.yaml",
        "ledger": {"url": "sqlite:///hubherald.db"},
        "dcc": {"id": "90-B3-D5-1F-30-00-00-02"},
        "operations": {"listen": "127.0.0.1:0"},
    }
    (folder / "hubherald.yaml").write_text(json.dumps(config))
    with (folder / "hubs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HUB_COLUMNS)
        rows.writerows(
            [device(number), "Commissioned", "SMETS2", "", "", "", "", ""] for number in range(HUBS)
        )
    with (folder / "registrations.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(REGISTRATION_COLUMNS)
        for number in range(HUBS):
            for place, point in enumerate(POINTS):
                mpxn = f"{10**12 * (place + 1) + number}" if place < 2 else f"{10**9 + number}"
                user = ids[(number + place * 7) % len(ids)]
                rows.writerow([device(number), mpxn, point, user, "", "2020-01-01", ""])
    hubherald(
        folder, "inventory", "import", "--hubs", "hubs.csv", "--registrations", "registrations.csv"
    )


def device(number: int) -> str:
    """The hub with this number."""
    raw = f"00DB1234{number:08X}"
    return "-".join(raw[at : at + 2] for at in range(0, 16, 2))


def activations(count: int) -> Iterator[bytes]:
    """Facts, one for each hub in turn, no two the same."""
    for number in range(count):
        data = {
            "device_id": device(number % HUBS),
            "firmware_version": f"{number // HUBS:08X}",
            "activated_at": "2026-06-01T10:00:00Z",
            "outcome": "success",
        }
        event = {
            "specversion": "1.0",
            "id": f"bench-{number}",
            "source": "urn:bench",
            "type": "hubherald.firmware.activated.v1",
            "data": data,
        }
        yield json.dumps(event, separators=(",", ":")).encode()
