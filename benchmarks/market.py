"""The estate of the benchmarks: twelve users, and homes each of which has three of them.

So each activation makes three Alerts, and every lane gets as many as the next.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lives import hubherald

RULES = Path(__file__).parents[1] / "rules"
USERS = [f"90-B3-D5-1F-30-01-00-{number:02X}" for number in range(1, 13)]
POINTS = ("import_mpan", "export_mpan", "mprn")


def found(folder: Path, channel: dict[str, Any], *, hubs: int = 5_000) -> None:
    """Make an estate in an empty folder and load its inventory; `channel` is each user's.

    `{user}` in a text of the channel becomes the id of its user.
    """
    shutil.copytree(RULES, folder / "rules", ignore=shutil.ignore_patterns("*.test.yaml"))
    (folder / "inbox").mkdir()
    users = [
        {
            "id": user,
            "name": user,
            "roles": ["import_supplier", "export_supplier", "gas_supplier"],
            "channels": [_filled(channel, user)],
        }
        for user in USERS
    ]
    (folder / "service_users.yaml").write_text(json.dumps({"service_users": users}))
    write_config(folder, {"adapter": "folder", "path": "inbox/"})
    with (folder / "hubs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "device_id",
                "status",
                "smets_version",
                "csp_region",
                "model",
                "hardware_version",
                "replaced_by",
                "groups",
            ]
        )
        rows.writerows(
            [device(number), "Commissioned", "SMETS2", "", "", "", "", ""] for number in range(hubs)
        )
    with (folder / "registrations.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "device_id",
                "mpxn",
                "point",
                "supplier_id",
                "network_operator_id",
                "effective_from",
                "effective_to",
            ]
        )
        for number in range(hubs):
            for place, point in enumerate(POINTS):
                user = USERS[(number + place) % len(USERS)]
                mpxn = f"{10**12 * (place + 1) + number}" if place < 2 else f"{10**9 + number}"
                rows.writerow([device(number), mpxn, point, user, "", "2020-01-01", ""])
    words = ("--hubs", "hubs.csv", "--registrations", "registrations.csv")
    hubherald(folder, "inventory", "import", *words)


def write_config(folder: Path, source: dict[str, Any]) -> None:
    """Where the facts come from."""
    config = {
        "sources": {"facts": source},
        "rules": "rules/",
        "service_users": "service_users.yaml",
        "ledger": {"url": "sqlite:///hubherald.db"},
        "dcc": {"id": "90-B3-D5-1F-30-00-00-02"},
        "operations": {"listen": "127.0.0.1:0"},
    }
    (folder / "hubherald.yaml").write_text(json.dumps(config))


def device(number: int) -> str:
    """The hub with this number."""
    raw = f"00DB1234{number:08X}"
    return "-".join(raw[at : at + 2] for at in range(0, 16, 2))


def activations(count: int, *, hubs: int = 5_000, first: int = 0) -> Sequence[bytes]:
    """Facts, one for each hub in turn, no two the same."""
    return [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"bench-{number}",
                "source": "urn:bench",
                "type": "hubherald.firmware.activated.v1",
                "data": {
                    "device_id": device(number % hubs),
                    "firmware_version": f"{number // hubs:08X}",
                    "activated_at": "2026-06-01T10:00:00Z",
                    "outcome": "success",
                },
            },
            separators=(",", ":"),
        ).encode()
        for number in range(first, first + count)
    ]


def _filled(channel: dict[str, Any], user: str) -> dict[str, Any]:
    return {
        key: value.replace("{user}", user) if isinstance(value, str) else value
        for key, value in channel.items()
    }
