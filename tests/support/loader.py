"""Loads inventory files into a ledger, for the tests of that."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from router.domain.acceptance import CheckDigits
from router.intake.inventory_import import BadRow, DoubtfulRow, Imported, import_inventory
from router.ledger.database import Database
from support.estate import HUB, IMPORT, S1

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HUBS = "device_id,status,smets_version,csp_region,model,hardware_version,replaced_by,groups"
REGISTRATIONS = "device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to"
GOOD_HUB = f"{HUB},Commissioned,SMETS2,North,CH-1,1.0,,pilot;early"
GOOD_REGISTRATION = f"{HUB},{IMPORT},import_mpan,{S1},,2020-01-01,"


class Loader:
    """Writes files and loads them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.hubs = folder / "hubs.csv"
        self.registrations = folder / "registrations.csv"
        self.bad: list[BadRow] = []
        self.doubtful: list[DoubtfulRow] = []
        self.check_digits = CheckDigits.WARN

    def __call__(
        self,
        hubs: str | bytes | None = None,
        registrations: str | bytes | None = None,
        *,
        now: datetime = NOW,
    ) -> Imported:
        self.bad.clear()
        self.doubtful.clear()
        for file, content in ((self.hubs, hubs), (self.registrations, registrations)):
            if content is not None:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return import_inventory(
            self.database,
            hubs=None if hubs is None else self.hubs,
            registrations=None if registrations is None else self.registrations,
            operator="ann",
            clock=lambda: now,
            report=self._hear,
            check_digits=self.check_digits,
        )

    def _hear(self, row: BadRow | DoubtfulRow) -> None:
        if isinstance(row, BadRow):
            self.bad.append(row)
        else:
            self.doubtful.append(row)

    def told(self) -> list[str]:
        """The bad rows, without the folder."""
        return [f"{row.file.name}:{row.line}: {row.message}" for row in self.bad]


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def device(number: int) -> str:
    text = f"{0x90B3D51F30000000 + number:016X}"
    return "-".join(text[place : place + 2] for place in range(0, 16, 2))
