"""What rules see of one candidate."""

from __future__ import annotations

from router.domain.facts import Activation, Hub
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.language.fields import Value, activation_fields, recipient_fields


def fields_of(activation: Activation, hub: Hub, role: Role, user: ServiceUser) -> dict[str, Value]:
    """All fields in one, flat; what is not known is left out."""
    return activation_fields(activation, hub) | recipient_fields(role, user)
