"""A test of rules made from a real decision, so that what was right once stays right.

Meter point numbers do not belong into files of rules: they are left out unless two registrations
of one kind need telling apart.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from router.deciding.decisions import Verdict
from router.domain.timestamps import rfc3339
from router.domain.users import ServiceUser
from router.ledger.queries.history import Past, alerts_of

_VERSIONS = {
    "firmware_version",
    "previous_firmware_version",
    "hardware_version",
    "duis_version",
    "mpxn",
}
"""Always in quotes: some of them look like numbers."""


def test_of(past: Past, users: Mapping[str, ServiceUser], alert_id: str) -> str:
    """The text of a file of one test: what was given then, and exactly what came of it.

    `users` are the Service Users of then; those that could be told stand in the test.
    """
    told = {each.user.id: each.user for each in past.case(users).candidates}
    given = {
        "hub": past.hub.model_dump(mode="json", exclude_defaults=True),
        "registrations": _registrations(past),
        "users": [_user(each) for each in told.values()],
        "activation": _without(
            past.activation.model_dump(mode="json", exclude_none=True), "device_id"
        ),
    }
    test = {
        "name": f"as decided for Alert {alert_id}",
        "given": given,
        "at": rfc3339(past.decided_at),
        "expect": {"alerts": _expected(past), "suppressed": _suppressed(past)},
    }
    head = (
        f"# From Alert {alert_id}, decided at {rfc3339(past.decided_at, 'seconds')}\n"
        f"# under the rules with the digest {past.rules_digest}.\n"
    )
    return head + _yaml({"tests": [test]})


def _registrations(past: Past) -> list[dict[str, Any]]:
    of_kind = Counter(each.point for each in past.registrations)
    wanted = {"point", "supplier_id", "network_operator_id"}
    return [
        each.model_dump(
            mode="json",
            exclude_none=True,
            include=wanted | ({"mpxn"} if of_kind[each.point] > 1 else set()),
        )
        for each in past.registrations
    ]


def _user(user: ServiceUser) -> dict[str, Any]:
    found: dict[str, Any] = {"id": user.id, "name": user.name, "roles": sorted(user.roles)}
    if user.subscriptions:
        found["subscriptions"] = list(user.subscriptions)
    if user.duis_version is not None:
        found["duis_version"] = user.duis_version
    return found


def _expected(past: Past) -> list[dict[str, Any]]:
    return [
        {"user": user, "roles": sorted(roles), "code": code}
        for (user, code), roles in sorted(alerts_of(past).items())
    ]


def _suppressed(past: Past) -> list[dict[str, Any]]:
    return [
        {"user": each.party_id, "role": each.role, "rule": each.rule}
        for each in past.decisions
        if each.verdict is Verdict.SUPPRESSED
    ]


def _without(found: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != key}


def _yaml(value: Any) -> str:
    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 100
    text = io.StringIO()
    writer.dump(_plain(value), text)
    return text.getvalue()


def _plain(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return DoubleQuotedScalarString(value) if key in _VERSIONS else str(value)
