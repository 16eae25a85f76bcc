"""The story of one hub as a timeline: what `hubherald why` tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import singledispatch

import htpy as h

from router.deciding.decisions import Verdict
from router.domain.facts import Registration
from router.domain.inventory import Home, Running, in_effect, until
from router.domain.words import Point
from router.files.counts import plural
from router.lanes.values import DeliveryState
from router.ledger.queries.story import (
    AlertTold,
    Attempted,
    Decided,
    DeliveryTold,
    FactTold,
    Grounds,
    Registered,
    StoryPart,
    WaitingFact,
)
from router.service.statuspage.layout import banner, clean, facts, to_the_second, who

NEWEST = 50
"""Facts of one hub that are shown."""
SHOWN = 3
"""Digits of a meter point number: it says which home this is, and whoever gets here sees it."""
_KINDS: Mapping[str | None, str] = {
    Verdict.ALERTED: "good",
    Verdict.SUPPRESSED: "wait",
    Verdict.NO_RULE: "wait",
    DeliveryState.DELIVERED: "good",
    DeliveryState.PARKED: "bad",
    DeliveryState.HELD: "wait",
}
_POINTS = {Point.IMPORT_MPAN: "import MPAN", Point.EXPORT_MPAN: "export MPAN", Point.MPRN: "MPRN"}
Names = Mapping[str, str]


def hub(
    device_id: str,
    told: Sequence[StoryPart],
    found: tuple[Home, Running | None] | None,
    *,
    names: Names,
    now: datetime,
) -> h.Node:
    """The inventory's entry and the story, the newest first."""
    chapters = _chapters(told)
    count = sum(isinstance(each[0], FactTold) for each in chapters)
    return [
        h.h1["Hub ", h.span(".id")[device_id]],
        _inventory(*found, names, now) if found else banner("wait", "Not in the inventory"),
        h.h2(id="story")["Timeline"],
        h.p[
            f"The {NEWEST} newest facts; all of them: ",
            h.code[f"hubherald why --hub {device_id}"],
        ]
        if count >= NEWEST
        else None,
        h.ol(".timeline", aria_labelledby="story")[
            (h.li[_chapter(rows, names)] for rows in reversed(chapters))
        ]
        if chapters
        else h.p["No fact about this hub has come yet."],
    ]


def _inventory(home: Home, running: Running | None, names: Names, now: datetime) -> h.Node:
    about = home.hub
    effective = in_effect(home, now)
    more = {
        "Region": about.csp_region,
        "Model": about.model,
        "Hardware": about.hardware_version,
        "Groups": ", ".join(about.groups),
        "Replaced by": about.replaced_by,
    }
    pairs: list[tuple[h.Node, h.Node]] = [
        ("Status", f"{about.status}, {about.smets_version}"),
        (
            "Firmware",
            [running.version, " since ", to_the_second(running.activated_at)]
            if running
            else "no activation known",
        ),
    ]
    pairs += [(name, value) for name, value in more.items() if value]
    pairs += [
        ([_POINTS[each.point], " ", _masked(each.mpxn)], _by(each, names)) for each in effective
    ]
    return facts(pairs)


def _by(each: Registration | Registered, names: Names) -> h.Node:
    found: list[h.Node] = []
    if each.supplier_id:
        found += ["supplier ", who(each.supplier_id, names)]
    if each.network_operator_id:
        found += [", " if found else "", "operator ", who(each.network_operator_id, names)]
    return found or "nobody"


def _masked(mpxn: str) -> h.Node:
    return h.span(".id", title="whole numbers: hubherald why")["…" + mpxn[-SHOWN:]]


def _chapters(told: Sequence[StoryPart]) -> list[list[StoryPart]]:
    """What belongs together: a fact and all that follows from it."""
    found: list[list[StoryPart]] = []
    for row in told:
        if not found or isinstance(row, FactTold | WaitingFact):
            found.append([])
        found[-1].append(row)
    return found


