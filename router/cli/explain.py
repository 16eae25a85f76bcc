"""`hubherald explain`: decide about one fact without sending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from router.cli.arguments import now
from router.cli.opening import ledger
from router.cli.printing import as_json, line, output, shown
from router.config import load
from router.decisions import Decision
from router.errors import UsageError
from router.explaining import Explained, Explanation, explain
from router.facts import Activation, Defect, Fact, parse
from router.ledger.intake import look_up


@click.command("explain")
@click.argument("file", metavar="FACT.json", type=click.File("rb"))
@output
@click.pass_obj
def command(config_file: Path, file: BinaryIO, output: str) -> None:
    """Decide about one activation without sending or recording anything.

    Reads the fact (a CloudEvent in JSON; `-` is standard input), takes hub and registrations
    from the ledger, and says for each recipient which rule decides, and of each rule that did
    not match which condition failed and the value that it saw.

    \b
    Example:
      hubherald explain fact.json
      head -1 inbox/facts.jsonl | hubherald explain -
    """
    fact = _read(file)
    activation = fact.data
    assert isinstance(activation, Activation)
    config = load(config_file, lenient=True)
    with ledger(config_file) as database:
        known = look_up(database, [fact])
    if activation.device_id not in known.inventory.hubs:
        raise UsageError(
            f"hub {activation.device_id} is not in the inventory: this fact would wait in "
            f"quarantine as unknown_hub; see `hubherald inventory import`"
        )
    home = known.inventory.home(activation.device_id)
    found = explain(activation, home, rules=config.rules, users=config.users.by_id, now=now())
    if output == "json":
        as_json(list(_rows(found)))
        return
    line(
        f"{activation.device_id} {activation.outcome} of {activation.firmware_version} at "
        f"{shown(activation.activated_at)}; hub {home.hub.status}, {home.hub.smets_version}"
    )
    if fact.key in known.taken:
        line(
            f"(the ledger has this fact: see `hubherald why --hub {activation.device_id}` for "
            f"what was decided then)"
        )
    for text in _words(found):
        line(text)


def _read(file: BinaryIO) -> Fact:
    name = getattr(file, "name", "-")
    fact = parse(file.read())
    if isinstance(fact, Defect):
        raise UsageError(f"{name}: {fact.reason}: {fact.detail}")
    if not isinstance(fact.data, Activation):
        raise UsageError(f"{name}: {fact.data.type} changes the inventory; nothing is decided")
    return fact


def _words(found: Explanation) -> Iterator[str]:
    for each in found.decisions:
        yield ""
        yield _verdict(each.decision)
        for rule in each.rules:
            kind = "suppresses" if rule.rule.suppress else f"alerts {rule.rule.alert}"
            if rule.matched:
                yield f"  + {rule.rule.name} ({kind}): matches"
                continue
            yield f"  - {rule.rule.name} ({kind}): does not match"
            for seen in rule.failed:
                yield f"      {seen}"


def _verdict(decision: Decision) -> str:
    party = decision.party
    who = f"{party.id} as {party.role}" if party else "nobody"
    by = f" by rule {decision.rule}" if decision.rule else ""
    code = f", Alert {decision.alert_code}" if decision.alert_code else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"{who}: {decision.verdict.replace('_', ' ')}{by}{code}{reason}"


def _rows(found: Explanation) -> Iterator[dict[str, Any]]:
    for each in found.decisions:
        who = _who(each)
        decision = each.decision
        yield {
            "kind": "decision",
            **who,
            "verdict": decision.verdict,
            "rule": decision.rule,
            "reason": decision.reason,
            "alert_code": decision.alert_code,
        }
        for rule in each.rules:
            yield {"kind": "rule", **who, "rule": rule.rule.name, "matched": rule.matched}
            for seen in rule.failed:
                value = seen.value
                yield {
                    "kind": "condition",
                    **who,
                    "rule": rule.rule.name,
                    "condition": seen.comparison.text,
                    "field": seen.comparison.field,
                    "value": ";".join(value) if isinstance(value, tuple) else value,
                    "held": seen.held,
                }


def _who(each: Explained) -> dict[str, Any]:
    party = each.decision.party
    return {
        "service_user_id": party.id if party else None,
        "role": party.role if party else None,
    }
