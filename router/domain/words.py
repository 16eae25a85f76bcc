"""The few words that facts, users and rules choose from.

Apart from the models that read them: whoever only names one does not wait for pydantic.
"""

from __future__ import annotations

from enum import StrEnum


class QuarantineReason(StrEnum):
    """Why a fact is in quarantine."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_HUB = "unknown_hub"
    NO_REGISTRATION = "no_registration"
    """An activation of a hub that never had a registration; the first one releases it."""
    CONFLICTING_ID = "conflicting_id"
    TOO_LARGE = "too_large"
    ENGINE = "engine"


class FactType(StrEnum):
    """The CloudEvents types that Hubherald knows."""

    ACTIVATED = "hubherald.firmware.activated.v1"
    HUB = "hubherald.hub.updated.v1"
    REGISTRATION = "hubherald.registration.updated.v1"


class HubStatus(StrEnum):
    """The hub's own status in the Smart Metering Inventory."""

    PENDING = "Pending"
    INSTALLED = "InstalledNotCommissioned"
    COMMISSIONED = "Commissioned"
    DECOMMISSIONED = "Decommissioned"
    SUSPENDED = "Suspended"


class SmetsVersion(StrEnum):
    """The generation of the metering system behind the hub."""

    SMETS1 = "SMETS1"
    SMETS2 = "SMETS2"


class Point(StrEnum):
    """What kind of meter point a registration is for."""

    IMPORT_MPAN = "import_mpan"
    EXPORT_MPAN = "export_mpan"
    MPRN = "mprn"


class ActivationOutcome(StrEnum):
    """Whether the new firmware runs."""

    SUCCESS = "success"
    FAILURE = "failure"


class Role(StrEnum):
    """What a company is to a home; the last two are the network operators."""

    IMPORT_SUPPLIER = "import_supplier"
    EXPORT_SUPPLIER = "export_supplier"
    GAS_SUPPLIER = "gas_supplier"
    ELECTRICITY_DISTRIBUTOR = "electricity_distributor"
    GAS_TRANSPORTER = "gas_transporter"


class UserStatus(StrEnum):
    """Alerts for a suspended user are held."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