def _chapter(rows: Sequence[StoryPart], names: Names) -> h.Node:
    first, *others = rows
    return [
        _words(first, names),
        h.ul[(h.li(class_=f"row {row.kind}")[_words(row, names)] for row in others)]
        if others
        else None,
    ]


@singledispatch
def _words(row: StoryPart, names: Names) -> h.Node:
    raise TypeError(f"no words for {type(row).__name__}")


@_words.register(FactTold)
def _fact(row: FactTold, names: Names) -> h.Node:
    what = row.type.removeprefix("hubherald.").removesuffix(".v1")
    if row.firmware_version is not None:
        what = f"{row.firmware_version}: activation {row.outcome}"
    at = row.activated_at or row.received_at
    return [
        h.h3[to_the_second(at), " ", h.span[clean(what)]],
        h.p[
            f"Fact {clean(row.event_id)} of {clean(row.source)}, received ",
            to_the_second(row.received_at),
            f" from {clean(row.origin)}; {row.effect.replace('_', ' ')}",
        ],
    ]


@_words.register(Grounds)
def _grounds(row: Grounds, names: Names) -> h.Node:
    replaced = f", replaced by {row.replaced_by}" if row.replaced_by else ""
    return [
        "Decided ",
        to_the_second(row.decided_at),
        " under rules ",
        h.code[row.rules_digest[:12]],
        ", users ",
        h.code[row.users_digest[:12]],
        f". The hub then: {row.status}, {row.smets_version}{replaced}.",
    ]


@_words.register(Registered)
def _registered(row: Registered, names: Names) -> h.Node:
    return [
        f"Registered then: {_POINTS[Point(row.point)]} ",
        _masked(row.mpxn),
        f" from {row.effective_from}{until(row.effective_to)}: ",
        _by(row, names),
    ]


@_words.register(Decided)
def _decided(row: Decided, names: Names) -> h.Node:
    verdict = h.span(class_=_KINDS.get(row.verdict))[row.verdict.replace("_", " ")]
    return [
        [who(row.service_user_id, names), f" as {(row.role or '').replace('_', ' ')}"]
        if row.service_user_id
        else "Nobody",
        ": ",
        verdict,
        [" by rule ", h.code[row.rule]] if row.rule else None,
        f": {clean(row.reason.replace('_', ' '))}" if row.reason else None,
    ]


@_words.register(AlertTold)
def _alert(row: AlertTold, names: Names) -> h.Node:
    return [
        f"Alert {row.alert_code} to ",
        who(row.service_user_id, names),
        f", their number {row.sequence:,}: ",
        h.code[row.id],
    ]


@_words.register(DeliveryTold)
def _delivery(row: DeliveryTold, names: Names) -> h.Node:
    if row.channel is None or row.state is None:
        return [h.span(".bad")["no channel"], f": {clean(row.next_step)}"]
    tries = f" after {plural(row.attempts, 'attempt')}" if row.attempts else ""
    more = "" if row.state == DeliveryState.DELIVERED else clean(row.next_step)
    return [
        f"{row.channel}: ",
        h.span(class_=_KINDS.get(row.state))[row.state],
        tries,
        f"; {more.removeprefix(f'{row.state}: ')}" if more else None,
    ]


@_words.register(Attempted)
def _attempted(row: Attempted, names: Names) -> h.Node:
    name = f"Attempt {row.number}" if row.number is not None else "Then"
    said = " ".join(clean(part) for part in (row.reason, row.detail) if part)
    outcome = f"{row.outcome}{': ' + said if said else ''}" if row.outcome else "no answer yet"
    return [f"{name}, ", to_the_second(row.at), f": {outcome}"]


@_words.register(WaitingFact)
def _waiting(row: WaitingFact, names: Names) -> h.Node:
    where = "Was in quarantine" if row.closed else "In quarantine"
    ended = f"{clean(row.closed)}. " if row.closed else ""
    return [
        h.h3[to_the_second(row.received_at), " ", h.span(".bad")[f"{where}, number {row.id}"]],
        h.p[f"{row.reason}: {clean(row.detail)}. {ended}Next: {clean(row.next_step)}"],
    ]
