"""A home as the simulation knows it: its rows in the inventory, and who is responsible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class CsvHub:
    """One row of hubs.csv, and the data of a hub fact."""

    device_id: str
    status: str = "Commissioned"
    smets_version: str = "SMETS2"
    csp_region: str = "north"
    model: str = "CH-A1"
    hardware_version: str = "2.1"
    replaced_by: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Nobody is told about what this hub activates."""
        return (
            self.status in {"Pending", "Decommissioned"}
            or self.smets_version == "SMETS1"
            or self.replaced_by is not None
        )


@dataclass(frozen=True, slots=True)
class CsvRegistration:
    """One row of registrations.csv, and the data of a registration fact."""

    device_id: str
    mpxn: str
    point: str
    supplier_id: str | None
    network_operator_id: str | None
    effective_from: date
    effective_to: date | None = None


@dataclass(frozen=True, slots=True)
class Household:
    """One hub, its registrations, and who is responsible for it today."""

    kind: str
    """Its shape, or its hub's state where that is out of the ordinary."""
    hub: CsvHub
    registrations: tuple[CsvRegistration, ...]
    parties: frozenset[tuple[str, str]]
    """(company, role) of everybody who is responsible today."""
