"""A small estate for benchmarks: each home has three users, and each user as many homes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lives import hubherald

from router.intake.inventory_import import HUB_COLUMNS, REGISTRATION_COLUMNS

RULES = Path(__file__).parents[1] / "rules"
POINTS = ("import_mpan", "export_mpan", "mprn")
ROLES = ("import_supplier", "export_supplier", "gas_supplier")
SOURCE = "urn:bench"
HUBS = 5_000
LEDGER = "sqlite:///hubherald.db"


def users(count: int) -> list[str]:
    """Their ids."""
    return [
        f"90-B3-D5-1F-30-01-{number >> 8:02X}-{number & 255:02X}" for number in range(1, count + 1)
    ]


def found(
    folder: Path,
    channels: Mapping[str, dict[str, Any]],
    source: dict[str, Any],
    hubs: int = HUBS,
    *,
    ledger: str = LEDGER,
) -> None:
    """Write the estate's files into an empty folder, and load its inventory."""
    shutil.copytree(RULES, folder / "rules", ignore=shutil.ignore_patterns("*.test.yaml", "*.md"))
    (folder / "inbox").mkdir()
    describe(folder, channels, source, ledger=ledger)
    write_hubs(folder / "hubs.csv", hubs)
    write_registrations(folder / "registrations.csv", list(channels), hubs)
    hubherald(
        folder, "inventory", "import", "--hubs", "hubs.csv", "--registrations", "registrations.csv"
    )


def describe(
    folder: Path,
    channels: Mapping[str, dict[str, Any]],
    source: dict[str, Any],
    *,
    ledger: str = LEDGER,
    **more: Any,
) -> None:
    """Write the configuration: the one channel of each user, where the facts come from and go to;
    and further keys."""
    listed = [
        {"id": user, "name": user, "roles": list(ROLES), "channels": [channel]}
        for user, channel in channels.items()
    ]
    (folder / "service_users.yaml").write_text(json.dumps({"service_users": listed}))
    config = {
        "sources": {"facts": source},
        "rules": "rules/",
        "service_users": "service_users.yaml",
        "ledger": {"url": ledger},
        "dcc": {"id": "90-B3-D5-1F-30-00-00-02"},
        "operations": {"listen": "127.0.0.1:0"},
        **more,
    }
    (folder / "hubherald.yaml").write_text(json.dumps(config))


def write_hubs(file: Path, hubs: int) -> None:
    """Commissioned ones that nothing more is known of."""
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(HUB_COLUMNS)
        rows.writerows(
            [device(number), "Commissioned", "SMETS2", "", "", "", "", ""] for number in range(hubs)
        )


def write_registrations(file: Path, ids: Sequence[str], hubs: int) -> None:
    """Three for each hub."""
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(REGISTRATION_COLUMNS)
        for number in range(hubs):
            for place, (point, user) in enumerate(zip(POINTS, told(ids, number), strict=True)):
                mpxn = f"{10**12 * (place + 1) + number}" if place < 2 else f"{10**9 + number}"
                rows.writerow([device(number), mpxn, point, user, "", "2020-01-01", ""])


def told(ids: Sequence[str], number: int) -> list[str]:
    """The users of the hub with this number, in the order of the points."""
    return [ids[(number + place * 7) % len(ids)] for place in range(len(POINTS))]


def device(number: int) -> str:
    """The hub with this number."""
    raw = f"00DB1234{number:08X}"
    return "-".join(raw[at : at + 2] for at in range(0, 16, 2))


def activation(number: int, *, hubs: int = HUBS, outcome: str = "success") -> dict[str, Any]:
    """The fact with this number; the hubs have their turns, no two facts are the same."""
    data = {
        "device_id": device(number % hubs),
        "firmware_version": f"{number // hubs:08X}",
        "activated_at": "2026-06-01T10:00:00Z",
        "outcome": outcome,
    }
    return {
        "specversion": "1.0",
        "id": f"bench-{number}",
        "source": SOURCE,
        "type": "hubherald.firmware.activated.v1",
        "data": data,
    }


def activations(count: int) -> Iterator[bytes]:
    """The first facts, as they are sent."""
    for number in range(count):
        yield json.dumps(activation(number), separators=(",", ":")).encode()


def expected(numbers: Iterable[int], ids: Sequence[str], *, hubs: int = HUBS) -> dict[str, Any]:
    """What has to come of these facts, in the form of the simulation's expected.json."""
    facts = []
    for number in numbers:
        fact = activation(number, hubs=hubs)
        alerts = [
            {"service_user_id": user, "roles": [role], "alert_code": "N64"}
            for user, role in zip(told(ids, number % hubs), ROLES, strict=True)
        ]
        facts.append({"source": SOURCE, "id": fact["id"], **fact["data"], "alerts": alerts})
    return {"facts": facts, "suspended": []}
