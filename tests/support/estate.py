"""A small estate on disk: files as an operator would write them, and runs of the router."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.clock import Clock
from router.config.loading import load as load_config
from router.service import app
from support import ledgers

ROOT = Path(__file__).parents[2]
DCC = "90-B3-D5-1F-30-00-00-02"
HUB = "90-B3-D5-1F-30-00-10-01"
S1, S2, S3, S4 = (f"90-B3-D5-1F-30-01-00-0{number}" for number in range(1, 5))
D1 = "90-B3-D5-1F-30-02-00-01"
ALL = "90-B3-D5-1F-30-02-00-FF"
IMPORT, EXPORT, GAS = "1800021679848", "1012345678904", "3938424403"
SUPPLIER = ["import_supplier", "export_supplier", "gas_supplier"]
NETWORKS = ["electricity_distributor", "gas_transporter"]
ACTIVATED = "2026-06-01T12:00:00+00:00"


def mpan(body: str) -> str:
    """An MPAN core with its check digit."""
    weights = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
    total = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))
    return body + str(total % 11 % 10)


@dataclass
class Estate:
    """Users, inventory and facts below one folder."""

    folder: Path
    users: list[dict[str, Any]] = field(default_factory=list)
    facts: int = 0

    def __post_init__(self) -> None:
        (self.folder / "inbox").mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, rules: Path = ROOT / "rules", **signing: str) -> None:
        """Write hubherald.yaml; `signing` are more keys of `dcc:`."""
        written = {
            "sources": {"drop": {"adapter": "folder", "path": "inbox/"}},
            "rules": str(rules),
            "service_users": "service_users.yaml",
            "ledger": {"url": ledgers.url(self.folder, "hubherald.db")},
            "dcc": {"id": DCC, **signing},
            "operations": {"listen": "127.0.0.1:0"},
        }
        (self.folder / "hubherald.yaml").write_text(json.dumps(written, indent=1))

    def user(self, user_id: str, roles: list[str], **more: Any) -> None:
        """Add a Service User, on a folder channel unless said otherwise."""
        channel = {"adapter": "folder", "path": f"sent/{user_id}"}
        user = {"id": user_id, "name": f"User {user_id[-2:]}", "roles": roles}
        self.users.append({**user, "channels": [channel], **more})
        self.write_users()

    def all_roles(self) -> None:
        """Add a Service User who is all that the shipped rules ask for, as `check` wants one."""
        self.user(ALL, [*SUPPLIER, *NETWORKS], subscriptions=["firmware"])

    def write_users(self) -> None:
        """Write service_users.yaml."""
        text = json.dumps({"service_users": self.users}, indent=1)
        (self.folder / "service_users.yaml").write_text(text)

    def fact(self, kind: str, data: dict[str, Any], **attributes: Any) -> None:
        """Append one fact to the inbox."""
        self.facts += 1
        event = {
            "specversion": "1.0",
            "id": f"f{self.facts}",
            "source": "dsp",
            "type": f"hubherald.{kind}.v1",
            "time": "2026-01-01T00:00:00Z",
            "data": data,
            **attributes,
        }
        self.line(json.dumps(event).encode())

    def line(self, body: bytes) -> None:
        """Append one line, whatever it holds."""
        with (self.folder / "inbox" / "facts.jsonl").open("ab") as file:
            file.write(body + b"\n")

    def hub(self, device_id: str = HUB, *, time: str = "2026-01-01T00:00:00Z", **more: Any) -> None:
        """A hub fact; commissioned SMETS2 unless said otherwise."""
        data = {"device_id": device_id, "status": "Commissioned", "smets_version": "SMETS2"}
        self.fact("hub.updated", {**data, **more}, time=time)

    def registration(
        self,
        point: str,
        supplier: str | None,
        *,
        device_id: str = HUB,
        since: str = "2020-01-01",
        **more: Any,
    ) -> None:
        """A registration fact for the usual meter point of its kind."""
        mpxn = {"import_mpan": IMPORT, "export_mpan": mpan("101234567890"), "mprn": GAS}[point]
        data = {
            "device_id": device_id,
            "mpxn": mpxn,
            "point": point,
            "supplier_id": supplier,
            "network_operator_id": None,
            "effective_from": since,
            "effective_to": None,
        }
        self.fact("registration.updated", {**data, **more})

    def activation(self, version: str = "9002", **more: Any) -> None:
        """A successful activation unless said otherwise; `id` makes it the same event again."""
        attributes = {key: more.pop(key) for key in ("id", "source") if key in more}
        data = {
            "device_id": HUB,
            "firmware_version": version,
            "activated_at": ACTIVATED,
            "outcome": "success",
        }
        self.fact("firmware.activated", {**data, **more}, **attributes)

    def run(self, *, now: datetime | None = None) -> None:
        """Route until idle, at the present or at a fixed moment."""
        clock: Clock | None = None
        if now is not None:
            clock = lambda: now.astimezone(UTC)  # noqa: E731
        found = load_config(self.folder / "hubherald.yaml")
        app.run(found, until_idle=True, clock=clock)

    def sent(self, user_id: str) -> list[dict[str, Any]]:
        """The Alerts in a user's folder, in sequence order."""
        files = sorted((self.folder / "sent" / user_id).glob("*.json"))
        found = [json.loads(file.read_bytes()) for file in files]
        return sorted(found, key=lambda event: int(event["data"]["sequence"]))

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """What the ledger says, in SQL."""
        return ledgers.asked_beside(ledgers.url(self.folder, "hubherald.db"), question)

    def verdicts(self) -> list[tuple[str | None, str | None, str]]:
        """(party, role, verdict) of every decision, in order."""
        return [
            (row[0], row[1], row[2])
            for row in self.ask("SELECT party_id, role, verdict FROM decisions ORDER BY id")
        ]

    def told(self) -> dict[str, list[str]]:
        """By user who was sent anything: the roles of each Alert, joined."""
        users: Iterable[str] = (user["id"] for user in self.users)
        return {
            user: [" ".join(event["data"]["roles"]) for event in self.sent(user)]
            for user in users
            if self.sent(user)
        }
