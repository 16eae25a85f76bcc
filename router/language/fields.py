"""The typed catalogue of what rules may ask.

A new fact type adds its fields here, and nothing else in the language or the engine changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from router.domain.words import ActivationOutcome, HubStatus, Role, SmetsVersion

if TYPE_CHECKING:
    from router.domain.facts import Activation, Hub
    from router.domain.users import ServiceUser

Value = str | bool | tuple[str, ...]
"""What a field can hold: text, yes or no, or a list of words."""


class FieldKind(StrEnum):
    """What a field holds, and so which comparisons it takes."""

    TEXT = "text"
    ID = "EUI-64"
    ENUM = "one of a few words"
    VERSION = "version"
    WORDS = "list of words"
    BOOLEAN = "true or false"


ANYTHING = ".{1,100}"
"""The pattern of printable text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a rule can ask about."""

    name: str
    kind: FieldKind
    description: str
    values: tuple[str, ...] = ()
    """Of an ENUM: all that it can be."""
    pattern: str = ANYTHING
    """What every value of it, or word in it, matches as a whole: others are never seen."""
    prefix: str = ANYTHING
    """What the beginning of such a value matches as a whole."""
    always: bool = False
    """Whether it is known of every candidate."""


def _catalogue(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


def _version(name: str, description: str, *, always: bool = False) -> Field:
    pattern = r"[0-9A-Za-z._-]{1,8}"
    return Field(
        name, FieldKind.VERSION, description, pattern=pattern, prefix=pattern, always=always
    )


def _id(name: str, description: str, *, always: bool = False) -> Field:
    whole, prefix = r"[0-9A-F]{2}(-[0-9A-F]{2}){7}", r"([0-9A-F]{2}-){0,7}[0-9A-F]{0,2}"
    return Field(name, FieldKind.ID, description, pattern=whole, prefix=prefix, always=always)


def _list(name: str, description: str) -> Field:
    return Field(name, FieldKind.WORDS, description, pattern=r"[0-9A-Za-z._:-]{1,40}")


def _words(enumeration: type[StrEnum]) -> tuple[str, ...]:
    return tuple(member.value for member in enumeration)


FIELDS = _catalogue(
    Field(
        "activation.outcome",
        FieldKind.ENUM,
        "Whether the new firmware runs.",
        _words(ActivationOutcome),
        always=True,
    ),
    _version("activation.firmware_version", "The version that was activated.", always=True),
    _version(
        "activation.previous_firmware_version",
        "The version before, where the sender says it.",
    ),
    Field(
        "activation.version_changed",
        FieldKind.BOOLEAN,
        "Whether it differs from the version before; known where that one is.",
    ),
    Field("activation.failure_reason", FieldKind.TEXT, "Why it failed, in the sender's words."),
    _id("hub.device_id", "The hub's Device ID.", always=True),
    Field(
        "hub.status",
        FieldKind.ENUM,
        "The hub's own status in the inventory.",
        _words(HubStatus),
        always=True,
    ),
    Field(
        "hub.smets_version",
        FieldKind.ENUM,
        "The generation of the meters behind the hub.",
        _words(SmetsVersion),
        always=True,
    ),
    Field("hub.csp_region", FieldKind.TEXT, "The region of the Communications Service Provider."),
    Field("hub.model", FieldKind.TEXT, "The hub's model, in the inventory's words."),
    Field("hub.hardware_version", FieldKind.VERSION, "The hub's hardware version."),
    _id("hub.replaced_by", "The Device ID of the hub that took this one's place."),
    _list("hub.groups", "The groups that the hub is in: free words, such as pilot."),
    _id("recipient.id", "The User ID of the company that may be told.", always=True),
    Field(
        "recipient.name", FieldKind.TEXT, "The company's name in service_users.yaml.", always=True
    ),
    Field(
        "recipient.role",
        FieldKind.ENUM,
        "What the company is to this home.",
        _words(Role),
        always=True,
    ),
    _list(
        "recipient.subscriptions",
        "What service_users.yaml says it asked for: free words, such as firmware.",
    ),
    Field(
        "recipient.duis_version",
        FieldKind.VERSION,
        "The version of DUIS that the company speaks, by service_users.yaml.",
        pattern=r"[0-9]{1,2}\.[0-9]{1,2}",
        prefix=r"[0-9]{1,2}(\.[0-9]{0,2})?",
    ),
)
"""Everything that rules can ask, by name."""


def activation_fields(activation: Activation, hub: Hub) -> dict[str, Value]:
    """What rules see of an activation and its hub, whoever may be told."""
    previous = activation.previous_firmware_version
    changed = None if previous is None else previous != activation.firmware_version
    found: dict[str, Value | None] = {
        "activation.outcome": activation.outcome.value,
        "activation.firmware_version": activation.firmware_version,
        "activation.previous_firmware_version": previous,
        "activation.version_changed": changed,
        "activation.failure_reason": activation.failure_reason,
        "hub.device_id": hub.device_id,
        "hub.status": hub.status.value,
        "hub.smets_version": hub.smets_version.value,
        "hub.csp_region": hub.csp_region,
        "hub.model": hub.model,
        "hub.hardware_version": hub.hardware_version,
        "hub.replaced_by": hub.replaced_by,
        "hub.groups": hub.groups or None,
    }
    return _known(found)


def recipient_fields(role: Role, user: ServiceUser) -> dict[str, Value]:
    """What rules see of a user in one of its roles, whatever the hub and the activation."""
    return _known(
        {
            "recipient.id": user.id,
            "recipient.name": user.name,
            "recipient.role": role.value,
            "recipient.subscriptions": user.subscriptions or None,
            "recipient.duis_version": user.duis_version,
        }
    )


def _known(found: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in found.items() if value is not None}
