"""What was decided about an activation and why, in words and in rows.

The marks + and - stand in front of everything that holds or does not, so that the answer can be
read without colours and searched in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from router.cli.naming import beside_ids
from router.cli.printing import line, shown
from router.deciding.decisions import Decision, Verdict
from router.domain.facts import Registration
from router.domain.inventory import until
from router.domain.words import UserStatus
from router.files.counts import plural
from router.workbench.explaining import Explained, Explanation, LineSeen, RuleSeen

WIDEST = 50
"""Columns for conditions; values stand behind them, in line as far as possible."""


def tell(found: Explanation) -> None:
    """Print it: what it is about, the Alerts, then each candidate with its rules."""
    _head(found)
    for each in found.decisions:
        line("")
        line(_verdict(each), style=_COLOURS.get(each.decision.verdict))
        listed = sorted(each.rules, key=lambda rule: _place(rule, each.decision))
        wide = max((len(_text(seen)) for rule in listed for seen in rule.lines), default=0)
        for rule in listed:
            _rule(rule, each.decision, min(wide, WIDEST))


_COLOURS = {Verdict.ALERTED: "green", Verdict.SUPPRESSED: "yellow"}


def _head(found: Explanation) -> None:
    activation, hub = found.activation, found.hub
    line(
        f"{activation.device_id}: {activation.outcome} of {activation.firmware_version} at "
        f"{shown(activation.activated_at)}"
    )
    line(f"  hub: {hub.status}, {hub.smets_version}{_replaced(hub.replaced_by)}")
    line(f"  decided at {shown(found.at)}")
    names = {each.user.id: each.user.name for each in found.decisions if each.user}
    for each in found.registrations:
        line(beside_ids(f"  registered: {_registration(each)}", names))
    due = found.due
    line(f"{plural(len(due), 'Alert')}{':' if due else ''}")
    for alert in due:
        text = f"  {alert.alert_code} to {alert.service_user_id} as {', '.join(alert.rules)}"
        line(beside_ids(text, names))


def _replaced(other: str | None) -> str:
    return f", replaced by {other}" if other else ""


def _registration(row: Registration) -> str:
    return (
        f"{row.point} {row.mpxn} from {row.effective_from}{until(row.effective_to)}: "
        f"supplier {shown(row.supplier_id)}, operator {shown(row.network_operator_id)}"
    )


def _verdict(each: Explained) -> str:
    decision, user = each.decision, each.user
    party = decision.party
    name = f" ({user.name})" if user else ""
    who = f"{party.id}{name} as {party.role}" if party else "nobody"
    by = f" by rule {decision.rule}" if decision.rule else ""
    code = f", Alert {decision.alert_code}" if decision.alert_code else ""
    reason = f": {decision.reason}" if decision.reason else ""
    is_held = decision.verdict is Verdict.ALERTED and user and user.status is UserStatus.SUSPENDED
    held = "; held, the user is suspended" if is_held else ""
    return f"{who}: {decision.verdict.replace('_', ' ')}{by}{code}{reason}{held}"


def _place(rule: RuleSeen, decision: Decision) -> tuple[bool, bool]:
    """The rule that decides goes first, then the others that match, then the rest."""
    return rule.rule.name != decision.rule, not rule.matched


def _rule(seen: RuleSeen, decision: Decision, wide: int) -> None:
    rule = seen.rule
    does = "suppresses" if rule.suppress else f"alerts {rule.alert}"
    decides = ", decides" if rule.name == decision.rule else ""
    where = f"{rule.location.file}:{rule.location.line}"
    style = "green" if seen.matched else None
    line(f"  {_mark(seen.matched)} {rule.name} ({does}{decides})  {where}", style=style)
    for each in seen.lines:
        text = _text(each)
        saw = f"  {each.seen.saw}" if each.seen else ""
        line(f"      {text:{wide if saw else 0}}{saw}", style=None if each.held else "red")


def _text(each: LineSeen) -> str:
    return f"{'    ' * each.depth}{_mark(each.held)} {each.text}"


def _mark(held: bool) -> str:
    return "+" if held else "-"


# --- for programs ---------------------------------------------------------------------------


def rows(found: Explanation) -> Iterator[dict[str, Any]]:
    """One row for the activation, then for each decision, rule and condition."""
    activation = found.activation
    yield {
        "kind": "activation",
        "device_id": activation.device_id,
        "firmware_version": activation.firmware_version,
        "activated_at": activation.activated_at,
        "outcome": activation.outcome,
        "status": found.hub.status,
        "smets_version": found.hub.smets_version,
        "decided_at": found.at,
    }
    for alert in found.due:
        yield {
            "kind": "alert",
            "service_user_id": alert.service_user_id,
            "roles": list(alert.rules),
            "alert_code": alert.alert_code,
        }
    for each in found.decisions:
        yield from _decision_rows(each)


def _decision_rows(each: Explained) -> Iterator[dict[str, Any]]:
    decision, party = each.decision, each.decision.party
    who = {
        "service_user_id": party.id if party else None,
        "role": party.role if party else None,
    }
    yield {
        "kind": "decision",
        **who,
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "alert_code": decision.alert_code,
    }
    for seen in each.rules:
        rule = seen.rule
        yield {
            "kind": "rule",
            **who,
            "rule": rule.name,
            "matched": seen.matched,
            "decides": rule.name == decision.rule,
            "alert_code": rule.alert,
            "reason": rule.suppress,
            "file": str(rule.location.file),
            "line": rule.location.line,
        }
        for number, condition in enumerate(seen.lines):
            yield {"kind": "condition", **who, "rule": rule.name, **_condition(number, condition)}


def _condition(number: int, each: LineSeen) -> dict[str, Any]:
    value = each.seen.value if each.seen else None
    return {
        "number": number,
        "depth": each.depth,
        "condition": each.text,
        "held": each.held,
        "field": each.seen.comparison.field if each.seen else None,
        "value": list(value) if isinstance(value, tuple) else value,
        "line": each.location.line if each.location else None,
    }
